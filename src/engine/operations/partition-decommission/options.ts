/** What `sluice partition decommission` takes beside what all actions of `partition` take. */
import type { Option } from '../option.ts'

const GROUP = 'decommission:'

export const DECOMMISSION_OPTIONS: readonly Option[] = [
  {
    name: 'grace',
    type: 'text',
    unit: 'duration',
    fallback: '7d',
    group: GROUP,
    describe: 'how long after the switch the parked table is not dropped',
  },
  {
    name: 'inactive',
    type: 'flag',
    fallback: false,
    group: GROUP,
    describe: 'take the rights on the parked table away and no more, also when the grace is over',
  },
  {
    name: 'archive',
    type: 'text',
    completes: 'database',
    group: GROUP,
    describe:
      'copy the inactive table to this database, such as duckdb:///old.duckdb, before it is dropped; rows are compared again then',
  },
  {
    name: 'undo',
    type: 'flag',
    fallback: false,
    group: GROUP,
    describe: 'give the rights on the parked table back',
  },
]
