/** File in which this user's programs on this machine record active alerts. */
import { closeSync, openSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { AlertMemory } from '../model/run/alert-memory.ts'
import { makeFolderSync } from '../shared/make-folder.ts'

/** @param folder of the run history */
export function alertMemoryFile(folder: string): string {
  return join(folder, 'alerts.db')
}

/**
 * @param file is created if missing; the file and its folder are accessible to this user only
 * @throws the file system's error, or the driver's, if it cannot be opened
 */
export async function openAlertMemory(file: string): Promise<AlertMemory> {
  makeFolderSync(dirname(file), 0o700)
  // SQLite gives its companion files the mode of this one.
  closeSync(openSync(file, 'a', 0o600))
  const { sqliteAlertMemory } = await import('./sqlite/alert-memory.ts')
  return sqliteAlertMemory(file)
}
