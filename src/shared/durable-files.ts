/** Makes files and folders durable, and compares files. Errors of the file system are not mapped. */
import type { BigIntStats } from 'node:fs'
import { link, open, rename, stat, unlink } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { SluiceError } from './errors.ts'
import { makeFolder } from './make-folder.ts'
import { syncPath } from './sync-path.ts'

const COMPARED = 1 << 20
/** Errors of `link` on file systems without hard links. */
export const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

/** Errors of `open` and `fsync` for a folder of another user, or on a file system that does not sync folders. */
const NOT_SYNCED: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EINVAL', 'ENOTSUP', 'EROFS'])

/** Folders that this process has made durable. */
const durable = new Set<string>()

/**
 * Makes a folder and its missing parents; all of them are durable when it returns. Existing ones are synced, too: the
 * program that made them may have been killed before it synced them.
 * @throws the error of the file system; none if an existing parent cannot be synced
 */
export async function makeDurableFolder(folder: string): Promise<void> {
  const path = resolve(folder)
  const first = await makeFolder(path)
  if (first === null && durable.has(path)) return
  let isNew = first !== null
  for (let at = path; at !== dirname(at); at = dirname(at)) {
    try {
      await syncPath(dirname(at))
    } catch (error) {
      if (isNew || !NOT_SYNCED.has(fileErrorCode(error))) throw error
      break
    }
    if (at === first) isNew = false
  }
  durable.add(path)
}

/** Result of `stat` for a file; null if it does not exist. */
export async function statOrNull(file: string): Promise<BigIntStats | null> {
  try {
    return await stat(file, { bigint: true })
  } catch (error) {
    if (fileErrorCode(error) === 'ENOENT' || fileErrorCode(error) === 'ENOTDIR') return null
    throw error
  }
}

/** True if both are names of one file. */
export async function isSameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = [await statOrNull(a), await statOrNull(b)]
  return one !== null && other !== null && one.ino === other.ino && one.dev === other.dev
}

/**
 * Renames a file and never overwrites another one. After a kill in between, the file has both names.
 * @throws the error of the file system: EEXIST if another file has the new name
 */
export async function renameIfAbsent(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    const code = fileErrorCode(error)
    if (NO_LINKS.has(code)) {
      if ((await statOrNull(to)) === null) return await rename(from, to)
      throw Object.assign(new Error(`EEXIST: file already exists, rename '${from}' -> '${to}'`), { code: 'EEXIST' })
    }
    // A network file system may have made the link, and lost the reply.
    if (code !== 'EEXIST' || !(await isSameFile(from, to))) throw error
  }
  await unlink(from)
}

export function nameTaken(file: string): SluiceError {
  return new SluiceError('TARGET_IO', 'the file cannot be written: another file already has this name', {
    where: file,
    reason: 'files in an archive are never overwritten',
    hint: 'run the same command again, which writes files with new names',
  })
}

/** True if a small file holds exactly these bytes. */
export async function fileHolds(file: string, bytes: Buffer): Promise<boolean> {
  const found = await statOrNull(file)
  if (found === null || found.size !== BigInt(bytes.length)) return false
  await using handle = await open(file, 'r')
  return (await handle.readFile()).equals(bytes)
}

/** True if two files have the same bytes. */
export async function equalFiles(a: string, b: string): Promise<boolean> {
  const [one, other] = [await open(a, 'r'), await open(b, 'r')]
  try {
    if ((await one.stat()).size !== (await other.stat()).size) return false
    const [left, right] = [Buffer.allocUnsafe(COMPARED), Buffer.allocUnsafe(COMPARED)]
    for (let at = 0; ;) {
      const { bytesRead } = await one.read(left, 0, COMPARED, at)
      if (bytesRead === 0) return true
      let got = 0
      while (got < bytesRead) {
        const more = (await other.read(right, got, bytesRead - got, at + got)).bytesRead
        if (more === 0) return false
        got += more
      }
      if (!left.subarray(0, bytesRead).equals(right.subarray(0, bytesRead))) return false
      at += bytesRead
    }
  } finally {
    await one.close()
    await other.close()
  }
}

/** `ENOENT` and the like; empty for other errors. */
export function fileErrorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}
