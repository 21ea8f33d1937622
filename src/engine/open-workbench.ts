/** The workbench for the terminal UI. */
import { redactUrl } from '../shared/redact.ts'
import { ThreadedWorkbench } from './thread/threaded-workbench.ts'
import { parseCatalogUrl } from './catalog-url.ts'
import type { Workbench } from './workbench.ts'

/**
 * @param options.lake folder with the tables, or null to show what the catalog holds
 * @throws SluiceError BAD_CONFIG, UNSUPPORTED_URL for a catalog URL that cannot be opened
 */
export async function openWorkbench(options: {
  readonly lake: string | null
  readonly catalog: string
  readonly tool: string
  readonly actor: string
  readonly host: string
}): Promise<Workbench> {
  const { lake, catalog, tool, actor, host } = options
  parseCatalogUrl(catalog)
  return new ThreadedWorkbench({ lake, catalogUrl: catalog, label: redactUrl(catalog) }, { tool, actor, host })
}
