/**
 * Which chunks of a shared run are finished, by the ledger of its target. The queue has what a host worked on when it was heard of last: the host may have
 * finished that before it was lost, and then no host works on it again.
 */
import { openChunks } from '../../engine/copy/ledger/read-tables.ts'
import type { StoodChunk, WatchedRun } from '../../model/share/distributed.ts'
import { systemClock } from '../../shared/clock.ts'
import { byTable } from '../alerts/causes/stuck.ts'
import { keyOf } from '../alerts/causes/standing-chunks.ts'
import type { Operation } from '../operations/list.ts'
import type { NamedUrl } from '../../model/share/own-url.ts'
import { answerWithin, withRunLedger } from './run-ledger.ts'

/** Between two readings for chunks that an alert names already, ms. */
const AGAIN_MS = 5_000
const NONE: ReadonlySet<string> = new Set()

type Chunk = Pick<StoodChunk, 'table' | 'chunk'>

export class FinishedChunks {
  readonly #known: readonly NamedUrl[]
  /** Runs whose ledger is asked now. */
  readonly #asked = new Set<string>()
  /** When the chunks of alerts of a run were asked for last, ms of a steady clock. */
  readonly #readAt = new Map<string, number>()

  /** @param known stores of this machine, by the names that runs have for them */
  constructor(known: readonly NamedUrl[]) {
    this.#known = known
  }

  /**
   * The keys (`keyOf`) of chunks that the ledger has as closed, or has no more; none where it cannot be asked, for then what the queue knows counts. Never rejects.
   * @param fresh asked for each time @param named by alerts that stand: asked for now and then
   */
  async among(
    run: WatchedRun,
    operation: Operation,
    fresh: readonly Chunk[],
    named: readonly Chunk[],
  ): Promise<ReadonlySet<string>> {
    const now = systemClock.ticks()
    const isDue = now - (this.#readAt.get(run.runId) ?? Number.NEGATIVE_INFINITY) >= AGAIN_MS
    const chunks = [...fresh, ...(isDue ? named : [])].filter(({ chunk }) => /^\d+$/.test(chunk))
    if (operation.kind !== 'copy' || chunks.length === 0 || this.#asked.has(run.runId)) return NONE
    if (isDue) this.#readAt.set(run.runId, now)
    this.#asked.add(run.runId)
    const reading = this.#read(run, operation.to, chunks)
      .catch(() => NONE)
      .finally(() => this.#asked.delete(run.runId))
    return await answerWithin(reading, NONE)
  }

  /** @param target name of the store that the run copies into */
  async #read(run: WatchedRun, target: string, chunks: readonly Chunk[]): Promise<ReadonlySet<string>> {
    const finished = new Set<string>()
    await withRunLedger(run, target, this.#known, async (ledger) => {
      for (const [table, some] of byTable(chunks)) {
        const numbers = some.map(({ chunk }) => Number(chunk))
        const open = await openChunks(ledger, table, { from: Math.min(...numbers), to: Math.max(...numbers) })
        if (open === null) continue
        for (const one of some) if (!open.has(one.chunk)) finished.add(keyOf(one))
      }
    })
    return finished
  }
}
