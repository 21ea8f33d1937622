/** Files of no bytes: SQLite takes one for a new database, and DuckDB for a damaged one. */
import { rmSync, statSync } from 'node:fs'

/** Whether there is a file of no bytes. */
export function isEmptyFile(file: string): boolean {
  const found = statSync(file, { throwIfNoEntry: false })
  return found?.isFile() === true && found.size === 0
}

/** Removes a file of no bytes, so that DuckDB makes a new database in its place. The caller has claimed the file. */
export function removeEmptyFile(file: string): void {
  if (isEmptyFile(file)) rmSync(file)
}
