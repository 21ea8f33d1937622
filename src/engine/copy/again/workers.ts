/** Processes chunks side by side; the number of workers may change while it runs. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { StoredChunk } from '../ledger/stored-chunk.ts'

const POLL_MS = 50

export type RepairWorkers = {
  readonly most: number
  /** True if no worker may begin another chunk. */
  readonly isOver: () => boolean
  /** True while this worker (numbered from 1) must not begin a chunk. */
  readonly waits: (worker: number) => boolean
}

/** Runs until no chunk is left or `isOver`. @throws the first error; other workers finish their chunk and stop */
export async function compareInWorkers(
  chunks: AsyncIterable<StoredChunk>,
  body: (chunk: StoredChunk, worker: number) => Promise<void>,
  { most, isOver, waits }: RepairWorkers,
): Promise<void> {
  const next = chunks[Symbol.asyncIterator]()
  let isEnded = false
  const runWorker = async (worker: number): Promise<void> => {
    while (!isEnded && !isOver()) {
      if (waits(worker)) {
        await sleep(POLL_MS)
        continue
      }
      const { done, value } = await next.next()
      if (done === true) isEnded = true
      else await body(value, worker)
    }
  }
  const running = Array.from({ length: Math.max(1, most) }, async (_, i) => {
    try {
      await runWorker(i + 1)
    } finally {
      // Waiting workers must not wait for ever after one has failed.
      isEnded = true
    }
  })
  for (const ended of await Promise.allSettled(running)) if (ended.status === 'rejected') throw ended.reason
}
