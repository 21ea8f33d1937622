/** Options of `sluice partition in-place`, besides those of all `partition` actions. */
import type { Option } from '../../../engine/run/operations/option.ts'

const GROUP = 'in-place:'

export const IN_PLACE_OPTIONS: readonly Option[] = [
  {
    name: 'past',
    type: 'text',
    shown: 'TABLE_past',
    group: GROUP,
    describe: 'new name of the existing table, which becomes the first partition',
  },
  {
    name: 'last',
    type: 'text',
    shown: 'the current one, or the latest with rows',
    group: GROUP,
    describe:
      'last period of the first partition, such as Q2-FY25; until the cutover, the table must have no later rows, and no NULL in the time column',
  },
  {
    name: 'slice',
    type: 'text',
    group: GROUP,
    describe:
      'move the last period of the first partition, such as Q2-FY25, into its own partition; all sessions wait meanwhile, and the expected wait is printed first',
  },
  {
    name: 'pause-budget',
    type: 'text',
    unit: 'duration',
    fallback: '2s',
    least: 100,
    group: GROUP,
    describe: 'longest wait of other sessions: a try that takes longer changes nothing and is repeated later',
  },
  {
    name: 'tries-for',
    type: 'text',
    unit: 'duration',
    fallback: '10m',
    group: GROUP,
    describe: 'stop retrying after this time (exit 75); the same command resumes',
  },
  {
    name: 'revert',
    type: 'flag',
    fallback: false,
    group: GROUP,
    describe: 'go back: the first partition becomes the table again, if no other partition has rows',
  },
]
