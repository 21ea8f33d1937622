/** Works on a list of items with several workers; each takes the next item when it is free. */
import type { LakeRun } from './import/lake-run.ts'
import { mayTakeTable } from '../run/pause.ts'

/**
 * Resolves when all items are done, or, after a stop, when the started items are done. Pauses and changes of the number
 * of workers apply between two items.
 * @param most maximum number of workers; at most one worker per item is started
 * @param work receives the item and the number of the worker, from 1
 * @throws errors of `work`
 */
export async function inWorkers<T>(
  items: readonly T[],
  most: number,
  run: LakeRun,
  work: (item: T, worker: number) => Promise<void>,
): Promise<void> {
  const queue = [...items]
  const runWorker = async (number: number): Promise<void> => {
    while (queue.length > 0 && (await mayTakeTable(number, run))) {
      // Another worker may have taken the last item meanwhile.
      const item = queue.shift()
      if (item === undefined) return
      await work(item, number)
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, Math.min(most, items.length)) }, (_, i) => runWorker(i + 1)))
}
