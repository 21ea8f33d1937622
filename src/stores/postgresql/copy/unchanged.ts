/**
 * Detects changes that a snapshot does not hide. If ALTER TABLE or TRUNCATE rewrites or empties a table, it appears
 * empty in all older snapshots. The name and the partitions of a table are the current ones in every snapshot. Without
 * this check a copy would read no rows and count the table as done.
 */
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { refuseReordered } from '../../common/column-order.ts'
import { arrayText } from '../server/array-text.ts'
import type { PostgresSettings } from '../server/settings.ts'
import { relationColumnNames, type PostgresRelation } from '../server/relation.ts'
import type { CopySession } from '../server/session.ts'
import { tableFromSql, literal, tableSql } from '../server/sql.ts'

export class UnchangedTables {
  /** OIDs of tables that are locked until the end of the transaction, by session. */
  readonly #held = new WeakMap<CopySession, Set<string>>()
  readonly #isMoving: boolean

  /** @param isMoving true if another read view may replace this one: then the error is retryable */
  constructor(isMoving: boolean) {
    this.#isMoving = isMoving
  }

  /**
   * Locks a table until the session's transaction ends, and checks that it is still as in the snapshot.
   * @throws SluiceError SOURCE_GONE if it is not; errors of the server
   */
  async hold(
    session: CopySession,
    relation: PostgresRelation,
    { columns, identity }: Pick<TableSpec, 'columns' | 'identity'>,
    settings: PostgresSettings,
  ): Promise<void> {
    const held = this.#held.get(session) ?? new Set()
    if (held.has(relation.oid)) return
    // Locks it and its partitions, as any read does. LOCK TABLE accepts no view or foreign table.
    await session.ask(`SELECT FROM ${tableFromSql(relation)} LIMIT 0`)
    const names = columns.map(({ name }) => name)
    const [row] = await session.ask(changedSql(relation, names))
    if (row?.[0] !== 'f') {
      throw new SluiceError('SOURCE_GONE', `${tableText(relation.name)} was changed while it was copied`, {
        where: settings.label,
        reason:
          'after the snapshot, the table was rewritten, emptied, partitioned differently or replaced, or its columns were renamed',
        retryable: this.#isMoving,
        hint: 'run the same command again: it makes a new plan and does only the rest',
      })
    }
    if (isOf(identity, relation))
      refuseReordered(
        { table: relation.name, columns },
        await relationColumnNames(session, relation),
        'source',
        settings.label,
      )
    held.add(relation.oid)
    this.#held.set(session, held)
  }
}

/**
 * True if the table was planned from this relation, so that the order of its columns is known. A partition that is read
 * by the columns of its parent may have them in another order.
 * @param identity as `describeTables` returns it; empty for a table that a copy created, in the planned order
 */
function isOf(identity: string, { oid }: PostgresRelation): boolean {
  return identity === '' || `${identity}/`.includes(`/${oid}/`)
}

/**
 * Compares the catalog of the snapshot, which queries see, with the current one, which functions see. A partition in a
 * concurrent detach is not part of the snapshot's tree.
 */
function changedSql({ oid, name }: PostgresRelation, columns: readonly string[]): string {
  const table = `${literal(oid)}::oid`
  const now = `pg_catalog.pg_partition_tree(${table})`
  return `WITH RECURSIVE seen (oid) AS (
      SELECT ${table} UNION SELECT i.inhrelid FROM seen s JOIN pg_catalog.pg_inherits i ON i.inhparent = s.oid
        WHERE NOT coalesce((pg_catalog.to_jsonb(i) ->> 'inhdetachpending'::text)::boolean, false))
    SELECT pg_catalog.to_regclass(${literal(tableSql(name))})::oid IS DISTINCT FROM ${table}
      OR EXISTS (SELECT FROM seen s JOIN pg_catalog.pg_class c ON c.oid = s.oid
        WHERE c.relfilenode <> 0::oid AND c.relfilenode IS DISTINCT FROM pg_catalog.pg_relation_filenode(c.oid))
      OR EXISTS (SELECT FROM ${now} n WHERE NOT EXISTS (SELECT FROM seen s WHERE s.oid = n.relid::oid))
      OR (SELECT c.relkind = 'p' FROM pg_catalog.pg_class c WHERE c.oid = ${table})
        AND EXISTS (SELECT FROM seen s WHERE NOT EXISTS (SELECT FROM ${now} n WHERE n.relid::oid = s.oid))
      OR EXISTS (SELECT FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = ${table} AND a.attnum > 0 AND NOT a.attisdropped AND a.attname::text = ANY (${literal(arrayText(columns))}::text[])
          AND (pg_catalog.pg_identify_object_as_address('pg_catalog.pg_class'::pg_catalog.regclass, a.attrelid, a.attnum)).object_names[3] IS DISTINCT FROM a.attname::text)`
}
