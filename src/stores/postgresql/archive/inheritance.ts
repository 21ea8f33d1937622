/** Tables that share rows by INHERITS: whoever reads or deletes rows of one does so with those that inherit from it. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { Inheritance } from '../../../model/archive/port.ts'
import type { CopySession } from '../server/session.ts'
import { literal } from '../server/sql.ts'
import { tableByName } from '../server/known.ts'

/** Partitions, and the tables that they are partitions of, are none of these. */
export async function inheritanceOf(session: CopySession, table: TableName): Promise<Inheritance> {
  const found = await tableByName(session, table)
  if (found === null || found.kind === 'p' || found.parent !== null) return { parents: [], heirs: [] }
  const [parents, heirs] = [
    await related(session, found.oid, 'inhrelid', 'inhparent'),
    await related(session, found.oid, 'inhparent', 'inhrelid'),
  ]
  return { parents, heirs }
}

async function related(session: CopySession, oid: string, from: string, to: string): Promise<readonly TableName[]> {
  const rows = await session.ask(
    `WITH RECURSIVE related AS (
       SELECT ${to} AS oid FROM pg_catalog.pg_inherits WHERE ${from} = ${literal(oid)}::oid
       UNION SELECT i.${to} FROM related r JOIN pg_catalog.pg_inherits i ON i.${from} = r.oid)
     SELECT n.nspname, c.relname FROM related r JOIN pg_catalog.pg_class c ON c.oid = r.oid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ORDER BY 1, 2`,
  )
  return rows.map(([schema, name]) => ({ schema: schema ?? '', name: name ?? '' }))
}
