/**
 * Checks that this machine has tables of a lake, for runs that name all tables, or tables by their ids. These runs
 * name no folder that could be compared. The catalog has the tables' folders, and a folder exists on one machine only.
 */
import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { existingCatalog } from '../../engine/lake/table-source.ts'
import { endingIn, tablePlaces } from '../../engine/lake/table-name.ts'
import type { NamedUrl } from '../../model/share/own-url.ts'
import { SluiceError } from '../../shared/errors.ts'
import { firstOf } from '../../shared/first-of.ts'
import { declarationOf, storeOf, storesOf } from '../operations/facts.ts'
import { isFolderName } from './folder-identity.ts'
import { knownOperation } from './known-operation.ts'
import { withOwnUrls } from './sharing.ts'

/** Limit of folders that a message names. */
const MOST_NAMED = 3

/**
 * @param operation operation of a task, with names of stores instead of URLs
 * @throws SluiceError NO_SUCH_PATH if all its tables are in folders, and none of these is on this machine; errors of
 * the catalog
 */
export async function checkTableFolders(operation: unknown, known: readonly NamedUrl[]): Promise<void> {
  const named = knownOperation(operation)
  if (named === null || !declarationOf(named.kind).stores.some(({ family }) => family === 'table')) return
  const own = withOwnUrls(named, known)
  const tables = storesOf(own).flatMap(({ family, name }) => (family === 'table' ? [name] : []))
  // Folders that a run names were compared before.
  if (tables.some(isFolderName)) return
  await using catalog = await existingCatalog(storeOf(own, 'catalog'))
  if (catalog === null) return
  const places = await tablePlaces(catalog)
  const meant = tables.flatMap((table) => {
    const byId = places.filter(({ tableId }) => tableId === table)
    return byId.length > 0 ? byId : endingIn(table, places)
  })
  const folders = (tables.length === 0 ? places : meant).map(({ path }) => path)
  // Any machine can read a table in a bucket. The run itself reports missing folders of single tables.
  if (folders.length === 0 || folders.some((folder) => !isFolderName(folder) || existsSync(folder))) return
  const message = `the folders of the tables do not exist on ${hostname()}: ${firstOf(folders, MOST_NAMED)}`
  throw new SluiceError('NO_SUCH_PATH', message, {
    reason: 'the catalog records the tables in these folders, and a folder exists on one machine only',
    hint: 'start a worker on the machine that has them; sluice rollback TABLE --forget removes a table from the catalog if its folder no longer exists',
  })
}
