/**
 * How fast a stream works off what waits. At a stream that keeps up something is on its way nearly always, and its rate says how much is written at the source: nothing
 * that anybody has to be told.
 */
import type { Behind } from './behind.ts'

/** A stream is behind whose oldest transaction has waited longer. */
export const BEHIND_MS = 5000
/** A rate is known once a stream has been behind for so long. */
export const JUDGED_MS = 5000
/** The rate is that of the last seconds. */
const WINDOW_MS = 10_000

export class BacklogRate {
  /** Since the stream is behind; none while it is not. */
  #samples: { readonly at: number; readonly changes: number }[] = []

  /**
   * @param at ms of a steady clock @param changes applied so far
   * @returns changed rows a second since the stream is behind, `kept up` where it is not, undefined where nobody knows yet
   */
  look({ lagMs, isEarly }: Behind, at: number, changes: number): number | 'kept up' | undefined {
    if (isEarly || lagMs <= BEHIND_MS) this.#samples = []
    if (isEarly) return undefined
    if (lagMs <= BEHIND_MS) return 'kept up'
    this.#samples.push({ at, changes })
    while ((this.#samples[1]?.at ?? at) <= at - WINDOW_MS) this.#samples.shift()
    const [first = { at, changes }] = this.#samples
    const ms = at - first.at
    return ms < JUDGED_MS ? undefined : ((changes - first.changes) * 1000) / ms
  }
}
