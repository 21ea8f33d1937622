/**
 * Finds what `sluice init` writes: a lake in the current folder, and databases by URL. A URL with a password is written
 * as the name of its variable.
 */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { isCatalogUrl, isCopyUrl, systemOf } from '../../engine/run/systems.ts'
import { isFolderPath } from '../../shared/folder.ts'
import { secretsOfUrl } from '../../shared/redact.ts'

type Env = Readonly<Record<string, string | undefined>>

/**
 * @property written text for the file: a URL, a path, or `$NAME` @property unset true if that variable is not set
 */
export type NamedPlace = {
  readonly name: string
  readonly written: string
  readonly description: string
  readonly unset: boolean
}

export type FoundPlaces = {
  readonly places: readonly NamedPlace[]
  /** For each flag, the name of the place that the file sets as default. */
  readonly defaults: Readonly<Partial<Record<'database-url' | 'from' | 'to', string>>>
}

export type GivenPlaces = {
  readonly lake: string | null
  readonly from: string | null
  readonly to: string | null
  readonly catalog: string | null
}

const DEPTH = 3
const MOST_FOLDERS = 2000
const CATALOG_VARIABLE = 'SLUICE_DATABASE_URL'

/** Reads folders and environment variables; opens no database. */
export function findPlaces(givenPlaces: GivenPlaces, cwd: string, env: Env): FoundPlaces {
  const places: NamedPlace[] = []
  const defaults: Partial<Record<'database-url' | 'from' | 'to', string>> = {}
  const add = (place: NamedPlace): string => {
    const same = places.find(({ written }) => written === place.written)
    if (same !== undefined) return same.name
    const taken = places.filter(({ name }) => name.replace(/-\d+$/, '') === place.name).length
    const name = taken === 0 ? place.name : `${place.name}-${taken + 1}`
    places.push({ ...place, name })
    return name
  }
  const lake = givenPlaces.lake === null ? lakeAt(cwd) : { folder: givenPlaces.lake, tables: null }
  if (lake !== null) {
    const about =
      lake.tables === null
        ? 'a lake'
        : `a lake: ${lake.tables} Delta ${lake.tables === 1 ? 'table' : 'tables'} below it`
    add({
      name: 'lake',
      written: absolute(lake.folder, cwd),
      description: `${about}; sluice lake opens it`,
      unset: false,
    })
  }
  const given = [
    ['database-url', 'catalog', givenPlaces.catalog, CATALOG_VARIABLE],
    ['from', 'source', givenPlaces.from, 'DATABASE_URL'],
    ['to', 'target', givenPlaces.to, 'TARGET_URL'],
  ] as const
  for (const [flag, name, url, variable] of given) {
    if (url !== null) defaults[flag] = add({ name, ...writtenOf(url, variable, cwd, env) })
  }
  for (const [variable, value] of Object.entries(env).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (!/^[A-Z][A-Z0-9_]*$/.test(variable) || value === undefined || !value.includes('://')) continue
    const isCatalog = variable === CATALOG_VARIABLE && isCatalogUrl(value.trim())
    if (!isCatalog && !isCopyUrl(value.trim())) continue
    const name = isCatalog ? 'catalog' : nameOf(variable)
    const added = add({
      name,
      written: `$${variable}`,
      description: `the database that $${variable} names`,
      unset: false,
    })
    if (isCatalog) defaults['database-url'] ??= added
  }
  return { places, defaults }
}

/** Name of the store for a variable: `app-db` for `$APP_DB_URL`. */
const nameOf = (variable: string): string =>
  variable
    .toLowerCase()
    .replace(/_ur[il]$/, '')
    .replaceAll('_', '-')

function writtenOf(url: string, variable: string, cwd: string, env: Env): Omit<NamedPlace, 'name'> {
  const holds = Object.keys(env).find((name) => env[name]?.trim() === url && /^[A-Za-z]\w*$/.test(name))
  if (holds !== undefined)
    return { written: `$${holds}`, description: `the database that $${holds} names`, unset: false }
  if (secretsOfUrl(url).length > 0) {
    const description = `its URL holds a password, so it is read from a variable: set ${variable} to it`
    return { written: `$${variable}`, description, unset: true }
  }
  return { written: absoluteUrl(url, cwd), description: 'as it was given', unset: false }
}

/** URL of a database file with its absolute path, because the config file also applies in subfolders. */
function absoluteUrl(url: string, cwd: string): string {
  const [, scheme, file] = /^([a-z0-9+]+):\/\/\/(.+)$/is.exec(url) ?? []
  if (scheme === undefined || file === undefined || systemOf(url)?.file === undefined) return url
  return `${scheme}:///${path.resolve(cwd, file)}`
}

const absolute = (place: string, cwd: string): string => (place.includes('://') ? place : path.resolve(cwd, place))

/** True if a Delta table is in the folder or at most `DEPTH` + 1 levels below; reads at most `MOST_FOLDERS` folders. */
export function holdsTable(folder: string): boolean {
  return tablesBelow(folder, DEPTH + 1, { left: MOST_FOLDERS }) > 0
}

/** The one subfolder that has Delta tables; the current folder if several have; null if none has. */
function lakeAt(cwd: string): { readonly folder: string; readonly tables: number } | null {
  const budget = { left: MOST_FOLDERS }
  const below = foldersOf(cwd).map((name) => ({
    folder: path.join(cwd, name),
    tables: tablesBelow(path.join(cwd, name), DEPTH, budget),
  }))
  const [most, ...others] = below.filter(({ tables }) => tables > 0).toSorted((a, b) => b.tables - a.tables)
  if (most === undefined) return null
  return others.length === 0 ? most : { folder: cwd, tables: below.reduce((sum, { tables }) => sum + tables, 0) }
}

function tablesBelow(folder: string, depth: number, budget: { left: number }): number {
  budget.left -= 1
  if (budget.left < 0) return 0
  if (isFolderPath(path.join(folder, '_delta_log'))) return 1
  if (depth === 0) return 0
  return foldersOf(folder).reduce((sum, name) => sum + tablesBelow(path.join(folder, name), depth - 1, budget), 0)
}

function foldersOf(folder: string): readonly string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true })
    return entries.filter((one) => one.isDirectory() && !/^[.]|^node_modules$/.test(one.name)).map((one) => one.name)
  } catch {
    return []
  }
}
