/**
 * The book of the runs of this user on this machine: what ran, how it ended, and a curve of each. For showing only: no truth is read from it, and whoever
 * cannot write it goes on without.
 */
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { RunBook } from '../model/run-book.ts'

/** The file of the book. @param folder where this user's programs keep what is theirs */
export function runBookFile(folder: string): string {
  return join(folder, 'runs.db')
}

/**
 * @param file need not be there yet; it and its folder are this user's alone
 * @throws the file system's error, or the driver's, where it cannot be had
 */
export async function openRunBook(file: string): Promise<RunBook> {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  // Whatever stands beside it gets its mode.
  closeSync(openSync(file, 'a', 0o600))
  const { sqliteRunBook } = await import('./sqlite/run-book.ts')
  return sqliteRunBook(file)
}
