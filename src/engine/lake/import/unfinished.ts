/** Finds interrupted imports that an operation will resume. */
import { existsSync, realpathSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { parseCursor } from '../../../catalog/import/head.ts'
import { catalogPresence } from '../../../catalog/migrate.ts'
import { dec, type Dec } from '../../../model/run/event.ts'
import { isS3Url, parseLakeUrl } from '../../../model/lake/lake-url.ts'
import { mayHoldCatalog } from '../../run/catalog-url.ts'
import { openCatalogDatabase } from '../../run/registry.ts'
import type { ImportOperation } from '../operations/import/declaration.ts'
import type { BatchImportOperation } from '../operations/batch-import/declaration.ts'

type Import = ImportOperation | BatchImportOperation

/** @returns id of the newest unfinished import, and number of finished actions of all unfinished ones; empty if none */
export async function unfinishedImports(operation: Import): Promise<{ resumes?: Dec; baseline?: { done: Dec } }> {
  if (!mayHoldCatalog(operation.catalog)) return {}
  const place = operation.kind === 'import' ? operation.table : operation.path
  const root = rootOf(place)
  await using database = await openCatalogDatabase(operation.catalog, 'read')
  if ((await catalogPresence(database)) === 'absent') return {}
  const rows = await database.all('SELECT table_id, location, "cursor" FROM delta_tables WHERE "cursor" IS NOT NULL')
  let newest = 0n
  let done = 0
  for (const [tableId, location, text] of rows as readonly (readonly [string, string, string])[]) {
    const ours = tableId === place || location === root || (root !== null && location.startsWith(`${root}/`))
    if (!ours) continue
    const cursor = parseCursor(text, tableId)
    const id = BigInt(cursor.importId)
    if (id > newest) newest = id
    done += cursor.done
  }
  return newest === 0n ? {} : { resumes: newest.toString(), baseline: { done: dec(done) } }
}

/** Location as the catalog spells it; null if the text is no existing location. */
function rootOf(place: string): string | null {
  if (isS3Url(place)) {
    const url = parseLakeUrl(place)
    return url.kind === 'bucket' ? url.root : null
  }
  return existsSync(place) ? pathToFileURL(realpathSync(place)).href : null
}
