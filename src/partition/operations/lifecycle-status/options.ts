/** Options of `sluice lifecycle`. */
import { DATABASE } from '../../../engine/run/operations/shared-options.ts'
import { calendarOptions, EPOCH } from '../../../engine/run/operations/calendar-options.ts'
import { alertOptions } from '../../../engine/run/operations/alert-options.ts'
import type { Option } from '../../../engine/run/operations/option.ts'

const INIT = 'init:'

export const LIFECYCLE_CAUSES = ['none-ahead', 'default-rows', 'failed'] as const

export const LIFECYCLE_OPTIONS: readonly Option[] = [
  { name: 'action', operand: true, type: 'text', describe: 'init, status' },
  {
    name: 'table',
    type: 'list',
    shown: 'all of the file',
    group: 'all actions:',
    completes: 'table',
    describe: 'for init: the table; for status: only these tables of the config file; repeatable',
  },
  { ...DATABASE, group: INIT },
  {
    name: 'by',
    type: 'text',
    group: INIT,
    completes: 'column',
    describe: 'time column; not needed for a partitioned table',
  },
  { ...EPOCH, group: INIT },
  ...calendarOptions(INIT, {
    calendar: 'that of the partitions, or quarter',
    'first-month': 'that of the partitions, or january',
    'year-offset': 'as in the partition names, or 0',
    'first-weekday': 'that of the partitions, or monday',
    zone: 'that of the database, or UTC',
  }),
  {
    name: 'archive',
    type: 'text',
    group: INIT,
    completes: 'folder or bucket',
    describe: 'folder or s3://bucket/prefix of the archive; without it nothing is archived',
  },
  {
    name: 'older-than',
    type: 'text',
    group: INIT,
    describe: 'age, in whole periods, from which a partition is archived: 8q, 24m, 52w, 365d, 7y',
  },
  {
    name: 'write',
    type: 'text',
    shown: 'that of --config, or sluice.yaml',
    group: INIT,
    completes: 'file',
    describe: 'config file to which the entry is written; - prints it',
  },
  {
    name: 'replace',
    type: 'flag',
    fallback: false,
    group: INIT,
    describe: 'replace the entry of the table if the file has one',
  },
  ...alertOptions(LIFECYCLE_CAUSES, 'status:'),
]
