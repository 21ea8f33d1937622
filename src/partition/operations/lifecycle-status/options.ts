/** Options of `sluice lifecycle`. */
import { CALENDAR_UNITS, EPOCHS } from '../../../model/calendar/calendar.ts'
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
  {
    name: 'from',
    type: 'text',
    group: INIT,
    completes: 'database',
    describe: 'URL of the database, such as postgresql://user@host/database; else the config file or $DATABASE_URL',
  },
  {
    name: 'by',
    type: 'text',
    group: INIT,
    completes: 'column',
    describe: 'time column; not needed for a partitioned table',
  },
  {
    name: 'epoch',
    type: 'choice',
    choices: EPOCHS,
    shown: 'what bounds and ledger say',
    group: INIT,
    describe: 'unit of the times in an integer column: seconds (s) or milliseconds (ms) since 1970',
  },
  {
    name: 'calendar',
    type: 'choice',
    choices: CALENDAR_UNITS,
    shown: 'that of the partitions, or quarter',
    config: 'shown',
    group: INIT,
    describe: 'periods into which the table is divided',
  },
  {
    name: 'first-month',
    type: 'text',
    shown: 'that of the partitions, or january',
    config: 'shown',
    group: INIT,
    describe: 'first month of a year, and so of its first quarter: 1 to 12, or its name',
  },
  {
    name: 'year-offset',
    type: 'number',
    shown: 'as in the partition names, or 0',
    config: 'shown',
    group: INIT,
    describe: 'added to the year in which a fiscal year begins: 1 makes April 2024 Q2-FY25',
  },
  {
    name: 'first-weekday',
    type: 'text',
    shown: 'that of the partitions, or monday',
    config: 'shown',
    group: INIT,
    describe: 'first day of a week: 1 (Monday) to 7, or its name',
  },
  {
    name: 'zone',
    type: 'text',
    shown: 'that of the database, or UTC',
    config: 'shown',
    group: INIT,
    describe: 'time zone in which days begin, such as Europe/Berlin',
  },
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
