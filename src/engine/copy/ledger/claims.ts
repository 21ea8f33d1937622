/** Claims chunks, including those of dead owners, under leases that use the database's clock. Copying needs no lock. */
import { storableError } from './error-text.ts'
import { randomUUID } from 'node:crypto'
import type { Claim } from '../../../model/copy/plan.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { ledgerDialect, type LedgerDialect } from '../../../stores/ledger-dialect.ts'
import { LEASE_COLUMNS } from '../../../stores/common/lease/columns.ts'
import { databaseTimes, LeaseSql } from '../../../stores/common/lease/sql.ts'
import { ClaimSearch, scattered, shareText, without, type JobShare, type ClaimScope } from './claim-search.ts'
import { readRange } from './keys.ts'
import { COPY_LEASE_MS, type RunOwner, type TableKey } from './owner.ts'
import { chunkColumns, chunkOf, IS_OWNED, NOT_QUARANTINED, OF_TABLE } from './stored-chunk.ts'
import { ownerQuery, ownerValues, positionOf, type StoredChunk } from './stored-chunk.ts'
import { runStatement } from './statement.ts'

/** Number of ids to read ahead if no index leads to the next chunk. */
const READ_AHEAD = 200

/** Each field is true if the table has chunks of this kind for this run. */
export type RemainingChunks = { readonly pending: boolean; readonly held: boolean; readonly failed: boolean }

export class ChunkClaims {
  readonly #database: LedgerDatabase
  readonly #key: TableKey
  readonly #owner: RunOwner
  readonly #lease: LeaseSql
  readonly #now: string
  readonly #dialect: LedgerDialect
  /** Chunks that workers of this process are copying. */
  readonly #copying = new Set<number>()
  /** Number of claims requested (`#asked`) and answered (`#answered`). */
  #asked = 0
  #answered = 0
  #search = new ClaimSearch({ only: null, seed: null })
  #seed: number | null = null
  /** Smallest and largest pending chunk number, for claims that start at a random position. */
  #pendingRange: readonly [number, number] | null = null
  /** Returns a row while this process may claim chunks; null: no restriction. */
  #guard: Statement | null = null
  /** Called after each claim to check whether it may stay; null: no check. */
  #allowed: (() => Promise<void>) | null = null
  /** Chunks that were free when read, with their row position at that time; used if no index leads to them. */
  #ahead: { readonly id: number; readonly place: bigint }[] = []

  constructor(database: LedgerDatabase, key: TableKey, owner: RunOwner) {
    this.#database = database
    this.#key = key
    this.#owner = owner
    this.#lease = leaseOf(database)
    this.#dialect = ledgerDialect(database.dialect)
    this.#now = this.#dialect.now
  }

  /** Sets which chunks this run takes, and in which order. Default: all of them by ascending number. */
  work(work: ClaimScope): void {
    this.#search = new ClaimSearch(work)
    this.#seed = work.seed
    this.#pendingRange = null
    this.#ahead = []
  }

  /**
   * Chunks can be claimed only while this query returns a row; the row is share-locked during a claim. Chunks claimed
   * earlier stay valid until the process that replaces this row frees them.
   */
  requireGuard(guard: Statement): void {
    this.#guard = guard
  }

  /**
   * Sets a check that follows each claim. Another program may forbid the copy: it first records this, and then searches
   * for claims. A claim is recorded before its check, so at least one of the two programs sees the other.
   * @param allowed throws if a claimed chunk must be released
   */
  checkAfterClaim(allowed: () => Promise<void>): void {
    this.#allowed = allowed
  }

  /**
   * Claims the next pending chunk, in the order of `work`. The chunk's fencing token is incremented, so that an earlier
   * owner cannot complete the chunk.
   * @param part share of this job, if several jobs share a copy; null: all chunks
   * @param except chunk numbers to skip
   * @returns null if no chunk is due
   * @throws SluiceError LEASE_LOST if the query of `requireGuard` returns no row; errors of `checkAfterClaim`
   */
  async claim(part: JobShare | null, except: readonly string[] = []): Promise<Claim | null> {
    this.#asked++
    try {
      const claim = await this.#claim(part, except)
      if (claim === null) return null
      this.#copying.add(claim.id)
      await this.#refuse(claim)
      return claim
    } finally {
      this.#answered++
    }
  }

  /** Call when this process no longer copies the chunk. The ledger is not changed. */
  drop({ id }: Claim): void {
    this.#copying.delete(id)
  }

  async #refuse(claim: Claim): Promise<void> {
    try {
      await this.#allowed?.()
    } catch (error) {
      this.drop(claim)
      await this.release(claim, 0, null)
      throw error
    }
  }

  async #claim(part: JobShare | null, except: readonly string[]): Promise<Claim | null> {
    const due = `${OF_TABLE} AND status = 'pending' AND COALESCE(next_try, 0) <= ${this.#now}${shareText(part)}${without(except)}`
    const claim = await (this.#dialect.indexes.kept ? this.#claimNext(due) : this.#claimAhead(due))
    if (claim === null) this.#search.released(0)
    else this.#search.found(claim.no)
    return claim
  }

  /** Finds the next chunk by an index, in a time that does not depend on the number of chunks. */
  async #claimNext(due: string): Promise<Claim | null> {
    if (this.#search.isScattered) this.#pendingRange ??= await this.#pendingEnds()
    for (const filter of this.#search.queries(this.#pendingRange)) {
      const first = `SELECT id FROM migration_checkpoints WHERE ${due}${filter} ORDER BY chunk_no, id LIMIT 1 ${this.#dialect.skipLocked}`
      const claim = await this.#take({ first }, filter)
      if (claim !== null) return claim
    }
    return null
  }

  /** Claims in a database file of one process, without an index: one scan finds many chunks, which are then claimed. */
  async #claimAhead(due: string): Promise<Claim | null> {
    for (;;) {
      const next = this.#ahead.shift()
      if (next === undefined) {
        if (!(await this.#readAhead(due))) return null
        continue
      }
      const { id, place } = next
      // The row position avoids a scan. If the row has moved, the next read-ahead finds its chunk again.
      const claim = await this.#take({ where: `rowid = ${place} AND id = ${id} AND ${due}` }, ` AND id = ${id}`)
      if (claim !== null) return claim
    }
  }

  /** Reads the next free chunks into `#ahead`. @returns false if there are none */
  async #readAhead(due: string): Promise<boolean> {
    for (const filter of this.#search.isScattered ? this.#search.all() : this.#search.queries(null)) {
      const rows = await this.#database.all(
        `SELECT id, rowid FROM migration_checkpoints WHERE ${due}${filter} ORDER BY ${scattered(this.#seed)}chunk_no, id LIMIT ${READ_AHEAD}`,
        this.#identity,
      )
      if (rows.length === 0) continue
      this.#ahead = rows.map(([id, place]) => ({ id: Number(id), place: BigInt(String(place)) }))
      return true
    }
    return false
  }

  /**
   * Claims a chunk.
   * @param which query for the id of the chunk (`first`), or condition on its row (`where`)
   * @param filter further condition, with which an index finds the claimed chunk
   */
  async #take(which: { readonly first: string } | { readonly where: string }, filter: string): Promise<Claim | null> {
    const token = randomUUID()
    const taken = this.#lease.taken(this.#owner)
    const { start, where, before, after } = this.#updateOf(which)
    const columns = `id, chunk_no, kind, lo, hi, CAST(start_id AS ${this.#text}), CAST(end_id AS ${this.#text}), fence, attempt, cursor_key, rows_written`
    const guard = this.#guard
    const fenced = guard === null ? '' : ` AND EXISTS (${guard.sql})`
    // Lock the row of the guard first: a process that replaces it then waits for this transaction and sees the claimed
    // chunk.
    const held = guard === null ? [] : [{ ...guard, sql: `${guard.sql} ${this.#dialect.shareLocked}` }]
    const answers = await this.#database.batch([
      ...held,
      {
        sql: `${start} SET status = 'in_progress', ${taken.sql}, session = NULL, claim = ?, surplus = NULL,
                fence = COALESCE(fence, 0) + 1, attempt = COALESCE(attempt, 0) + 1, run_id = ?,
                started_ms = ${this.#now}, error_message = NULL, error_code = NULL
              WHERE ${where}${fenced}`,
        parameters: [...before, ...taken.parameters, token, this.#owner.runId, ...after, ...(guard?.parameters ?? [])],
      },
      {
        sql: `SELECT ${columns} FROM migration_checkpoints
              WHERE ${OF_TABLE} AND status = 'in_progress'${filter} AND claim = ? ORDER BY chunk_no, id`,
        parameters: [...this.#identity, token],
      },
    ])
    const [row, ...more] = answers.at(-1) ?? []
    if (guard !== null && answers[0]?.length === 0) throw guardLost()
    // A batch that ran again after a lost reply has claimed one chunk each time; release the others.
    for (const other of more) await this.release(claimOf(other), 0, null)
    return row === undefined ? null : claimOf(row)
  }

  /** Parts of the UPDATE before and after SET, and their parameters. */
  #updateOf(which: { readonly first: string } | { readonly where: string }): {
    readonly start: string
    readonly where: string
    readonly before: SqlRow
    readonly after: SqlRow
  } {
    const [table, mine] = ['migration_checkpoints', this.#identity]
    if ('where' in which) return { start: `UPDATE ${table}`, where: which.where, before: [], after: mine }
    const due = `(${which.first}) AS due`
    if (this.#dialect.updates === 'join')
      return { start: `UPDATE ${table} c JOIN ${due} ON c.id = due.id`, where: "c.status = 'pending'", before: mine, after: [] } // prettier-ignore
    const where = `id = (SELECT id FROM ${due}) AND status = 'pending'`
    return { start: `UPDATE ${table}`, where, before: [], after: mine }
  }

  async #pendingEnds(): Promise<readonly [number, number]> {
    const pending = `FROM migration_checkpoints WHERE ${OF_TABLE} AND status = 'pending'`
    const [row] = await this.#database.all(
      `SELECT (SELECT MIN(chunk_no) ${pending}), (SELECT MAX(chunk_no) ${pending})`,
      [...this.#identity, ...this.#identity],
    )
    return [Number(row?.[0] ?? 0), Number(row?.[1] ?? 0)]
  }

  /** The claim with its current cursor. @throws SluiceError LEASE_LOST */
  async current(claim: Claim): Promise<Claim> {
    const [row] = await this.#database.all(
      `SELECT cursor_key, rows_written FROM migration_checkpoints WHERE ${IS_OWNED}`,
      ownerValues(this.#owner, claim),
    )
    if (row === undefined) throw leaseLost(claim)
    return { ...claim, ...positionOf(row) }
  }

  /** Which kinds of unfinished chunks the table has. @param except chunk numbers to ignore */
  async remaining(part: JobShare | null, except: readonly string[] = []): Promise<RemainingChunks> {
    const left = { pending: false, held: false, failed: false }
    for (const filter of this.#search.all()) {
      const there = (status: string): string =>
        // ORDER BY, so that no planner prefers a table scan for LIMIT 1.
        `(SELECT id FROM migration_checkpoints WHERE ${OF_TABLE} AND status = ${status}${filter}${shareText(part)}${without(except)} ORDER BY chunk_no, id LIMIT 1)`
      const [row = []] = await this.#database.all(
        `SELECT ${there("'pending'")}, ${there("'in_progress'")}, ${there(`'failed' AND ${NOT_QUARANTINED}`)}`,
        [...this.#identity, ...this.#identity, ...this.#identity],
      )
      left.pending ||= row[0] != null
      left.held ||= row[1] != null
      left.failed ||= row[2] != null
    }
    return left
  }

  /**
   * Records the session that writes the chunk, so that a later owner can end it. @throws SluiceError LEASE_LOST if
   * another process has the chunk now
   */
  async note(claim: Claim, session: string): Promise<void> {
    if (session === '') return
    const held = ownerValues(this.#owner, claim)
    const [, rows = []] = await this.#database.batch([
      { sql: `UPDATE migration_checkpoints SET session = ? WHERE ${IS_OWNED}`, parameters: [session, ...held] },
      ownerQuery(this.#owner, claim),
    ])
    if (rows.length === 0) throw leaseLost(claim)
  }

  /**
   * Chunks whose lease has expired, and chunks claimed in the name of this process that no worker copies: a service may
   * execute an unanswered claim long after another claim has replaced it.
   */
  async expired(): Promise<readonly StoredChunk[]> {
    const asked = this.#asked
    const quiet = asked === this.#answered
    const rows = await this.#database.all(
      `SELECT ${chunkColumns(this.#text)}
       FROM migration_checkpoints WHERE ${OF_TABLE} AND status = 'in_progress'
         AND (COALESCE(lease_until, 0) < ${this.#now} OR owner = ?)`,
      [...this.#identity, this.#owner.id],
    )
    // A chunk being claimed right now is not in `#copying` yet.
    const known = quiet && asked === this.#asked
    return rows
      .map(chunkOf)
      .filter(({ id, holder }) => holder?.id !== this.#owner.id || (known && !this.#copying.has(id)))
  }

  /** All claimed chunks, of any owner. */
  async claimedChunks(): Promise<readonly StoredChunk[]> {
    const rows = await this.#database.all(
      `SELECT ${chunkColumns(this.#text)} FROM migration_checkpoints WHERE ${OF_TABLE} AND status = 'in_progress' ORDER BY chunk_no, id`,
      this.#identity,
    )
    return rows.map(chunkOf)
  }

  /** Runs whose workers hold chunks of the table under a valid lease. */
  async busyRuns(): Promise<ReadonlySet<bigint>> {
    const rows = await this.#database.all(
      `SELECT DISTINCT CAST(run_id AS ${this.#text}) FROM migration_checkpoints
       WHERE ${OF_TABLE} AND status = 'in_progress' AND COALESCE(lease_until, 0) >= ${this.#now}`,
      this.#identity,
    )
    return new Set(rows.flatMap(([id]) => (id == null ? [] : [BigInt(String(id))])))
  }

  /** Notes that this chunk may be pending again: the next search starts at it, unless a smaller number is pending. */
  released(no: number): void {
    this.#search.released(no)
  }

  /** Frees a chunk of a dead owner; does nothing if the chunk has a new owner since. */
  async free(chunk: StoredChunk): Promise<void> {
    this.released(chunk.no)
    const sql = `UPDATE migration_checkpoints SET status = 'pending', ${this.#lease.released}, claim = NULL, next_try = 0
              WHERE id = ? AND COALESCE(fence, 0) = ? AND status = 'in_progress'`
    await runStatement(this.#database, sql, [chunk.id, chunk.fence])
  }

  /** Releases an unfinished chunk, after a stop or for a later retry. */
  async release(
    claim: Claim,
    waitMs: number,
    error: { readonly code: string; readonly message: string } | null,
  ): Promise<void> {
    this.released(claim.no)
    // No delay: use 0, independent of the server clock.
    const due = waitMs === 0 ? '?' : `${this.#now} + ?`
    const sql = `UPDATE migration_checkpoints SET status = 'pending', ${this.#lease.released}, claim = NULL,
                next_try = ${due}, error_code = ?, error_message = ? WHERE ${IS_OWNED}`
    await runStatement(this.#database, sql, [
      waitMs,
      error?.code ?? null,
      error === null ? null : storableError(error.message),
      ...ownerValues(this.#owner, claim),
    ])
  }

  /** Records that the chunk is given up, and why. @param startsAnew the next attempt writes all its rows again */
  async fail(
    claim: Claim,
    error: { readonly code: string; readonly message: string },
    startsAnew = false,
  ): Promise<void> {
    const cursor = startsAnew ? 'cursor_key = NULL, ' : ''
    const sql = `UPDATE migration_checkpoints SET ${cursor}status = 'failed', ${this.#lease.released}, claim = NULL, rows_quarantined = 0, error_code = ?, error_message = ?
              WHERE ${IS_OWNED}`
    const values = [error.code, storableError(error.message), ...ownerValues(this.#owner, claim)]
    await runStatement(this.#database, sql, values)
  }

  get #identity(): readonly [string, string] {
    return [this.#key.name, this.#key.schema]
  }

  get #text(): string {
    return this.#dialect.types.castText
  }
}

function leaseLost({ no }: Claim): SluiceError {
  return new SluiceError('LEASE_LOST', `another worker took over chunk ${no}`)
}

function guardLost(): SluiceError {
  return new SluiceError('LEASE_LOST', 'another program runs the stream of this table now', {
    hint: 'the other program copies the rest; this program writes nothing more',
    retryable: true,
  })
}

function claimOf(row: SqlRow): Claim {
  const [chunk, no, kind, lo, hi, start, end, fence, attempt, cursor, written] = row
  return {
    id: Number(chunk),
    no: Number(no),
    range: readRange([kind ?? null, lo ?? null, hi ?? null, start ?? null, end ?? null]),
    fence: Number(fence),
    attempt: Number(attempt),
    ...positionOf([cursor ?? null, written ?? null]),
  }
}

/** Heartbeat: extends the leases of all chunks that this process has claimed. */
export function renewal(database: LedgerDatabase, owner: string): Statement {
  const { sql, parameters } = leaseOf(database).renewed
  return {
    sql: `UPDATE migration_checkpoints SET ${sql} WHERE owner = ? AND status = 'in_progress'`,
    parameters: [...parameters, owner],
  }
}

function leaseOf({ dialect }: LedgerDatabase): LeaseSql {
  return new LeaseSql(LEASE_COLUMNS, databaseTimes(dialect, COPY_LEASE_MS))
}
