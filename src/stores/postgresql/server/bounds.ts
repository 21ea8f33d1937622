/** Bounds of partitions: parsed from the server's output, and written as SQL. */
import { SluiceError } from '../../../shared/errors.ts'
import { quoteName } from './connect.ts'
import type { CopySession } from './session.ts'
import { literal } from './sql.ts'
import type { PartitionKey } from './known.ts'

/** `from` is inclusive, `to` exclusive; null is unbounded. */
export type PartitionBounds = { readonly from: string | null; readonly to: string | null }

const PLACES = /^FOR VALUES FROM \((.*)\) TO \((.*)\)$/s
/** A quoted literal, or a number or word without quotes. */
const VALUE = `(B?'(?:[^']|'')*'|[^'(),]+)`
const ONE = new RegExp(`^FOR VALUES FROM \\(${VALUE}\\) TO \\(${VALUE}\\)$`, 's')

/**
 * @param text output of `pg_get_expr` for a partition's bounds, in a session with `standard_conforming_strings`
 * @returns null for the default partition
 * @throws SluiceError UNSUPPORTED_TYPE for bounds of several columns, and for a partition by list or hash
 */
export function boundsOf(text: string): PartitionBounds | null {
  if (text === 'DEFAULT') return null
  const found = ONE.exec(text)
  if (found === null) {
    throw new SluiceError('UNSUPPORTED_TYPE', `the bounds of a partition are not a range of one column: ${text}`, {
      reason: PLACES.test(text) ? 'they have several columns' : 'the table is partitioned by list or hash',
    })
  }
  return { from: valueOf(found[1] ?? ''), to: valueOf(found[2] ?? '') }
}

/** The clause after ATTACH PARTITION. */
export function boundsSql({ from, to }: PartitionBounds): string {
  return `FOR VALUES FROM (${from === null ? 'MINVALUE' : literal(from)}) TO (${to === null ? 'MAXVALUE' : literal(to)})`
}

/**
 * Condition for rows within the bounds. If the table has this condition as a constraint, the server need not check its
 * rows again.
 * @param row name of the table in the statement
 */
export function betweenSql(column: string, type: string, { from, to }: PartitionBounds, row?: string): string {
  const name = row === undefined ? quoteName(column) : `${row}.${quoteName(column)}`
  return [
    `${name} IS NOT NULL`,
    ...(from === null ? [] : [`${name} >= CAST(${literal(from)} AS ${type})`]),
    ...(to === null ? [] : [`${name} < CAST(${literal(to)} AS ${type})`]),
  ].join(' AND ')
}

/** Sorts by lower bound, in the order in which the server compares the bounds. */
export async function orderedBounds<T extends { readonly bounds: PartitionBounds }>(
  session: CopySession,
  all: readonly T[],
  { type, collation }: Pick<PartitionKey, 'type' | 'collation'>,
): Promise<readonly T[]> {
  if (all.length === 0) return all
  const collate = collation === null ? '' : ` COLLATE ${collation}`
  const values = all.map(({ bounds: { from } }, i) => `(${i}, ${from === null ? 'NULL' : literal(from)})`)
  const rows = await session.ask(
    `SELECT n FROM (VALUES ${values.join(', ')}) AS v (n, b) ORDER BY CAST(b AS ${type})${collate} NULLS FIRST`,
  )
  return rows.flatMap(([n]) => all[Number(n)] ?? [])
}

function valueOf(text: string): string | null {
  if (text === 'MINVALUE' || text === 'MAXVALUE') return null
  const quoted = /^B?'(.*)'$/s.exec(text)
  return quoted === null ? text : (quoted[1] ?? '').replaceAll("''", "'")
}
