/** Limits concurrent requests: of one writer, and of all writers of a store together. */
import { throwIfAborted } from '../../../shared/abort.ts'

/** Maximum number of requests of all writers at the same time. More would only fill the queues of the nodes. */
const MOST_TOGETHER = 512
/** Maximum number of requests of one writer at the same time. With more, it is not faster. */
const MOST_OF_ONE = 256

export class RequestFlow {
  #free: number
  readonly #mostOfOne: number
  readonly #waiting: (() => void)[] = []

  constructor(together: number = MOST_TOGETHER, ofOne: number = MOST_OF_ONE) {
    this.#free = together
    this.#mostOfOne = Math.min(together, ofOne)
  }

  /**
   * Does the work for every item, many at a time. After the first failure nothing more is begun, and running work is
   * awaited.
   * @throws the first failure
   */
  async each<T>(items: readonly T[], signal: AbortSignal, work: (item: T, at: number) => Promise<void>): Promise<void> {
    let next = 0
    let failure: { readonly error: unknown } | null = null
    const runWorker = async (): Promise<void> => {
      while (failure === null && next < items.length && !signal.aborted) {
        const at = next++
        const item = items[at]
        if (item === undefined) continue
        if (this.#free > 0) this.#free--
        else await new Promise<void>((resolve) => this.#waiting.push(resolve))
        try {
          await work(item, at)
        } catch (error) {
          failure ??= { error }
        } finally {
          this.#release()
        }
      }
    }
    await Promise.all(Array.from({ length: Math.min(this.#mostOfOne, items.length) }, runWorker))
    const failed = failure as { readonly error: unknown } | null
    if (failed !== null) throw failed.error
    throwIfAborted(signal)
  }

  /** Lets the writer that has waited longest send its request, so that a late writer gets its share. */
  #release(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free++
    else next()
  }
}
