/** Folders, made with those above them that are missing. Node's `recursive` never ends where a folder takes no other, as in /proc. */
import { mkdirSync, statSync } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/**
 * @param mode of each folder that is made, less the umask
 * @returns the topmost folder that was made; null where all were there
 * @throws the file system's error
 */
export async function makeFolder(path: string, mode = 0o777): Promise<string | null> {
  const folder = resolve(path)
  const failed = await mkdir(folder, { mode }).then(
    () => null,
    (error: unknown) => error as NodeJS.ErrnoException,
  )
  if (failed === null) return folder
  if (await isFolder(folder)) return null
  const parent = dirname(folder)
  if (failed.code !== 'ENOENT' || parent === folder || (await isFolder(parent))) throw failed
  const first = await makeFolder(parent, mode)
  const own = await makeFolder(folder, mode)
  return first ?? own
}

/** As `makeFolder`, for a caller that cannot wait. */
export function makeFolderSync(path: string, mode = 0o777): string | null {
  const folder = resolve(path)
  try {
    mkdirSync(folder, { mode })
    return folder
  } catch (error) {
    if (isFolderSync(folder)) return null
    const parent = dirname(folder)
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === folder || isFolderSync(parent)) throw error
    const first = makeFolderSync(parent, mode)
    const own = makeFolderSync(folder, mode)
    return first ?? own
  }
}

async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null)
  return found?.isDirectory() === true
}

function isFolderSync(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}
