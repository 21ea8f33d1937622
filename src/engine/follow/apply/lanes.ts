/**
 * A stream applied by several sessions at once: each lane has tables, a session and a position of its own. A transaction of the source that changes tables of
 * several lanes is several of the target; where all lanes stand at one position, the target holds what the source held there.
 */
import type { Change, LogPosition } from '../../../model/copy/change.ts'
import type { Row } from '../../../model/copy/rows.ts'
import type { LedgerDatabase, Statement } from '../../../model/copy/port.ts'
import type { Lane } from './lane.ts'
import { joinedLanes, type LaneRow } from '../../copy/ledger/stream-row.ts'
import type { Positions } from '../../copy/ledger/streams.ts'
import type { Snapshot } from '../compare/visible.ts'

type Begin = Extract<Change, { type: 'begin' }>

export class Lanes {
  readonly #lanes: readonly Lane[]
  /** By table, the place of its lane. */
  readonly #of: readonly number[]
  readonly #positions: Positions
  readonly #database: LedgerDatabase
  /** Where each lane begins: what it has applied before comes again where another one was behind it. */
  readonly #from: readonly LogPosition[]
  /** The transaction whose changes arrive now. */
  #open: Begin | null = null
  /** Lane of the first table that it changes, which counts it: where it comes again for other lanes, it is the same one. */
  #counting: number | null = null

  /** @param lanes at least one @param of by table, the place of its lane among them */
  constructor(lanes: readonly Lane[], of: readonly number[], positions: Positions, database: LedgerDatabase) {
    this.#database = database
    this.#lanes = lanes
    this.#of = of
    this.#positions = positions
    this.#from = lanes.map(({ applied }) => applied)
  }

  /** Durable in the target, in all lanes; exclusive, see `LogPosition`. */
  get applied(): LogPosition {
    return least(this.#lanes.map(({ applied }) => applied))
  }

  /** Behind everything that was taken; exclusive as well. */
  get taken(): LogPosition {
    return least(this.#lanes.map(({ taken }) => taken))
  }

  /** The lanes as they were written last, as one. */
  get row(): LaneRow {
    return joinedLanes(
      this.#lanes.map(({ row }) => row),
      this.#positions,
    )
  }

  /** Whether everything that was taken is durable in the target: all lanes stand at one position then. */
  get isSettled(): boolean {
    return this.#open === null && this.#lanes.every(({ isSettled }) => isSettled)
  }

  /** Whether no row waits: at most positions of an idle source are not written. */
  get hasNothing(): boolean {
    return this.#open === null && this.#lanes.every(({ hasNothing }) => hasNothing)
  }

  /** Whether no transaction of the source is half taken. */
  get isBoundary(): boolean {
    return this.#open === null
  }

  /** Whether all lanes have come to one position. */
  get isLevel(): boolean {
    return new Set(this.#lanes.map(({ taken }) => taken)).size === 1
  }

  /** Whether complete transactions wait for their commit; false where nothing but positions would be written. */
  get hasTransactions(): boolean {
    return this.#lanes.some(({ hasTransactions }) => hasTransactions)
  }

  /** Whether a snapshot that was taken since the last change shows all that was taken: else it is older than what the target holds, or is about to. */
  isShownBy(snapshot: Snapshot): boolean {
    return this.#lanes.every((lane) => lane.isShownBy(snapshot))
  }

  /** When the oldest transaction was committed that is taken and not durable, ms since the epoch by the clock of the source; null where none is. */
  get oldestMs(): number | null {
    const oldest = this.#lanes.flatMap((lane) => lane.oldestMs ?? [])
    return oldest.length === 0 ? (this.#open?.at ?? null) : Math.min(...oldest)
  }

  /** Ms until complete transactions should be committed, if nothing else comes; null where none wait, or one behind them has no end yet. */
  get dueMs(): number | null {
    if (this.#open !== null) return null
    const due = this.#lanes.flatMap((lane) => lane.dueMs ?? [])
    return due.length === 0 ? null : Math.min(...due)
  }

  /** @throws as `Lane.take`, of the first lane that fails; none of them can be used any more then */
  async take(changes: readonly Change[]): Promise<void> {
    const [only, ...others] = this.#lanes
    if (only !== undefined && others.length === 0 && this.#isForOne(changes)) return await only.take(changes)
    const parts: Change[][] = this.#lanes.map(() => [])
    for (const change of changes) {
      switch (change.type) {
        case 'begin':
          this.#open = change
          this.#counting = null
          for (const [lane, part] of parts.entries()) if (change.commit >= (this.#from[lane] ?? 0n)) part.push(change)
          break
        case 'insert':
        case 'update':
        case 'delete':
          this.#give(parts, change.table, change)
          break
        case 'reshaped':
          // Between two transactions as well: a round finds it before it tells anything.
          if (this.#open === null) parts[this.#of[change.table] ?? -1]?.push(change)
          else this.#give(parts, change.table, change)
          break
        case 'truncate':
          for (const lane of new Set(change.tables.map((table) => this.#of[table]))) {
            const tables = change.tables.filter((table) => this.#of[table] === lane)
            this.#give(parts, tables[0] ?? -1, { ...change, tables })
          }
          break
        case 'commit':
          for (const [lane, part] of parts.entries())
            part.push(lane === this.#counting ? change : { ...change, isCounted: false })
          this.#open = null
          break
        case 'idle':
          for (const part of parts) part.push(change)
      }
    }
    await this.#all((lane, at) => lane.take(parts[at] ?? []))
  }

  /** Whether the only lane gets all of them, as they are: nothing has to be taken apart, and nothing comes again. */
  #isForOne(changes: readonly Change[]): boolean {
    const [from = 0n] = this.#from
    let open = this.#open
    if (open !== null && open.commit < from) return false
    for (let at = 0; at < changes.length; at++) {
      const change = changes[at] as Change
      if (change.type === 'commit') open = null
      else if (change.type === 'begin') {
        if (change.commit < from) return false
        open = change
      }
    }
    this.#open = open
    return true
  }

  /** Makes durable what is complete, and positions. Nothing happens within a transaction, or where nothing has moved. */
  async commit(): Promise<void> {
    if (this.#open === null) await this.#all((lane) => lane.commit())
  }

  /** The same of those lanes only in which transactions wait. */
  async commitTransactions(): Promise<void> {
    if (this.#open === null)
      await this.#all(async (lane) => {
        if (lane.hasTransactions) await lane.commit()
      })
  }

  /** As `Lane.hasUnsure`, of any lane. */
  get hasUnsure(): boolean {
    return this.#lanes.some((lane) => lane.hasUnsure)
  }

  /** As `Lane.unsure`, of all lanes. */
  get unsure(): readonly number[] {
    return this.#lanes.flatMap((lane) => lane.unsure)
  }

  /** As `Lane.found`. */
  found(table: number, hasRows: boolean): void {
    this.#lane(table).found(table, hasRows)
  }

  /** As `Lane.noteFound`, of all lanes. */
  async noteFound(): Promise<void> {
    await this.#all((lane) => lane.noteFound())
  }

  /** Waits for what the target writes now; nothing is begun. */
  async written(): Promise<void> {
    await this.#all((lane) => lane.written())
  }

  /** Rows beside the stream, in a transaction of their own, see `Lane.amend`. */
  async amend(table: number, puts: readonly Row[], gone: readonly Row[], also: readonly Statement[]): Promise<void> {
    if (!this.isSettled) throw new Error('rows beside the stream are written between two of its transactions only')
    await this.#lane(table).amend(table, puts, gone, also)
  }

  /** Changes the ledger beside the stream, before anything that is taken afterwards is written. @returns whether it is durable */
  async note(statements: readonly Statement[]): Promise<boolean> {
    const [only, ...others] = this.#lanes
    if (only !== undefined && others.length === 0) return await only.note(statements)
    // Targets that take several sessions let others write beside what they have half written.
    await this.#database.batch(statements)
    return true
  }

  /** Nothing of what was taken and not committed is written; they cannot be used any more. */
  async giveUp(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.giveUp()))
  }

  #lane(table: number): Lane {
    const lane = this.#lanes[this.#of[table] ?? -1]
    if (lane === undefined) throw new Error(`the stream tells of table ${table}, which nobody follows`)
    return lane
  }

  #give(parts: readonly Change[][], table: number, change: Change): void {
    const lane = this.#of[table] ?? -1
    const part = parts[lane]
    if (part === undefined || this.#open === null) throw new Error(`a change of table ${table} belongs to nobody`)
    this.#counting ??= lane
    if (this.#open.commit < (this.#from[lane] ?? 0n)) return
    part.push(change)
  }

  /** Sessions at work are waited for, also where one of them has failed. */
  async #all(body: (lane: Lane, at: number) => Promise<void>): Promise<void> {
    const ends = await Promise.allSettled(this.#lanes.map(body))
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }
}

function least(positions: readonly LogPosition[]): LogPosition {
  const [first = 0n, ...others] = positions
  return others.reduce((low, one) => (one < low ? one : low), first)
}
