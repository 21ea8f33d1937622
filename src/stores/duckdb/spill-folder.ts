/** Where queries of one open database spill. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

/** Those of this thread: an instance may still be open when its program ends. */
const made = new Set<string>()

/**
 * A folder that nobody else may read: DuckDB would make it as the umask says, and rows that do not fit into memory are written there. Whoever opened the
 * database removes it, at the latest the end of the program does. Another one for each call: whoever closes first removes only what is his.
 */
export function spillFolder(): string {
  const begin = join(tmpdir(), `sluice-duckdb-${process.pid}-`)
  try {
    const folder = mkdtempSync(begin)
    if (made.size === 0) process.once('exit', removeAll)
    made.add(folder)
    return folder
  } catch {
    // Nothing can be written there: what has to spill fails, and says so.
    return `${begin}${randomBytes(4).toString('hex')}`
  }
}

function removeAll(): void {
  for (const folder of made) rmSync(folder, { recursive: true, force: true })
}
