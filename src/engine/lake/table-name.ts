/** Table names in lists: the end of a path, `sales/orders` of `/data/lake/sales/orders`. */
import { readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { pathOfLocation } from '../../model/lake/lake-url.ts'
import { closest } from '../../shared/closest.ts'
import { isFolderPath } from '../../shared/folder.ts'
import type { SqlReader } from '../../model/run/sql-port.ts'

export type TablePath = { readonly tableId: string; readonly path: string }

/** Maximum number of subfolders among which a similar name is searched; a folder with more of them is skipped. */
const MOST_FOLDERS = 500

/** All tables of a catalog with their paths. */
export async function tablePlaces(reader: SqlReader): Promise<readonly TablePath[]> {
  const rows = await reader.all('SELECT table_id, location FROM delta_tables ORDER BY table_id')
  return rows.map(([id, location]) => ({ tableId: String(id), path: pathOfLocation(String(location)) }))
}

const partsOf = (path: string): readonly string[] => path.split('/').filter((part) => part !== '' && part !== '.')

/** Tables whose path ends with the name, part by part. */
export function endingIn(name: string, places: readonly TablePath[]): readonly TablePath[] {
  const wanted = partsOf(name)
  if (wanted.length === 0 || wanted.includes('..')) return []
  return places.filter(({ path }) => {
    const parts = partsOf(path)
    return parts.length >= wanted.length && wanted.every((part, i) => parts[parts.length - wanted.length + i] === part)
  })
}

/** Similar name: an id, or the end of a path with as many parts as were typed. Null if none is similar. */
export function similarName(name: string, places: readonly TablePath[]): string | null {
  const length = Math.max(1, partsOf(name).length)
  const names = places.flatMap(({ tableId, path }) => [partsOf(path).slice(-length).join('/'), tableId])
  const lower = new Map(names.map((one) => [one.toLowerCase(), one]))
  const meant = closest(name, [...lower.keys()])
  return meant === null ? null : (lower.get(meant) ?? null)
}

/** Similar local table: a sibling of the typed path, or the path in a subfolder of the current folder. Null if none. */
export function similarOnDisk(name: string): string | null {
  if (name.startsWith('/') || !name.includes('/')) return folderOnDisk(name)
  const below = foldersOf('.').find((folder) => isTable(join(folder, name)))
  return below === undefined ? folderOnDisk(name) : join(below, name)
}

function folderOnDisk(name: string): string | null {
  const folder = dirname(name)
  const meant = closest(
    basename(name),
    foldersOf(folder).filter((one) => isTable(join(folder, one))),
  )
  return meant === null ? null : join(folder, meant)
}

const isTable = (folder: string): boolean => isFolderPath(join(folder, '_delta_log'))

function foldersOf(folder: string): readonly string[] {
  try {
    const found = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    return found.length > MOST_FOLDERS ? [] : found.map((entry) => entry.name)
  } catch {
    return []
  }
}
