/** Opens a catalog, and finds a readable table in it. */
import { SluiceError } from '../shared/errors.ts'
import { shellQuote } from '../shared/shell.ts'
import type { SqlDatabase, SqlReader } from '../model/run/sql-port.ts'
import { readImportHead, importCompleteness, type ImportHead, type CatalogTableKey } from './import/head.ts'
import { catalogPresence, migrateCatalog } from './migrate.ts'

/**
 * Checks that a catalog can be read.
 * @throws SluiceError NOT_A_CATALOG if the database has none, CATALOG_NEWER, LEDGER_DAMAGED
 */
export async function checkCatalog(database: SqlDatabase): Promise<void> {
  if ((await catalogPresence(database)) === 'present') return
  throw new SluiceError('NOT_A_CATALOG', 'the database has no catalog yet', {
    where: database.label,
    hint: `import a table into it first: sluice import TABLE --database-url ${shellQuote(database.label)}`,
  })
}

/** Creates or upgrades a catalog for writing. @throws SluiceError CATALOG_NEWER, LEDGER_DAMAGED */
export async function prepareCatalog(database: SqlDatabase, nowMs: number): Promise<void> {
  await migrateCatalog(database, nowMs)
}

/** A readable table, at a version in the catalog. */
export type ReadableTable = {
  readonly tableId: string
  readonly location: string
  readonly version: number
  readonly latest: number
  readonly historyFrom: number
}

/**
 * @param version default: the current version
 * @throws SluiceError NO_SUCH_TABLE, IMPORT_UNFINISHED, NOT_IMPORTED (rows removed by hand), HISTORY_MISSING,
 * VERSION_NOT_FOUND
 */
export async function readableTable(reader: SqlReader, by: CatalogTableKey, version?: number): Promise<ReadableTable> {
  const head = await readImportHead(reader, by)
  if (head === null) throw await noSuchTable(reader, 'tableId' in by ? by.tableId : by.location)
  const whole = await importCompleteness(reader, head)
  if (whole === 'unfinished' || (whole === 'whole' && head.currentVersion === null)) throw unfinished(head)
  if (whole === 'broken' || head.currentVersion === null || head.historyFrom === null) {
    throw new SluiceError('NOT_IMPORTED', `${head.tableId} is no longer in the catalog: its rows were removed`, {
      where: head.location,
      reason: 'delta_files or migration_status has no rows for it, as after the manual rollback of the guide',
      hint: 'import it again: the import starts from the beginning',
    })
  }
  const at = version ?? head.currentVersion
  if (at > head.currentVersion || at < 0 || !Number.isSafeInteger(at)) {
    throw new SluiceError(
      'VERSION_NOT_FOUND',
      `the catalog has ${head.tableId} up to version ${head.currentVersion}, not ${at}`,
      {
        where: head.location,
        hint: 'import again if the log has newer versions',
      },
    )
  }
  if (at < head.historyFrom) {
    throw new SluiceError(
      'HISTORY_MISSING',
      `the catalog has ${head.tableId} from version ${head.historyFrom} on, not ${at}`,
      {
        where: head.location,
        reason: (await beganAtBase(reader, head.tableId, head.historyFrom))
          ? 'the log did not have older versions when it was imported'
          : 'older versions were pruned',
        hint: `give version ${head.historyFrom} or a later one`,
      },
    )
  }
  return {
    tableId: head.tableId,
    location: head.location,
    version: at,
    latest: head.currentVersion,
    historyFrom: head.historyFrom,
  }
}

/**
 * True if the table's history begins at a base checkpoint: the log had no older versions when it was imported.
 */
async function beganAtBase(reader: SqlReader, tableId: string, historyFrom: number): Promise<boolean> {
  const rows = await reader.all('SELECT 1 FROM delta_protocols WHERE table_id = ? AND version = ? AND source = 1', [
    tableId,
    historyFrom,
  ])
  return rows.length > 0
}

function unfinished(head: ImportHead): SluiceError {
  const at = head.currentVersion === null ? 'before its first version' : `at version ${head.currentVersion}`
  return new SluiceError('IMPORT_UNFINISHED', `the import of ${head.tableId} has not finished; it is ${at}`, {
    where: head.location,
    hint: 'let it finish, or continue with: sluice import TABLE --resume',
  })
}

async function noSuchTable(reader: SqlReader, name: string): Promise<SluiceError> {
  const ids = (await reader.all('SELECT table_id FROM delta_tables ORDER BY table_id LIMIT 8')).map(([id]) =>
    String(id),
  )
  return new SluiceError('NO_SUCH_TABLE', `${name} is not in the catalog`, {
    hint: ids.length === 0 ? 'the catalog is empty: import a table first' : `the catalog has ${ids.join(', ')}`,
  })
}
