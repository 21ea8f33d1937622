/** A lane's thread that opens well and dies over its first table: by an error that carries a secret, or silently. */
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
