/** Tables that share rows by INHERITS or as partitions: a read or DELETE of one includes those that inherit from it. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { Inheritance, Relatives } from '../../../model/archive/port.ts'
import type { CopySession } from '../server/session.ts'
import { tableByName } from '../server/known.ts'

/** Tables above and below this one by INHERITS; both empty for partitions and partitioned tables. */
export async function inheritanceOf(session: CopySession, table: TableName): Promise<Inheritance> {
  const found = await tableByName(session, table)
  if (found === null || found.kind === 'p' || found.parent !== null) return { parents: [], heirs: [] }
  const { above, below } = await kinOf(session, table, [])
  return { parents: above, heirs: below }
}

/** Tables above and below this one, by INHERITS and as partitions. `below` includes `oids` and tables below them. */
export async function kinOf(session: CopySession, table: TableName, oids: readonly string[]): Promise<Relatives> {
  const found = await tableByName(session, table)
  const own = found === null ? [] : [found.oid]
  const others = oids.filter((oid) => /^\d{1,10}$/.test(oid))
  return {
    above: await related(session, [], own, 'inhrelid', 'inhparent'),
    below: await related(session, others, [...own, ...others], 'inhparent', 'inhrelid'),
  }
}

/** @param itself OIDs of tables that the result also includes */
async function related(
  session: CopySession,
  itself: readonly string[],
  of: readonly string[],
  from: string,
  to: string,
): Promise<readonly TableName[]> {
  const among = (column: string, oids: readonly string[]): string =>
    `${column} = ANY (ARRAY[${oids.map((oid) => `${oid}::oid`).join(', ')}]::oid[])`
  const rows = await session.ask(
    `WITH RECURSIVE related AS (
       SELECT ${to} AS oid FROM pg_catalog.pg_inherits WHERE ${among(from, of)}
       UNION SELECT i.${to} FROM related r JOIN pg_catalog.pg_inherits i ON i.${from} = r.oid)
     SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid IN (SELECT oid FROM related) OR ${among('c.oid', itself)} ORDER BY 1, 2`,
  )
  return rows.map(([schema, name]) => ({ schema: schema ?? '', name: name ?? '' }))
}
