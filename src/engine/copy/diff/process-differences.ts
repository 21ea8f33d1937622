/** Processes differences: reads them again, repairs them if requested, counts and reports them. */
import { tableText } from '../../../model/copy/column-type.ts'
import { rowKeyText, type RowKey } from '../../../model/copy/row-key.ts'
import type { DiffRun } from './diff-run.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { tableKeyOf } from '../ledger/owner.ts'
import { noteRepairPlan } from '../ledger/repair-plans.ts'
import type { RowDifference } from './difference.ts'
import { rereadDifferences } from './reread-differences.ts'
import { changedMeanwhile, type RepairLease } from './change.ts'
import { repairKeys, type RepairResult, type RepairOptions } from './repair.ts'
import type { DiffSides } from './sides.ts'

/** Limit of differences that are read again after a pause: if more rows differ, timing is not the cause. */
const MAX_REPEATED = 20_000
const AT_ONCE = 200
/** Number of tries to repair a row that another program changes between read and write. */
const TRIES = 3

/** Counts of the differences of a table, by kind and result. */
export type ProcessedCounts = {
  missing: number
  fixedMissing: number
  different: number
  fixedDifferent: number
  extra: number
  removed: number
  newer: number
  errors: number
  /** Rows that differed before and no longer differ. */
  gone: number
  /** Unreadable rows of the source: they exist, and are no difference. */
  unread: number
  /**
   * Rows added since the differences were found, minus rows removed: `rows` at the source, `targetRows` in the target.
   * Rows that a repair wrote or removed are not counted.
   */
  rows: bigint
  targetRows: bigint
  /** Rows of the source that the target refused. */
  readonly refused: { readonly key: RowKey; readonly error: SluiceError }[]
}

export const noProcessed = (): ProcessedCounts => ({
  missing: 0,
  fixedMissing: 0,
  different: 0,
  fixedDifferent: 0,
  extra: 0,
  removed: 0,
  newer: 0,
  errors: 0,
  gone: 0,
  unread: 0,
  rows: 0n,
  targetRows: 0n,
  refused: [],
})

/** Limit of shown characters of an unreadable row. */
const SHOWN = 200

/** Stores, ledger and lease for reading differences again and repairing them. */
export type RepairContext = {
  /** Opens read views of the source, in which rows are read again. */
  readonly from: Pick<CopyStore, 'source'>
  readonly to: CopyStore
  /** Null if nothing is repaired. */
  readonly database: LedgerDatabase | null
  readonly runId: bigint
  /** Lease that this process must own while it writes; absent if no other process can write. */
  readonly hold?: RepairLease
  /** Called for every counted difference, with whether it was repaired. */
  readonly settled?: (difference: RowDifference, isFixed: boolean) => void
}

/** How differences are handled. */
export type ProcessOptions = {
  /** True to repair differences; otherwise they are only counted and named. */
  readonly fix: boolean
  /** Limit of differences that are named; all are counted. */
  readonly limit: number
  readonly repair: RepairOptions
  /** True to read differences again after a pause, so that rows that reach one side later are not reported. */
  readonly isRepeated: boolean
}

/** Both sides of a comparison, without their read views. */
export type ComparedSides = Omit<DiffSides, 'source' | 'target'>

/** Processes the differences of one table. */
export class DifferenceProcessor {
  readonly request: ProcessOptions
  readonly #sides: ComparedSides
  readonly #context: RepairContext
  readonly #run: DiffRun
  seen = 0
  /** Keys of named differences. */
  readonly #named = new Set<string>()
  /** Keys whose rows a repair of another key has replaced, before their own differences were processed. */
  readonly #replaced = new Set<string>()
  #unnamed = 0
  /** Number of rows of the source that cannot be read. */
  #unread = 0
  #notedPlans: Promise<void> | null = null
  /** Resolves when the last call of `process` has ended. Calls run one after the other. */
  #lastCall: Promise<void> = Promise.resolve()

  constructor(options: ProcessOptions, sides: ComparedSides, context: RepairContext, run: DiffRun) {
    this.request = options
    this.#sides = sides
    this.#context = context
    this.#run = run
  }

  /**
   * Emits how many differences and unreadable rows were counted and not named. @param more number of differences that were not passed to
   * this processor
   */
  reportUnnamed(more: number): void {
    this.#reportMore('differences', this.#unnamed + more)
    this.#reportMore('rows that cannot be read', this.#unread - this.request.limit)
  }

  #reportMore(what: string, count: number): void {
    if (count <= 0) return
    const message = `${count} more ${what} are counted but not listed`
    this.#run.emit({ type: 'log', level: 'note', table: this.#table, message })
  }

  /** Names a row of the source that cannot be compared. @param row texts that the system returned */
  reportUnread(row: readonly (string | null)[], { message, hint }: SluiceError): void {
    this.#unread++
    if (this.#unread > this.request.limit) return
    const shown = row.map((text) => text ?? 'NULL').join(', ')
    this.#run.emit({
      type: 'log',
      level: 'error',
      table: this.#table,
      message: `a row of the source cannot be read, and is not compared: ${message} (${shown.slice(0, SHOWN)})`,
      ...(hint === undefined ? {} : { hint }),
    })
  }

  /**
   * @param into receives the counts
   * @param before called before any repair, with the number of rows that still differ
   */
  async process(
    suspects: readonly RowDifference[],
    into: ProcessedCounts,
    before?: (left: number) => void,
  ): Promise<void> {
    if (suspects.length === 0) return before?.(0)
    if (this.#context.to.can.atomic === 'row') return this.#process(suspects, into, before)
    // One call at a time: each needs several connections of the target, so parallel calls could wait for each other's
    // connections.
    const settled = this.#lastCall.then(() => this.#process(suspects, into, before))
    this.#lastCall = settled.catch(() => undefined)
    return settled
  }

  async #process(
    suspects: readonly RowDifference[],
    into: ProcessedCounts,
    before?: (left: number) => void,
  ): Promise<void> {
    const { from, to } = this.#context
    const again = { from, to, sides: this.#sides, times: this.request.repair.times ?? {} }
    this.seen += suspects.length
    const inspected = await rereadDifferences(suspects, again, this.request.isRepeated && this.seen <= MAX_REPEATED)
    const { differ: differences } = inspected
    into.gone += inspected.gone
    into.unread += inspected.unread
    into.rows += inspected.rows
    into.targetRows += inspected.targetRows
    before?.(differences.length)
    for (let at = 0; at < differences.length; at += AT_ONCE) {
      const some = differences.slice(at, at + AT_ONCE)
      const repaired = await this.repair(some)
      const resultOf = ({ key, unasked }: RowDifference): RepairResult => {
        const text = JSON.stringify(key)
        return unasked ?? (this.#replaced.delete(text) ? 'fixed' : (repaired?.get(text) ?? 'left'))
      }
      for (const one of some) this.#count(one, resultOf(one), into)
    }
  }

  async repair(some: readonly RowDifference[]): Promise<ReadonlyMap<string, RepairResult> | null> {
    const { from, to, database, runId, hold } = this.#context
    if (!this.request.fix || database === null || this.#run.interrupt.stop.aborted) return null
    const { plan, signal } = this.#sides
    const key = tableKeyOf(plan.target.table)
    this.#notedPlans ??= noteRepairPlan(database, runId, key, plan)
    await this.#notedPlans
    const around = { to, database, key, runId, signal, ...(hold === undefined ? {} : { hold }) }
    const results = new Map<string, RepairResult>()
    let keys = some.filter((one) => one.unasked === undefined).map((one) => one.key)
    for (let tries = 0; tries < TRIES && keys.length > 0; tries++) {
      // Read the target first. Otherwise a row that a program writes to both sides meanwhile would seem to be extra.
      await using target = await to.source(signal)
      await using source = await from.source(signal)
      const sides = { ...this.#sides, source, target }
      const asked = new Set(keys.map((one) => JSON.stringify(one)))
      for (const [text, result] of await repairKeys(sides, keys, around, this.request.repair)) {
        results.set(text, result)
        if (result === 'fixed' && !asked.has(text) && this.request.repair.deleteExtra) this.#replaced.add(text)
      }
      keys = keys.filter((one) => results.get(JSON.stringify(one)) === 'changed')
    }
    for (const one of keys) results.set(JSON.stringify(one), changedMeanwhile())
    return results
  }

  #count(one: RowDifference, repaired: RepairResult, into: ProcessedCounts): void {
    if (repaired === 'equal') {
      into.gone++
      if (one.kind === 'missing') into.targetRows += 1n
      if (one.kind === 'extra') into.rows += 1n
      return
    }
    const fixed = repaired === 'fixed' ? 1 : 0
    this.#context.settled?.(one, fixed === 1)
    if (one.kind === 'missing') {
      into.missing++
      into.fixedMissing += fixed
    } else if (one.kind === 'different') {
      into.different++
      into.fixedDifferent += fixed
      if (one.newer !== undefined && fixed === 0) into.newer++
    } else {
      into.extra++
      into.removed += fixed
    }
    if (repaired instanceof SluiceError) {
      if (one.kind !== 'extra' && repaired.code !== 'TARGET_BUSY') into.refused.push({ key: one.key, error: repaired })
      if (one.unasked === undefined || this.#named.size < this.request.limit) this.report(one, repaired)
    }
    this.#name(one, fixed === 1)
  }

  report(one: RowDifference, error: SluiceError): void {
    const { message, reason, hint } = error
    this.#run.emit({
      type: 'log',
      level: 'error',
      table: this.#table,
      message: `the row (${rowKeyText(one.key)}) ${one.unasked === undefined ? 'cannot be repaired' : 'differs'}: ${message}${reason === undefined ? '' : `: ${reason}`}`,
      ...(hint === undefined ? {} : { hint }),
    })
  }

  #name({ key, kind, columns, newer }: RowDifference, fixed: boolean): void {
    const text = JSON.stringify(key)
    // A difference that could not be repaired may be found again: name it only once.
    if (this.#named.has(text)) return
    if (this.#named.size >= this.request.limit) {
      this.#unnamed++
      return
    }
    this.#named.add(text)
    this.#run.emit({
      type: 'difference',
      table: this.#table,
      key,
      difference: kind,
      ...(columns.length === 0 ? {} : { columns }),
      ...(this.request.fix ? { fixed } : {}),
      ...(newer === undefined ? {} : { newer }),
    })
  }

  get #table(): string {
    return tableText(this.#sides.plan.source.table)
  }
}
