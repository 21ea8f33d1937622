/** Putting a table under a partitioned one, so that nobody waits while its rows are looked at. */
import type { TableName } from '../../../model/copy/column-type.ts'
import { quoteName } from '../connect.ts'
import type { CopySession } from '../copy/session.ts'
import { literal, tableSql } from '../copy/sql.ts'
import { betweenSql, boundsSql, type Bounds } from './bounds.ts'
import { tableByName, type FoundTable, type PartitionKey } from './known.ts'
import type { KnownTable } from './locks.ts'
import { BOUNDS } from './step-errors.ts'

export type Parent = FoundTable & { readonly key: PartitionKey }

/**
 * The constraint says what the server would look for in all rows with the parent locked.
 * @throws what the server says, where other partitions hold a part of the range, or the default one rows of it
 */
export async function attachTable(
  session: CopySession,
  parent: Parent,
  { oid, name }: KnownTable,
  bounds: Bounds,
): Promise<void> {
  const { column, type } = parent.key
  const table = tableSql(name)
  const constraint = quoteName(`${BOUNDS}${oid}`)
  await session.ask(`ALTER TABLE ${table} ADD CONSTRAINT ${constraint} CHECK (${betweenSql(column, type, bounds)})`)
  await session.ask(`ALTER TABLE ${tableSql(parent.name)} ATTACH PARTITION ${table} ${boundsSql(bounds)}`)
  await session.ask(`ALTER TABLE ${table} DROP CONSTRAINT ${constraint}`)
}

/** A table that can be attached; its indexes are made when it is, unless the default partition would be locked meanwhile. */
export async function createLike(session: CopySession, parent: Parent, name: TableName): Promise<KnownTable> {
  const [row] = await session.ask(
    `SELECT partdefid <> 0 FROM pg_catalog.pg_partitioned_table WHERE partrelid = ${literal(parent.oid)}::oid`,
  )
  const indexes = row?.[0] === 't' ? '' : ' EXCLUDING INDEXES'
  // Only the parent numbers its rows.
  const like = `LIKE ${tableSql(parent.name)} INCLUDING ALL EXCLUDING IDENTITY EXCLUDING STATISTICS${indexes}`
  await session.ask(`CREATE TABLE ${tableSql(name)} (${like})`)
  const [owner] = await session.ask(
    `SELECT pg_catalog.pg_get_userbyid(relowner) FROM pg_catalog.pg_class
     WHERE oid = ${literal(parent.oid)}::oid AND relowner <> (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)`,
  )
  if (owner !== undefined) await session.ask(`ALTER TABLE ${tableSql(name)} OWNER TO ${quoteName(owner[0] ?? '')}`)
  const made = await tableByName(session, name)
  if (made === null) throw new Error('a table that was just made is not there')
  return made
}
