import type { CodecWish } from '../../../model/copy/codec.ts'
import type { CopyOperation } from '../copy/declaration.ts'
import type { CassandraWish, RingWish, TrackWish } from '../copy/wishes.ts'
import type { Declaration } from '../declaration.ts'
import { CASSANDRA, ENDS, RING, SELECTION, TRACK, WRITING } from '../copy/options.ts'
import { PAGES } from '../pages.ts'

export type DiffOperation = {
  readonly kind: 'diff'
  readonly from: string
  readonly to: string
  readonly tables: readonly string[]
  readonly toSchema?: string
  readonly toTable?: string
  readonly columns?: readonly string[]
  readonly rename: Readonly<Record<string, string>>
  readonly where?: string
  readonly key?: readonly string[]
  readonly workers: number
  /** Differences that are named; all are counted. */
  readonly limit: number
  /** Make the target hold what the source holds. */
  readonly fix: boolean
  /** With `fix`: remove rows that the source has not. */
  readonly deleteExtra: boolean
  /** With `fix`: mend only what is missing, or only what is different. */
  readonly fixOnly?: 'missing' | 'different'
  /** With `fix`: rows of counters that the target has not are counted up there. Those that differ are mended without it. */
  readonly fixCounters?: true
  /** With `fix`: values that were written later in the target than in the source are written over. */
  readonly overwriteNewer?: true
  readonly ring?: RingWish
  readonly constants?: Readonly<Record<string, string>>
  readonly explodeMap?: NonNullable<CopyOperation['explodeMap']>
  readonly codecs?: CodecWish
  readonly track?: TrackWish
  readonly cdmLines?: true
  readonly cassandra?: CassandraWish
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

export const diff: Declaration<DiffOperation, (typeof EVENTS)[number]> = {
  kind: 'diff',
  command: {
    ...PAGES.diff,
    takes: [
      ...ENDS,
      ...SELECTION,
      ...RING,
      ...TRACK,
      ...CASSANDRA,
      ...WRITING,
      {
        name: 'limit',
        type: 'number',
        default: 100,
        config: 'default',
        describe: 'differences to name of each table; all are counted',
      },
      {
        name: 'fix',
        type: 'flag',
        default: false,
        describe: 'make the target hold what the source holds; what it held before is kept for --undo',
      },
      {
        name: 'delete-extra',
        type: 'flag',
        default: false,
        describe: 'with --fix: remove rows that the source has not',
      },
      {
        name: 'fix-counters',
        type: 'flag',
        default: false,
        describe: 'with --fix: count up rows of counters that the target has not',
      },
      {
        name: 'overwrite-newer',
        type: 'flag',
        default: false,
        describe: 'with --fix: write over values that were written later in the target than in the source',
      },
      {
        name: 'undo',
        type: 'text',
        completes: 'run',
        describe:
          'take back what the run of this id has fixed; only --to is needed, and --table leaves the rest as it is',
      },
    ],
  },
  shape: 'long',
  doing: 'comparing',
  stores: [
    { field: 'from', family: 'database', access: 'read', end: 'source' },
    { field: 'to', family: 'database', access: 'write', end: 'target' },
  ],
  about: 'tables',
  events: EVENTS,
}
