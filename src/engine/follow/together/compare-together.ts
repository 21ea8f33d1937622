/**
 * A comparison round whose ranges other workers compare, too. All use the snapshots of the stream's owner, so every
 * program gets the same result. Ranges that no other worker takes or finishes are compared here, so the round needs no
 * other worker.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { startHeartbeat } from '../../../stores/common/lease/heartbeat.ts'
import type { DiffProgress } from '../../copy/diff/progress.ts'
import { segments } from '../../copy/diff/segments.ts'
import { COPY_LEASE_MS, type RunOwner } from '../../copy/ledger/owner.ts'
import {
  compareSnapshot,
  progressOf,
  sidesAt,
  type ComparingOptions,
  type NumberedTables,
  type TableComparison,
} from '../compare/compare-snapshot.ts'
import type { ComparedSnapshot } from '../compare/common-snapshot.ts'
import { compareOneRange, TableResult } from '../compare/range-answer.ts'
import { RoundLedger, type ProofRange } from './rounds.ts'

/** Interval (ms) at which the ledger is queried for results while only others compare. */
const POLL_MS = 200
/** Minimum number of ranges of a shared round: with fewer, this program compares alone. */
const FEWEST = 2
/** Other programs are called only after this time (ms): a shorter round is not worth it. */
const ALONE_MS = 1000

/** @property sharedRun the same for all programs of the round @property call asks workers to join */
export type SharedProof = {
  readonly database: LedgerDatabase
  readonly owner: RunOwner
  readonly stream: string
  readonly sharedRun: string
  readonly call: () => void
}

/** As `compareSnapshot`, shared with other workers. @throws what stores and ledger throw; the signal's reason */
export async function compareTogether(
  tables: NumberedTables,
  snapshot: ComparedSnapshot,
  options: ComparingOptions,
  { database, owner, stream, sharedRun, call }: SharedProof,
): Promise<readonly TableComparison[]> {
  const [sourceSnapshot, targetSnapshot] = [snapshot.source.exported, snapshot.target.exported]
  if (sourceSnapshot === undefined || targetSnapshot === undefined)
    return await compareSnapshot(tables, snapshot, options)
  const ranges = await divideTables(tables, snapshot, options.signal)
  if (ranges.length < FEWEST) return await compareSnapshot(tables, snapshot, options)
  const rounds = new RoundLedger(database, owner)
  const round = await rounds.begin(stream, sharedRun, {
    sourceSnapshot,
    targetSnapshot,
    tables: tables.map(([, { plan, targetWhere }]) => ({
      plan,
      ...(targetWhere === undefined ? {} : { targetWhere }),
    })),
  })
  const heart = startHeartbeat(COPY_LEASE_MS / 3, () => rounds.renew(round))
  const calling = setTimeout(call, ALONE_MS)
  try {
    await rounds.add(round, ranges)
    return await new Comparing(tables, snapshot, options, rounds, round, ranges).run()
  } finally {
    clearTimeout(calling)
    clearInterval(heart)
    // If the ledger is unavailable, the next round or the next owner removes this round.
    await rounds.end(stream).catch(() => undefined)
  }
}

/** All ranges of all tables. Their number is not limited, because a range has some hundred thousand rows. */
async function divideTables(
  tables: NumberedTables,
  snapshot: ComparedSnapshot,
  signal: AbortSignal,
): Promise<readonly ProofRange[]> {
  const ranges: ProofRange[] = []
  for (const [table, [, followed]] of tables.entries()) {
    for await (const { range } of segments(sidesAt(followed, snapshot, signal), null))
      ranges.push({ no: ranges.length, table, range })
  }
  return ranges
}

class Comparing {
  readonly #tables: NumberedTables
  readonly #snapshot: ComparedSnapshot
  readonly #options: ComparingOptions
  readonly #rounds: RoundLedger
  readonly #round: string
  readonly #answers: readonly TableResult[]
  /** Number of ranges without a result, by table. */
  readonly #open: number[]
  readonly #elsewhere: number[]
  readonly #progress = new Map<number, DiffProgress>()
  readonly #known = new Set<number>()
  readonly #compared: TableComparison[] = []
  readonly #begun: number

  constructor(
    tables: NumberedTables,
    snapshot: ComparedSnapshot,
    options: ComparingOptions,
    rounds: RoundLedger,
    round: string,
    ranges: readonly ProofRange[],
  ) {
    this.#tables = tables
    this.#snapshot = snapshot
    this.#options = options
    this.#rounds = rounds
    this.#round = round
    this.#answers = tables.map(() => new TableResult())
    this.#open = tables.map((_, table) => ranges.filter((one) => one.table === table).length)
    this.#elsewhere = tables.map(() => 0)
    this.#begun = options.clock.ticks()
  }

  async run(): Promise<readonly TableComparison[]> {
    const { signal } = this.#options
    for (const [table] of this.#tables.entries()) this.notified(table)
    while (this.#compared.length < this.#tables.length) {
      signal.throwIfAborted()
      const claimed = await this.#rounds.claim(this.#round, null)
      if (claimed !== null) {
        const { table, range } = claimed
        const [, followed] = this.#tables[table] ?? []
        if (followed === undefined) throw new Error(`a round has no table ${table}`)
        const sides = sidesAt(followed, this.#snapshot, signal)
        const answer = await compareOneRange(sides, range, await this.#progressOf(table))
        // If another program took the range after the lease expired, this result is discarded.
        await this.#rounds.answer(this.#round, claimed, answer)
      }
      const left = await this.#rounds.freeEnded(this.#round)
      await this.#takeResults()
      if (claimed === null && left > 0) await sleep(POLL_MS, undefined, { signal }).catch(() => undefined)
    }
    return this.#compared.toSorted((one, other) => one.table - other.table)
  }

  /** Adds up all results that are new since the last call. */
  async #takeResults(): Promise<void> {
    for (const { no, table, isOwn, answer } of await this.#rounds.answers(this.#round, this.#known)) {
      this.#known.add(no)
      this.#answers[table]?.add(answer)
      this.#open[table] = (this.#open[table] ?? 0) - 1
      if (!isOwn) {
        this.#elsewhere[table] = (this.#elsewhere[table] ?? 0) + 1
        const progress = await this.#progressOf(table)
        progress.settled(answer.rows)
      }
      this.notified(table)
    }
  }

  notified(table: number): void {
    const [at, followed] = this.#tables[table] ?? []
    const whole = this.#answers[table]?.whole((followed?.plan.source.key.length ?? 0) > 0)
    if (at === undefined || whole === undefined || this.#open[table] !== 0) return
    const ms = Math.round(this.#options.clock.ticks() - this.#begun)
    const one = { table: at, ...whole, ms, elsewhere: this.#elsewhere[table] ?? 0 }
    this.#options.found(one)
    this.#compared.push(one)
  }

  async #progressOf(table: number): Promise<DiffProgress> {
    const known = this.#progress.get(table)
    if (known !== undefined) return known
    const [, followed] = this.#tables[table] ?? []
    if (followed === undefined) throw new Error(`a round has no table ${table}`)
    const { emit, clock } = this.#options
    const progress = await progressOf(followed, this.#snapshot, emit, clock)
    this.#progress.set(table, progress)
    return progress
  }
}
