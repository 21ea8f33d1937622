/**
 * Opens a table in the catalog if it was imported, else from its log. A table that is named by its path and was never
 * imported is read from its log, with a note.
 */
import { readableTable, type ReadableTable } from '../../catalog/catalog.ts'
import { readImportHead } from '../../catalog/import/head.ts'
import { catalogPresence } from '../../catalog/migrate.ts'
import { versionAtTime } from '../../catalog/query/counts.ts'
import type { LogReach } from '../../delta/listed-log.ts'
import type { Snapshot } from '../../delta/snapshot.ts'
import { DeltaTable } from '../../delta/table.ts'
import { SluiceError } from '../../shared/errors.ts'
import { givenFields } from '../../shared/given-fields.ts'
import type { SqlDatabase, SqlReader } from '../../model/run/sql-port.ts'
import { mayHoldCatalog, parseCatalogUrl } from '../run/catalog-url.ts'
import type { AsOf } from '../../model/lake/as-of.ts'
import { openCatalogDatabase, openLake, parquetRows } from '../run/registry.ts'
import { resolveTable, tableKey } from './resolve.ts'
import type { Run } from '../run/run-context.ts'
import { warnUnreadable } from './unreadable.ts'

export type TableSource =
  | { readonly from: 'catalog'; readonly database: SqlDatabase; readonly table: ReadableTable }
  | { readonly from: 'log'; readonly table: DeltaTable }

/**
 * @param reach versions of the log that the body will need; default: by `asOf`
 * @throws SluiceError of resolving the table, or of the catalog that holds it
 */
export async function withTable<T>(
  name: string,
  catalogUrl: string | undefined,
  asOf: AsOf,
  run: Run<'log'>,
  body: (source: TableSource) => Promise<T>,
  reach: LogReach = reachOf(asOf),
): Promise<T> {
  const database = await existingCatalog(catalogUrl)
  try {
    const ref = await resolveTable(name, database)
    const log = await openLake(ref.path)
    if (database !== null) {
      const by = await tableKey(ref, log)
      if ((await readImportHead(database, by)) !== null) {
        const current = await readableTable(database, by)
        const version = asOf.version ?? (await versionFor(database, current, asOf))
        const table = version === undefined ? current : await readableTable(database, by, version)
        await warnUnreadable(database, table, name, run)
        return await body({ from: 'catalog', database, table })
      }
      run.emit({ type: 'log', level: 'note', message: `${name} is not in the catalog: answered from its log` })
    } else if (catalogUrl !== undefined) {
      // Emit a note: with a mistyped URL, the user could believe that the catalog has answered.
      const { label } = parseCatalogUrl(catalogUrl)
      run.emit({
        type: 'log',
        level: 'note',
        message: `there is no catalog at ${label}: answered from the log of ${name}`,
      })
    }
    return await body({ from: 'log', table: await DeltaTable.open(log, parquetRows, run.interrupt.abort, reach) })
  } finally {
    await database?.close()
  }
}

/**
 * Reads from the catalog in one snapshot, and checks the version in this snapshot again. Since the table was opened, a
 * prune or a move to a new base may have removed the version's rows.
 * @param body gets the table as it is in the snapshot
 * @throws SluiceError HISTORY_MISSING, NO_SUCH_TABLE …
 */
export async function readVersion<T>(
  { database, table: { tableId, version } }: Extract<TableSource, { from: 'catalog' }>,
  body: (reader: SqlReader, table: ReadableTable) => Promise<T>,
): Promise<T> {
  return database.read(async (reader) => body(reader, await readableTable(reader, { tableId }, version)))
}

/** Which versions of the log a query for a version or time needs. */
export function reachOf({ version, timestampMs }: AsOf): LogReach {
  return version === undefined && timestampMs === undefined ? 'newest' : 'all'
}

async function versionFor(database: SqlDatabase, table: ReadableTable, asOf: AsOf): Promise<number | undefined> {
  if (asOf.timestampMs === undefined) return undefined
  const version = await versionAtTime(database, table.tableId, asOf.timestampMs)
  if (version !== null) return version
  throw new SluiceError(
    'VERSION_NOT_FOUND',
    `the catalog has ${table.tableId} only from version ${table.historyFrom} on, which is later than that time`,
    {
      where: new Date(asOf.timestampMs).toISOString(),
      hint: `give a later time, or --version ${table.historyFrom}`,
    },
  )
}

/**
 * Opens a catalog for reading; null if the database holds none yet. The caller closes it. @throws SluiceError
 * CATALOG_NEWER, LEDGER_DAMAGED, CONNECT_FAILED …
 */
export async function existingCatalog(url: string | undefined): Promise<SqlDatabase | null> {
  if (url === undefined || !mayHoldCatalog(url)) return null
  const database = await openCatalogDatabase(url, 'read')
  try {
    if ((await catalogPresence(database)) === 'present') return database
  } catch (error) {
    await database.close()
    throw error
  }
  await database.close()
  return null
}

/** The snapshot of a log at a version or time; the newest without either. */
export async function snapshotAt(table: DeltaTable, { version, timestampMs: timestamp }: AsOf): Promise<Snapshot> {
  return table.snapshot(givenFields({ version, timestamp }))
}
