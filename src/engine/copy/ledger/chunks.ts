/**
 * Chunks of one table in the ledger: written down, claimed under a lease by the clock of the database, closed in the transaction of
 * their rows. Nothing is locked while a chunk is copied; whoever lost his chunk is told by the one statement that would close it.
 */
import { randomUUID } from 'node:crypto'
import type { Claim, ReadPoint, Tally } from '../../../model/copy/plan.ts'
import type { Digest, ProofScheme } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { BatchStep, Closing, LedgerDatabase, Statement } from '../../../stores/copy-port.ts'
import type { SqlRow, SqlValue } from '../../../stores/port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import { batchOnce } from './once.ts'
import type { Planning } from './planning.ts'
import { readRange, type StoredRange } from './keys.ts'
import { notedChange, prepareSurplusChanges } from './surplus-changes.ts'
import { CHUNK_COLUMN_NAMES } from './columns.ts'
import { ASIDE_CODE, BROKEN, chunkColumns, chunkOf, CLOSED, type StoredChunk } from './stored-chunk.ts'

/** How long a chunk belongs to an owner of whom nothing is heard, in milliseconds. */
export const LEASE_MS = 30_000

/** Which live copy a chunk belongs to: one table of the target. */
export type TableKey = { readonly schema: string; readonly name: string }

export type Owner = {
  /** Of this program, and of no other. */
  readonly id: string
  readonly host: string
  readonly pid: number
  readonly runId: bigint
}

/** The `no`th, from 1, `of` so many jobs that share a copy. */
export type Part = { readonly no: number; readonly of: number }

/** Which chunks of a table a run takes. */
export type Work = {
  /** Their numbers; null for all. */
  readonly only: readonly number[] | null
  /** They are taken in an order that this tells from others; by their numbers when null. */
  readonly seed: number | null
}

const IDENTITY = 'table_name = ? AND schema_name = ?'
/** A server takes a hundred parameters from some clients. */
const CHUNKS_A_STATEMENT = 8
const STATEMENTS_A_BATCH = 50
const IDS_A_STATEMENT = 90

export class ChunkLedger {
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

  /** All live chunks, in the order in which they were cut. */
  async all(): Promise<readonly StoredChunk[]> {
    const rows = await this.#database.all(
      `SELECT ${chunkColumns(this.#text)}
       FROM migration_checkpoints WHERE ${IDENTITY} ORDER BY chunk_no, id`,
      this.#identity,
    )
    return rows.map(chunkOf)
  }

  /** Writes new chunks down, numbered from `firstNo`. @throws SluiceError LEASE_LOST */
  async add(ranges: readonly StoredRange[], firstNo: number, planning: Planning): Promise<void> {
    for (const some of inBatches(this.#inserts(ranges, firstNo))) await planning.change(some)
  }

  /** Puts other chunks in the place of some, unless one of those is no longer pending. @returns whether it was done */
  async replace(
    old: readonly number[],
    ranges: readonly StoredRange[],
    firstNo: number,
    planning: Planning,
  ): Promise<boolean> {
    const groups = Array.from({ length: Math.ceil(old.length / IDS_A_STATEMENT) }, (_, i) =>
      old.slice(i * IDS_A_STATEMENT, (i + 1) * IDS_A_STATEMENT),
    )
    const among = (ids: readonly number[]): string => `id IN (${ids.map(() => '?').join(', ')})`
    const counts = await this.#database.batch(
      groups.map((ids) => ({
        sql: `SELECT COUNT(*) FROM migration_checkpoints WHERE ${among(ids)} AND status = 'pending'`,
        parameters: ids,
      })),
    )
    if (counts.reduce((sum, [row]) => sum + Number(row?.[0]), 0) !== old.length) return false
    await planning.change([
      ...groups.flatMap((ids) => this.#retire(among(ids), ids, 'cut again')),
      ...this.#inserts(ranges, firstNo),
    ])
    return true
  }

  /** Sends every chunk of the table to the history. @param planning where only whoever divides the table may do so */
  async retireAll(reason: string, planning: Planning | null): Promise<void> {
    const statements = this.#retire(IDENTITY, this.#identity, reason)
    await (planning === null ? batchOnce(this.#database, this.#owner.id, statements) : planning.change(statements))
  }

  /** Takes over what a ledger of the script holds for this table: its rows name no schema, and no kind of chunk. */
  async adopt(): Promise<void> {
    await this.#database.batch([
      {
        sql: `UPDATE migration_checkpoints SET schema_name = ?, kind = 'key', chunk_no = id,
                lo = CASE WHEN start_id IS NULL THEN NULL ELSE '["' || CAST(start_id - 1 AS ${this.#text}) || '"]' END,
                hi = CASE WHEN end_id IS NULL THEN NULL ELSE '["' || CAST(end_id AS ${this.#text}) || '"]' END,
                status = CASE WHEN status = 'completed' THEN 'completed' ELSE 'pending' END
              WHERE table_name = ? AND schema_name IS NULL`,
        parameters: [this.#key.schema, this.#key.name],
      },
    ])
  }

  /** A chunk that was done is to be copied once more. */
  async reopen(chunk: StoredChunk): Promise<void> {
    await this.#database.batch([
      {
        sql: `UPDATE migration_checkpoints SET status = 'pending', cursor_key = NULL, next_try = 0, surplus = NULL
              WHERE id = ? AND ${CLOSED} AND COALESCE(fence, 0) = ?`,
        parameters: [chunk.id, chunk.fence],
      },
    ])
  }

  /** Notes the proof of a chunk that somebody else copied. */
  async trust(
    chunk: StoredChunk,
    scheme: ProofScheme,
    source: Digest,
    target: Digest,
    point: ReadPoint,
  ): Promise<void> {
    await this.#database.batch([
      {
        sql: `UPDATE migration_checkpoints SET proof = ?, source_checksum = ?, target_checksum = ?, rows_read = ?, rows_written = ?,
                records_processed = ?, read_view = ?, read_at = ?, surplus = 0, run_id = ?, completed_ms = ${this.#now}
              WHERE id = ? AND status = 'completed' AND proof IS NULL`,
        parameters: [
          scheme,
          source.sum,
          target.sum,
          source.rows,
          source.rows,
          source.rows,
          point.view,
          point.at,
          this.#owner.runId,
          chunk.id,
        ],
      },
    ])
  }

  /**
   * Notes what a chunk came to that was compared once more.
   * @param hold nothing happens unless this program has the table to itself
   * @param also statements of the same transaction
   * @returns false where the chunk has changed hands since it was read
   */
  async proveAgain(
    chunk: StoredChunk,
    tally: Tally,
    proof: {
      readonly scheme: ProofScheme
      readonly source: Digest
      readonly target: Digest
      readonly point: ReadPoint
      /** Rows of the target less those of the source, as the ledger has it and as it is; null where the range is none of the target, or nobody has noted it. */
      readonly before: bigint | null
      readonly surplus: bigint | null
    },
    hold: Statement,
    also: readonly Statement[],
  ): Promise<boolean> {
    const mine = `id = ? AND COALESCE(fence, 0) = ? AND status IN ('completed', 'failed')`
    const held = { sql: `${mine} AND EXISTS (${hold.sql})`, parameters: [chunk.id, chunk.fence, ...hold.parameters] }
    const { before, surplus } = proof
    const noted: Statement[] = []
    if (before !== null && surplus !== null && before !== surplus) {
      await prepareSurplusChanges(this.#database)
      noted.push(notedChange(this.#database, this.#owner.runId, 'chunk', surplus, held))
    }
    const answers = await this.#database.batch([
      ...noted,
      {
        sql: `UPDATE migration_checkpoints SET status = ?, run_id = ?, records_processed = ?, rows_read = ?, rows_written = ?,
                rows_skipped = ?, rows_quarantined = ?, proof = ?, source_checksum = ?, target_checksum = ?, read_view = ?, read_position = ?,
                read_at = ?, surplus = ?, completed_ms = ${this.#now}, error_code = ?, error_message = ?
              WHERE ${held.sql}`,
        parameters: [
          tally.quarantined > 0n ? 'failed' : 'completed',
          this.#owner.runId,
          tally.written,
          tally.read,
          tally.written,
          tally.skipped,
          tally.quarantined,
          proof.scheme,
          proof.source.sum,
          proof.target.sum,
          proof.point.view,
          proof.point.position ?? null,
          proof.point.at,
          surplus,
          tally.quarantined > 0n ? ASIDE_CODE : null,
          tally.quarantined > 0n ? 'rows were refused, and wait in migration_quarantine' : null,
          ...held.parameters,
        ],
      },
      { sql: `SELECT 1 FROM migration_checkpoints WHERE ${held.sql}`, parameters: held.parameters },
      ...also,
    ])
    return (answers[noted.length + 1] ?? []).length > 0
  }

  /** Notes how many rows the target holds beyond the source, of chunks that nobody has touched since they were read from the ledger. */
  async noteSurplus(chunks: readonly { readonly chunk: StoredChunk; readonly surplus: bigint }[]): Promise<void> {
    const statements = chunks.map(({ chunk, surplus }) => ({
      sql: `UPDATE migration_checkpoints SET surplus = ? WHERE id = ? AND ${CLOSED} AND COALESCE(fence, 0) = ?`,
      parameters: [surplus, chunk.id, chunk.fence],
    }))
    for (const some of inBatches(statements)) await this.#database.batch(some)
  }

  /** Chunks that failed before are tried again. @param no only this one @returns how many there were */
  async reopenFailed(no: string | null = null): Promise<number> {
    const failed = `${IDENTITY} AND status = 'failed' AND ${BROKEN}${no === null ? '' : ` AND chunk_no = ${BigInt(no)}`}`
    const [[counted] = []] = await this.#database.batch([
      { sql: `SELECT COUNT(*) FROM migration_checkpoints WHERE ${failed}`, parameters: this.#identity },
      {
        sql: `UPDATE migration_checkpoints SET status = 'pending', next_try = 0 WHERE ${failed}`,
        parameters: this.#identity,
      },
    ])
    return Number(counted?.[0] ?? 0)
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
    const due = `${IDENTITY} AND status = 'pending' AND COALESCE(next_try, 0) <= ${this.#now}${this.#among(part, except)}`
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
      this.#held(claim),
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
      `SELECT status, COUNT(*) FROM migration_checkpoints WHERE ${IDENTITY}${this.#among(part, except)}
         AND (status <> 'failed' OR ${BROKEN}) GROUP BY status`,
      this.#identity,
    )
    const count = (status: string): number => Number(rows.find(([one]) => one === status)?.[1] ?? 0)
    return { pending: count('pending'), held: count('in_progress'), failed: count('failed') }
  }

  /** Says which session of the server writes the chunk, so that a successor can end it. @throws SluiceError LEASE_LOST where there is one already */
  async note(claim: Claim, session: string): Promise<void> {
    if (session === '') return
    const held = this.#held(claim)
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
       FROM migration_checkpoints WHERE ${IDENTITY} AND status = 'in_progress'
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
       WHERE ${IDENTITY} AND status = 'in_progress' AND COALESCE(lease_until, 0) >= ${this.#now}`,
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
        parameters: [waitMs, error?.code ?? null, error?.message ?? null, ...this.#held(claim)],
      },
    ])
  }

  async fail(claim: Claim, error: { readonly code: string; readonly message: string }): Promise<void> {
    await this.#database.batch([
      {
        sql: `UPDATE migration_checkpoints SET status = 'failed', owner = NULL, claim = NULL, lease_until = 0, error_code = ?, error_message = ?
              WHERE ${HELD}`,
        parameters: [error.code, error.message, ...this.#held(claim)],
      },
    ])
  }

  /** What closes a chunk, for the transaction of its rows. */
  closing(
    claim: Claim,
    tally: Tally,
    proof: {
      readonly scheme: ProofScheme
      readonly source: Digest | null
      readonly target: Digest | null
      readonly point: ReadPoint
      /** Rows of the target in the range less rows read; null where the target cannot be asked by it. */
      readonly surplus: bigint | null
      /** Why the first of its refused rows was; null where none was refused, or an attempt before this one knows. */
      readonly refused: string | null
    },
    end: { readonly hi: string | null; readonly endId: bigint | null } | null,
    also: readonly Statement[],
  ): Closing {
    const held = this.#held(claim)
    const aside = tally.quarantined > 0n
    const why = proof.refused === null ? '' : `; the first: ${proof.refused}`
    const edge = end === null ? '' : 'hi = ?, end_id = ?, '
    const close: Statement = {
      sql: `UPDATE migration_checkpoints SET ${edge}status = '${aside ? 'failed' : 'completed'}', records_processed = ?, rows_read = ?, rows_written = ?, rows_skipped = ?,
              rows_quarantined = ?, bytes = ?, surplus = ?, proof = ?, source_checksum = ?, target_checksum = ?, read_view = ?, read_position = ?, read_at = ?,
              completed_ms = ${this.#now}, lease_until = 0, error_code = ?, error_message = ? WHERE ${HELD}`,
      parameters: [
        ...(end === null ? [] : [end.hi, end.endId]),
        tally.written,
        tally.read,
        tally.written,
        tally.skipped,
        tally.quarantined,
        tally.bytes,
        proof.surplus,
        proof.scheme,
        proof.source?.sum ?? null,
        proof.target?.sum ?? null,
        proof.point.view,
        proof.point.position ?? null,
        proof.point.at,
        aside ? ASIDE_CODE : null,
        aside ? `rows were refused, and wait in migration_quarantine${why}` : null,
        ...held,
      ],
    }
    return {
      statements: [close, ...also],
      guard: { sql: `SELECT 1 FROM migration_checkpoints WHERE ${HELD}`, parameters: held },
      landed: {
        sql: `SELECT 1 FROM migration_checkpoints WHERE id = ? AND fence = ? AND owner = ? AND ${CLOSED}`,
        parameters: held,
      },
    }
  }

  /** Moves the cursor of a chunk whose target commits batch by batch. */
  step(claim: Claim, from: string | null, to: string, rows: number, bytes: number): BatchStep {
    const held = this.#held(claim)
    const at = from === null ? 'cursor_key IS NULL' : 'cursor_key = ?'
    return {
      guard: {
        sql: `SELECT 1 FROM migration_checkpoints WHERE ${HELD} AND ${at}`,
        parameters: from === null ? held : [...held, from],
      },
      advance: {
        sql: `UPDATE migration_checkpoints SET cursor_key = ?, rows_written = COALESCE(rows_written, 0) + ?, bytes = COALESCE(bytes, 0) + ?
              WHERE ${HELD}`,
        parameters: [to, rows, bytes, ...held],
      },
      landed: {
        sql: `SELECT 1 FROM migration_checkpoints WHERE ${HELD} AND cursor_key = ?`,
        parameters: [...held, to],
      },
    }
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

  #held(claim: Claim): readonly SqlValue[] {
    return [claim.id, claim.fence, this.#owner.id]
  }

  #inserts(ranges: readonly StoredRange[], firstNo: number): readonly Statement[] {
    const statements: Statement[] = []
    for (let at = 0; at < ranges.length; at += CHUNKS_A_STATEMENT) {
      const some = ranges.slice(at, at + CHUNKS_A_STATEMENT)
      statements.push({
        sql: `INSERT INTO migration_checkpoints (table_name, schema_name, start_id, end_id, status, records_processed, run_id, chunk_no, kind, lo, hi)
              VALUES ${some.map(() => "(?, ?, ?, ?, 'pending', 0, ?, ?, ?, ?, ?)").join(', ')}`,
        parameters: some.flatMap((range, i) => [
          ...this.#identity,
          range.startId,
          range.endId,
          this.#owner.runId,
          firstNo + at + i,
          range.kind,
          range.lo,
          range.hi,
        ]),
      })
    }
    return statements
  }

  #retire(where: string, parameters: SqlRow, reason: string): readonly Statement[] {
    const names = CHUNK_COLUMN_NAMES.join(', ')
    return [
      {
        sql: `INSERT INTO migration_chunk_history (${names}, reason, retired_ms)
              SELECT ${names}, '${reason}', ${this.#now} FROM migration_checkpoints WHERE ${where}`,
        parameters,
      },
      { sql: `DELETE FROM migration_checkpoints WHERE ${where}`, parameters },
    ]
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

const HELD = "id = ? AND fence = ? AND owner = ? AND status = 'in_progress'"

/** Statements are grouped so that no request grows without bound. */
function inBatches(statements: readonly Statement[]): readonly (readonly Statement[])[] {
  const batches: Statement[][] = []
  for (let at = 0; at < statements.length; at += STATEMENTS_A_BATCH) {
    batches.push(statements.slice(at, at + STATEMENTS_A_BATCH))
  }
  return batches
}

/** Says that this program lives: all that it holds stays its own for another lease. */
export function renewal(database: LedgerDatabase, owner: string): Statement {
  const { now } = ledgerDialect(database.dialect)
  return {
    sql: `UPDATE migration_checkpoints SET lease_until = ${now} + ? WHERE owner = ? AND status = 'in_progress'`,
    parameters: [LEASE_MS, owner],
  }
}
