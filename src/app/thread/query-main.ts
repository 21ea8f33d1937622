/** Entry of the thread that answers the UI's queries one after the other. */
import { parentPort, workerData } from 'node:worker_threads'
import { asSluiceError } from '../../shared/errors.ts'
import { QueryDesk } from './desk.ts'
import type { ThreadAnswer, ThreadQuestion, QueryStart } from './messages.ts'

const desk = new QueryDesk(workerData as QueryStart)
let last: Promise<void> = Promise.resolve()
let closing = false

parentPort?.on('message', (question: ThreadQuestion | 'close') => {
  if (question === 'close') {
    closing = true
    desk.stop()
    // Ending a thread during a DuckDB call would end the whole process.
    last = last.then(() => parentPort?.postMessage('closed'))
    return
  }
  last = last.then(async () => {
    if (closing) return
    let answer: ThreadAnswer
    try {
      answer = { id: question.id, value: await desk.answer(question.method, question.arguments) }
    } catch (thrown) {
      const error = asSluiceError(thrown)
      answer = { id: question.id, error: error.info(), kind: error.kind }
    }
    parentPort?.postMessage(answer)
  })
})
