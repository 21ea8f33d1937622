/** Options of `sluice partition run`, besides those shared with `plan`. */
import { CHUNK_ROWS, PROVE_EVERY, ROW_RATE, UNTIL_EQUAL } from '../../../engine/copy/operations/copy/options.ts'
import type { Option } from '../../../engine/run/operations/option.ts'

const RUN = 'run:'
const BOTH = 'plan and run:'
/** Proofs of a chunk. `none` is not offered, because a stream must begin with proved rows. */
export const CHUNK_PROOFS = ['chunk', 'count'] as const

export const RUN_OPTIONS: readonly Option[] = [
  {
    name: 'to',
    type: 'text',
    shown: 'that of the table',
    group: BOTH,
    completes: 'database',
    describe:
      'URL or alias of the database with the new table; for decommission --database: of the database that the tables moved to',
  },
  {
    name: 'into',
    type: 'text',
    shown: 'TABLE_partitioned, or TABLE in another database',
    group: BOTH,
    describe: 'name of the new table; an existing one must be empty and partitioned by the column',
  },
  {
    name: 'first',
    type: 'text',
    shown: 'the current one',
    group: RUN,
    describe:
      'partition to copy first, by name or period, such as Q2-FY25; then older ones, newest first; then newer ones',
  },
  {
    name: 'workers',
    alias: 'parallel',
    type: 'number',
    shown: '4; plan: 1',
    least: 1,
    most: 64,
    group: BOTH,
    describe: 'chunks copied in parallel; plan: slices that the forecast assumes to be copied in parallel',
  },
  { ...CHUNK_ROWS, group: RUN },
  {
    name: 'verify',
    type: 'choice',
    choices: CHUNK_PROOFS,
    shown: 'chunk',
    group: RUN,
    describe: 'proof of every chunk: count and checksum of its rows (chunk), or only the count (count)',
  },
  { ...ROW_RATE, group: RUN },
  {
    name: 'until-caught-up',
    type: 'flag',
    default: false,
    group: RUN,
    describe: 'end once all changes up to the end of the copy are applied; otherwise keep following',
  },
  { ...UNTIL_EQUAL, group: RUN },
  { ...PROVE_EVERY, group: RUN },
  {
    name: 'quiesce',
    type: 'flag',
    default: false,
    group: RUN,
    describe:
      'make writers of the table wait while the slot is created, 10 seconds at most; without it no change is lost either, because the slot precedes every snapshot',
  },
  {
    name: 'restart',
    type: 'flag',
    default: false,
    group: RUN,
    describe: 'start again; empties the new table first',
  },
]
