/** A table or view that statements name, with the facts that they need. */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { cascadeRefused } from '../../common/refusals.ts'
import { sqlStateOf } from './server-errors.ts'
import type { CopySession, TextRow } from './session.ts'
import { literal, type FromRelation } from './sql.ts'

export type PostgresRelation = FromRelation & {
  readonly oid: string
  /** Columns GENERATED ALWAYS AS IDENTITY: no UPDATE may set their values. */
  readonly alwaysNumbered: readonly string[]
  /** Name of a primary key WITHOUT OVERLAPS; null otherwise. */
  readonly periodKey: string | null
}

/**
 * SQL condition: tables inherit from the table `c`. These tables are read separately; partitions are read with their
 * table.
 */
export const HAS_CHILDREN = `(c.relkind = 'r' AND c.relhassubclass AND EXISTS (
  SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid))`

/**
 * SQL condition: tables inherit from the table `c`, and all of them have exactly its columns. A query of `c` by its
 * plain name also returns the rows of these tables, which cannot be distinguished from the rows of `c`.
 */
export const HAS_SAME_CHILDREN = `(${HAS_CHILDREN} AND NOT EXISTS (
  WITH RECURSIVE heirs AS (
    SELECT inhrelid AS oid FROM pg_catalog.pg_inherits WHERE inhparent = c.oid
    UNION SELECT i.inhrelid FROM heirs h JOIN pg_catalog.pg_inherits i ON i.inhparent = h.oid)
  SELECT FROM heirs h JOIN pg_catalog.pg_attribute a ON a.attrelid = h.oid
  WHERE a.attnum > 0 AND NOT a.attisdropped AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_attribute b
    WHERE b.attrelid = c.oid AND b.attname = a.attname AND b.attnum > 0 AND NOT b.attisdropped)))`

/** SQL query: the OID of a table, and the OIDs of all its partitions. A foreign key may refer to a single partition. */
export function treeSql(oid: string): string {
  return `SELECT ${oid} UNION ALL SELECT relid::oid FROM pg_catalog.pg_partition_tree(${oid})`
}

/** SQL condition: the trigger is a user's trigger, or its clone on a partition (internal before PostgreSQL 15). */
export function isUsersTriggerSql(trigger: string): string {
  // Clones of triggers that enforce keys are left out: these triggers refer to an index.
  return `(NOT ${trigger}.tgisinternal OR ${trigger}.tgparentid <> 0::oid AND ${trigger}.tgconstrindid = 0::oid)`
}

/** Cache of tables, each found at its first use. */
export class RelationCache {
  readonly #known = new Map<string, Promise<PostgresRelation | null>>()

  /** @returns null if there is no such table */
  of(table: TableName, ask: (sql: string) => Promise<readonly TextRow[]>): Promise<PostgresRelation | null> {
    const name = JSON.stringify([table.schema ?? null, table.name])
    const known = this.#known.get(name) ?? findRelation(table, ask)
    this.#known.set(name, known)
    // A missing table may be created later, and a failed lookup may succeed.
    known.then(
      (found) => found === null && this.#known.delete(name),
      () => this.#known.delete(name),
    )
    return known
  }
}

/** @returns null if there is no such table */
export async function findRelation(
  table: TableName,
  ask: (sql: string) => Promise<readonly TextRow[]>,
): Promise<PostgresRelation | null> {
  const place =
    table.schema === undefined ? 'pg_catalog.pg_table_is_visible(c.oid)' : `n.nspname = ${literal(table.schema)}`
  const [row] = await ask(
    `SELECT c.oid, ${HAS_CHILDREN},
       (SELECT coalesce(pg_catalog.json_agg(a.attname), '[]') FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attidentity = 'a' AND NOT a.attisdropped),
       (SELECT k.conname FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_index i ON i.indexrelid = k.conindid
        WHERE k.conrelid = c.oid AND k.contype = 'p' AND i.indisexclusion)
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relname = ${literal(table.name)} AND ${place} AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`,
  )
  if (row === undefined) return null
  const [oid, only, always, periodKey] = row
  return {
    name: table,
    only: only === 't',
    oid: oid ?? '',
    alwaysNumbered: JSON.parse(always ?? '[]') as string[],
    periodKey: periodKey ?? null,
  }
}

/**
 * Tables whose foreign keys delete or change their rows when rows of this table are deleted. Call after the transaction
 * has locked the table for writing: then no foreign key can be added.
 */
export async function cascadingTables(
  session: CopySession,
  { oid }: Pick<PostgresRelation, 'oid'>,
): Promise<readonly string[]> {
  return await session.texts(
    `SELECT DISTINCT k.conrelid::pg_catalog.regclass::text FROM pg_catalog.pg_constraint k
     WHERE k.confrelid IN (${treeSql(`${literal(oid)}::oid`)}) AND k.contype = 'f' AND k.confdeltype IN ('c', 'n', 'd')`,
  )
}

/**
 * Refuses a table whose rows cannot be deleted alone. Call it after the lock that `cascadingTables` needs.
 * @param hint advice if the rows are not removed by a copy with `replace-range`; default: advice about that option
 * @throws SluiceError TABLE_REFUSED if rows of other tables would be deleted or changed with rows of this table
 */
export async function refuseCascades(
  session: CopySession,
  relation: Pick<PostgresRelation, 'oid' | 'name'>,
  hint?: string,
): Promise<void> {
  const followers = await cascadingTables(session, relation)
  if (followers.length > 0) throw cascadeRefused(followers, tableText(relation.name), hint)
}

/** Names of the relation's columns in order, from the system catalogs. */
export async function relationColumnNames(
  session: CopySession,
  { oid }: Pick<PostgresRelation, 'oid'>,
): Promise<readonly string[]> {
  return await session.texts(
    `SELECT a.attname FROM pg_catalog.pg_attribute a WHERE a.attrelid = ${literal(oid)}::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
  )
}

export function missingTable(table: TableName): string {
  return `there is no table ${tableText(table)}`
}

/**
 * Empties tables in the open transaction. TRUNCATE is used if the role may use it, and no other table has a foreign key
 * to them; otherwise the rows are deleted.
 * @param from tables as `tableFromSql` names them
 */
export async function truncateTables(session: CopySession, from: readonly string[]): Promise<void> {
  const truncated = await session.attempt(
    () => session.ask(`TRUNCATE ${from.join(', ')}`),
    (error) => /^(?:42501|0A000)$/.test(sqlStateOf(error) ?? ''),
  )
  if ('refused' in truncated) for (const one of from) await session.ask(`DELETE FROM ${one}`)
}
