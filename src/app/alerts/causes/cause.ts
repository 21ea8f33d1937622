/** What finds a cause of an alert in the events of a run. Nothing here knows who is told, or what earlier runs found. */
import type { RunCause } from '../../../model/run/alert.ts'
import type { EventBody } from '../../../model/run/event.ts'

/** Whether a cause holds, as far as an event says it; where nothing was looked at, nothing is said. */
export type Verdict = {
  readonly cause: RunCause
  /** Empty where it is about the whole run. */
  readonly table: string
  /** Of `failed`: the first table that the run failed by. */
  readonly failed?: string
  readonly holds: boolean
  /** Since when there is what it is about, ms since the epoch: what stood before that was of another table of its name. */
  readonly notBefore?: number
  readonly value: string
  readonly limit?: string
  /** For how long it has stood already, ms; absent where it began just now. */
  readonly stoodMs?: number
}

/** @property look is asked now and then, for what no event tells */
export type CauseWatch = {
  /** @param at ms of a steady clock */
  take(event: EventBody, at: number): readonly Verdict[]
  look?(at: number): readonly Verdict[]
}

/** Tables as they are gone through: each with what is wrong, if anything is. */
export class LookedTables {
  readonly #wrong = new Map<string, boolean>()

  /** @returns whether nothing was wrong before */
  found(table: string): boolean {
    const isFirst = this.#wrong.get(table) !== true
    this.#wrong.set(table, true)
    return isFirst
  }

  looked(table: string): void {
    if (!this.#wrong.has(table)) this.#wrong.set(table, false)
  }

  /** Tables that were looked at, and in which nothing is wrong. */
  get well(): readonly string[] {
    return [...this.#wrong].filter(([, isWrong]) => !isWrong).map(([table]) => table)
  }
}
