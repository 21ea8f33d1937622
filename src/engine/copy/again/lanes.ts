/** Chunks that are worked on side by side, by as many workers as are wanted at the moment. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { StoredChunk } from '../ledger/stored-chunk.ts'

const LOOK_MS = 50

export type Lanes = {
  readonly most: number
  /** Nothing more is begun. */
  readonly isOver: () => boolean
  /** Whether a worker, from 1, begins nothing for now. */
  readonly waits: (worker: number) => boolean
}

/** Until no chunk is left or it is over. @throws what one of them throws first; the others end what they have begun, and begin nothing more */
export async function inLanes(
  chunks: AsyncIterable<StoredChunk>,
  body: (chunk: StoredChunk, worker: number) => Promise<void>,
  { most, isOver, waits }: Lanes,
): Promise<void> {
  const next = chunks[Symbol.asyncIterator]()
  let isEnded = false
  const lane = async (worker: number): Promise<void> => {
    while (!isEnded && !isOver()) {
      if (waits(worker)) {
        await sleep(LOOK_MS)
        continue
      }
      const { done, value } = await next.next()
      if (done === true) isEnded = true
      else await body(value, worker)
    }
  }
  const lanes = Array.from({ length: Math.max(1, most) }, async (_, i) => {
    try {
      await lane(i + 1)
    } finally {
      // Whoever waits would wait for ever for what nobody does any more.
      isEnded = true
    }
  })
  for (const ended of await Promise.allSettled(lanes)) if (ended.status === 'rejected') throw ended.reason
}
