/** Entry of the thread that runs one statement and holds its result until it is closed. */
import { parentPort, workerData } from 'node:worker_threads'
import { asSluiceError } from '../../shared/errors.ts'
import { relationsOf } from '../ask/pages.ts'
import { RunningAnswer } from '../ask/running-answer.ts'
import type { AskMessage, AskOrder, AskStart } from './ask-messages.ts'

const post = (message: AskMessage): void => parentPort?.postMessage(message)

async function reported(id: number, answer: Promise<unknown>): Promise<void> {
  try {
    post({ type: 'answer', id, value: await answer })
  } catch (thrown) {
    const error = asSluiceError(thrown)
    post({ type: 'failed', id, error: error.info(), kind: error.kind })
  }
}

const start = workerData as AskStart
if ('relations' in start) {
  const leave = new AbortController()
  parentPort?.on('message', () => leave.abort())
  await reported(0, relationsOf(start.relations, leave.signal))
  post({ type: 'closed' })
  parentPort?.close()
} else {
  const answer = new RunningAnswer(start.question, (progress) => post({ type: 'progress', progress }))
  parentPort?.on('message', (order: AskOrder) => {
    switch (order.type) {
      case 'cancel':
        return answer.cancel()
      case 'window':
        return void reported(order.id, answer.window(order.from, order.count))
      case 'cell':
        return void reported(order.id, answer.cell(order.row, order.column))
      case 'save':
        return void reported(order.id, answer.save(order.options))
      case 'close':
        void answer[Symbol.asyncDispose]().then(() => {
          post({ type: 'closed' })
          parentPort?.close()
        })
    }
  })
}
