/**
 * Which alerts stand, as the slots of a queue know it: the worker of a slot asks the queue, so that a run which comes again on another host tells each of them once.
 * A worker that does not answer leaves it to the memory of this machine.
 */
import type { AlertWish } from '../../model/run/alert.ts'
import type { AlertKey, AlertMemory } from '../../model/run/alert-memory.ts'
import { memoryOfMachine, memoryOfProgram } from '../alerts/memory.ts'
import type { Operation } from '../operations/list.ts'
import type { AlertAnswer, AlertQuestion } from './slot-messages.ts'

/** A worker that does not answer for so long has ended, or stands still, ms. */
const ANSWER_MS = 20_000

export class SlotAlerts {
  readonly #ask: (question: AlertQuestion) => void
  readonly #waiting = new Map<number, (answer: AlertAnswer) => void>()
  #last = 0

  /** @param ask sends a question to the worker */
  constructor(ask: (question: AlertQuestion) => void) {
    this.#ask = ask
  }

  /** What the worker says. */
  hear(answer: AlertAnswer): void {
    this.#waiting.get(answer.id)?.(answer)
    this.#waiting.delete(answer.id)
  }

  /**
   * @param book folder of the book of this machine's runs
   * @param say tells in words that the worker is not asked
   */
  memory(book: string | undefined, say: (what: string) => void): AlertMemory {
    const own = book === undefined ? memoryOfProgram() : memoryOfMachine(book, say)
    const asked = async (act: AlertQuestion['act'], key: AlertKey): Promise<AlertAnswer['answer']> => {
      const answer = await this.#answered({ id: (this.#last += 1), act, key })
      if (answer === null) say('the worker does not say which alerts stand: what this machine remembers counts')
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

/** The operation without `stuck`, unless that ends the run: `RunWatch` finds it in all slots of a run, also of a worker that is gone. */
export function leftToWorkers(operation: Operation): Operation {
  const without = (wish: AlertWish | undefined): AlertWish | undefined =>
    wish === undefined || wish.exit === true
      ? wish
      : { ...wish, conditions: wish.conditions.filter(({ cause }) => cause !== 'stuck') }
  if (operation.kind === 'copy' && operation.follow?.alert !== undefined) {
    const alert = without(operation.follow.alert)
    return { ...operation, follow: { ...operation.follow, ...(alert === undefined ? {} : { alert }) } }
  }
  if (!('alert' in operation)) return operation
  return { ...operation, alert: without(operation.alert) } as Operation
}
