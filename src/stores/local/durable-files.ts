/** Makes files and folders durable, and compares files. Errors of the file system are not mapped. */
import type { BigIntStats } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { makeFolder } from '../../shared/make-folder.ts'
import { syncPath } from '../../shared/sync-path.ts'

const COMPARED = 1 << 20

/** Makes a folder and its missing parents; all of them are durable when it returns. */
export async function makeDurableFolder(folder: string): Promise<void> {
  const first = await makeFolder(folder)
  if (first === null) return
  for (let at = resolve(folder); ; at = dirname(at)) {
    await syncPath(dirname(at))
    if (at === first || at === dirname(at)) return
  }
}

/** Facts about a file; null if it does not exist. */
export async function statOrNull(file: string): Promise<BigIntStats | null> {
  try {
    return await stat(file, { bigint: true })
  } catch (error) {
    if (fileErrorCode(error) === 'ENOENT' || fileErrorCode(error) === 'ENOTDIR') return null
    throw error
  }
}

/** Whether both are names of one file. */
export async function isSameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = [await statOrNull(a), await statOrNull(b)]
  return one !== null && other !== null && one.ino === other.ino && one.dev === other.dev
}

/** Whether a small file holds exactly these bytes. */
export async function fileHolds(file: string, bytes: Buffer): Promise<boolean> {
  const found = await statOrNull(file)
  if (found === null || found.size !== BigInt(bytes.length)) return false
  await using handle = await open(file, 'r')
  return (await handle.readFile()).equals(bytes)
}

/** Whether two files have the same bytes. */
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
