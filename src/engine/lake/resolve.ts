/**
 * Resolves TABLE of the command line: a path with a `_delta_log` below it, an id of the catalog, or the end of one
 * catalog table's path. A path is tried first.
 */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { readImportHead, type CatalogTableKey } from '../../catalog/import/head.ts'
import { pathOfLocation } from '../../model/lake/lake-url.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { SqlReader } from '../../model/run/sql-port.ts'
import { isFolder as isFolderHere } from '../../shared/folder.ts'
import { permissionDenied } from '../../shared/guide-errors.ts'
import { withCatalog } from './catalog-session.ts'
import { mayHoldCatalog } from '../run/catalog-url.ts'
import { endingIn, similarName, similarOnDisk, tablePlaces } from './table-name.ts'
import { openLake } from '../run/registry.ts'

export type TableRef =
  | { readonly by: 'path'; readonly path: string }
  | { readonly by: 'id'; readonly tableId: string; readonly path: string }

/**
 * @param catalog null without a catalog: then only a path is accepted
 * @throws SluiceError NO_LOG for a folder without a log, AMBIGUOUS_TABLE; NO_SUCH_TABLE for anything else
 */
export async function resolveTable(table: string, catalog: SqlReader | null): Promise<TableRef> {
  if (isUrl(table)) return { by: 'path', path: table }
  const isTable = isFolder(join(table, '_delta_log'))
  const head = catalog === null ? null : await readImportHead(catalog, { tableId: table })
  if (isTable) {
    if (head !== null) await refuseTwoMeanings(table, head.location)
    return { by: 'path', path: resolve(table) }
  }
  if (head !== null) return { by: 'id', tableId: table, path: pathOfLocation(head.location) }
  if (isFolder(table)) {
    throw new SluiceError('NO_LOG', 'No checkpoint or JSON files found', {
      where: join(table, '_delta_log'),
      reason: 'Empty or missing _delta_log',
      hint: 'Verify table path and _delta_log contents',
    })
  }
  const places = catalog === null ? [] : await tablePlaces(catalog)
  const [one, ...others] = endingIn(table, places)
  if (one !== undefined && others.length === 0) return { by: 'id', ...one }
  if (one !== undefined) {
    throw new SluiceError(
      'AMBIGUOUS_TABLE',
      `${table} matches the end of ${others.length + 1} table paths of the catalog`,
      {
        reason: [one, ...others].map(({ tableId, path }) => `${tableId} is ${path}`).join('; '),
        hint: 'give a longer part of the path, or the table id',
      },
    )
  }
  const meant = similarName(table, places) ?? similarOnDisk(table)
  throw new SluiceError(
    'NO_SUCH_TABLE',
    `${table} is ${existsSync(table) ? 'a file, ' : ''}not a table path${catalog === null ? '' : ' and not a table id of the catalog'}${meant === null ? '' : ` (${meant}?)`}`,
    {
      hint: 'give the folder that contains _delta_log, or an id that `sluice migration-status` prints',
    },
  )
}

/** @throws SluiceError AMBIGUOUS_TABLE if `table` is a folder, and also the id of another table */
async function refuseTwoMeanings(table: string, location: string): Promise<void> {
  if ((await openLake(table)).root === location) return
  throw new SluiceError('AMBIGUOUS_TABLE', `${table} is a folder here, and the id of another table of the catalog`, {
    reason: `the table with this id is ${pathOfLocation(location)}`,
    hint: `for the folder give ./${table}; for the table with this id give its path, or run the command in another folder`,
  })
}

/** True if a path is a folder. @throws SluiceError SOURCE_DENIED if a parent folder is not accessible, SOURCE_IO */
function isFolder(path: string): boolean {
  try {
    return isFolderHere(path)
  } catch (error) {
    const { code = '', message: reason } = error as NodeJS.ErrnoException
    if (code === 'EACCES' || code === 'EPERM') {
      const [denied, words, details] = permissionDenied('SOURCE_DENIED', { where: path, cause: error })
      throw new SluiceError(denied, words, { ...details, reason: `${details.reason} (${code})` })
    }
    throw new SluiceError('SOURCE_IO', 'the path cannot be read', {
      where: path,
      reason,
      hint: 'check the path and its disk',
      cause: error,
    })
  }
}

const isUrl = (table: string): boolean => /^[a-z][a-z0-9+.-]*:\/\//i.test(table)

/** The key of the table in the catalog. @param log of the table, if it is open already */
export async function tableKey(ref: TableRef, log?: LogStore): Promise<CatalogTableKey> {
  return ref.by === 'id' ? { tableId: ref.tableId } : { location: (log ?? (await openLake(ref.path))).root }
}

/** The path of a table to import: the catalog is queried only if TABLE is not a path, and is never created. */
export async function resolveForWriting(table: string, catalogUrl: string): Promise<string> {
  const isPath = isUrl(table) || isFolder(join(table, '_delta_log'))
  if (isPath || !mayHoldCatalog(catalogUrl)) return (await resolveTable(table, null)).path
  return withCatalog(catalogUrl, async (database) => (await resolveTable(table, database)).path)
}
