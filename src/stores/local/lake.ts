/** A lake in a local folder. */
import { closeSync, existsSync, lstatSync, openSync, readSync, realpathSync, statSync, type Dirent } from 'node:fs'
import { opendir, readdir } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { mayHoldTables } from '../../model/lake/lake-store.ts'
import type { DatabaseFile, FolderState, LakeItem, LakeStore } from '../../model/lake/lake-store.ts'
import { SluiceError } from '../../shared/errors.ts'
import { isFolder } from '../../shared/folder.ts'
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

  async inspect(path: string): Promise<FolderState> {
    let entries: Dirent[]
    try {
      if (holdsLog(path)) return { is: 'table', folders: async () => ({ items: await foldersOf(path), unseen: null }) }
      entries = await readdir(path, { withFileTypes: true })
    } catch (error) {
      return { is: 'denied', error: notListed(path, error) }
    }
    entries.sort((a, b) => (a.name < b.name ? -1 : 1))
    return { is: 'folder', items: entries.flatMap((entry) => itemOf(entry, join(path, entry.name))) }
  }

  async isPlainFolder(path: string): Promise<boolean> {
    try {
      if (holdsLog(path)) return false
      await (await opendir(path)).close()
      return true
    } catch {
      // `inspect` returns the error.
      return false
    }
  }

  prefetch(): void {
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
      const folder = itemOf(entry, join(path, entry.name)).filter(({ kind }) => kind === 'folder')
      // Skip a link whose target is missing: a data file may be a link to a disk that is not mounted.
      if (entry.isSymbolicLink() && targetOf(join(path, entry.name)) === 'nowhere') continue
      items.push(...folder)
    }
  } catch (error) {
    throw localSourceError(error, path)
  }
  return items.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

function itemOf(entry: Dirent, path: string): readonly LakeItem[] {
  if (entry.name.startsWith('.')) return []
  const { name } = entry
  if (entry.isDirectory()) return [{ kind: 'folder', name, path }]
  const target = entry.isSymbolicLink() ? targetOf(path) : 'file'
  if (target === 'folder') return [{ kind: 'folder', name, path, link: () => realpathSync(path) }]
  if (DATABASE_FILE.test(name)) return [{ kind: 'file', name, path }]
  // `inspect` reports why such a link cannot be followed: it may lead to a table.
  const mayBeFolder = target === 'denied' || (target === 'nowhere' && extname(name) === '')
  return mayBeFolder ? [{ kind: 'folder', name, path }] : []
}

/** Target of a symbolic link; `denied` if it cannot be inspected. */
function targetOf(path: string): 'folder' | 'file' | 'nowhere' | 'denied' {
  try {
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat === undefined) return 'nowhere'
    return stat.isDirectory() ? 'folder' : 'file'
  } catch {
    return 'denied'
  }
}

/**
 * True if a folder is a table.
 * @throws the error of the file system, or SluiceError NO_LOG, for a `_delta_log` that cannot be a log
 */
function holdsLog(path: string): boolean {
  const log = join(path, '_delta_log')
  const entry = lstatSync(log, { throwIfNoEntry: false })
  if (entry === undefined) return false
  if (entry.isDirectory()) return true
  const target = entry.isSymbolicLink() ? statSync(log, { throwIfNoEntry: false }) : entry
  if (target?.isDirectory() === true) return true
  const what = target === undefined ? 'a symbolic link whose target is missing' : 'a file, not a folder'
  throw new SluiceError('NO_LOG', `_delta_log is ${what}`, { where: log, hint: 'restore the log of the table' })
}

function notListed(path: string, error: unknown): SluiceError {
  if (!(error instanceof SluiceError) && lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true) {
    if (targetOf(path) === 'nowhere')
      return new SluiceError('NO_SUCH_PATH', 'the path is a symbolic link whose target is missing', {
        where: path,
        cause: error,
      })
  }
  return localSourceError(error, path)
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
