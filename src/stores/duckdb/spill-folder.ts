/** Spill folders of open databases. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

/** Folders of this thread. The end of the program removes them: instances that use them may still be open then. */
const made = new Set<string>()

/**
 * Creates a private folder, because rows are written to it; DuckDB would create it with the rights of the umask. The
 * opener of the database removes it, at the latest at the program's end. Each call makes another one, so that each
 * opener removes only its own.
 */
export function spillFolder(): string {
  const begin = join(tmpdir(), `sluice-duckdb-${process.pid}-`)
  try {
    const folder = mkdtempSync(begin)
    if (made.size === 0) process.once('exit', removeAll)
    made.add(folder)
    return folder
  } catch {
    // The folder cannot be created: queries that must spill fail with that error.
    return `${begin}${randomBytes(4).toString('hex')}`
  }
}

function removeAll(): void {
  for (const folder of made) rmSync(folder, { recursive: true, force: true })
}
