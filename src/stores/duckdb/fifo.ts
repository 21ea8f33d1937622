/** FIFOs between DuckDB and this program. */
import { execFile } from 'node:child_process'

/**
 * A statement that waits at a FIFO occupies a thread of libuv's pool. Some threads must stay free for the other end of
 * the rows, so at most two statements of a direction wait at a time.
 */
const POOL = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4)
export const MOST_PIPES = Number.isFinite(POOL) ? Math.max(0, Math.min(2, POOL - 2)) : 0

/** @returns false if the system cannot make one */
export function makeFifo(path: string): Promise<boolean> {
  return new Promise((done) => {
    execFile('mkfifo', ['-m', '600', path], (error) => {
      done(error === null)
    })
  })
}
