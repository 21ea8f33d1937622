/** Options of `sluice partition run`, besides those shared with `plan`. */
import { PROVE_EVERY, UNTIL_EQUAL } from '../../../engine/copy/operations/copy/options.ts'
import type { Option } from '../../../engine/run/operations/option.ts'

const RUN = 'run:'
const BOTH = 'plan and run:'
/** Replication requires proved rows to begin with. */
export const CHUNK_PROOFS = ['chunk', 'count'] as const

export const RUN_OPTIONS: readonly Option[] = [
  {
    name: 'to',
    type: 'text',
    shown: 'that of the table',
    group: BOTH,
    completes: 'database',
    describe:
      'URL of the database of the new table, or a store of the config file; of decommission --database, the one that the tables have moved to',
  },
  {
    name: 'into',
    type: 'text',
    shown: 'TABLE_partitioned, or TABLE in another database',
    group: BOTH,
    describe: 'name of the new table; one that is there has to be partitioned by the column, and empty',
  },
  {
    name: 'first',
    type: 'text',
    shown: 'the current one',
    group: RUN,
    describe:
      'partition that is copied before all others, by its name or its period, such as Q2-FY25; then older ones, the newest first',
  },
  {
    name: 'workers',
    alias: 'parallel',
    type: 'number',
    shown: '4; plan: 1',
    least: 1,
    most: 64,
    group: BOTH,
    describe: 'chunks under way at the same time; for plan, slices that are copied at the same time',
  },
  {
    name: 'checkpoint-size',
    type: 'number',
    unit: 'rows',
    shown: 'by the size of the table',
    group: RUN,
    describe: 'rows of a chunk',
  },
  {
    name: 'verify',
    type: 'choice',
    choices: CHUNK_PROOFS,
    shown: 'chunk',
    group: RUN,
    describe: 'proof of every chunk: number and checksum of its rows (chunk), or their number',
  },
  {
    name: 'rate',
    type: 'number',
    unit: 'rows a second',
    shown: 'no limit',
    group: RUN,
    describe: 'rows a second, at most',
  },
  {
    name: 'until-caught-up',
    type: 'flag',
    default: false,
    group: RUN,
    describe: 'end as soon as everything is applied that the table held when its rows were copied; else follow on',
  },
  { ...UNTIL_EQUAL, group: RUN },
  { ...PROVE_EVERY, group: RUN },
  {
    name: 'quiesce',
    type: 'flag',
    default: false,
    group: RUN,
    describe:
      'keep writers of the table waiting while the slot is made, 10 seconds at most; nothing is missed without it, because the slot comes before every snapshot',
  },
  {
    name: 'restart',
    type: 'flag',
    default: false,
    group: RUN,
    describe: 'begin again: the new table is emptied first',
  },
]
