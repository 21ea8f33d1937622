/** DuckDB's messages in the words of copies. */
import { SluiceError, type ErrorCode } from '../../../shared/errors.ts'
import { duckdbError } from '../sql-errors.ts'

export type Side = 'source' | 'target'

const CODES: Partial<Readonly<Record<ErrorCode, string>>> = {
  CONNECT_FAILED: 'the database file cannot be opened',
  TARGET_CORRUPT: 'the file is damaged or is no DuckDB database',
}

/** @returns a SluiceError of that side; what is not known comes back unchanged */
export function copyError(thrown: unknown, label: string, side: Side): unknown {
  const known = duckdbError(thrown, label)
  if (!(known instanceof SluiceError) || known === thrown) return known
  const { where, reason, hint } = known
  return new SluiceError(known.code, CODES[known.code] ?? known.message, {
    kind: known.kind === 'target' ? side : known.kind,
    retryable: known.retryable,
    cause: thrown,
    ...(where === undefined ? {} : { where }),
    ...(reason === undefined || known.code in CODES ? {} : { reason }),
    ...(known.code === 'CONNECT_FAILED'
      ? { hint: 'check the path: a source has to be there, and the folder of a target' }
      : hint === undefined
        ? {}
        : { hint }),
  })
}

/** Errors that are about values: some row is not taken, and others may be. */
export function isRowError(thrown: unknown): boolean {
  return /^(?:Constraint|Conversion|Out of Range|Invalid Input|Overflow) Error|^(?:TransactionContext Error: )?Failed to commit: .*(?:[Cc]onstraint|[Dd]uplicate)/.test(
    messageOf(thrown),
  )
}

/** What is wrong with an SQL expression that somebody wrote. */
export function isExpressionError(thrown: unknown): boolean {
  return /^(?:Parser|Binder|Catalog|Conversion|Invalid Input|Out of Range|Not implemented|Invalid|Missing Extension) Error/.test(
    messageOf(thrown),
  )
}

/** In one line, without the caret below a copy of the statement. */
export function messageOf(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return (message.split(/\n+LINE \d+:/)[0] ?? '').replaceAll(/\s*\n\s*/g, ' ').trim()
}
