/** The file in which this user's programs on this machine note which alerts stand. */
import { closeSync, openSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { AlertMemory } from '../model/run/alert-memory.ts'
import { makeFolderSync } from '../shared/make-folder.ts'

/** @param folder that of the book of runs */
export function alertMemoryFile(folder: string): string {
  return join(folder, 'alerts.db')
}

/**
 * @param file need not be there yet; it and its folder are this user's alone
 * @throws the file system's error, or the driver's, where it cannot be had
 */
export async function openAlertMemory(file: string): Promise<AlertMemory> {
  makeFolderSync(dirname(file), 0o700)
  // Whatever stands beside it gets its mode.
  closeSync(openSync(file, 'a', 0o600))
  const { sqliteAlertMemory } = await import('./sqlite/alert-memory.ts')
  return sqliteAlertMemory(file)
}
