/** Derives causes of alerts from the events of one run. Independent of alert sinks and earlier runs. */
import type { RunCause } from '../../../model/run/alert.ts'
import type { EventBody } from '../../../model/run/event.ts'

/** Says whether a cause exists after an event. A table that was not inspected has no verdict. */
export type CauseVerdict = {
  readonly cause: RunCause
  /** Empty if the cause concerns the whole run. */
  readonly table: string
  /** Tables that the text for sinks names if `table` is empty; if absent, the text names the tables of the command. */
  readonly named?: string
  /** False if the cause does not exist, or has ended. */
  readonly holds: boolean
  /** Start of the data in the table, ms since the epoch: an older alert is about an earlier table of the same name. */
  readonly notBefore?: number
  readonly value: string
  readonly limit?: string
  /** How long the condition has existed already, ms; absent if it has just begun. */
  readonly stoodMs?: number
}

/** @property poll called at intervals, for conditions that no event reports */
export type CauseWatch = {
  /** @param at ms of a monotonic clock */
  take(event: EventBody, at: number): readonly CauseVerdict[]
  poll?(at: number): readonly CauseVerdict[]
}

/** Inspected tables, and whether each has a problem. */
export class InspectedTables {
  readonly #withProblem = new Map<string, boolean>()

  /** @returns true for the first problem of the table */
  found(table: string): boolean {
    const isFirst = this.#withProblem.get(table) !== true
    this.#withProblem.set(table, true)
    return isFirst
  }

  inspected(table: string): void {
    if (!this.#withProblem.has(table)) this.#withProblem.set(table, false)
  }

  /** Inspected tables without a problem. */
  get withoutProblem(): readonly string[] {
    return [...this.#withProblem].filter(([, isWrong]) => !isWrong).map(([table]) => table)
  }
}
