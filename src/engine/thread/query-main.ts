/** Entry of the thread that answers the UI's questions, one after the other. */
import { parentPort, workerData } from 'node:worker_threads'
import { asSluiceError } from '../../shared/errors.ts'
import { QueryDesk } from '../queries/desk.ts'
import type { Answer, Question, QueryStart } from './messages.ts'

const desk = new QueryDesk(workerData as QueryStart)
let last: Promise<void> = Promise.resolve()

parentPort?.on('message', (question: Question) => {
  last = last.then(async () => {
    let answer: Answer
    try {
      answer = { id: question.id, value: await desk.answer(question.method, question.arguments) }
    } catch (thrown) {
      const error = asSluiceError(thrown)
      answer = { id: question.id, error: error.info(), kind: error.kind }
    }
    parentPort?.postMessage(answer)
  })
})
