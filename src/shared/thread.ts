/** A thread of this program. */
import { Worker } from 'node:worker_threads'

/**
 * @param entry the compiled file that it runs @param workerData plain data
 * @returns once it is started; what a library prints there goes nowhere, since it would land in the middle of a screen
 */
export function startThread(entry: URL, workerData: unknown): Worker {
  return new Worker(entry, {
    workerData,
    stdout: true,
    stderr: true,
    // At the end of a thread Node would close every number that it has opened by itself. A pipe's number is closed with
    // its socket, is then that of a file of another thread, and would be closed under that one.
    trackUnmanagedFds: false,
  })
}
