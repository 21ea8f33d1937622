/** Writes cutovers to the ledger, one row each. The last step updates the streams in the switching transaction. */
import type { Closing, LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import type { StreamStart } from '../../../model/follow/port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import { makeLateTable } from '../../copy/ledger/late-tables.ts'
import type { RunOwner, TableKey } from '../../copy/ledger/owner.ts'
import { readCutovers, storedDocument, type CutoverRow } from './cutover-row.ts'
import { runStatement } from '../../copy/ledger/statement.ts'

/** A cutover that is about to happen. */
export type PreparedCutover = Pick<
  CutoverRow,
  'id' | 'stream' | 'reverse' | 'turn' | 'publicTable' | 'takenTable' | 'oldTable' | 'actor'
> & { readonly tool: string }

/** The stream that keeps the old table equal after the cutover. */
export type ReverseStream = {
  readonly source: string
  readonly sourceIdentity: string
  /** The options of an equivalent `copy --follow`, JSON. */
  readonly wishes: string
  /** Start record of the stream; recorded cutovers have it under this name. */
  readonly birth: StreamStart
  /** Start position. */
  readonly position: string
  /** The old table, as the ledger names tables of the target. */
  readonly key: TableKey
  /** Name of the table that the stream reads, `tableText`. */
  readonly sourceTable: string
  /** Version of the program that created the stream. */
  readonly tool?: string
}

export type RecordedFacts = {
  /** Position up to which the earlier stream was applied. */
  readonly position: string
  readonly tries: number
  readonly pauseMs: number
  readonly provedRows: bigint
  /** Cutover checks, findings and proof, JSON. */
  readonly document: string
}

export class CutoverLedger {
  readonly #database: LedgerDatabase
  readonly #owner: RunOwner
  readonly #now: string

  constructor(database: LedgerDatabase, owner: RunOwner) {
    this.#database = database
    this.#owner = owner
    this.#now = ledgerDialect(database.dialect).now
  }

  all(): Promise<readonly CutoverRow[]> {
    return readCutovers(this.#database)
  }

  async find(id: string): Promise<CutoverRow | null> {
    return (await this.all()).find((row) => row.id === id) ?? null
  }

  /** The cutover's document; null if it wrote none. */
  document(id: string): Promise<string | null> {
    return storedDocument(this.#database, id)
  }

  /**
   * Records the cutover before anything is created for it; called by the owner of its stream.
   * @param document of a cutover between two databases
   */
  async begin(coming: PreparedCutover, document: string | null = null): Promise<void> {
    await makeLateTable(this.#database, 'migration_switches')
    const { id, stream, reverse, turn, publicTable, takenTable, oldTable, actor, tool } = coming
    await this.#database.batch([
      {
        sql: `DELETE FROM migration_switches WHERE switch_id = ? AND status IN ('preparing', 'given up')`,
        parameters: [id],
      },
      {
        sql: `INSERT INTO migration_switches (switch_id, stream_id, reverse_stream_id, run_id, turn, status, public_table, taken_table, parked_table, begun_ms, actor, tool, document)
              VALUES (?, ?, ?, ?, ?, 'preparing', ?, ?, ?, ${this.#now}, ?, ?, ?)`,
        parameters: [
          id,
          stream,
          reverse,
          this.#owner.runId,
          turn,
          publicTable,
          takenTable,
          oldTable,
          actor,
          tool,
          document,
        ],
      },
    ])
  }

  /** Records that the cutover did not happen, and that everything created for it is removed. */
  async giveUp(id: string): Promise<void> {
    const sql = `UPDATE migration_switches SET status = 'given up', ended_ms = ${this.#now} WHERE switch_id = ? AND status = 'preparing'`
    await runStatement(this.#database, sql, [id])
  }

  /** Records that slot and publication of the earlier stream are removed. */
  async done(id: string): Promise<void> {
    const sql = `UPDATE migration_switches SET status = 'done', ended_ms = ${this.#now} WHERE switch_id = ? AND status = 'switched'`
    await runStatement(this.#database, sql, [id])
  }

  /** Records how long other sessions waited for the cutover, ms. */
  async noteWait(id: string, pauseMs: number): Promise<void> {
    const sql = 'UPDATE migration_switches SET pause_ms = ? WHERE switch_id = ?'
    await runStatement(this.#database, sql, [pauseMs, id])
  }

  /** For the switching transaction: ends the earlier stream and begins the reverse one. @param fence fencing token */
  closing(
    { id, stream, reverse }: Pick<CutoverRow, 'id' | 'stream' | 'reverse'>,
    fence: number,
    next: ReverseStream,
    facts: RecordedFacts,
    tool: string,
  ): Closing {
    const now = this.#now
    const held = [stream, this.#owner.id, fence]
    const isHeld = `stream_id = ? AND owner = ? AND fence = ? AND status = 'active'`
    return {
      statements: [
        {
          sql: `UPDATE migration_streams SET status = 'ended', ended_ms = ${now} WHERE ${isHeld}`,
          parameters: held,
        },
        ...this.#begun(reverse, next, tool),
        {
          sql: `UPDATE migration_switches SET status = 'switched', log_position = ?, reverse_position = ?, tries = ?, pause_ms = ?, proved_rows = ?,
                  document = ?, run_id = ?, switched_ms = ${now} WHERE switch_id = ? AND status = 'preparing'`,
          parameters: [
            facts.position,
            next.position,
            facts.tries,
            facts.pauseMs,
            facts.provedRows,
            facts.document,
            this.#owner.runId,
            id,
          ],
        },
      ],
      guard: { sql: `SELECT 1 FROM migration_streams WHERE ${isHeld}`, parameters: held },
      landed: {
        sql: `SELECT 1 FROM migration_switches WHERE switch_id = ? AND status IN ('switched', 'done')`,
        parameters: [id],
      },
    }
  }

  /** Inserts a stream whose cutover happened in another database. Idempotent. */
  async noteReverse(id: string, next: ReverseStream): Promise<void> {
    const [first] = await this.#database.all('SELECT 1 FROM migration_streams WHERE stream_id = ?', [id])
    if (first === undefined) await this.#database.batch(this.#begun(id, next, next.tool ?? ''))
  }

  /** Inserts a stream whose only table already holds all rows, and that no program runs yet. */
  #begun(id: string, next: ReverseStream, tool: string): readonly Statement[] {
    const now = this.#now
    const { source, sourceIdentity, wishes, birth: startRecord, position, key, sourceTable } = next
    return [
      {
        sql: `INSERT INTO migration_streams (stream_id, status, run_id, source, source_identity, wishes, birth, tool, created_ms, fence)
              VALUES (?, 'active', ?, ?, ?, ?, ?, ?, ${now}, 1)`,
        parameters: [id, this.#owner.runId, source, sourceIdentity, wishes, JSON.stringify(startRecord), tool],
      },
      {
        sql: `INSERT INTO migration_stream_tables (stream_id, schema_name, table_name, source_table, lane, state, fence_position, changed_ms)
              VALUES (?, ?, ?, ?, 0, 'live', ?, ${now})`,
        parameters: [id, key.schema, key.name, sourceTable, position],
      },
      {
        sql: `INSERT INTO migration_stream_lanes (stream_id, lane, log_position, batches, transactions, counts, fence) VALUES (?, 0, ?, 0, 0, '{}', 1)`,
        parameters: [id, position],
      },
    ]
  }
}
