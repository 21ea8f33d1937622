/**
 * Parses database URLs: `sqlite:///relative.db`, `sqlite:////absolute.db`, `duckdb:///file.duckdb`,
 * `postgresql://user@host/db`, `mysql://user@host/db`. The part after `?` of a server's URL is parsed by its store.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { urlScheme } from '../../model/lake/lake-url.ts'
import { SluiceError } from '../../shared/errors.ts'
import { redactUrl } from '../../shared/redact.ts'
import type { CatalogDeclaration, CatalogPlace, SystemDeclaration } from '../../stores/declaration.ts'
import { catalogExamples, systemOf } from './systems.ts'

/** Place of a catalog, and the system that holds it. */
export type CatalogUrl = CatalogPlace & {
  readonly system: SystemDeclaration & { readonly catalog: CatalogDeclaration }
}

/** @throws SluiceError BAD_CONFIG for an empty or malformed URL, UNSUPPORTED_URL for a system without a catalog */
export function parseCatalogUrl(url: string): CatalogUrl {
  const match = /^([a-z0-9+]+):\/\/(.*)$/is.exec(url)
  if (match === null) {
    throw new SluiceError('BAD_CONFIG', url === '' ? 'the database URL is empty' : 'the database URL has no scheme', {
      hint: `give --database-url as ${catalogExamples()}`,
    })
  }
  const [, written = '', rest = ''] = match
  const found = systemOf(url)
  if (found?.catalog === undefined) {
    throw new SluiceError('UNSUPPORTED_URL', `a catalog in ${written.toLowerCase()} is not supported`, {
      hint: `give --database-url as ${catalogExamples()}`,
    })
  }
  const system = { ...found, catalog: found.catalog }
  if (system.file === undefined) return { system, url, label: redactUrl(url) }
  return { system, ...filePlace(system, written.toLowerCase(), rest) }
}

/** True if the URL may have a catalog: false for a missing file; always true for a server, which must be queried. */
export function mayHoldCatalog(url: string): boolean {
  const parsed = parseCatalogUrl(url)
  return !('file' in parsed) || existsSync(parsed.file)
}

function filePlace(
  { title }: SystemDeclaration,
  kind: string,
  rest: string,
): { readonly file: string; readonly label: string } {
  const path = rest.startsWith('/') ? rest.slice(1) : ''
  if (path === '' || path === ':memory:') {
    throw new SluiceError('BAD_CONFIG', `a ${title} URL needs three slashes and a file`, {
      hint: `give --database-url as ${catalogExamples()}`,
    })
  }
  // Refuse parameters: taken as a part of the file name, `?mode=ro` would create a second, empty catalog.
  if (/\?\w+=/.test(path)) {
    throw new SluiceError('BAD_CONFIG', `a ${title} URL cannot have parameters`, {
      where: `${kind}://${rest}`,
      hint: `remove the text after the file name; give --database-url as ${catalogExamples()}`,
    })
  }
  const scheme = urlScheme(path)
  if (scheme !== null) {
    throw new SluiceError('BAD_CONFIG', `a ${title} database is a file of this machine, not a ${scheme}: URL`, {
      where: `${kind}:///${path}`,
      hint: `name a file by its path, or a server: ${catalogExamples()}`,
    })
  }
  return { file: resolve(path), label: `${kind}:///${path}` }
}
