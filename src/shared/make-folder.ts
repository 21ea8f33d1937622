/** Folders that a user names. */
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes a folder and those above it that are missing. Node's `recursive` never ends where a folder is there and takes no other, as in /proc.
 * @throws the file system's error
 */
export async function makeFolder(path: string): Promise<void> {
  const failed = await mkdir(path).then(
    () => null,
    (error: unknown) => error as NodeJS.ErrnoException,
  )
  if (failed === null || (await isFolder(path))) return
  const parent = dirname(path)
  if (failed.code !== 'ENOENT' || parent === path || (await isFolder(parent))) throw failed
  await makeFolder(parent)
  await makeFolder(path)
}

async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null)
  return found?.isDirectory() === true
}
