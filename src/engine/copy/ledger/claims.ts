/**
 * Who works on which chunk of a table: claimed under a lease by the clock of the database, given back, or taken from somebody who is gone. Nothing is
 * locked while a chunk is copied.
 */
import { randomUUID } from 'node:crypto'
import type { Claim } from '../../../model/copy/plan.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { LedgerDatabase, Statement } from '../../../stores/copy-port.ts'
import type { SqlRow } from '../../../stores/port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import { readRange } from './keys.ts'
import { LEASE_MS, type Owner, type TableKey } from './owner.ts'
import { BROKEN, chunkColumns, chunkOf, HELD, heldBy, OF_TABLE, type StoredChunk } from './stored-chunk.ts'

/** The `no`th, from 1, `of` so many jobs that share a copy. */
export type Part = { readonly no: number; readonly of: number }

/** Which chunks of a table a run takes. */
export type Work = {
  /** Their numbers; null for all. */
  readonly only: readonly number[] | null
  /** They are taken in an order that this tells from others; by their numbers when null. */
  readonly seed: number | null
}

export class ChunkClaims {
  readonly #database: LedgerDatabase
  readonly #key: TableKey
  readonly #owner: Owner
  readonly #now: string
  readonly #skipLocked: string
  /** Chunks that workers of this program are busy with. */
  readonly #mine = new Set<number>()
  /** Claims that were asked for, and those that were answered. */
  #asked = 0
  #answered = 0
  #work: Work = { only: null, seed: null }

  constructor(database: LedgerDatabase, key: TableKey, owner: Owner) {
    this.#database = database
    this.#key = key
    this.#owner = owner
    const dialect = ledgerDialect(database.dialect)
    this.#now = dialect.now
    this.#skipLocked = dialect.skipLocked
  }

  /** Says which chunks this run takes, and in which order; all of them by their numbers where nothing is said. */
  work(work: Work): void {
    this.#work = work
  }

  /**
   * Takes the next pending chunk, smallest number first. Its fence grows, so that whoever held it before cannot close it.
   * @param part only every nth chunk, where several jobs share a copy
   * @param except numbers of chunks that are left alone
   * @returns null where none is due
   */
  async claim(part: Part | null, except: readonly string[] = []): Promise<Claim | null> {
    this.#asked++
    try {
      const claim = await this.#claim(part, except)
      if (claim !== null) this.#mine.add(claim.id)
      return claim
    } finally {
      this.#answered++
    }
  }

  /** Nobody here works on the chunk any more, whatever the ledger says of it. */
  drop({ id }: Claim): void {
    this.#mine.delete(id)
  }

  async #claim(part: Part | null, except: readonly string[]): Promise<Claim | null> {
    const token = randomUUID()
    const { id, host, pid, runId } = this.#owner
    const due = `${OF_TABLE} AND status = 'pending' AND COALESCE(next_try, 0) <= ${this.#now}${this.#among(part, except)}`
    const [, [row, ...more] = []] = await this.#database.batch([
      {
        sql: `UPDATE migration_checkpoints SET status = 'in_progress', owner = ?, host = ?, pid = ?, session = NULL, claim = ?, surplus = NULL,
                fence = COALESCE(fence, 0) + 1, attempt = COALESCE(attempt, 0) + 1, lease_until = ${this.#now} + ?, run_id = ?,
                started_ms = ${this.#now}, error_message = NULL, error_code = NULL
              WHERE id = (SELECT id FROM (SELECT id FROM migration_checkpoints WHERE ${due}
                ORDER BY ${order(this.#work)}chunk_no, id LIMIT 1 ${this.#skipLocked}) AS due) AND status = 'pending'`,
        parameters: [id, host, pid, token, LEASE_MS, runId, ...this.#identity],
      },
      {
        sql: `SELECT id, chunk_no, kind, lo, hi, CAST(start_id AS ${this.#text}), CAST(end_id AS ${this.#text}), fence, attempt, cursor_key,
                rows_written FROM migration_checkpoints WHERE claim = ? ORDER BY chunk_no, id`,
        parameters: [token],
      },
    ])
    // A batch that was run again because its answer got lost has taken one chunk each time.
    for (const other of more) await this.release(claimOf(other), 0, null)
    return row === undefined ? null : claimOf(row)
  }

  /** The same claim with the cursor where it is now. @throws SluiceError LEASE_LOST */
  async current(claim: Claim): Promise<Claim> {
    const [row] = await this.#database.all(
      `SELECT cursor_key, rows_written FROM migration_checkpoints WHERE ${HELD}`,
      heldBy(this.#owner, claim),
    )
    if (row === undefined) throw leaseLost(claim)
    return { ...claim, cursor: row[0] == null ? null : String(row[0]), written: BigInt(String(row[1] ?? 0)) }
  }

  /** Chunks that are not done yet, whoever holds them. @param except numbers of chunks that do not count */
  async left(
    part: Part | null,
    except: readonly string[] = [],
  ): Promise<{ readonly pending: number; readonly held: number; readonly failed: number }> {
    const rows = await this.#database.all(
      `SELECT status, COUNT(*) FROM migration_checkpoints WHERE ${OF_TABLE}${this.#among(part, except)}
         AND (status <> 'failed' OR ${BROKEN}) GROUP BY status`,
      this.#identity,
    )
    const count = (status: string): number => Number(rows.find(([one]) => one === status)?.[1] ?? 0)
    return { pending: count('pending'), held: count('in_progress'), failed: count('failed') }
  }

  /** Says which session of the server writes the chunk, so that a successor can end it. @throws SluiceError LEASE_LOST where there is one already */
  async note(claim: Claim, session: string): Promise<void> {
    if (session === '') return
    const held = heldBy(this.#owner, claim)
    const [, rows = []] = await this.#database.batch([
      { sql: `UPDATE migration_checkpoints SET session = ? WHERE ${HELD}`, parameters: [session, ...held] },
      { sql: `SELECT 1 FROM migration_checkpoints WHERE ${HELD}`, parameters: held },
    ])
    if (rows.length === 0) throw leaseLost(claim)
  }

  /**
   * Chunks in the hands of somebody whose lease has run out, and those that this program holds without knowing: a service may execute a claim
   * that it never answered when another one has long taken its place.
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
    // A chunk that is just being claimed is not known yet.
    const known = quiet && asked === this.#asked
    return rows.map(chunkOf).filter(({ id, owner }) => owner !== this.#owner.id || (known && !this.#mine.has(id)))
  }

  /** Runs whose workers hold chunks of the table, and whose leases have not run out. */
  async busyRuns(): Promise<ReadonlySet<bigint>> {
    const rows = await this.#database.all(
      `SELECT DISTINCT CAST(run_id AS ${this.#text}) FROM migration_checkpoints
       WHERE ${OF_TABLE} AND status = 'in_progress' AND COALESCE(lease_until, 0) >= ${this.#now}`,
      this.#identity,
    )
    return new Set(rows.flatMap(([id]) => (id == null ? [] : [BigInt(String(id))])))
  }

  /** Frees a chunk of an owner who is gone; nothing happens where it has changed hands since. */
  async free(chunk: StoredChunk): Promise<void> {
    await this.#database.batch([
      {
        sql: `UPDATE migration_checkpoints SET status = 'pending', owner = NULL, claim = NULL, next_try = 0
              WHERE id = ? AND COALESCE(fence, 0) = ? AND status = 'in_progress'`,
        parameters: [chunk.id, chunk.fence],
      },
    ])
  }

  /** Gives a chunk back unfinished: after a stop, or to try it again later. */
  async release(
    claim: Claim,
    waitMs: number,
    error: { readonly code: string; readonly message: string } | null,
  ): Promise<void> {
    // What is due at once is due whatever the clock of the server does meanwhile.
    const due = waitMs === 0 ? '?' : `${this.#now} + ?`
    await this.#database.batch([
      {
        sql: `UPDATE migration_checkpoints SET status = 'pending', owner = NULL, claim = NULL, lease_until = 0,
                next_try = ${due}, error_code = ?, error_message = ? WHERE ${HELD}`,
        parameters: [waitMs, error?.code ?? null, error?.message ?? null, ...heldBy(this.#owner, claim)],
      },
    ])
  }

  async fail(claim: Claim, error: { readonly code: string; readonly message: string }): Promise<void> {
    await this.#database.batch([
      {
        sql: `UPDATE migration_checkpoints SET status = 'failed', owner = NULL, claim = NULL, lease_until = 0, error_code = ?, error_message = ?
              WHERE ${HELD}`,
        parameters: [error.code, error.message, ...heldBy(this.#owner, claim)],
      },
    ])
  }

  get #identity(): readonly [string, string] {
    return [this.#key.name, this.#key.schema]
  }

  /** Which chunks a run takes. */
  #among(part: Part | null, except: readonly string[]): string {
    const { only } = this.#work
    return `${share(part)}${without(except)}${only === null ? '' : ` AND ${within(only)}`}`
  }

  get #text(): string {
    return ledgerDialect(this.#database.dialect).types.castText
  }
}

function leaseLost({ no }: Claim): SluiceError {
  return new SluiceError('LEASE_LOST', `another worker took over chunk ${no}`)
}

function claimOf(row: SqlRow): Claim {
  const [chunk, no, kind, lo, hi, start, end, fence, attempt, cursor, written] = row
  return {
    id: Number(chunk),
    no: Number(no),
    range: readRange([kind ?? null, lo ?? null, hi ?? null, start ?? null, end ?? null]),
    fence: Number(fence),
    attempt: Number(attempt),
    cursor: cursor == null ? null : String(cursor),
    written: BigInt(String(written ?? 0)),
  }
}

function share(part: Part | null): string {
  return part === null ? '' : ` AND (chunk_no - 1) % ${part.of} = ${part.no - 1}`
}

/** Numbers that follow one another as one comparison: a run may take thousands. */
function within(numbers: readonly number[]): string {
  const spans: [number, number][] = []
  for (const no of numbers.toSorted((a, b) => a - b)) {
    const last = spans.at(-1)
    if (last !== undefined && no <= last[1] + 1) last[1] = no
    else spans.push([no, no])
  }
  if (spans.length === 0) return '1 = 0'
  return `(${spans.map(([from, to]) => `chunk_no BETWEEN ${from} AND ${to}`).join(' OR ')})`
}

/** Two primes: numbers that follow one another come far apart, and none comes twice among the first ten thousand. */
const [STRIDE, AROUND] = [7919, 10_007]

function order({ seed }: Work): string {
  return seed === null ? '' : `((chunk_no + ${seed % AROUND}) % ${AROUND}) * ${STRIDE} % ${AROUND}, `
}

function without(numbers: readonly string[]): string {
  return numbers.length === 0 ? '' : ` AND chunk_no NOT IN (${numbers.map((no) => BigInt(no)).join(', ')})`
}

/** Says that this program lives: all that it holds stays its own for another lease. */
export function renewal(database: LedgerDatabase, owner: string): Statement {
  const { now } = ledgerDialect(database.dialect)
  return {
    sql: `UPDATE migration_checkpoints SET lease_until = ${now} + ? WHERE owner = ? AND status = 'in_progress'`,
    parameters: [LEASE_MS, owner],
  }
}
