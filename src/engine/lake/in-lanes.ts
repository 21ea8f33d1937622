/** Work on a list of items, several at a time, each by the lane that is free first. */
import type { LakeRun } from './import/lake-run.ts'
import { laneOpen } from '../run/pause.ts'

/**
 * Resolves when all items are done, or when those are that were begun before the run was asked to stop. Pauses and numbers of lanes that a
 * person sets are kept to between two items.
 * @param lanes at most; more than there are items make no difference
 * @param work gets the item and the number of its lane, from 1
 * @throws what the work throws
 */
export async function inLanes<T>(
  items: readonly T[],
  lanes: number,
  run: LakeRun,
  work: (item: T, lane: number) => Promise<void>,
): Promise<void> {
  const queue = [...items]
  const lane = async (number: number): Promise<void> => {
    while (queue.length > 0 && (await laneOpen(number, run))) {
      // Another lane may have taken the last one meanwhile.
      const item = queue.shift()
      if (item === undefined) return
      await work(item, number)
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, Math.min(lanes, items.length)) }, (_, i) => lane(i + 1)))
}
