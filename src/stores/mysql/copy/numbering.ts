/** The number that AUTO_INCREMENT gives next in a target. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { ColumnSequence } from '../../../model/copy/sequence.ts'
import type { Session } from '../session.ts'
import { nextNumber } from './beside.ts'
import { tableSql } from './names.ts'

/**
 * Moves the counter of a table to the position of the source's sequence, and never back.
 * @returns what could not be done, in words
 */
export async function moveNumber(
  session: Session,
  { table, columns }: TableSpec,
  { column, next, options }: ColumnSequence,
): Promise<readonly string[]> {
  if (next === null) return []
  if (options !== undefined && options.increment < 0n) {
    return [`${column} counts down in the source, which goes on at ${next}; the target counts up`]
  }
  const own = columns.find(({ name }) => name === column)
  const there = own?.identity === true ? await nextNumber(session, table) : null
  if (there === null) return [`${column} has no AUTO_INCREMENT in the target: the source goes on at ${next}`]
  if (next > there) await session.command(`ALTER TABLE ${tableSql(table)} AUTO_INCREMENT = ${next}`)
  return options === undefined || options.increment === 1n
    ? []
    : [`${column} counts by ${options.increment} in the source, and by what its server says in the target`]
}
