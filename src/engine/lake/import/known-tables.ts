/** The tables of a catalog with the facts that show whether their logs have new commits: one query for all tables. */
import {
  readImportHead,
  importCompleteness,
  type CatalogTableKey,
  type ImportCompleteness,
} from '../../../catalog/import/head.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import type { SqlDatabase, SqlReader } from '../../../model/run/sql-port.ts'
import { resolveTable, tableKey } from '../resolve.ts'

export type ImportedTable = {
  readonly tableId: string
  readonly location: string
  /** Time of the table's first import. Another time means that the table was removed and imported again. */
  readonly importedAt: string
  /** Current version; null before the first version is complete. */
  readonly version: number | null
  /** True if the table is readable: its import is complete, and no rows were removed by hand. */
  readonly settled: boolean
  /** True if the table was imported although its data cannot be read. */
  readonly refused: boolean
  /** Size in bytes and SHA-256 of the current version's commit; null if the version came from a checkpoint. */
  readonly newest: { readonly bytes: number; readonly digest: Uint8Array } | null
}

const KNOWN = `SELECT t.table_id, t.location, t.created_at, t.current_version, t.refused, t."cursor", s.status, c.log_bytes, c.log_digest, c.num_files,
    CASE WHEN EXISTS (SELECT 1 FROM delta_files f WHERE f.table_id = t.table_id) THEN 1 ELSE 0 END
  FROM delta_tables t LEFT JOIN migration_status s ON s.import_id = t.import_id AND s.table_id = t.table_id
  LEFT JOIN delta_commits c ON c.table_id = t.table_id AND c.version = t.current_version`

/** All tables, ordered by id, or only the table with the given id or location. */
export async function knownTables(reader: SqlReader, by?: CatalogTableKey): Promise<readonly ImportedTable[]> {
  const [where, parameters] =
    by === undefined
      ? ['', []]
      : 'tableId' in by
        ? [' WHERE t.table_id = ?', [by.tableId]]
        : [' WHERE t.location = ?', [by.location]]
  const rows = await reader.all(`${KNOWN}${where} ORDER BY t.table_id`, parameters)
  return rows.map((row) => {
    const [tableId, location, importedAt, version, refused, cursor, status, bytes, digest, files, anyFile] = row as [
      string,
      string,
      string,
      number | null,
      string | null,
      string | null,
      string | null,
      number | null,
      Uint8Array | null,
      number | null,
      number,
    ]
    return {
      tableId,
      location,
      importedAt,
      version,
      settled: version !== null && cursor === null && status === 'completed' && ((files ?? 0) === 0 || anyFile === 1),
      refused: refused !== null,
      newest: bytes === null || digest === null ? null : { bytes, digest },
    }
  })
}

/** The tables that a command names, each once. @throws SluiceError NO_SUCH_TABLE, NO_LOG */
export async function namedLakeTables(
  reader: SqlDatabase,
  names: readonly string[],
): Promise<readonly (ImportedTable & { readonly name: string })[]> {
  const found = new Map<string, ImportedTable & { readonly name: string }>()
  for (const name of names) {
    const ref = await resolveTable(name, reader)
    const [table] = await knownTables(reader, await tableKey(ref))
    if (table === undefined) {
      throw new SluiceError('NO_SUCH_TABLE', `${name} is not in the catalog`, {
        hint: `import it first: sluice import ${shellQuote(name)} --database-url ${shellQuote(reader.label)}`,
      })
    }
    found.set(table.tableId, { ...table, name })
  }
  return [...found.values()]
}

/** State of the import of a table that is not `settled`; null if the table is no longer in the catalog. */
export async function importStatus(reader: SqlReader, tableId: string): Promise<ImportCompleteness | null> {
  const head = await readImportHead(reader, { tableId })
  return head === null ? null : importCompleteness(reader, head)
}
