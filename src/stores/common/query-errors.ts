/** Errors of a query that a user typed, the same for every store. */
import { SluiceError } from '../../shared/errors.ts'

const HINT = 'docs/reference/CATALOG.md names the relations, and has example queries'

/** Hint for a condition that the system does not understand. @param system its display name */
export function conditionHint(system: string): string {
  return `write the condition as after WHERE in ${system}; a column whose name is a keyword of SQL (order, end) needs double quotes`
}

/** @param message text of the server's error */
export function badQuery(message: string, where: string, cause?: unknown): SluiceError {
  return new SluiceError('BAD_QUERY', message.trim().replace(/\.$/, ''), { where, hint: HINT, cause })
}

/** Error for a statement that writes, or returns no rows. It is not started. */
export function givesNoRows(where: string): SluiceError {
  return new SluiceError('BAD_QUERY', 'the statement is not a query', {
    where,
    reason: 'only queries are allowed: only imports write the catalog',
    hint: HINT,
  })
}

export function severalStatements(where: string): SluiceError {
  return new SluiceError('BAD_QUERY', 'the text has several statements', { where, hint: 'give one query at a time' })
}

export function tookTooLong(timeoutMs: number, where: string): SluiceError {
  return new SluiceError('DEADLINE', `the query took longer than --timeout (${timeoutMs / 1000} s)`, {
    where,
    hint: 'query fewer rows, or raise --timeout',
  })
}

/** `line 2, column 7`, both counted from 1, of a position that is counted from 0. */
export function placeIn(text: string, at: number): string {
  const before = text.slice(0, at).split('\n')
  return `line ${before.length}, column ${(before.at(-1) ?? '').length + 1}`
}
