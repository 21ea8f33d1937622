/**
 * Final totals of shared runs from the ledger of their target. Tasks report totals while they work. If the ledger was
 * unreachable at the end of a run, or the last task was killed, these totals are too old: the ledger is read again.
 */
import type { UncountedRun } from '../../model/share/distributed.ts'
import { systemClock } from '../../shared/clock.ts'
import type { QueueWorker } from '../../model/share/queue-port.ts'
import { SharedTables } from '../../engine/copy/ledger/shared-tables.ts'
import { knownOperation } from './known-operation.ts'
import type { NamedUrl } from '../../model/share/own-url.ts'
import { answerWithin, withRunLedger } from './run-ledger.ts'

/** Pause after an unreachable ledger, ms; doubles each time. */
const FIRST_REST_MS = 4_000
const LONGEST_REST_MS = 60_000

type Tried = { readonly restMs: number; readonly againAt: number }

export class EndCounts {
  readonly #queue: Pick<QueueWorker, 'uncounted' | 'countEnd'>
  readonly #known: readonly NamedUrl[]
  /** Runs whose ledger is being read. */
  readonly #reading = new Set<string>()
  readonly #tried = new Map<string, Tried>()

  /** @param known stores of this machine, by their names in runs */
  constructor(queue: Pick<QueueWorker, 'uncounted' | 'countEnd'>, known: readonly NamedUrl[]) {
    this.#queue = queue
    this.#known = known
  }

  /**
   * Reads due ledgers. Waits at most 5 s; later results are recorded too.
   * @throws SluiceError if the queue is unreachable
   */
  async read(): Promise<void> {
    const from = systemClock.ticks()
    const runs = await this.#queue.uncounted()
    const ids = new Set(runs.map(({ runId }) => runId))
    for (const id of this.#tried.keys()) if (!ids.has(id)) this.#tried.delete(id)
    const now = systemClock.ticks()
    const due = runs.filter(({ runId }) => !this.#reading.has(runId) && now >= (this.#tried.get(runId)?.againAt ?? now))
    await answerWithin(Promise.all(due.map((run) => this.#readOne(run, from))), [])
  }

  /** Never rejects: an unreadable ledger is retried. @param from time of the query to the queue, `systemClock.ticks` */
  async #readOne(run: UncountedRun, from: number): Promise<void> {
    const { runId } = run
    this.#reading.add(runId)
    try {
      const operation = knownOperation(run.operation)
      if (operation?.kind !== 'copy') return
      await withRunLedger(run, operation.to, this.#known, async (ledger) => {
        const agoMs = run.endedMsAgo + systemClock.ticks() - from
        await this.#queue.countEnd(run, await new SharedTables(ledger, runId).totalsAtEnd(agoMs))
      })
    } catch {
      // The next attempt may succeed.
    } finally {
      this.#reading.delete(runId)
      const restMs = Math.min(LONGEST_REST_MS, (this.#tried.get(runId)?.restMs ?? FIRST_REST_MS / 2) * 2)
      this.#tried.set(runId, { restMs, againAt: systemClock.ticks() + restMs })
    }
  }
}
