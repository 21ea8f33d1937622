/**
 * One opener of a DuckDB file at a time within this program. DuckDB's own lock keeps other programs out, but two threads of one program would
 * get past it, each with an instance of its own, and damage the file.
 */
import { createHash } from 'node:crypto'
import { closeSync, openSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { SluiceError } from '../../shared/errors.ts'

const WAIT_MS = 10_000
const LOOK_MS = 15

/**
 * Claims a file for this thread, waiting for the thread that has it.
 * @throws SluiceError TARGET_BUSY after ten seconds
 */
export async function claimFile(file: string, label: string): Promise<Disposable> {
  const name = createHash('sha256').update(resolve(file)).digest('hex').slice(0, 32)
  const claim = join(tmpdir(), `sluice-duckdb-${name}-${process.pid}`)
  const begun = performance.now()
  while (!taken(claim)) {
    if (performance.now() - begun > WAIT_MS) {
      throw new SluiceError('TARGET_BUSY', 'another run of this program works on the DuckDB file', {
        where: label,
        reason: 'a DuckDB file is opened once at a time',
        hint: 'wait until that run ends; PostgreSQL, MySQL and SQLite catalogs can be read meanwhile',
        retryable: true,
      })
    }
    await new Promise((wake) => setTimeout(wake, LOOK_MS))
  }
  return { [Symbol.dispose]: () => rmSync(claim, { force: true }) }
}

function taken(claim: string): boolean {
  try {
    closeSync(openSync(claim, 'wx'))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    // Left by a killed program that had our number.
    const born = Date.now() - process.uptime() * 1000
    const modified = statSync(claim, { throwIfNoEntry: false })?.mtimeMs ?? Infinity
    if (modified < born - 1000) rmSync(claim, { force: true })
    return false
  }
}
