/** A worker thread that starts well and fails at its first table: with an error that contains a secret, or silently. */
import { parentPort, workerData } from 'node:worker_threads'

parentPort?.on('message', ({ type }) => {
  if (type === 'close') parentPort?.close()
  if (type !== 'import') return
  if (workerData.commandLine.includes('silent')) process.exit(3)
  setTimeout(() => {
    throw new Error(`lost the connection to ${workerData.catalog}`)
  }, 1)
})
parentPort?.postMessage({ type: 'opened', error: null })
