/** A lake in a local folder. */
import { closeSync, existsSync, openSync, readSync, realpathSync, statSync, type Dirent } from 'node:fs'
import { opendir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { mayHoldTables } from '../../model/lake/lake-store.ts'
import type { DatabaseFile, FolderLook, LakeItem, LakeStore } from '../../model/lake/lake-store.ts'
import { SluiceError } from '../../shared/errors.ts'
import { permissionDenied } from '../../shared/guide-errors.ts'
import { isFolder, isFolderPath } from '../../shared/folder.ts'
import { localSourceError } from './index.ts'

const DATABASE_FILE = /\.(db3?|s3db|sqlite3?|duckdb|ddb)$/i

class LocalLake implements LakeStore {
  readonly root: string
  readonly identity: string
  readonly parallel = 1

  constructor(root: string) {
    this.root = root
    this.identity = realpathSync(root)
  }

  async look(path: string): Promise<FolderLook> {
    if (isFolderPath(join(path, '_delta_log')))
      return { is: 'table', folders: async () => ({ items: await foldersOf(path), unseen: null }) }
    let entries: Dirent[]
    try {
      entries = await readdir(path, { withFileTypes: true })
    } catch (error) {
      return { is: 'denied', error: denied(path, error) }
    }
    entries.sort((a, b) => (a.name < b.name ? -1 : 1))
    return { is: 'folder', items: entries.flatMap((entry) => itemOf(entry, join(path, entry.name))) }
  }

  async isTable(path: string): Promise<boolean> {
    return isFolderPath(join(path, '_delta_log'))
  }

  soon(): void {
    // Nothing to do: the page cache is fast enough.
  }

  databaseFile(path: string): DatabaseFile | null {
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
      return { head, bytes: stat.size, modified: Math.floor(stat.mtimeMs) }
    } catch {
      return null
    }
  }
}

/** Folders of a table that may hold other tables. Reads entries one by one, because there may be millions of files. */
async function foldersOf(path: string): Promise<readonly LakeItem[]> {
  const items: LakeItem[] = []
  try {
    for await (const entry of await opendir(path)) {
      if (entry.isFile() || !mayHoldTables(entry.name)) continue
      items.push(...itemOf(entry, join(path, entry.name)).filter(({ kind }) => kind === 'folder'))
    }
  } catch (error) {
    throw localSourceError(error, path)
  }
  return items.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

function itemOf(entry: Dirent, path: string): readonly LakeItem[] {
  if (entry.name.startsWith('.')) return []
  const isLink = entry.isSymbolicLink()
  if (entry.isDirectory() || (isLink && isFolderPath(path))) {
    return [{ kind: 'folder', name: entry.name, path, ...(isLink ? { link: () => realpathSync(path) } : {}) }]
  }
  return DATABASE_FILE.test(entry.name) ? [{ kind: 'file', name: entry.name, path }] : []
}

function denied(path: string, cause: unknown): SluiceError {
  return new SluiceError(...permissionDenied('SOURCE_DENIED', { where: path, cause }))
}

/** @throws SluiceError NO_SUCH_PATH if it is not a folder; SOURCE_DENIED, SOURCE_IO */
export function openLocalLake(root: string): LakeStore {
  let found: boolean
  try {
    found = isFolder(root)
  } catch (error) {
    throw localSourceError(error, root)
  }
  if (found) return new LocalLake(root)
  if (!existsSync(root)) {
    throw new SluiceError('NO_SUCH_PATH', `there is no folder ${root}`, { where: root, hint: 'check the path' })
  }
  throw new SluiceError('NO_SUCH_PATH', `${root} is a file, not a folder`, {
    where: root,
    hint: 'give the folder that contains the tables',
  })
}
