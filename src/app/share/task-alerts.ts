/**
 * Alert memory of tasks: their worker asks the queue, so that a repeated run on another host reports each alert once.
 * If the worker does not reply, the memory of this machine is used.
 */
import type { AlertKey, AlertOptions } from '../../model/run/alert.ts'
import type { AlertMemory } from '../../model/run/alert-memory.ts'
import { memoryOfMachine, memoryOfProgram } from '../alerts/memory.ts'
import type { Operation } from '../operations/list.ts'
import type { AlertAnswer, AlertQuestion } from './task-messages.ts'

/** Timeout of the worker's reply, ms. A worker that does not reply has ended, or hangs. */
const ANSWER_MS = 20_000

export class TaskAlerts {
  readonly #ask: (question: AlertQuestion) => void
  readonly #waiting = new Map<number, (answer: AlertAnswer) => void>()
  #last = 0

  /** @param ask sends a question to the worker */
  constructor(ask: (question: AlertQuestion) => void) {
    this.#ask = ask
  }

  /** Takes a reply of the worker. */
  receive(answer: AlertAnswer): void {
    this.#waiting.get(answer.id)?.(answer)
    this.#waiting.delete(answer.id)
  }

  /**
   * @param book folder of this machine's run history
   * @param say called with a message if the worker is not used
   */
  memory(book: string | undefined, say: (what: string) => void): AlertMemory {
    const own = book === undefined ? memoryOfProgram() : memoryOfMachine(book, say)
    const asked = async (act: AlertQuestion['act'], key: AlertKey): Promise<AlertAnswer['answer']> => {
      const answer = await this.#answered({ id: (this.#last += 1), act, key })
      if (answer === null)
        say(
          'the worker does not report which alerts are open: the open alerts that are stored on this machine are used',
        )
      return answer
    }
    return {
      begin: async (key, at) => {
        const answer = await asked({ begin: at }, key)
        return answer?.act === 'begin' ? answer.found : await own.begin(key, at)
      },
      end: async (key) => {
        const answer = await asked('end', key)
        return answer?.act === 'end' ? answer.found : await own.end(key)
      },
      sent: async (key, state) => {
        const answer = await asked({ sent: state }, key)
        if (answer === null) await own.sent(key, state)
      },
      [Symbol.asyncDispose]: async () => await own[Symbol.asyncDispose](),
    }
  }

  #answered(question: AlertQuestion): Promise<AlertAnswer['answer']> {
    return new Promise((resolve) => {
      const late = setTimeout(() => {
        this.#waiting.delete(question.id)
        resolve(null)
      }, ANSWER_MS)
      this.#waiting.set(question.id, ({ answer }) => {
        clearTimeout(late)
        resolve(answer)
      })
      this.#ask(question)
    })
  }
}

/** The operation without `stuck`, which `RunWatch` detects for all tasks. Unchanged if alerts end the run. */
export function leftToWorkers(operation: Operation): Operation {
  const without = (options: AlertOptions | undefined): AlertOptions | undefined =>
    options === undefined || options.exit === true
      ? options
      : { ...options, conditions: options.conditions.filter(({ cause }) => cause !== 'stuck') }
  if (operation.kind === 'copy' && operation.follow?.alert !== undefined) {
    const alert = without(operation.follow.alert)
    return { ...operation, follow: { ...operation.follow, ...(alert === undefined ? {} : { alert }) } }
  }
  if (!('alert' in operation)) return operation
  return { ...operation, alert: without(operation.alert) } as Operation
}
