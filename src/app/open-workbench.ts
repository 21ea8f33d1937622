/** The workbench for the terminal UI. */
import type { Identity } from '../engine/run/identity.ts'
import { ThreadedWorkbench } from './thread/threaded-workbench.ts'
import { parseCatalogUrl } from '../engine/run/catalog-url.ts'
import type { KnownQueue } from './thread/threaded-queue.ts'
import type { Workbench } from './workbench.ts'

/**
 * Lake and catalog are optional: without them, their lists are empty.
 * @param options.lake folder with the tables; if absent, the tables of the catalog are shown
 * @param options.database URL of a database whose tables are shown
 * @param options.urls further URLs, to which operations refer by their displayed form
 * @throws SluiceError BAD_CONFIG, UNSUPPORTED_URL for a catalog URL that cannot be opened
 */
export async function openWorkbench(
  options: Identity & {
    readonly lake?: string | null
    readonly catalog?: string | null
    readonly database?: string | null
    readonly urls?: readonly string[]
    /** The queue of workers, if one is configured. */
    readonly queue?: KnownQueue
  },
): Promise<Workbench> {
  const { lake = null, catalog = null, database = null, urls = [], queue, ...identity } = options
  if (catalog !== null) parseCatalogUrl(catalog)
  else if (lake !== null) throw new Error('a lake is opened with a catalog')
  return new ThreadedWorkbench(
    { lake, catalogUrl: catalog, databaseUrl: database, urls, ...(queue === undefined ? {} : { queue }) },
    identity,
  )
}
