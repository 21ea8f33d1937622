/** Creates folders and missing parents. Node's `recursive` never returns in /proc, which accepts no folders. */
import { mkdirSync } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { isFolderPath } from './folder.ts'

/**
 * @param mode of each new folder, before the umask is applied
 * @returns the topmost folder that was created; null if all existed
 * @throws the error of the file system
 */
export async function makeFolder(path: string, mode = 0o777): Promise<string | null> {
  const folder = resolve(path)
  try {
    return await make(folder, mode)
  } catch (error) {
    if (!lacksParent(error, folder)) throw error
  }
  // Another program may create the same folders meanwhile: only an error below an existing parent is a failure.
  const first = await makeFolder(dirname(folder), mode)
  const own = await make(folder, mode)
  return first ?? own
}

/** As `makeFolder`, synchronous. */
export function makeFolderSync(path: string, mode = 0o777): string | null {
  const folder = resolve(path)
  try {
    return makeSync(folder, mode)
  } catch (error) {
    if (!lacksParent(error, folder)) throw error
  }
  const first = makeFolderSync(dirname(folder), mode)
  const own = makeSync(folder, mode)
  return first ?? own
}

function lacksParent(error: unknown, folder: string): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT' && dirname(folder) !== folder
}

/** Creates one folder. @returns its path; null if it existed */
async function make(folder: string, mode: number): Promise<string | null> {
  try {
    await mkdir(folder, { mode })
    return folder
  } catch (error) {
    if (await isFolder(folder)) return null
    throw error
  }
}

/** As `make`. */
function makeSync(folder: string, mode: number): string | null {
  try {
    mkdirSync(folder, { mode })
    return folder
  } catch (error) {
    if (isFolderPath(folder)) return null
    throw error
  }
}

async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null)
  return found?.isDirectory() === true
}
