/** Work on the items of a stream, several at a time, with results in the order of the items. */
import { isS3Url } from '../../model/lake/lake-url.ts'

/** Tables of a bucket that are looked at at the same time: that is mostly waiting. */
const PARALLEL_TABLES = 16

/** How many tables at these places are to be looked at at the same time. */
export function lanesAt(places: readonly string[]): number {
  return places.some(isS3Url) ? PARALLEL_TABLES : 1
}

/**
 * @param limit items worked on at most at the same time; 1 works on one after the other, each when its result is asked for
 * @throws what the stream or the work throws, in its turn
 */
export async function* inOrder<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  limit: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const waiting: Promise<R>[] = []
  try {
    for await (const item of items) {
      const result = work(item)
      // It is heard of when its turn comes, which may be never where an earlier one fails.
      result.catch(() => undefined)
      waiting.push(result)
      while (waiting.length >= limit) yield await (waiting.shift() as Promise<R>)
    }
    while (waiting.length > 0) yield await (waiting.shift() as Promise<R>)
  } finally {
    await Promise.allSettled(waiting)
  }
}
