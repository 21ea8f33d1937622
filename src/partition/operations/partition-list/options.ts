/** Options of `sluice partition` for all actions. */
import { DATABASE, LOCK_TIMEOUT, ACTION_PREVIEW } from '../../../engine/run/operations/shared-options.ts'
import { calendarOptions, EPOCH } from '../../../engine/run/operations/calendar-options.ts'
import { MOST_AHEAD } from '../../coverage.ts'
import type { Option } from '../../../engine/run/operations/option.ts'

const ALL = 'all actions:'

export const PARTITION_OPTIONS: readonly Option[] = [
  { name: 'action', operand: true, type: 'text', describe: 'list, ensure, plan, run, in-place, decommission' },
  { ...DATABASE, group: ALL },
  {
    name: 'table',
    type: 'list',
    shown: 'none',
    group: ALL,
    completes: 'table',
    describe: 'a table or a pattern; repeatable',
  },
  { ...EPOCH, group: 'list, ensure, plan, run and in-place:' },
  ...calendarOptions(ALL, {
    calendar: 'that of the partitions; quarter for plan',
    'first-month': 'that of the partitions; january for plan',
    'year-offset': 'as in the partition names; 0 for plan',
    'first-weekday': 'that of the partitions; monday for plan',
    zone: 'that of the database; UTC for plan',
  }),
  {
    name: 'ahead',
    type: 'number',
    fallback: 2,
    most: MOST_AHEAD,
    group: 'list and ensure:',
    describe: 'number of whole periods after the current one that must have partitions',
  },
  {
    name: 'older-than',
    type: 'text',
    shown: 'nothing is due',
    config: 'shown',
    group: 'list:',
    describe: 'age, in whole periods, from which a partition is due: 8q, 24m, 52w, 365d, 7y',
  },
  {
    name: 'count',
    type: 'flag',
    fallback: false,
    group: 'list:',
    describe: 'count the rows of every partition, which reads all of them; else use the statistics of the database',
  },
  { ...LOCK_TIMEOUT, group: 'ensure and decommission:' },
  {
    name: 'retry-limit',
    type: 'text',
    unit: 'duration',
    fallback: '60s',
    least: 1,
    group: 'ensure and decommission:',
    describe: 'how long to retry locks before the command ends; the same command resumes',
  },
  { ...ACTION_PREVIEW, group: 'ensure, in-place and decommission:' },
]
