/** What `sluice partition plan` takes beside what all its actions take. */
import type { Option } from '../option.ts'

const PLAN = 'plan:'

export const PLAN_OPTIONS: readonly Option[] = [
  {
    name: 'by',
    type: 'text',
    group: PLAN,
    completes: 'column',
    describe: 'the column that says when a row belongs',
  },
  {
    name: 'slices',
    type: 'choice',
    choices: ['week', 'month'],
    shown: 'none',
    group: PLAN,
    describe: 'parts of a period that are copied beside each other: weeks clipped at its edges, or its months',
  },
  {
    name: 'window',
    type: 'text',
    unit: 'duration',
    group: PLAN,
    describe: 'time that there is for one period, such as 3h',
  },
  {
    name: 'lanes',
    type: 'number',
    fallback: 1,
    least: 1,
    most: 64,
    group: PLAN,
    describe: 'slices that are copied at the same time',
  },
  {
    name: 'exact',
    type: 'flag',
    fallback: false,
    group: PLAN,
    describe: 'count rows, whatever it takes; else a sample is taken where no index helps',
  },
]
