/** Options that select rows of the quarantine. */
import type { Option } from '../../../run/operations/option.ts'

export const QUARANTINED = {
  run: {
    name: 'run',
    operand: true,
    type: 'text',
    completes: 'run',
    runsOf: ['copy', 'follow', 'retry-quarantine'],
    describe: 'only rows that this run quarantined (default: all)',
  },
  table: {
    name: 'table',
    type: 'text',
    completes: 'table',
    describe: 'only rows of this table, by its name in the target or the source',
  },
} as const satisfies Readonly<Record<string, Option>>
