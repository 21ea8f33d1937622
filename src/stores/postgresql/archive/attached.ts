/**
 * Former partitions that are below their parent again. They are found by archived name, or by OID: in a database that
 * was loaded from a dump, tables have other OIDs.
 */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { DetachedTable } from '../../../model/archive/port.ts'
import type { CopySession } from '../server/session.ts'
import { literal } from '../server/sql.ts'
import { partitionsBetween } from './insert-rows.ts'
import { partitionKey, tableByName, type PartitionKey } from '../server/known.ts'
import { archivedName } from './move.ts'

type Below = {
  readonly oid: string
  readonly table: TableName
  /** Direct partition of the parent: this table, or the partition that contains it. */
  readonly top: TableName
  /** True if `top` is the default partition. */
  readonly isDefault: boolean
}

/** Archived tables at any depth below the parent, by their recorded OIDs. */
export async function attachedTables(
  session: CopySession,
  parent: TableName,
  left: readonly DetachedTable[],
): Promise<ReadonlyMap<string, TableName>> {
  const above = left.length === 0 ? null : await tableByName(session, parent)
  if (above === null || above.kind !== 'p') return new Map()
  const below = await tablesBelow(session, above.oid, left)
  const key = below.length === 0 ? null : await keyOf(session, above)
  const found = new Map<string, TableName>()
  for (const one of left) {
    const name = nameOf(one)
    const named = below.find(({ table }) => table.name === name)
    const numbered = one.numbered ? below.find(({ oid }) => oid === one.identity) : undefined
    if (named !== undefined) found.set(one.identity, named.table)
    else if (numbered !== undefined && (await mayHold(session, above.oid, key, numbered, one)))
      found.set(one.identity, numbered.table)
  }
  return found
}

async function tablesBelow(
  session: CopySession,
  parent: string,
  left: readonly DetachedTable[],
): Promise<readonly Below[]> {
  const oids = left.flatMap(({ identity }) => (/^\d{1,10}$/.test(identity) ? [`${identity}::oid`] : []))
  const names = left.map((one) => literal(nameOf(one)))
  const rows = await session.ask(
    `WITH RECURSIVE tree AS (
       SELECT i.inhrelid AS oid, i.inhrelid AS top FROM pg_catalog.pg_inherits i WHERE i.inhparent = ${literal(parent)}::oid
       UNION ALL SELECT i.inhrelid, t.top FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid)
     SELECT c.oid, n.nspname, c.relname, tn.nspname, top.relname, pg_catalog.pg_get_expr(top.relpartbound, top.oid)
     FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_catalog.pg_class top ON top.oid = t.top JOIN pg_catalog.pg_namespace tn ON tn.oid = top.relnamespace
     WHERE c.oid = ANY (ARRAY[${oids.join(', ')}]::oid[]) OR c.relname::text = ANY (ARRAY[${names.join(', ')}]::text[])`,
  )
  return rows.map(([oid, schema, name, topSchema, topName, bounds]) => ({
    oid: oid ?? '',
    table: { schema: schema ?? '', name: name ?? '' },
    top: { schema: topSchema ?? '', name: topName ?? '' },
    isDefault: bounds === 'DEFAULT',
  }))
}

/** Partition key of the parent. Null if it is not a range of one column: then bounds are not compared. */
async function keyOf(
  session: CopySession,
  parent: { readonly oid: string; readonly name: TableName },
): Promise<PartitionKey | null> {
  try {
    return await partitionKey(session, parent)
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'UNSUPPORTED_TYPE') return null
    throw error
  }
}

/** True if the table may contain rows within the recorded bounds. */
async function mayHold(
  session: CopySession,
  parent: string,
  key: PartitionKey | null,
  { top, isDefault }: Below,
  bounds: DetachedTable,
): Promise<boolean> {
  if (key === null || isDefault) return true
  const standing = await partitionsBetween(session, parent, key, bounds)
  return standing.some((one) => tableText(one) === tableText(top))
}

function nameOf({ table, identity }: DetachedTable): string {
  return archivedName(table, identity).name
}
