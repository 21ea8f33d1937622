/** Compares live tables in rounds, each in a common snapshot of both sides; rows that differ are read again. */
import { tableText, type TableName, type TableSpec } from '../../../model/copy/column-type.ts'
import { dec } from '../../../model/run/event.ts'
import type { Clock } from '../../../shared/clock.ts'
import { asSluiceError, SluiceError, type ErrorCode } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { ChangeSource, ChangeStream } from '../../../model/follow/port.ts'
import type { CopyRun } from '../../copy/copy-run.ts'
import { compareSnapshot, differingKeys, type TableComparison } from './compare-snapshot.ts'
import type { FollowTable } from '../stream/followed-table.ts'
import type { ApplyWorkers } from '../apply/apply-workers.ts'
import type { SignOffAnswer, SignOffRequest, SignOffScope } from '../ledger/sign-offs.ts'
import type { StreamLedger } from '../../copy/ledger/streams.ts'
import { openComparedSnapshot, type ComparedSnapshot } from './common-snapshot.ts'
import { compareTogether, type SharedProof } from '../together/compare-together.ts'

/** Differences listed per table and round. */
const MAX_NAMED = 100
/** Consecutive rounds with differences after which the run fails. */
const MOST_ROUNDS = 5
/** Delay before the next snapshot if one failed, ms. */
const AGAIN_MS = 500

export type ProvingParts = {
  readonly stream: string
  readonly from: CopyStore
  readonly to: CopyStore
  readonly changes: ChangeSource
  readonly ledger: StreamLedger
  readonly tables: readonly FollowTable[]
  readonly run: CopyRun
  readonly clock: Clock
  /** Other workers that compare; null for none. */
  readonly shared: SharedProof | null
}

/** Errors of one table or partition. They recur at each attempt, and concern no other table of the stream. */
const TABLE_ERRORS: ReadonlySet<ErrorCode> = new Set([
  'SOURCE_GONE',
  'SOURCE_DENIED',
  'TARGET_DENIED',
  'TABLE_REFUSED',
  'NO_SUCH_TABLE',
  'UNSUPPORTED_KEY',
  'VALUE_REFUSED',
  'BAD_PREDICATE',
])

/** Result of a round. Rows that differ wait to be read again, except after a round for a sign-off. */
export type ProvingRound = {
  readonly isEqual: boolean
  readonly position: string
  readonly pauseMs: number
  readonly compared: readonly TableComparison[]
  /** The sign-off that requested the round; null for none. */
  readonly request: SignOffRequest | null
}

/** A sign-off whose tables cannot be compared. */
export type Unanswered = { readonly request: SignOffRequest; readonly refused: SluiceError }

type Running = {
  readonly snapshot: ComparedSnapshot
  /** Closes both views; a second call has no effect. */
  readonly close: () => Promise<void>
  readonly request: SignOffRequest | null
  readonly end: AbortController
  settled: { readonly compared: readonly TableComparison[] } | { readonly failed: unknown } | null
}

export class Proving implements AsyncDisposable {
  readonly #parts: ProvingParts
  /** Ms between the end of a round and the next; null for no pause. */
  readonly #everyMs: number | null
  #running: Running | null = null
  #dueAt = -Infinity
  /** Earliest time for another snapshot after one failed. */
  #againAt = -Infinity
  #roundsWithDifferences = 0

  constructor(parts: ProvingParts, everyMs: number | null) {
    this.#parts = parts
    this.#everyMs = everyMs
  }

  /** True if a round may begin; the caller checks that all tables are live. */
  get isFree(): boolean {
    return this.#running === null && this.#parts.clock.ticks() >= this.#againAt
  }

  /** True while a round compares: the caller can only wait. */
  get isComparing(): boolean {
    return this.#running !== null && this.#running.settled === null
  }

  /** True if a round is due at the requested interval. */
  get isDue(): boolean {
    return this.isFree && this.#parts.clock.ticks() >= this.#dueAt
  }

  /**
   * Takes the snapshot of a round, and starts the comparison in the background.
   * @param request sign-off whose scope is compared; null compares everything
   * @param atSnapshot called while both sides are at the snapshot, before anything newer is applied
   * @returns false if there was no common snapshot: a second attempt may succeed
   */
  async begin(
    applyWorkers: ApplyWorkers,
    stream: ChangeStream,
    request: SignOffRequest | null = null,
    atSnapshot: () => void = () => undefined,
  ): Promise<boolean> {
    const { from, to, changes, tables, run, clock, shared } = this.#parts
    const got = await openComparedSnapshot({
      from,
      to,
      changes,
      applyWorkers,
      stream,
      clock,
      signal: run.interrupt.abort,
      atSnapshot,
    })
    if (typeof got === 'string') {
      this.#againAt = clock.ticks() + AGAIN_MS
      return false
    }
    const end = new AbortController()
    const signal = AbortSignal.any([end.signal, run.interrupt.abort])
    let closed: Promise<void> | null = null
    const close = (): Promise<void> => (closed ??= Promise.resolve(got[Symbol.asyncDispose]()))
    const running: Running = { snapshot: got, close, request, end, settled: null }
    this.#running = running
    // Close the views at once. Otherwise the stream could not end the round while it is blocked at a TRUNCATE that
    // waits for the target's view.
    const settle = async (settled: NonNullable<Running['settled']>): Promise<void> => {
      await close().catch(() => undefined)
      running.settled = settled
    }
    const wanted = request === null ? [...tables.entries()] : tablesWanted(request.scope, tables)
    const found = (one: TableComparison): void => this.#reportDifferences(one)
    const options = { emit: run.emit, clock, signal, found }
    const comparing =
      shared === null ? compareSnapshot(wanted, got, options) : compareTogether(wanted, got, options, shared)
    void comparing.then(
      (compared) => settle({ compared }),
      (failed: unknown) => settle({ failed }),
    )
    return true
  }

  /**
   * Returns the result of an ended round, once: records its proofs, and notes the rows that differ, so that they are
   * read again.
   * @returns null while no round has ended; for a sign-off, why its tables cannot be compared
   * @throws SluiceError DIFFERENCES if rows differ round after round, and what the stores threw
   */
  async ended(): Promise<ProvingRound | Unanswered | null> {
    const running = this.#running
    if (running === null || running.settled === null) return null
    this.#running = null
    const { request } = running
    if (request === null) this.#dueAt = this.#parts.clock.ticks() + (this.#everyMs ?? 0)
    const { pauseMs } = running.snapshot
    if ('failed' in running.settled) {
      const error = asSluiceError(running.settled.failed)
      if (request !== null && !error.retryable && TABLE_ERRORS.has(error.code))
        return { request, refused: emptiedMeanwhile(error) }
      // A table was emptied or altered after the snapshot, which no longer shows its rows, so nothing was compared.
      if (error.code !== 'SOURCE_GONE') throw running.settled.failed
      this.#dueAt = this.#parts.clock.ticks() + AGAIN_MS
      const message = `${emptiedMeanwhile(error).message}: the comparison begins again`
      this.#parts.run.emit({ type: 'log', level: 'note', message })
      return null
    }
    const position = this.#parts.changes.text(running.snapshot.position)
    const { compared } = running.settled
    const isEqual = compared.every(({ differences, more, unread }) => differences.length + more + unread === 0)
    for (const one of compared) {
      // A comparison of one partition proves nothing about its table.
      if (request?.scope.partition === undefined) await this.#note(one, position, pauseMs)
      if (request === null) await this.#requestRereads(one)
    }
    if (request !== null) return { isEqual, position, pauseMs, compared, request }
    this.#roundsWithDifferences = isEqual ? 0 : this.#roundsWithDifferences + 1
    const unmended = compared.find(({ differences, more, unread }) => differences.length === 0 && more + unread > 0)
    if (unmended !== undefined || this.#roundsWithDifferences >= MOST_ROUNDS) throw this.#differs(unmended)
    return { isEqual, position, pauseMs, compared, request }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#running?.end.abort()
    await this.#running?.close()
    this.#running = null
  }

  async #note(one: TableComparison, position: string, pauseMs: number): Promise<void> {
    const { stream, tables, ledger, run } = this.#parts
    const table = tables[one.table]
    if (table === undefined) return
    const { rows, targetRows, differences, more, unread, ms, elsewhere } = one
    const differing = differences.length + more
    await ledger.noteProof(stream, table.key, { position, rows, targetRows, differing, unread, pauseMs, ms })
    run.emit({
      type: 'follow.proved',
      table: table.name,
      position,
      rows: dec(rows),
      targetRows: dec(targetRows),
      differing: dec(differing),
      unread: dec(unread),
      pauseMs,
      ms,
      ...(elsewhere === undefined ? {} : { elsewhere: dec(elsewhere) }),
    })
  }

  /** Reports differences while other tables are still compared. */
  #reportDifferences({ table: at, differences }: TableComparison): void {
    const { tables, run } = this.#parts
    for (const { key, kind, columns } of differences.slice(0, MAX_NAMED)) {
      const shown = columns.length === 0 ? {} : { columns }
      run.emit({ type: 'difference', table: tables[at]?.name ?? '', key, difference: kind, ...shown })
    }
  }

  /** Notes rows that differ to be read again. */
  async #requestRereads(one: TableComparison): Promise<void> {
    const { stream, tables, ledger } = this.#parts
    const table = tables[one.table]
    if (table === undefined) return
    const { differences, more } = one
    if (differences.length === 0) return
    const keys = differingKeys(table, differences)
    if (keys === null) {
      throw new SluiceError('DIFFERENCES', `${differences.length + more} rows of ${table.name} differ`, {
        reason: `the table was compared by ${table.plan.source.key.join(', ')}, but the stream identifies rows by ${table.source.identity.join(', ')}`,
        hint: 'copy the table again with --restart',
      })
    }
    await ledger.database.batch(ledger.rereads.statements(stream, table.key, keys, 'difference'))
  }

  #differs(one: TableComparison | undefined): SluiceError {
    const table = one === undefined ? undefined : this.#parts.tables[one.table]
    const name = table === undefined ? 'the tables' : tableText(table.plan.source.table)
    const unread = one?.unread ?? 0
    if (one !== undefined && one.doubled > 0) {
      return new SluiceError('DIFFERENCES', `${one.doubled} rows of ${name} share their key with another row`, {
        reason: `the source has ${one.rows} rows and the target ${one.targetRows}`,
        hint: `keep one row of each key in the ${one.targetRows > one.rows ? 'target' : 'source'}, then run the same command again`,
      })
    }
    return new SluiceError(
      'DIFFERENCES',
      unread > 0 ? `${unread} rows of ${name} cannot be read` : `rows of ${name} differ`,
      {
        reason:
          unread > 0
            ? 'the source has values that do not fit their type: they cannot be compared'
            : 'they were repaired, and differed again at the next comparison: another program writes into the target, or the target computes other values',
        hint: 'sluice diff names the rows; correct the cause, then run the same command again',
      },
    )
  }
}

/** Numbers and tables in the scope of a sign-off; for one partition, the table limited to its rows on each side. */
function tablesWanted(
  { tables: names, partition }: SignOffScope,
  tables: readonly FollowTable[],
): readonly (readonly [at: number, table: FollowTable])[] {
  const wanted = [...tables.entries()].filter(([, { name }]) => names.length === 0 || names.includes(name))
  if (partition === undefined) return wanted
  const named = (spec: TableSpec, table: TableName): TableSpec => ({ ...spec, table })
  return wanted.map(([at, table]) => {
    const { source, target } = table.plan
    const { where } = partition
    if (where !== undefined) {
      const plan = { ...table.plan, ...(where.source === null ? {} : { where: where.source }) }
      return [at, { ...table, plan, ...(where.target === null ? {} : { targetWhere: where.target }) }] as const
    }
    const plan = {
      ...table.plan,
      source: named(source, partition.source),
      target: named(target, partition.target),
    }
    return [at, { ...table, plan }] as const
  })
}

/**
 * Rewords the error of a table that was emptied or altered during the comparison for a sign-off.
 * @param error SOURCE_GONE as a copy reports it, with a hint to run a copy
 * @returns the same failure with the same `retryable`; other errors unchanged
 */
export function emptiedMeanwhile(error: SluiceError): SluiceError {
  if (error.code !== 'SOURCE_GONE') return error
  return new SluiceError('SOURCE_GONE', error.message.replace('while it was copied', 'while it was compared'), {
    where: error.where,
    reason: 'it was emptied, rewritten, altered or dropped after the compared snapshot: nothing is signed off',
    hint: 'sign off again while no program truncates or alters the table; the stream has lost no changes',
    retryable: error.retryable,
    cause: error,
  })
}

/** Result of a comparison for a sign-off, in the ledger's format. */
export function answerOf(
  { position, pauseMs, compared, request }: ProvingRound,
  tables: readonly FollowTable[],
  run: string,
): SignOffAnswer {
  const wanted = request?.scope.partition
  const partition = wanted === undefined ? undefined : (wanted.name ?? tableText(wanted.source))
  return {
    position,
    pauseMs,
    run,
    tables: compared.map(({ table: at, rows, targetRows, sums, differences, more, unread, ms }) => ({
      table: tables[at]?.name ?? '',
      ...(partition === undefined ? {} : { partition }),
      rows: dec(rows),
      targetRows: dec(targetRows),
      sourceSum: sums?.[0] ?? null,
      targetSum: sums?.[1] ?? null,
      differing: dec(differences.length + more),
      unread: dec(unread),
      equal: differences.length + more + unread === 0,
      ms,
    })),
  }
}
