/**
 * Lets only one thread of this program at a time open a DuckDB file. DuckDB's lock excludes other programs, but not two
 * threads of one program: each would get its own instance, and damage the file.
 */
import { createHash } from 'node:crypto'
import { closeSync, openSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { SluiceError } from '../../shared/errors.ts'
import { isLeftover, isUnmarkedLeftover, MARK, ownMark } from '../../shared/process-mark.ts'

const WAIT_MS = 10_000
const POLL_MS = 15

/** Claims a file for this thread; waits for threads that have it. @throws SluiceError TARGET_BUSY after ten seconds */
export async function claimFile(file: string, label: string): Promise<Disposable> {
  const name = createHash('sha256').update(resolve(file)).digest('hex').slice(0, 32)
  const prefix = `sluice-duckdb-${name}-`
  removeLeftovers(tmpdir(), prefix)
  const claim = join(tmpdir(), `${prefix}${ownMark()}`)
  const begun = performance.now()
  while (!taken(claim)) {
    if (performance.now() - begun > WAIT_MS) {
      throw new SluiceError('TARGET_BUSY', 'another run of this program works on the DuckDB file', {
        where: label,
        reason: 'a DuckDB file can be opened only once at a time',
        hint: 'wait until that run ends; catalogs in PostgreSQL, MySQL and SQLite can be read during a run',
        retryable: true,
      })
    }
    await new Promise((wake) => setTimeout(wake, POLL_MS))
  }
  return { [Symbol.dispose]: () => rmSync(claim, { force: true }) }
}

function taken(claim: string): boolean {
  try {
    closeSync(openSync(claim, 'wx'))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return false
  }
}

const SUFFIX = new RegExp(`^${MARK}$`)
/** Name suffix of the claims of older versions of sluice. */
const OLD_SUFFIX = /^\d+$/

/** Removes files of killed programs. @param folder may be shared by containers, where process numbers repeat */
export function removeLeftovers(folder: string, prefix: string): void {
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(prefix)) continue
    const rest = name.slice(prefix.length)
    const marked = SUFFIX.exec(rest)
    const file = join(folder, name)
    const modified = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Infinity
    const isOver =
      marked === null
        ? OLD_SUFFIX.test(rest) && isUnmarkedLeftover(Number(rest), modified)
        : isLeftover(marked.slice(1), modified)
    if (isOver) rmSync(file, { force: true })
  }
}
