/** Options of `sluice partition decommission`, besides those of all `partition` actions. */
import type { Option } from '../../../engine/run/operations/option.ts'

const GROUP = 'decommission:'

export const DECOMMISSION_OPTIONS: readonly Option[] = [
  {
    name: 'database',
    type: 'flag',
    fallback: false,
    group: GROUP,
    describe: 'retire the whole database of --from, whose tables have moved to that of --to',
  },
  {
    name: 'leave',
    type: 'list',
    shown: 'none',
    group: GROUP,
    describe:
      'with --database: a table to drop with it although no run has copied it, or the words "large objects"; repeatable',
  },
  {
    name: 'maintenance-db',
    type: 'text',
    shown: 'the default database of the server',
    group: GROUP,
    describe:
      'with --database: another database of the same server; sluice connects to it to close and drop the database of --from',
  },
  {
    name: 'grace',
    type: 'text',
    unit: 'duration',
    fallback: '7d',
    group: GROUP,
    describe:
      'shortest time between the cutover and the drop of the old table; for a database, between making it inactive and its drop',
  },
  {
    name: 'inactive',
    type: 'flag',
    fallback: false,
    group: GROUP,
    describe:
      'only revoke the rights on the old table (with --database: refuse connections), and do not drop it, even after the grace period',
  },
  {
    name: 'archive',
    type: 'text',
    completes: 'database',
    group: GROUP,
    describe:
      'with decommission: copy the inactive table to this database, such as duckdb:///old.duckdb, and compare the rows again, before it is dropped',
  },
  {
    name: 'undo',
    type: 'flag',
    fallback: false,
    group: GROUP,
    describe: 'restore the rights on the old table; with --database: accept connections again',
  },
]
