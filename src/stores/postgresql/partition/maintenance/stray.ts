/** Counts rows of the default partition, and of every partition, in one snapshot; reads a database's time zone. */
import { isZone } from '../../../../model/calendar/zone.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { RangedTable, PrintedBounds, DefaultRows } from '../../../../model/partition/maintenance-port.ts'
import { betweenSql } from '../../server/bounds.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { tableFromSql } from '../../server/sql.ts'

const NONE: DefaultRows = { rows: 0n, from: null, to: null }

/**
 * Row counts of the default partition: of each range, and of all other rows with their smallest and largest value. The
 * counts are 0 if there is no default partition.
 * @throws SluiceError SOURCE_GONE if the default partition no longer exists; errors of the server
 */
export async function strayRows(
  session: CopySession,
  table: RangedTable,
  spans: readonly PrintedBounds[],
): Promise<{ readonly spans: readonly bigint[]; readonly others: DefaultRows }> {
  const rest = table.partitions.find(({ isDefault }) => isDefault)
  if (rest === undefined) return { spans: spans.map(() => 0n), others: NONE }
  const { name, native } = table.column
  const within = spans.map((span) => `(${betweenSql(name, native, span)})`)
  const outside = within.length === 0 ? '' : ` FILTER (WHERE NOT (${within.join(' OR ')}))`
  const column = quoteName(name)
  // Read without ONLY if the default partition is itself partitioned: its rows are in its own partitions.
  const from = tableFromSql({ name: rest.name, only: rest.note === undefined })
  const [row] = await session.ask(
    `SELECT count(*)${outside}, pg_catalog.min(${column})${outside}, pg_catalog.max(${column})${outside}${within.map((one) => `, count(*) FILTER (WHERE ${one})`).join('')} FROM ${from}`,
  )
  if (row === undefined) throw new SluiceError('SOURCE_GONE', 'the default partition no longer exists')
  const [rows, low, high, ...counts] = row
  return {
    spans: counts.map((count) => BigInt(count ?? 0)),
    others: { rows: BigInt(rows ?? 0), from: low ?? null, to: high ?? null },
  }
}

/** Number of rows in every partition, in the order of the partitions, in one snapshot. @throws errors of the server */
export async function countedRows(session: CopySession, { partitions }: RangedTable): Promise<readonly bigint[]> {
  if (partitions.length === 0) return []
  const counts = partitions.map(({ name, note }, i) => {
    return `SELECT ${i}, count(*) FROM ${tableFromSql({ name, only: note === undefined })}`
  })
  const rows = await session.ask(`${counts.join(' UNION ALL ')} ORDER BY 1`)
  return rows.map(([, count]) => BigInt(count ?? 0))
}

/** Default time zone of this role and database; null if it is not the name of a known zone. */
export async function databaseZone(session: CopySession): Promise<string | null> {
  const [row] = await session.ask(`SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'TimeZone'`)
  const zone = row?.[0] ?? ''
  return /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/.test(zone) && isZone(zone) ? zone : null
}
