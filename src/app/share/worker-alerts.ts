/**
 * Alert memory for the tasks of a worker: the queue, or the memory of this machine while the queue is unreachable.
 * Changes in that time are written to the queue later, so that other hosts see which alerts were sent.
 */
import type { AlertKey } from '../../model/run/alert.ts'
import type { AlertMemory, AlertState } from '../../model/run/alert-memory.ts'
import type { AlertStore, ClaimedTask } from '../../model/share/queue-port.ts'
import type { AlertAct, AlertAnswer, AlertQuestion } from './task-messages.ts'
import type { AlertRun } from '../../engine/run/watch-port.ts'

type Asked = Exclude<AlertAct, { readonly sent: AlertState }>
type Found = Extract<AlertAnswer['answer'], { readonly found: unknown }>

/** A change that is not in the queue yet. @property isReported true if the task itself sends the end of the alert */
type PendingChange = {
  readonly act: Asked
  readonly key: AlertKey
  readonly run: AlertRun
  readonly isReported: boolean
}

type Parts = {
  readonly queue: Pick<AlertStore, 'begin' | 'end' | 'sent'>
  /** Memory of this machine; its calls never reject. */
  readonly own: AlertMemory
  /** Called with the reason if the queue was not used. */
  readonly note: (error: unknown) => void
  /** Sends the end of an alert that no task can send any more. */
  readonly cleared: (run: AlertRun, key: AlertKey, since: number) => void
}

export class WorkerAlerts {
  readonly #parts: Parts
  /** The latest change of each alert. */
  readonly #pending = new Map<string, PendingChange>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Uses the memory of this machine until the queue has all changes. Never rejects. */
  async answer({ act, key }: AlertQuestion, { runId, operation }: ClaimedTask): Promise<AlertAnswer['answer']> {
    if (typeof act === 'object' && 'sent' in act) return await this.#sent(key, act.sent)
    if (this.#pending.size === 0) {
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
    this.#pending.set(JSON.stringify(key), {
      act,
      key,
      run: { runId, operation },
      isReported: answer.found.is === 'cleared',
    })
    return answer
  }

  /** Records that an alert was sent. If the queue cannot record this, the alert is sent again later. */
  async #sent(key: AlertKey, state: AlertState): Promise<AlertAnswer['answer']> {
    await this.#parts.own.sent(key, state)
    await this.#parts.queue.sent(key, state).catch((error: unknown) => this.#parts.note(error))
    return { act: 'sent' }
  }

  /** Sends pending changes to the queue. @throws SluiceError if the queue is unreachable: unsent ones stay pending */
  async deliver(): Promise<void> {
    for (const [name, one] of this.#pending) {
      const { act, key, run, isReported } = one
      if (act !== 'end') {
        await this.#begin(key, act.begin)
        await this.#parts.queue.sent(key, 'raised')
      } else {
        const end = await this.#end(key)
        if (end.is === 'cleared' && !isReported) this.#parts.cleared(run, key, end.since)
        else await this.#parts.queue.sent(key, 'cleared')
      }
      // A task may have changed the alert meanwhile.
      if (this.#pending.get(name) === one) this.#pending.delete(name)
    }
  }

  /** Begins an alert in the queue, with its start in this machine's memory. @throws SluiceError if unreachable */
  async #begin(key: AlertKey, at: number): ReturnType<AlertMemory['begin']> {
    const { queue } = this.#parts
    const found = await queue.begin(key, { at })
    const before = await this.#dropOwn(key)
    if (before.is === 'none') return found
    if (found.is === 'new' && found.since !== before.since) {
      // The id of the sent alert contains its start time, so record the same start in the queue.
      await queue.end(key)
      await queue.begin(key, { at: before.since })
    }
    await queue.sent(key, 'raised')
    return { is: 'stands', since: Math.min(before.since, found.since) }
  }

  /** @throws SluiceError if the queue is unreachable */
  async #end(key: AlertKey): ReturnType<AlertMemory['end']> {
    const { queue } = this.#parts
    const found = await queue.end(key)
    const before = await this.#dropOwn(key)
    return found.is === 'cleared' ? found : before
  }

  /** Drops this worker's own memory of an alert: from then on the memory of the queue is used. */
  async #dropOwn(key: AlertKey): ReturnType<AlertMemory['end']> {
    const { own } = this.#parts
    const before = await own.end(key)
    await own.sent(key, 'cleared')
    return before
  }
}
