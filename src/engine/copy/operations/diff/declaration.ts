import type { AlertOptions } from '../../../../model/run/alert.ts'
import type { PairedTables } from '../copy/option-types.ts'
import { alertOptions, FAILED } from '../../../run/operations/alert-options.ts'
import type { Declaration } from '../../../run/operations/declaration.ts'
import { CASSANDRA, ENDS, RING, SELECTION, STREAMS, TRACK, WRITING } from '../copy/options.ts'
import type { Option } from '../../../run/operations/option.ts'
import { PAGES } from '../../../run/operations/pages.ts'

export type DiffOperation = PairedTables & {
  readonly kind: 'diff'
  /** Limit of differences that are named; all are counted. */
  readonly limit: number
  /** True to make the target equal to the source. */
  readonly fix: boolean
  /** With `fix`: true to remove rows that the source does not have. */
  readonly deleteExtra: boolean
  /** With `fix`: repair only missing rows, or only different ones. */
  readonly fixOnly?: 'missing' | 'different'
  /** With `fix`: write missing counter rows by increments. Different counter rows are repaired without this option. */
  readonly fixCounters?: true
  /** With `fix`: overwrite values that the target wrote later than the source. */
  readonly overwriteNewer?: true
  readonly alert?: AlertOptions
}

const EVENTS = [
  'plan.ready',
  'table.finished',
  'diff.progress',
  'diff.range',
  'difference',
  'run.tracked',
  'run.counted',
  'row.aside',
  'log',
] as const

/** `--key`: columns of a row key; with `--run` the key values of a row. */
const KEY: Option = {
  name: 'key',
  type: 'list',
  commas: true,
  shown: 'the key of the table',
  completes: 'column',
  describe:
    'columns that identify a row, comma-separated; with --run: key values of one row, comma-separated; repeatable',
}

export const diff: Declaration<DiffOperation, (typeof EVENTS)[number]> = {
  kind: 'diff',
  command: {
    ...PAGES.diff,
    takes: [
      ...ENDS,
      ...SELECTION.map((option) => (option.name === 'key' ? KEY : option)),
      {
        name: 'run',
        type: 'text',
        completes: 'run',
        runsOf: STREAMS,
        describe: 'id of the stream that follows the table; with --fix, the stream repairs the selected rows',
      },
      {
        name: 'range',
        type: 'text',
        describe: 'LO..HI: rows whose key, or its first column, is from LO to HI, both included',
      },
      {
        name: 'partition',
        type: 'text',
        completes: 'partition',
        describe: "rows of this partition of the source's table",
      },
      {
        name: 'dry-run',
        alias: 'n',
        type: 'flag',
        default: false,
        describe: 'with --run: only report current differences, including rows in flight; the default without --fix',
      },
      ...RING,
      ...TRACK,
      ...CASSANDRA,
      ...WRITING,
      {
        name: 'limit',
        type: 'number',
        default: 100,
        config: 'default',
        describe: 'maximum differences listed per table; all are counted',
      },
      {
        name: 'fix',
        type: 'flag',
        default: false,
        describe: 'write rows that the target lacks or has with other values; earlier values are kept for --undo',
      },
      {
        name: 'delete-extra',
        type: 'flag',
        default: false,
        describe: 'with --fix: delete target rows that the source lacks',
      },
      {
        name: 'fix-counters',
        type: 'flag',
        default: false,
        describe: 'with --fix: also add counter rows that the target lacks',
      },
      {
        name: 'overwrite-newer',
        type: 'flag',
        default: false,
        describe: 'with --fix: overwrite values that are newer in the target than in the source',
      },
      {
        name: 'undo',
        type: 'text',
        completes: 'run',
        runsOf: ['diff'],
        describe: 'revert the repairs of this run; needs only --to; --table limits it to some tables',
      },
      ...alertOptions(FAILED),
    ],
    first: ['from', 'to', 'table', 'tables', 'where', 'key', 'fix', 'delete-extra', 'limit', 'dry-run'],
    epilogue:
      'Only the stream may write to a replicated table: diff --fix --run STREAM with --key, --range or ' +
      '--partition names rows to the stream, and waits until they are equal. If no program runs the stream, ' +
      'this command runs it until it has caught up.\n',
  },
  display: 'long',
  doing: 'comparing',
  stores: [
    { field: 'from', family: 'database', access: 'read', end: 'source' },
    { field: 'to', family: 'database', access: 'write', changesWith: ['fix', 'track'], end: 'target' },
  ],
  about: 'tables',
  distributes: { by: 'parts', field: 'tables' },
  alerts: { causes: FAILED, how: ['cassandra'] },
  comesAgain: true,
  events: EVENTS,
}
