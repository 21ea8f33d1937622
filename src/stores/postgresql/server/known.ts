/** Finds tables of an archive in the current system catalogs, by name or by OID. */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ReadColumn } from '../../../model/copy/read-column.ts'
import type { CopySession } from './session.ts'
import { literal } from './sql.ts'
import type { KnownTable } from './locks.ts'

export type FoundRelation = KnownTable & {
  /** `relkind` in pg_class. */
  readonly kind: string
  /** OID of a partition's parent; null for other tables. */
  readonly parent: string | null
  /** True if a detach was begun and not finished. */
  readonly leaving: boolean
}

/** Columns and type of a range key. */
export type PartitionKey = {
  readonly column: string
  readonly type: string
  /** Quoted name of the collation of the bounds; null for types that cannot have a collation. */
  readonly collation: string | null
}

/** @returns null if there is no such table */
export function tableByName(session: CopySession, { schema, name }: TableName): Promise<FoundRelation | null> {
  const place = schema === undefined ? 'pg_catalog.pg_table_is_visible(c.oid)' : `n.nspname = ${literal(schema)}`
  return found(session, `c.relname = ${literal(name)} AND ${place}`)
}

/** @returns null if the table no longer exists */
export function tableByIdentity(session: CopySession, oid: string): Promise<FoundRelation | null> {
  return /^\d{1,10}$/.test(oid) ? found(session, `c.oid = ${oid}::oid`) : Promise.resolve(null)
}

/**
 * True if `identity` (`TableSpec.identity`) belongs to the table with this database and OID. If the table is read by
 * blocks, a suffix follows the OID.
 */
export function isOf(identity: string, database: string, oid: string): boolean {
  const own = `${database}/${oid}`
  return identity === own || identity.startsWith(`${own}/`)
}

/**
 * Partition key of a table.
 * @param hint what to do about an unsupported partitioning
 * @returns null if the table is not partitioned
 * @throws SluiceError UNSUPPORTED_TYPE if it is not partitioned by ranges of one column
 */
export async function partitionKey(
  session: CopySession,
  { oid, name }: KnownTable,
  hint = 'archive each of its partitions as a separate table',
): Promise<PartitionKey | null> {
  const [row] = await session.ask(
    `SELECT p.partstrat, p.partnatts, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
       (SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(co.collname) FROM pg_catalog.pg_collation co
        JOIN pg_catalog.pg_namespace n ON n.oid = co.collnamespace WHERE co.oid = p.partcollation[0]), pg_catalog.pg_get_partkeydef(p.partrelid)
     FROM pg_catalog.pg_partitioned_table p
       LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0] AND a.attnum > 0
     WHERE p.partrelid = ${literal(oid)}::oid`,
  )
  if (row === undefined) return null
  const [strategy, columns, column, type, collation = null, definition] = row
  if (strategy === 'r' && columns === '1' && column != null) return { column, type: type ?? '', collation }
  throw new SluiceError(
    'UNSUPPORTED_TYPE',
    `${tableText(name)} is partitioned by ${definition}, which sluice does not support`,
    {
      where: tableText(name),
      reason: 'sluice supports only PARTITION BY RANGE with one column',
      hint,
      kind: 'unsupported',
    },
  )
}

/**
 * True if a table has exactly the archived columns: values of an added column would be lost with its rows.
 * @param columns with or without generated ones
 */
export async function hasColumns(
  session: CopySession,
  { oid }: KnownTable,
  columns: readonly ReadColumn[],
): Promise<boolean> {
  const rows = await session.ask(
    `SELECT attname, attgenerated <> '' FROM pg_catalog.pg_attribute
     WHERE attrelid = ${literal(oid)}::oid AND attnum > 0 AND NOT attisdropped`,
  )
  const names = new Set(columns.map(({ name }) => name))
  const own = new Map(rows.map(([name, generated]) => [name ?? '', generated === 't']))
  return (
    [...own].every(([name, generated]) => generated || names.has(name)) && [...names].every((name) => own.has(name))
  )
}

async function found(session: CopySession, condition: string): Promise<FoundRelation | null> {
  // PostgreSQL 14 and newer mark a pending detach.
  const [row] = await session.ask(
    `SELECT c.oid, n.nspname, c.relname, c.relkind, i.inhparent,
       coalesce((pg_catalog.to_jsonb(i) ->> 'inhdetachpending'::text)::boolean, false)
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid AND c.relispartition
     WHERE ${condition} AND c.relkind IN ('r', 'p', 'f', 'v', 'm')`,
  )
  if (row === undefined) return null
  const [oid, schema, name, kind, parent = null, leaving] = row
  return {
    oid: oid ?? '',
    name: { schema: schema ?? '', name: name ?? '' },
    kind: kind ?? '',
    parent,
    leaving: leaving === 't',
  }
}
