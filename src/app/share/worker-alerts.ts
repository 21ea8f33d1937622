/**
 * Which alerts stand, for the slots of one worker: the queue says so, and the memory of this machine while the queue is away. What begins or ends meanwhile the queue hears of
 * once it is there again, so that another host raises and clears by what has been sent.
 */
import type { AlertKey, AlertMemory, AlertState } from '../../model/run/alert-memory.ts'
import type { AlertBook, ClaimedSlot } from '../../model/share/queue-port.ts'
import type { AlertAct, AlertAnswer, AlertQuestion } from './slot-messages.ts'
import type { AlertRun } from '../../engine/run/watch-port.ts'

type Asked = Exclude<AlertAct, { readonly sent: AlertState }>
type Found = Extract<AlertAnswer['answer'], { readonly found: unknown }>

/** What the queue has not heard of. @property isTold its end was found here, and is sent by the slot */
type Unheard = {
  readonly act: Asked
  readonly key: AlertKey
  readonly run: AlertRun
  readonly isTold: boolean
}

type Parts = {
  readonly queue: Pick<AlertBook, 'begin' | 'end' | 'sent'>
  /** Of this machine: its calls never reject. */
  readonly own: AlertMemory
  /** Why the queue was not asked. */
  readonly note: (error: unknown) => void
  /** Sends the end of an alert that no slot can send any more. */
  readonly cleared: (run: AlertRun, key: AlertKey, since: number) => void
}

export class WorkerAlerts {
  readonly #parts: Parts
  /** By alert: the last that has happened to each. */
  readonly #unheard = new Map<string, Unheard>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** The memory of this machine answers until the queue has heard what it missed. Never rejects. */
  async answer({ act, key }: AlertQuestion, { runId, operation }: ClaimedSlot): Promise<AlertAnswer['answer']> {
    if (typeof act === 'object' && 'sent' in act) return await this.#sent(key, act.sent)
    if (this.#unheard.size === 0) {
      try {
        return act === 'end'
          ? { act, found: await this.#end(key) }
          : { act: 'begin', found: await this.#begin(key, act.begin) }
      } catch (error) {
        this.#parts.note(error)
      }
    }
    const { own } = this.#parts
    const answer: Found =
      act === 'end' ? { act, found: await own.end(key) } : { act: 'begin', found: await own.begin(key, act.begin) }
    this.#unheard.set(JSON.stringify(key), {
      act,
      key,
      run: { runId, operation },
      isTold: answer.found.is === 'cleared',
    })
    return answer
  }

  /** What the queue cannot note is sent once more later. */
  async #sent(key: AlertKey, state: AlertState): Promise<AlertAnswer['answer']> {
    await this.#parts.own.sent(key, state)
    await this.#parts.queue.sent(key, state).catch((error: unknown) => this.#parts.note(error))
    return { act: 'sent' }
  }

  /** Says to the queue what it has not heard of. @throws SluiceError where the queue is away: the rest is said the next time */
  async deliver(): Promise<void> {
    for (const [name, one] of this.#unheard) {
      const { act, key, run, isTold } = one
      if (act !== 'end') {
        await this.#begin(key, act.begin)
        await this.#parts.queue.sent(key, 'raised')
      } else {
        const end = await this.#end(key)
        if (end.is === 'cleared' && !isTold) this.#parts.cleared(run, key, end.since)
        else await this.#parts.queue.sent(key, 'cleared')
      }
      // A slot may have asked meanwhile.
      if (this.#unheard.get(name) === one) this.#unheard.delete(name)
    }
  }

  /** What this machine remembers from a time without the queue was raised then. @throws SluiceError where the queue is away */
  async #begin(key: AlertKey, at: number): ReturnType<AlertMemory['begin']> {
    const { queue } = this.#parts
    const found = await queue.begin(key, { at })
    const before = await this.#forgotten(key)
    if (before.is === 'none') return found
    if (found.is === 'new' && found.since !== before.since) {
      // It was sent with an id that is made of when it began.
      await queue.end(key)
      await queue.begin(key, { at: before.since })
    }
    await queue.sent(key, 'raised')
    return { is: 'stands', since: Math.min(before.since, found.since) }
  }

  /** @throws SluiceError where the queue is away */
  async #end(key: AlertKey): ReturnType<AlertMemory['end']> {
    const { queue } = this.#parts
    const found = await queue.end(key)
    const before = await this.#forgotten(key)
    return found.is === 'cleared' ? found : before
  }

  /** The queue remembers from now on. */
  async #forgotten(key: AlertKey): ReturnType<AlertMemory['end']> {
    const { own } = this.#parts
    const before = await own.end(key)
    await own.sent(key, 'cleared')
    return before
  }
}
