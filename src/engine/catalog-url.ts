/** Database URLs as users write them: `sqlite:///relative.db`, `sqlite:////absolute.db`. */
import { resolve } from 'node:path'
import { SluiceError } from '../shared/errors.ts'

export type CatalogUrl = { readonly kind: 'sqlite'; readonly file: string; readonly label: string }

const KNOWN = 'sqlite:///file.db (relative) or sqlite:////path/file.db (absolute)'

/**
 * @throws SluiceError BAD_CONFIG for an empty or malformed URL, UNSUPPORTED_URL for a system without a catalog
 */
export function parseCatalogUrl(url: string): CatalogUrl {
  const match = /^([a-z0-9+]+):\/\/(.*)$/is.exec(url)
  if (match === null) {
    throw new SluiceError('BAD_CONFIG', url === '' ? 'the database URL is empty' : 'the database URL has no scheme', {
      hint: `give --database-url as ${KNOWN}`,
    })
  }
  const [, written, rest] = match as unknown as [string, string, string]
  const scheme = written.toLowerCase()
  if (scheme === 'sqlite') {
    const path = rest.startsWith('/') ? rest.slice(1) : ''
    if (path === '' || path === ':memory:') {
      throw new SluiceError('BAD_CONFIG', 'a SQLite URL needs three slashes and a file', {
        hint: `give --database-url as ${KNOWN}`,
      })
    }
    // Taken as part of the name, `?mode=ro` would make a second, empty catalog beside the one that was meant.
    if (/\?\w+=/.test(path)) {
      throw new SluiceError('BAD_CONFIG', 'a SQLite URL takes no parameters', {
        where: url,
        hint: `leave out what stands behind the file; give --database-url as ${KNOWN}`,
      })
    }
    return { kind: 'sqlite', file: resolve(path), label: `sqlite:///${path}` }
  }
  throw new SluiceError('UNSUPPORTED_URL', `a catalog in ${scheme} is not supported yet`, {
    hint: `give --database-url as ${KNOWN}`,
  })
}
