/** Options of `sluice partition in-place`, besides those of all `partition` actions. */
import type { Option } from '../../../engine/run/operations/option.ts'

const GROUP = 'in-place:'

export const IN_PLACE_OPTIONS: readonly Option[] = [
  {
    name: 'past',
    type: 'text',
    shown: 'TABLE_past',
    group: GROUP,
    describe: 'name that the table gets as the first partition',
  },
  {
    name: 'last',
    type: 'text',
    shown: 'the current one, or the latest with rows',
    group: GROUP,
    describe:
      'last period of the past, such as Q2-FY25; no row may lie behind it until the new table has the name, and none without a time',
  },
  {
    name: 'slice',
    type: 'text',
    group: GROUP,
    describe:
      'take the last period of the past, such as Q2-FY25, into a partition of its own; everybody waits while its rows move, and how long is said first',
  },
  {
    name: 'pause-budget',
    type: 'text',
    unit: 'duration',
    fallback: '2s',
    least: 100,
    group: GROUP,
    describe: 'longest that others may wait: a try that takes longer changes nothing, and is made again later',
  },
  {
    name: 'tries-for',
    type: 'text',
    unit: 'duration',
    fallback: '10m',
    group: GROUP,
    describe: 'how long tries are made; exit code 75 after that, and the same command goes on',
  },
  {
    name: 'revert',
    type: 'flag',
    fallback: false,
    group: GROUP,
    describe: 'go back: the past is the table again, as long as no other partition holds rows',
  },
]
