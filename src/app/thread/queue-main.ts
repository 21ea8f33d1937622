/** Entry of the thread for a queue. Calls run one after the other, so that a read after a change shows the change. */
import { parentPort, workerData } from 'node:worker_threads'
import { asSluiceError } from '../../shared/errors.ts'
import { QueueConnection } from '../share/queue-connection.ts'
import { packed } from '../../shared/packed-error.ts'
import type { QueueAnswer, QueueAsked, QueueQuestion, QueueStart } from './queue-messages.ts'

const { url, tool } = workerData as QueueStart
const desk = new QueueConnection(url, tool)
let last: Promise<void> = Promise.resolve()

parentPort?.on('message', (question: QueueQuestion | 'close') => {
  last = last.then(async () => {
    if (question === 'close') {
      await desk.close()
      parentPort?.close()
      return
    }
    parentPort?.postMessage(await answered(question))
  })
})

async function answered({ id, asked }: QueueQuestion): Promise<QueueAnswer> {
  try {
    return { id, value: await answerOf(asked) }
  } catch (thrown) {
    return { id, error: packed(asSluiceError(thrown)) }
  }
}

async function answerOf(asked: QueueAsked): Promise<unknown> {
  switch (asked.act) {
    case 'snapshot':
      return await desk.snapshot(asked.wanted)
    case 'steer':
      return await desk.steer(asked.runId, asked.options)
    case 'drain':
      return await desk.drain(asked.worker)
    case 'change-schedule':
      return await desk.changeSchedule(asked.name, asked.change)
  }
}
