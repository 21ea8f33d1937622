/** Finds the store for a path or URL. Every implementation is loaded at its first use. */
import type { LakeStore } from '../../model/lake/lake-store.ts'
import type { LogWriter } from '../../model/lake/log-writer.ts'
import { parseLakeUrl } from '../../model/lake/lake-url.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import type { CatalogOptions, LakeDeclaration } from '../../stores/declaration.ts'
import type { OpenMode, SqlDatabase } from '../../model/run/sql-port.ts'
import type { Route } from '../../model/run/route.ts'
import { LAKES } from '../../stores/systems.ts'
import { SluiceError } from '../../shared/errors.ts'
import { parseCatalogUrl } from './catalog-url.ts'
import { lacksFolder, refuseFolder } from './database-file.ts'

export { parquetFooters, parquetRows, scratchDatabase } from '../../stores/parquet.ts'

/**
 * The log of a table: a local folder, or a prefix of a bucket.
 * @param options.route network route to the server of a bucket
 * @throws SluiceError UNSUPPORTED_URL, BAD_CONFIG
 */
export function openLake(path: string, options: { readonly route?: Route | undefined } = {}): Promise<LogStore> {
  return withLake(path, (lake, place) => lake.openLog(place, options))
}

/** A folder or prefix with tables below it. @throws SluiceError UNSUPPORTED_URL, BAD_CONFIG, NO_SUCH_PATH */
export function openLakeStore(path: string): Promise<LakeStore> {
  return withLake(path, (lake, place) => lake.openLake(place))
}

/** The folder of a table, to write into. @throws SluiceError UNSUPPORTED_URL, BAD_CONFIG */
export function openLogWriter(path: string): Promise<LogWriter> {
  return withLake(path, (lake, place) => lake.openWriter(place))
}

/** The declaration for a path or URL. @throws SluiceError UNSUPPORTED_URL, BAD_CONFIG */
export function lakeOf(path: string): LakeDeclaration {
  const { kind } = parseLakeUrl(path)
  const found = LAKES.find((lake) => lake.kind === kind)
  if (found === undefined)
    throw new SluiceError('INTERNAL', `no store is declared for paths of the kind ${kind}`, { where: path })
  return found
}

/** A local folder is opened by its path, also if given as a `file://` URL. */
async function withLake<T>(path: string, open: (lake: LakeDeclaration, place: string) => Promise<T>): Promise<T> {
  const place = parseLakeUrl(path)
  return await open(lakeOf(path), place.kind === 'local' ? place.path : path)
}

/** The database of a catalog. In `read` mode nothing is created. @throws SluiceError CONNECT_FAILED, BAD_CONFIG … */
export async function openCatalogDatabase(
  url: string,
  mode: OpenMode,
  options: CatalogOptions = {},
): Promise<SqlDatabase> {
  const { system, ...place } = parseCatalogUrl(url)
  if ('file' in place) refuseFolder(place.file, place.label)
  return await system.catalog.open(place, mode, options)
}

/** For plans: refuses a catalog file that the import could not create. @throws as `openCatalogDatabase` */
export async function refuseUncreatable(url: string): Promise<void> {
  const place = parseCatalogUrl(url)
  // Opening fails as in the import, and creates nothing.
  if ('file' in place && lacksFolder(place.file)) await (await openCatalogDatabase(url, 'write')).close()
}
