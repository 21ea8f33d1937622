/** Options of `sluice partition plan`, besides those of all `partition` actions. */
import type { Option } from '../../../engine/run/operations/option.ts'

const PLAN = 'plan:'
const BOTH = 'plan and run:'
const ALL = 'plan, run and in-place:'

export const PLAN_OPTIONS: readonly Option[] = [
  {
    name: 'by',
    type: 'text',
    group: ALL,
    completes: 'column',
    describe: 'time column',
  },
  {
    name: 'slices',
    type: 'text',
    choices: ['week', 'month', 'week:1-6', 'month:1-2'],
    shown: 'none',
    group: BOTH,
    describe:
      'slices of a period that are copied in parallel and reported separately: week or month, cut off at its bounds; with week:1-6 or month:1-2 run copies only these of the first period and ends (exit 75)',
  },
  {
    name: 'window',
    type: 'text',
    unit: 'duration',
    group: BOTH,
    describe:
      'time limit for one period, such as 3h; after it, run begins no more chunks and ends (exit 75); the same command resumes',
  },
  {
    name: 'exact',
    type: 'flag',
    fallback: false,
    group: PLAN,
    describe: 'count all rows, however long it takes; else use a sample if no index helps',
  },
]
