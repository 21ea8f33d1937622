/**
 * Finds tables and database files below a folder. A folder with a `_delta_log` is a table and is not entered: its data folders may
 * hold millions of files.
 */
import { closeSync, existsSync, openSync, readSync, realpathSync, statSync, type Dirent } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import { excludedBy } from './exclude.ts'
import { isFolder, looksLikeFolder } from './folder.ts'

export type Found =
  | { readonly kind: 'table'; readonly name: string; readonly path: string }
  | {
      readonly kind: 'sqlite' | 'duckdb'
      readonly name: string
      readonly path: string
      readonly bytes: number
      readonly modified: number
    }
  | { readonly kind: 'excluded'; readonly name: string; readonly word: string }
  | { readonly kind: 'unreadable'; readonly name: string; readonly path: string; readonly error: SluiceError }

const DATABASE_FILE = /\.(db3?|s3db|sqlite3?|duckdb|ddb)$/i

/**
 * @param recursive false looks at the folder itself and at the folders directly in it
 * @throws SluiceError NO_SUCH_PATH, UNSUPPORTED_URL, SOURCE_DENIED for the folder itself; folders below that cannot be read are reported and passed
 */
export async function* walkLake(
  root: string,
  options: { readonly recursive: boolean; readonly exclude: readonly string[]; readonly signal: AbortSignal },
): AsyncGenerator<Found> {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(root)?.[1]?.toLowerCase()
  if (scheme !== undefined) {
    throw new SluiceError('UNSUPPORTED_URL', `folders in ${scheme}:// cannot be searched yet`, {
      where: root,
      hint: 'give the path of a folder on this machine',
    })
  }
  if (!isFolder(root)) {
    if (!existsSync(root))
      throw new SluiceError('NO_SUCH_PATH', `there is no folder ${root}`, { where: root, hint: 'check the path' })
    throw new SluiceError('NO_SUCH_PATH', `${root} is a file, not a folder`, {
      where: root,
      hint: 'give the folder that holds the tables',
    })
  }
  yield* walk(root, '', 0, new Set([realpathSync(root)]), options)
}

async function* walk(
  path: string,
  name: string,
  depth: number,
  seen: Set<string>,
  options: { readonly recursive: boolean; readonly exclude: readonly string[]; readonly signal: AbortSignal },
): AsyncGenerator<Found> {
  throwIfAborted(options.signal)
  if (looksLikeFolder(join(path, '_delta_log'))) {
    yield { kind: 'table', name: name === '' ? '.' : name, path }
    return
  }
  let entries: Dirent[]
  try {
    entries = await readdir(path, { withFileTypes: true })
  } catch (error) {
    const denied = new SluiceError('SOURCE_DENIED', 'Permission denied', {
      where: path,
      reason: 'File system or database permissions',
      hint: 'Verify user permissions on files and database',
      cause: error,
    })
    if (depth === 0) throw denied
    yield { kind: 'unreadable', name, path, error: denied }
    return
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue
    const below = join(path, entry.name)
    const childName = name === '' ? entry.name : `${name}/${entry.name}`
    const folder = entry.isDirectory() || (entry.isSymbolicLink() && looksLikeFolder(below))
    if (!folder && !DATABASE_FILE.test(entry.name)) continue
    const word = excludedBy(childName, options.exclude)
    if (word !== null) {
      yield { kind: 'excluded', name: childName, word }
      continue
    }
    if (!folder) {
      const database = databaseFile(below)
      if (database !== null) yield { ...database, name: childName, path: below }
      continue
    }
    if (entry.isSymbolicLink()) {
      // A link may lead back up; every real folder is entered once.
      const real = realpathSync(below)
      if (seen.has(real)) continue
      seen.add(real)
    }
    if (options.recursive || depth === 0) {
      if (!options.recursive && !looksLikeFolder(join(below, '_delta_log'))) continue
      yield* walk(below, childName, depth + 1, seen, options)
    }
  }
}

/** Tells database files by their first bytes, not by their names alone. */
function databaseFile(path: string): { kind: 'sqlite' | 'duckdb'; bytes: number; modified: number } | null {
  try {
    const stat = statSync(path)
    if (!stat.isFile()) return null
    const head = Buffer.alloc(16)
    const file = openSync(path, 'r')
    try {
      readSync(file, head, 0, 16, 0)
    } finally {
      closeSync(file)
    }
    const facts = { bytes: stat.size, modified: Math.floor(stat.mtimeMs) }
    if (head.toString('latin1') === 'SQLite format 3\0') return { kind: 'sqlite', ...facts }
    if (head.toString('latin1', 8, 12) === 'DUCK') return { kind: 'duckdb', ...facts }
    return null
  } catch {
    return null
  }
}
