/** Tables of an archive as the system catalogs have them now: by their names, and by the number that tells them from others of that name. */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ReadColumn } from '../../../model/copy/port.ts'
import type { CopySession } from './session.ts'
import { literal } from './sql.ts'
import type { KnownTable } from './locks.ts'

export type FoundTable = KnownTable & {
  /** As pg_class has it. */
  readonly kind: string
  /** Of a partition: the number of its parent. */
  readonly parent: string | null
  /** Whether somebody has begun to take it out, and has not come to an end. */
  readonly leaving: boolean
}

/** What partitions are ranges of. */
export type PartitionKey = {
  readonly column: string
  readonly type: string
  /** Quoted name of the collation that bounds are compared in; null for types without. */
  readonly collation: string | null
}

/** @returns null where there is no such table */
export function tableByName(session: CopySession, { schema, name }: TableName): Promise<FoundTable | null> {
  const place = schema === undefined ? 'pg_catalog.pg_table_is_visible(c.oid)' : `n.nspname = ${literal(schema)}`
  return found(session, `c.relname = ${literal(name)} AND ${place}`)
}

/** @returns null where there is no such table any more */
export function tableByIdentity(session: CopySession, oid: string): Promise<FoundTable | null> {
  return /^\d{1,10}$/.test(oid) ? found(session, `c.oid = ${oid}::oid`) : Promise.resolve(null)
}

/**
 * Of a partitioned table.
 * @param hint what to do where it is partitioned in another way
 * @returns null for a table that is not partitioned
 * @throws SluiceError UNSUPPORTED_TYPE where it is partitioned in another way than by ranges of one column
 */
export async function partitionKey(
  session: CopySession,
  { oid, name }: KnownTable,
  hint = 'archive each of its partitions as a table of its own',
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
  throw new SluiceError('UNSUPPORTED_TYPE', `${tableText(name)} is partitioned by ${definition}`, {
    where: tableText(name),
    reason: 'only partitions that are ranges of one column stand for times',
    hint,
    kind: 'unsupported',
  })
}

/**
 * Whether a table has the columns whose values were archived, and no others: values of a new one would go with its rows.
 * @param columns without those that the server computes itself, or with them
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

async function found(session: CopySession, condition: string): Promise<FoundTable | null> {
  // What has begun to leave is marked since version 14.
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
