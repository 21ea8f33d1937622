/** Entry of a thread that imports large tables for a batch, one after the other, over its own connection. */
import { parentPort, workerData } from 'node:worker_threads'
import { FileIndexes } from '../../../catalog/import/indexes.ts'
import { Interrupter } from '../../../shared/abort.ts'
import { systemClock } from '../../../shared/clock.ts'
import { asSluiceError, errorFromInfo } from '../../../shared/errors.ts'
import type { SqlDatabase } from '../../../model/run/sql-port.ts'
import { importAndReport, type TableOutcome } from './import-one.ts'
import { openCatalogDatabase } from '../../run/registry.ts'
import { packed } from '../../../shared/packed-error.ts'
import type { ImportThreadMessage, ImportThreadOrder, ImportThreadStart, ImportThreadTask } from './thread-messages.ts'

const start = workerData as ImportThreadStart
const interrupter = new Interrupter()
let paused = false
const post = (message: ImportThreadMessage): void => parentPort?.postMessage(message)

/**
 * The connection; null if it failed: then this thread gets no table. Never rejects: a rejection would end the thread.
 */
const opening = open()
let working: Promise<unknown> = Promise.resolve()

parentPort?.on('message', (order: ImportThreadOrder) => {
  switch (order.type) {
    case 'import':
      working = working.then(async () => {
        const { result, error, ms } = await perform(order)
        post({ type: 'done', result, ms, error: error === null ? null : packed(error) })
      })
      break
    case 'stop':
      return interrupter.requestStop(errorFromInfo(order.reason.info, order.reason.kind))
    case 'abort':
      return interrupter.requestAbort(errorFromInfo(order.reason.info, order.reason.kind))
    case 'pause':
      paused = order.paused
      break
    case 'close':
      void working.then(close)
  }
})

async function open(): Promise<SqlDatabase | null> {
  try {
    const database = await openCatalogDatabase(start.catalog, 'write')
    post({ type: 'opened', error: null })
    return database
  } catch (thrown) {
    post({ type: 'opened', error: packed(asSluiceError(thrown)) })
    return null
  }
}

async function close(): Promise<void> {
  try {
    await (await opening)?.close()
  } catch {
    // Ignore an unreachable catalog: written rows are safe, and nothing is left to write.
  } finally {
    parentPort?.close()
  }
}

async function perform({ target, settings }: ImportThreadTask): Promise<TableOutcome> {
  try {
    const database = await opening
    if (database === null) throw new Error('there is no connection')
    return await importAndReport({ database, indexes: new FileIndexes(database) }, target, settings, {
      ...start.identity,
      runId: start.runId,
      owner: start.owner,
      commandLine: start.commandLine,
      ...(start.sharedRun === undefined ? {} : { sharedRun: start.sharedRun }),
      interrupt: interrupter,
      clock: systemClock,
      emit: (body) => post({ type: 'event', body }),
      control: {
        get paused() {
          return paused
        },
        lanes: null,
      },
    })
  } catch (thrown) {
    return { result: null, error: asSluiceError(thrown), ms: 0 }
  }
}
