/**
 * Database URLs as users write them: `sqlite:///relative.db`, `sqlite:////absolute.db`, `duckdb:///file.duckdb`, `postgresql://user@host/db`,
 * `mysql://user@host/db`. What stands behind `?` of a server's URL is for its store to read.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { urlScheme } from '../model/lake-url.ts'
import { SluiceError } from '../shared/errors.ts'
import { redactUrl } from '../shared/redact.ts'

export type CatalogUrl =
  | { readonly kind: 'sqlite' | 'duckdb'; readonly file: string; readonly label: string }
  | { readonly kind: 'postgresql' | 'mysql'; readonly url: string; readonly label: string }

const KNOWN =
  'sqlite:///file.db (relative), sqlite:////path/file.db (absolute), duckdb:///file.duckdb, postgresql://user@host/database or mysql://user@host/database'

const FILE_NAMES = { sqlite: 'SQLite', duckdb: 'DuckDB' } as const

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
  switch (scheme) {
    case 'sqlite':
    case 'duckdb':
      return fileUrl(scheme, rest)
    case 'postgres':
    case 'postgresql':
      return { kind: 'postgresql', url, label: redactUrl(url) }
    case 'mysql':
    case 'mariadb':
      return { kind: 'mysql', url, label: redactUrl(url) }
    default:
      throw new SluiceError('UNSUPPORTED_URL', `a catalog in ${scheme} is not supported`, {
        hint: `give --database-url as ${KNOWN}`,
      })
  }
}

/** Whether there can be a catalog at all: a file that is not there holds none, a server has to be asked. */
export function mayHoldCatalog(url: string): boolean {
  const parsed = parseCatalogUrl(url)
  return !('file' in parsed) || existsSync(parsed.file)
}

function fileUrl(kind: 'sqlite' | 'duckdb', rest: string): CatalogUrl {
  const path = rest.startsWith('/') ? rest.slice(1) : ''
  if (path === '' || path === ':memory:') {
    throw new SluiceError('BAD_CONFIG', `a ${FILE_NAMES[kind]} URL needs three slashes and a file`, {
      hint: `give --database-url as ${KNOWN}`,
    })
  }
  // Taken as part of the name, `?mode=ro` would make a second, empty catalog beside the one that was meant.
  if (/\?\w+=/.test(path)) {
    throw new SluiceError('BAD_CONFIG', `a ${FILE_NAMES[kind]} URL takes no parameters`, {
      where: `${kind}://${rest}`,
      hint: `leave out what stands behind the file; give --database-url as ${KNOWN}`,
    })
  }
  const scheme = urlScheme(path)
  if (scheme !== null) {
    throw new SluiceError(
      'BAD_CONFIG',
      `a ${FILE_NAMES[kind]} database is a file of this machine, and no ${scheme}: URL`,
      {
        where: `${kind}:///${path}`,
        hint: `name a file by its path, or a server: ${KNOWN}`,
      },
    )
  }
  return { kind, file: resolve(path), label: `${kind}:///${path}` }
}
