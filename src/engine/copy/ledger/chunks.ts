/** Chunks of one table in the ledger: insert, divide, move to the history, reopen. */
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import { ledgerDialect, type LedgerDialect } from '../../../stores/ledger-dialect.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { ChunkClaims } from './claims.ts'
import { insertStatements } from './chunk-inserts.ts'
import { CHUNK_COLUMN_NAMES } from './columns.ts'
import type { StoredRange } from './keys.ts'
import { batchOnce } from './once.ts'
import type { RunOwner, TableKey } from './owner.ts'
import type { Planning } from './planning.ts'
import { NOT_QUARANTINED, chunkColumns, chunkOf, CLOSED, OF_TABLE, proofIn, type StoredChunk } from './stored-chunk.ts'
import { runStatement } from './statement.ts'
import { endedKeyless } from './quarantine.ts'

const STATEMENTS_A_BATCH = 50
/** Chunks per read. */
const PAGE = 1000
const IDS_A_STATEMENT = 90

export type ChunkLedgerTotals = {
  readonly chunks: bigint
  /** Completed chunks. */
  readonly closed: { readonly chunks: bigint; readonly written: bigint; readonly weak: bigint }
  readonly written: bigint
  /** Rows that should be in the target: per chunk the written rows, or read rows plus surplus if that is less. */
  readonly kept: bigint
  /** True if any chunk was ever claimed. */
  readonly isBegun: boolean
  /** Largest chunk number; 0 if there is none. */
  readonly last: bigint
}

export class ChunkLedger {
  /** Claims of these chunks. */
  readonly claims: ChunkClaims
  readonly #database: LedgerDatabase
  readonly #key: TableKey
  readonly #owner: RunOwner
  readonly #dialect: LedgerDialect
  readonly #now: string

  constructor(database: LedgerDatabase, key: TableKey, owner: RunOwner) {
    this.claims = new ChunkClaims(database, key, owner)
    this.#database = database
    this.#key = key
    this.#owner = owner
    this.#dialect = ledgerDialect(database.dialect)
    this.#now = this.#dialect.now
  }

  /**
   * Live chunks in pages, in the order of insertion: a ledger may have more of them than memory holds. Each chunk is
   * returned once, in the state that it had when its page was read, even if other processes change chunks meanwhile.
   * @param condition condition on columns of the ledger
   * @param size chunks per read
   */
  async *pages(condition: string | null = null, size = PAGE): AsyncGenerator<readonly StoredChunk[]> {
    for (let last = 0; ;) {
      const chunks = await this.page(last, condition, size)
      if (chunks.length > 0) yield chunks
      if (chunks.length < size) return
      last = chunks.at(-1)?.id ?? last
    }
  }

  /** The first chunks after an id. @returns fewer than `size` if no more follow */
  async page(afterId: number, condition: string | null = null, size = PAGE): Promise<readonly StoredChunk[]> {
    const also = condition === null ? '' : ` AND ${condition}`
    const rows = await this.#database.all(
      `SELECT ${chunkColumns(this.#text)} FROM migration_checkpoints WHERE ${OF_TABLE} AND id > ${afterId}${also} ORDER BY id LIMIT ${size}`,
      this.#identity,
    )
    return rows.map(chunkOf)
  }

  /** As `pages`, but returns chunk by chunk. */
  async *each(condition: string | null = null, size = PAGE): AsyncGenerator<StoredChunk> {
    for await (const chunks of this.pages(condition, size)) yield* chunks
  }

  /** As `pages`, but returns one list. */
  async some(condition: string): Promise<readonly StoredChunk[]> {
    const chunks: StoredChunk[] = []
    for await (const page of this.pages(condition)) chunks.push(...page)
    return chunks
  }

  /** @param condition condition on columns of the ledger */
  async has(condition: string): Promise<boolean> {
    const sql = `SELECT 1 FROM migration_checkpoints WHERE ${OF_TABLE} AND ${condition} LIMIT 1`
    return (await this.#database.all(sql, this.#identity)).length > 0
  }

  /** Largest number of a live chunk; 0 if there is none. */
  async lastNo(): Promise<number> {
    const sql = `SELECT MAX(chunk_no) FROM migration_checkpoints WHERE ${OF_TABLE}`
    const [row] = await this.#database.all(sql, this.#identity)
    return Number(row?.[0] ?? 0)
  }

  /** Totals of all live chunks. @param weak proof kinds of the chunks to count in `closed.weak` */
  async totals(weak: readonly string[] = []): Promise<ChunkLedgerTotals> {
    const sum = (what: string): string => `CAST(COALESCE(SUM(${what}), 0) AS ${this.#text})`
    const isWeak = proofIn(weak)
    const [written, kept] = ['COALESCE(rows_written, 0)', 'COALESCE(rows_read, 0) + surplus']
    const [row = []] = await this.#database.all(
      `SELECT COUNT(*), ${sum(`CASE WHEN ${CLOSED} THEN 1 ELSE 0 END`)}, ${sum(`CASE WHEN ${CLOSED} THEN ${written} ELSE 0 END`)},
         ${sum(written)}, ${sum(`CASE WHEN surplus IS NOT NULL AND ${kept} < ${written} THEN ${kept} ELSE ${written} END`)}, COALESCE(MAX(attempt), 0),
         COALESCE(MAX(chunk_no), 0), ${sum(`CASE WHEN ${CLOSED} AND ${isWeak} THEN 1 ELSE 0 END`)}
       FROM migration_checkpoints WHERE ${OF_TABLE}`,
      this.#identity,
    )
    const whole = (at: number): bigint => BigInt(String(row[at] ?? 0))
    return {
      chunks: whole(0),
      closed: { chunks: whole(1), written: whole(2), weak: whole(7) },
      written: whole(3),
      kept: whole(4),
      isBegun: whole(5) > 0n,
      last: whole(6),
    }
  }

  /** Rows read from the source: `before` in all chunks, `ours` in those that this run completed. */
  async readRows(runId: bigint): Promise<{ readonly before: bigint; readonly ours: bigint }> {
    const own = `CASE WHEN run_id = ${runId} AND ${CLOSED} THEN 0 ELSE 1 END`
    const [row] = await this.#database.all(
      `SELECT CAST(SUM(COALESCE(rows_read, 0)) AS ${this.#text}), CAST(SUM(COALESCE(rows_read, 0) * ${own}) AS ${this.#text})
       FROM migration_checkpoints WHERE ${OF_TABLE}`,
      this.#identity,
    )
    const [before, others] = [BigInt(String(row?.[0] ?? 0)), BigInt(String(row?.[1] ?? 0))]
    return { before, ours: before - others }
  }

  /** Surplus of a table that is counted as a whole, caused by quarantined rows of its chunks; may be negative. */
  async quarantinedSurplus(): Promise<bigint> {
    const whole = (column: string): string => `COALESCE(${column}, 0)`
    const [row] = await this.#database.all(
      `SELECT CAST(SUM(COALESCE(surplus, ${whole('rows_written')} + ${whole('rows_skipped')} - ${whole('rows_read')})) AS ${this.#text})
       FROM migration_checkpoints WHERE ${OF_TABLE}`,
      this.#identity,
    )
    return BigInt(String(row?.[0] ?? 0))
  }

  /** Inserts new chunks, numbered from `firstNo`. @throws SluiceError LEASE_LOST */
  async add(ranges: readonly StoredRange[], firstNo: number, planning: Planning): Promise<void> {
    for (const some of inBatches(this.#inserts(ranges, firstNo))) await planning.change(some)
  }

  /** Replaces chunks by others. @returns false if one of them is no longer pending: then nothing was changed */
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

  /**
   * Moves all chunks of the table to the history, before it is copied again.
   * @param planning lease that this process must own; null: no lease is required
   */
  async retireAll(reason: string, planning: Planning | null): Promise<void> {
    const statements = [...this.#retire(OF_TABLE, this.#identity, reason), endedKeyless(this.#database, this.#key)]
    await (planning === null ? batchOnce(this.#database, this.#owner.id, statements) : planning.change(statements))
  }

  /** Adds schema, kind, number and bounds of the chunks to ledger rows that the script wrote for this table. */
  async adopt(): Promise<void> {
    const sql = `UPDATE migration_checkpoints SET schema_name = ?, kind = 'key', chunk_no = id,
                lo = CASE WHEN start_id IS NULL THEN NULL ELSE '["' || CAST(start_id - 1 AS ${this.#text}) || '"]' END,
                hi = CASE WHEN end_id IS NULL THEN NULL ELSE '["' || CAST(end_id AS ${this.#text}) || '"]' END,
                status = CASE WHEN status = 'completed' THEN 'completed' ELSE 'pending' END
              WHERE table_name = ? AND schema_name IS NULL`
    await runStatement(this.#database, sql, [this.#key.schema, this.#key.name])
  }

  /** Makes a completed chunk pending again, unless it has changed since it was read. */
  async reopen(chunk: StoredChunk): Promise<void> {
    this.claims.released(chunk.no)
    const sql = `UPDATE migration_checkpoints SET status = 'pending', cursor_key = NULL, next_try = 0, surplus = NULL
              WHERE id = ? AND ${CLOSED} AND COALESCE(fence, 0) = ?`
    await runStatement(this.#database, sql, [chunk.id, chunk.fence])
  }

  /** Records the surplus of chunks that did not change since they were read from the ledger. */
  async noteSurplus(chunks: readonly { readonly chunk: StoredChunk; readonly surplus: bigint }[]): Promise<void> {
    const statements = chunks.map(({ chunk, surplus }) => ({
      sql: `UPDATE migration_checkpoints SET surplus = ? WHERE id = ? AND ${CLOSED} AND COALESCE(fence, 0) = ?`,
      parameters: [surplus, chunk.id, chunk.fence],
    }))
    for (const some of inBatches(statements)) await this.#database.batch(some)
  }

  /**
   * Makes failed chunks pending again. @param no number of the only chunk to reopen; null: all of them @returns number
   * of reopened chunks
   */
  async reopenFailed(no: string | null = null): Promise<number> {
    this.claims.released(0)
    const failed = `${OF_TABLE} AND status = 'failed' AND ${NOT_QUARANTINED}${no === null ? '' : ` AND chunk_no = ${BigInt(no)}`}`
    const [[counted] = []] = await this.#database.batch([
      { sql: `SELECT COUNT(*) FROM migration_checkpoints WHERE ${failed}`, parameters: this.#identity },
      {
        sql: `UPDATE migration_checkpoints SET status = 'pending', next_try = 0 WHERE ${failed}`,
        parameters: this.#identity,
      },
    ])
    return Number(counted?.[0] ?? 0)
  }

  get #identity(): readonly [string, string] {
    return [this.#key.name, this.#key.schema]
  }

  get #text(): string {
    return this.#dialect.types.castText
  }

  #inserts(ranges: readonly StoredRange[], firstNo: number): readonly Statement[] {
    return insertStatements(this.#database, this.#key, this.#owner.runId, ranges, firstNo)
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

/** Groups statements so that no request grows without limit. */
function inBatches(statements: readonly Statement[]): readonly (readonly Statement[])[] {
  const batches: Statement[][] = []
  for (let at = 0; at < statements.length; at += STATEMENTS_A_BATCH) {
    batches.push(statements.slice(at, at + STATEMENTS_A_BATCH))
  }
  return batches
}
