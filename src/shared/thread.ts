/** A thread of this program. */
import { Worker } from 'node:worker_threads'

/**
 * Starts a thread. Output of libraries in it is discarded, because it would appear in the middle of a screen.
 * @param entry the compiled file that it runs
 * @param workerData plain data
 * @returns the started thread
 */
export function startThread(entry: URL, workerData: unknown): Worker {
  return new Worker(entry, {
    workerData,
    stdout: true,
    stderr: true,
    // At the end of a thread, Node would close every file descriptor that the thread opened. The descriptor of a pipe
    // is closed with its socket, and may then be reused for a file of another thread: Node would close that file.
    trackUnmanagedFds: false,
  })
}
