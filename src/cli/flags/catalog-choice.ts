/** Chooses the catalog of a command, and how printed commands name it. */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { isS3Url, parseLakeUrl } from '../../model/lake/lake-url.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import { stateFolder } from '../../shared/state-folder.ts'

export type CatalogChoice = {
  readonly url: string
  /**
   * Origin of the URL: a printed command repeats the flag, or names the variable. `state`: catalog that the UI keeps
   * for the lake.
   */
  readonly from: 'flag' | 'variable' | 'config' | 'state'
  /** Error if the config file's catalog has no URL; then `url` is empty. Thrown only if the command needs a catalog. */
  readonly unset?: SluiceError
  /** Origin of the schema that was put into the URL. */
  readonly schemaFrom?: 'flag' | 'variable'
}

export const CATALOG_VARIABLE = 'SLUICE_DATABASE_URL'

/** `--database-url`, else `SLUICE_DATABASE_URL`, else the config file; never `DATABASE_URL`, which is a source. */
export function chooseCatalog(
  flag: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
  config: string | undefined,
): CatalogChoice | null {
  if (flag !== undefined) return { url: flag, from: 'flag' }
  const variable = env[CATALOG_VARIABLE]
  if (variable !== undefined && variable.trim() !== '') return { url: variable, from: 'variable' }
  return config === undefined ? null : { url: config, from: 'config' }
}

/**
 * The URL of the catalog.
 * @param kept URLs of catalogs kept by the UI, if the user may mean one of them
 * @throws SluiceError BAD_FLAG if no catalog is given, or its text is no URL
 */
export function catalogUrl(choice: CatalogChoice | null, kept: readonly string[] = []): string {
  if (choice === null && kept.length > 1) {
    throw new SluiceError('BAD_FLAG', `no catalog is given, and the terminal UI created ${kept.length} catalogs`, {
      hint: `give the URL of one of them: ${kept.slice(0, MOST_KEPT).map(named).join(', or ')}`,
    })
  }
  if (choice === null) {
    throw new SluiceError('BAD_FLAG', 'no catalog is given', {
      hint: `add --database-url, for example sqlite:///catalog.db, or set ${CATALOG_VARIABLE}; if \`sluice PATH\` has created a catalog for the lake, that one is the default`,
    })
  }
  if (choice.unset !== undefined) throw choice.unset
  if (!choice.url.includes('://')) {
    const origin = {
      flag: '--database-url',
      variable: CATALOG_VARIABLE,
      config: 'database-url of the config file',
      state: 'the state folder',
    }
    throw new SluiceError('BAD_FLAG', `${origin[choice.from]} is not a URL`, {
      hint: 'write it like sqlite:///relative.db or sqlite:////absolute.db',
    })
  }
  return choice.url
}

/** Limit of kept catalogs that a hint names. */
const MOST_KEPT = 5

const named = (url: string): string => `--database-url ${shellQuote(url)}`

/** URL of a SQLite file: three slashes and an absolute path make four. */
export function sqliteUrl(file: string): string {
  return `sqlite:///${path.resolve(file)}`
}

/**
 * File of the catalog that the UI keeps for a lake if no catalog is given. It is in the user's state folder, so that
 * reading a lake writes nothing into the lake. The first import creates the file.
 */
export function stateCatalogFile(lake: string, env: Readonly<Record<string, string | undefined>>): string {
  const location = locationOf(lake)
  const name = (location.split('/').at(-1) ?? '').replaceAll(/[^\w.-]+/g, '-').slice(0, 60) || 'root'
  const digest = createHash('sha256').update(location).digest('hex').slice(0, 8)
  return path.join(stateFolder(env), 'catalogs', `${name}-${digest}.db`)
}

/**
 * For a command without a catalog: the catalog that the UI keeps for this folder or bucket, or for the nearest folder
 * above it. Commands do not create it, because a script whose variable is not set must fail.
 * @param place path of a lake or of a table in it
 * @returns null if there is none
 */
export function findKeptCatalog(
  place: string,
  env: Readonly<Record<string, string | undefined>>,
): CatalogChoice | null {
  for (let at = locationOf(place); ;) {
    const file = stateCatalogFile(at, env)
    if (existsSync(file)) return { url: sqliteUrl(file), from: 'state' }
    const above = at.includes('://') ? at.replace(/\/[^/]*$/, '') : path.dirname(at)
    if (above === at || /^[a-z0-9]+:\/?$/i.test(above)) return null
    at = above
  }
}

/** URLs of all catalogs that the UI keeps for lakes, the last written one first. */
export function keptCatalogs(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const folder = path.join(stateFolder(env), 'catalogs')
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => name.endsWith('.db'))
    .map((name) => path.join(folder, name))
    .map((file) => ({ file, at: statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .toSorted((a, b) => b.at - a.at)
    .map(({ file }) => sqliteUrl(file))
}

/** Normalized location of a lake, so that every spelling finds the same catalog. */
function locationOf(lake: string): string {
  const place = isS3Url(lake) ? parseLakeUrl(lake) : null
  if (place?.kind === 'bucket') return place.root
  return lake.includes('://') ? lake.replace(/\/+$/, '') : path.resolve(lake)
}
