/** Works on the items of a stream, several at a time, and yields the results in the order of the items. */
import { isS3Url } from '../../model/lake/lake-url.ts'

/** Number of tables of a bucket that are inspected at the same time: this work is mostly waiting. */
const PARALLEL_TABLES = 16

/** Number of tables at these locations that are inspected at the same time. */
export function parallelAt(places: readonly string[]): number {
  return places.some(isS3Url) ? PARALLEL_TABLES : 1
}

/**
 * @param limit maximum number of items at the same time; with 1, an item starts when its result is requested
 * @throws errors of the stream or of `work`, in the order of the items
 */
export async function* orderedResults<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  limit: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const waiting: Promise<R>[] = []
  try {
    for await (const item of items) {
      const result = work(item)
      // The error is thrown at the item's turn; if an earlier item fails, it is never thrown.
      result.catch(() => undefined)
      waiting.push(result)
      while (waiting.length >= limit) yield await (waiting.shift() as Promise<R>)
    }
    while (waiting.length > 0) yield await (waiting.shift() as Promise<R>)
  } finally {
    await Promise.allSettled(waiting)
  }
}
