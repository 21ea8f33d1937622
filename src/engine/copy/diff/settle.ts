/** Settles differences: reads them again, repairs them if asked to, counts and reports them. */
import { tableText } from '../../../model/copy/column-type.ts'
import { rowKeyText, type RowKey } from '../../../model/copy/row-key.ts'
import type { DiffRun } from './diff-run.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore, LedgerDatabase } from '../../../model/copy/port.ts'
import { tableKeyOf } from '../ledger/owner.ts'
import { noteRepairPlan } from '../ledger/repair-plans.ts'
import type { Difference } from './difference.ts'
import { lookAgain } from './look-again.ts'
import { repairKeys, type Mended, type MendWish, type RepairHold } from './repair.ts'
import type { Sides } from './sides.ts'

/** Differences read again with a pause. With more than these, timing is not the cause. */
const PATIENT = 20_000
const AT_ONCE = 200

export type Settled = {
  missing: number
  fixedMissing: number
  different: number
  fixedDifferent: number
  extra: number
  removed: number
  newer: number
  errors: number
  /** Differed before, and no longer do. */
  gone: number
  /** Unreadable rows of the source: they exist, and are no difference. */
  unread: number
  /** Rows added on each side since then, minus rows removed; without rows that a repair wrote or removed. */
  rows: bigint
  targetRows: bigint
  /** Rows of the source that the target refused. */
  readonly refused: { readonly key: RowKey; readonly error: SluiceError }[]
}

export const noneSettled = (): Settled => ({
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

export type Around = {
  /** Opens the views in which rows of the source are read again. */
  readonly from: Pick<CopyStore, 'source'>
  readonly to: CopyStore
  /** Null if nothing is repaired. */
  readonly database: LedgerDatabase | null
  readonly runId: bigint
  /** Lease that this process must hold while it writes; absent if no other process would write. */
  readonly hold?: RepairHold
  /** Called for every counted difference, with whether it was repaired. */
  readonly settled?: (difference: Difference, isFixed: boolean) => void
}

/** How differences are handled. */
export type SettleWish = {
  /** Repair them; otherwise they are only counted and named. */
  readonly fix: boolean
  /** Differences that are named; all are counted. */
  readonly limit: number
  readonly mend: MendWish
  /** Read them again after a pause, so that rows still on their way are not reported. */
  readonly patient: boolean
}

/** What is compared, without the views to read it in. */
export type Compared = Omit<Sides, 'source' | 'target'>

/** Settles the differences of one table. */
export class Settler {
  readonly #wish: SettleWish
  readonly #sides: Compared
  readonly #around: Around
  readonly #run: DiffRun
  #looked = 0
  /** Keys of named differences. */
  readonly #named = new Set<string>()
  #unnamed = 0
  #noted: Promise<void> | null = null
  #turn: Promise<void> = Promise.resolve()

  constructor(wish: SettleWish, sides: Compared, around: Around, run: DiffRun) {
    this.#wish = wish
    this.#sides = sides
    this.#around = around
    this.#run = run
  }

  /** Emits how many differences were counted and not named. @param more differences that never reached the settler */
  tellUnnamed(more: number): void {
    const all = this.#unnamed + more
    if (all === 0) return
    const message = `${all} more differences are counted and not named`
    this.#run.emit({ type: 'log', level: 'note', table: this.#table, message })
  }

  /** @param into receives the counts @param before called with the number that is left, before any repair */
  async settle(suspects: readonly Difference[], into: Settled, before?: (left: number) => void): Promise<void> {
    if (suspects.length === 0) return before?.(0)
    if (this.#around.to.can.atomic === 'row') return this.#settle(suspects, into, before)
    // One at a time: each takes connections of the target for its reads and its transaction, and several could wait for
    // each other's connections.
    const settled = this.#turn.then(() => this.#settle(suspects, into, before))
    this.#turn = settled.catch(() => undefined)
    return settled
  }

  async #settle(suspects: readonly Difference[], into: Settled, before?: (left: number) => void): Promise<void> {
    const { from, to } = this.#around
    const again = { from, to, sides: this.#sides, times: this.#wish.mend.times ?? {} }
    this.#looked += suspects.length
    const looked = await lookAgain(suspects, again, this.#wish.patient && this.#looked <= PATIENT)
    const { differ: differences } = looked
    into.gone += looked.gone
    into.unread += looked.unread
    into.rows += looked.rows
    into.targetRows += looked.targetRows
    before?.(differences.length)
    for (let at = 0; at < differences.length; at += AT_ONCE) {
      const some = differences.slice(at, at + AT_ONCE)
      const mended = await this.#mend(some)
      for (const one of some) this.#count(one, one.unasked ?? mended?.get(JSON.stringify(one.key)) ?? 'left', into)
    }
  }

  async #mend(some: readonly Difference[]): Promise<ReadonlyMap<string, Mended> | null> {
    const { from, to, database, runId, hold } = this.#around
    if (!this.#wish.fix || database === null || this.#run.interrupt.stop.aborted) return null
    const { plan, signal } = this.#sides
    const key = tableKeyOf(plan.target.table)
    this.#noted ??= noteRepairPlan(database, runId, key, plan)
    await this.#noted
    await using source = await from.source(signal)
    await using target = await to.source(signal)
    const keys = some.filter((one) => one.unasked === undefined).map((one) => one.key)
    const around = { to, database, key, runId, signal, ...(hold === undefined ? {} : { hold }) }
    return await repairKeys({ ...this.#sides, source, target }, keys, around, this.#wish.mend)
  }

  #count(one: Difference, mended: Mended, into: Settled): void {
    if (mended === 'equal') {
      into.gone++
      if (one.kind === 'missing') into.targetRows += 1n
      if (one.kind === 'extra') into.rows += 1n
      return
    }
    const fixed = mended === 'fixed' ? 1 : 0
    this.#around.settled?.(one, fixed === 1)
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
    if (mended instanceof SluiceError) {
      if (one.kind !== 'extra') into.refused.push({ key: one.key, error: mended })
      if (one.unasked === undefined || this.#named.size < this.#wish.limit) this.#tell(one, mended)
    }
    this.#name(one, fixed === 1)
  }

  #tell(one: Difference, error: SluiceError): void {
    const { message, reason, hint } = error
    this.#run.emit({
      type: 'log',
      level: 'error',
      table: this.#table,
      message: `the row (${rowKeyText(one.key)}) ${one.unasked === undefined ? 'cannot be mended' : 'differs'}: ${message}${reason === undefined ? '' : `: ${reason}`}`,
      ...(hint === undefined ? {} : { hint }),
    })
  }

  #name({ key, kind, columns, newer }: Difference, fixed: boolean): void {
    const text = JSON.stringify(key)
    // A difference that could not be repaired may be found again.
    if (this.#named.has(text)) return
    if (this.#named.size >= this.#wish.limit) {
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
      ...(this.#wish.fix ? { fixed } : {}),
      ...(newer === undefined ? {} : { newer }),
    })
  }

  get #table(): string {
    return tableText(this.#sides.plan.source.table)
  }
}
