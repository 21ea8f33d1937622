/** One table of the tables list, opened from the catalog or from its log. */
import { statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { readableTable, type ReadableTable } from '../../../catalog/catalog.ts'
import { readImportHead, importCompleteness } from '../../../catalog/import/head.ts'
import { versionAtTime } from '../../../catalog/query/counts.ts'
import type { LogReach } from '../../../delta/listed-log.ts'
import { DeltaTable } from '../../../delta/table.ts'
import type { PlacedLake } from '../../../model/lake/answers.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { SqlDatabase } from '../../../model/run/sql-port.ts'
import { reachOf } from '../table-source.ts'
import type { AsOf } from '../../../model/lake/as-of.ts'
import { openLake, openLakeStore, parquetRows } from '../../run/registry.ts'
import { isS3Url, parseLakeUrl, pathOfLocation } from '../../../model/lake/lake-url.ts'
import { isCatalogUrl, isCopyUrl, systemOfFile } from '../../run/systems.ts'

export type Located =
  | {
      readonly from: 'catalog'
      readonly database: SqlDatabase
      readonly table: ReadableTable
      /** Id of the import that wrote the rows: after a rollback and a new import, row numbers change. */
      readonly importId: string | null
      readonly path: string
    }
  | { readonly from: 'log'; readonly table: DeltaTable; readonly path: string }

/**
 * Opens the table in the catalog if it is complete there, else its log. @param reach versions of the log that will be
 * needed; default: by `asOf`
 */
export async function locate(
  key: string,
  asOf: AsOf,
  database: SqlDatabase | null,
  signal: AbortSignal,
  reach: LogReach = reachOf(asOf),
): Promise<Located> {
  const path = pathOfLocation(key)
  const head = database === null ? null : await readImportHead(database, { location: key })
  if (database !== null && head !== null && (await importCompleteness(database, head)) === 'whole') {
    const by = { location: key }
    const version =
      asOf.version ??
      (asOf.timestampMs === undefined ? undefined : await atTime(database, head.tableId, asOf.timestampMs))
    const table = await readableTable(database, by, version)
    return { from: 'catalog', database, table, importId: head.importId, path }
  }
  return { from: 'log', table: await DeltaTable.open(await openLake(path), parquetRows, signal, reach), path }
}

async function atTime(database: SqlDatabase, tableId: string, timeMs: number): Promise<number> {
  const version = await versionAtTime(database, tableId, timeMs)
  if (version !== null) return version
  throw new SluiceError('VERSION_NOT_FOUND', 'the catalog has no version of that time: its oldest version is later', {
    where: tableId,
    hint: 'give a later time',
  })
}

/**
 * Finds out whether a typed path or URL is a lake or a database, which may be a file.
 * @throws SluiceError NO_SUCH_PATH; UNSUPPORTED_URL if it is neither
 */
export async function placedAt(text: string): Promise<PlacedLake> {
  if (isCopyUrl(text) || isCatalogUrl(text)) return { kind: 'database', url: text }
  const place = parseLakeUrl(text)
  if (isS3Url(text) || place.kind !== 'local') return { kind: 'lake', url: text }
  const found = statSync(place.path, { throwIfNoEntry: false })
  if (found === undefined) {
    const hint = 'give a folder with tables, a database file, or a URL such as postgresql://user@host/database'
    throw new SluiceError('NO_SUCH_PATH', `the path ${text} does not exist`, { hint })
  }
  if (found.isDirectory()) return { kind: 'lake', url: text }
  const file = resolve(place.path)
  const head = (await openLakeStore(dirname(file))).databaseFile(file)?.head ?? null
  const system = head === null ? null : systemOfFile(head)
  if (system !== null) return { kind: 'database', url: `${system.schemes[0]}:///${file}` }
  throw new SluiceError('UNSUPPORTED_URL', `${text} is a file, but not a database that sluice reads`, {
    hint: 'give the folder that contains the tables',
  })
}
