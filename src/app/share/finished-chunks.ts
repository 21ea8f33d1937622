/**
 * Finished chunks of a shared run, from the ledger of its target. The queue only has the chunks of a host's last
 * heartbeat, which the host may have finished before it was lost.
 */
import { openChunks } from '../../engine/copy/ledger/read-tables.ts'
import type { ActiveChunk, WatchedRun } from '../../model/share/distributed.ts'
import { systemClock } from '../../shared/clock.ts'
import { byTable } from '../alerts/causes/stuck.ts'
import { openChunkKey } from '../alerts/causes/standing-chunks.ts'
import type { Operation } from '../operations/list.ts'
import type { NamedUrl } from '../../model/share/own-url.ts'
import { answerWithin, withRunLedger } from './run-ledger.ts'

/** Minimum time between two reads of chunks that an alert already names, ms. */
const AGAIN_MS = 5_000
const NONE: ReadonlySet<string> = new Set()

type Chunk = Pick<ActiveChunk, 'table' | 'chunk'>

export class FinishedChunks {
  readonly #known: readonly NamedUrl[]
  /** Runs whose ledger is being read. */
  readonly #reading = new Set<string>()
  /** Last read of a run's alert chunks, ms of a monotonic clock. */
  readonly #readAt = new Map<string, number>()

  /** @param known stores of this machine, by their names in runs */
  constructor(known: readonly NamedUrl[]) {
    this.#known = known
  }

  /**
   * Keys (`openChunkKey`) of chunks that are closed in the ledger or missing from it. Empty if the ledger cannot be
   * read: then the data of the queue is used. Never rejects.
   * @param fresh chunks that are read in every call
   * @param named chunks of active alerts, which are read at most every `AGAIN_MS`
   */
  async finishedKeys(
    run: WatchedRun,
    operation: Operation,
    fresh: readonly Chunk[],
    named: readonly Chunk[],
  ): Promise<ReadonlySet<string>> {
    const now = systemClock.ticks()
    const isDue = now - (this.#readAt.get(run.runId) ?? Number.NEGATIVE_INFINITY) >= AGAIN_MS
    const chunks = [...fresh, ...(isDue ? named : [])].filter(({ chunk }) => /^\d+$/.test(chunk))
    if (operation.kind !== 'copy' || chunks.length === 0 || this.#reading.has(run.runId)) return NONE
    if (isDue) this.#readAt.set(run.runId, now)
    this.#reading.add(run.runId)
    const reading = this.#read(run, operation.to, chunks)
      .catch(() => NONE)
      .finally(() => this.#reading.delete(run.runId))
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
        for (const one of some) if (!open.has(one.chunk)) finished.add(openChunkKey(one))
      }
    })
    return finished
  }
}
