/**
 * Limits the time of work for which other sessions wait. Not all of the work can be cancelled: the stream may wait for
 * a lock of another session. So the caller first lets the other sessions continue, and then calls `settled`.
 */
import { SluiceError } from '../../../shared/errors.ts'

export class PauseLimit {
  /** Aborted when the time is over, and with the signal of the run; for work that can be cancelled. */
  readonly signal: AbortSignal
  readonly #end = new AbortController()
  #unfinished: Promise<unknown> = Promise.resolve(null)

  /** @param run signal of the run */
  constructor(run: AbortSignal) {
    this.signal = AbortSignal.any([run, this.#end.signal])
  }

  /** @returns null if the time is over before the work has ended; the work may still run, see `settled` */
  async within<T>(leftMs: number, work: () => Promise<T>): Promise<T | null> {
    let timer: NodeJS.Timeout | undefined
    const end = new Promise<null>((resolve) => {
      timer = setTimeout(
        () => {
          resolve(null)
          this.#end.abort(new SluiceError('ABORTED', 'the time for the pause is over'))
        },
        Math.max(0, leftMs),
      )
    })
    const running = work()
    // Also handles an error of the work after the time is over.
    this.#unfinished = running.then(
      () => null,
      (error: unknown) => error,
    )
    try {
      return await Promise.race([running, end])
    } catch (error) {
      if (this.#isOfEnd(error)) return null
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  /** Waits for work that did not end in time. @throws its error, unless the time limit is the cause */
  async settled(): Promise<void> {
    const error = await this.#unfinished
    if (this.#end.signal.aborted && error !== null && !this.#isOfEnd(error)) throw error
  }

  #isOfEnd(error: unknown): boolean {
    return this.#end.signal.aborted && error instanceof SluiceError && error.code === 'ABORTED'
  }
}
