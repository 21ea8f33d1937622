/** Finds tables that have nothing to prune, with a few statements for many of them. */
import type { SqlReader } from '../model/run/sql-port.ts'
import { oldestKept, type Keep } from './prune.ts'
import { STATE_RELATIONS, type StateRelation } from './state-relations.ts'
import { inLists } from './in-lists.ts'

/** A completely imported table that a prune would not change. */
export type IdleTable = { readonly latest: number; readonly historyFrom: number }

/** Tables per statement. */
const AT_ONCE = 100

/**
 * Tables whose history begins at the oldest version to keep, and that have no rows below it.
 * @param tableIds ids of completely imported tables
 */
export async function idleTables(
  reader: SqlReader,
  tableIds: readonly string[],
  keep: Keep,
): Promise<ReadonlyMap<string, IdleTable>> {
  const idle = new Map<string, IdleTable>()
  for (const { some, marks } of inLists(tableIds, AT_ONCE)) {
    const rows = await reader.all(
      `SELECT t.table_id, t.current_version, t.history_from FROM delta_tables t
       WHERE t.table_id IN (${marks}) AND NOT (${LEFT.join(' OR ')})`,
      some,
    )
    for (const [tableId, latest, historyFrom] of rows as readonly [string, number | null, number | null][]) {
      if (latest === null || historyFrom === null) continue
      const table = { tableId, location: '', version: latest, latest, historyFrom }
      if ((await oldestKept(reader, table, keep)) === historyFrom) idle.set(tableId, { latest, historyFrom })
    }
  }
  return idle
}

/** SQL conditions for rows of table `t` that a sweep would delete; the same conditions as in its DELETEs. */
const LEFT: readonly string[] = [
  'EXISTS (SELECT 1 FROM delta_commits c WHERE c.table_id = t.table_id AND c.version < t.history_from)',
  `EXISTS (SELECT 1 FROM delta_files f WHERE f.table_id = t.table_id AND f.added_version < t.history_from
     AND f.removed_version + 0 <= t.history_from)`,
  `EXISTS (SELECT 1 FROM delta_file_ranges r WHERE r.table_id = t.table_id AND NOT EXISTS (
     SELECT 1 FROM delta_files f WHERE f.table_id = r.table_id AND f.file_no = r.file_no))`,
  `EXISTS (SELECT 1 FROM delta_partitions p WHERE p.table_id = t.table_id AND NOT EXISTS (
     SELECT 1 FROM delta_files f WHERE f.table_id = p.table_id AND f.partition_no = p.partition_no))`,
  'EXISTS (SELECT 1 FROM delta_actions a WHERE a.table_id = t.table_id AND a.version < t.history_from)',
  ...STATE_RELATIONS.map(superseded),
]

function superseded({ name, key }: StateRelation): string {
  const same = key === null ? '' : ` AND n.${key} = r.${key}`
  return `EXISTS (SELECT 1 FROM ${name} r JOIN ${name} n ON n.table_id = r.table_id${same}
     WHERE r.table_id = t.table_id AND r.version < t.history_from AND n.version <= t.history_from
       AND (n.version > r.version OR (n.version = r.version AND (n.source < r.source OR (n.source = r.source AND n.line > r.line)))))`
}
