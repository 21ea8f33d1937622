/**
 * Steps of a cutover between two databases, in the ledger of the database to which writers move. Each step updates one
 * row, only from its expected status and while this program owns the stream. So two programs never do the same step.
 */
import type { Closing, LedgerDatabase, Statement } from '../../../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../../../stores/ledger-dialect.ts'
import type { RunOwner } from '../../../copy/ledger/owner.ts'
import type { RecordedFacts } from '../cutover-ledger.ts'
import type { CutoverStatus } from '../cutover-row.ts'
import { clockOf, hasTable, runStatement } from '../../../copy/ledger/statement.ts'
import { documentOf } from './document.ts'

/** A stream that this program owns. */
export type OwnedStream = { readonly stream: string; readonly fence: number }

/** `position`: position up to which the ending stream is applied. */
export type ProvedFacts = Omit<RecordedFacts, 'document'> & {
  /** Start position of the reverse stream. */
  readonly reversePosition: string
}

const UNDER_WAY = `('preparing', 'closing', 'closed', 'proved')`

export class BetweenLedger {
  readonly #database: LedgerDatabase
  readonly #owner: RunOwner
  readonly #now: string

  constructor(database: LedgerDatabase, owner: RunOwner) {
    this.#database = database
    this.#owner = owner
    this.#now = ledgerDialect(database.dialect).now
  }

  /** Status and document of a cutover; null if the ledger does not have the cutover. */
  async stateOf(id: string): Promise<{ readonly status: CutoverStatus; readonly document: string | null } | null> {
    const [row] = await this.#database.all('SELECT status, document FROM migration_switches WHERE switch_id = ?', [id])
    if (row === undefined) return null
    return { status: String(row[0]) as CutoverStatus, document: row[1] == null ? null : String(row[1]) }
  }

  /**
   * Ids with which tokens of the stream's closings may begin: those of its cutovers, also of abandoned ones. Older
   * programs put the id of their run into the token.
   */
  async closings(stream: string): Promise<ReadonlySet<string>> {
    if (!(await hasTable(this.#database, 'migration_switches'))) return new Set()
    const rows = await this.#database.all('SELECT switch_id, document FROM migration_switches WHERE stream_id = ?', [
      stream,
    ])
    return new Set(
      rows.flatMap(([id, document]) => {
        const token = document == null ? undefined : documentOf(String(document)).token
        return [String(id), ...(token === undefined ? [] : [token.replace(/_.*/s, '')])]
      }),
    )
  }

  /** Query that returns a row while this program owns the stream, and the stream is active. */
  owned(stream: string): Statement {
    return {
      sql: `SELECT 1 FROM migration_streams WHERE stream_id = ? AND owner = ? AND status = 'active'`,
      parameters: [stream, this.#owner.id],
    }
  }

  /** Clock of the database, ms since the epoch. */
  now(): Promise<number> {
    return clockOf(this.#database)
  }

  /** Call it before closing the source's table to writers. @returns false if another program continues the cutover */
  closing(id: string, ownedStream: OwnedStream, document: string): Promise<boolean> {
    return this.#moved(id, ownedStream, 'preparing', 'closing', document, [])
  }

  /** @param fence position up to which the stream must be applied @returns as `closing` */
  closed(id: string, ownedStream: OwnedStream, document: string, fence: string): Promise<boolean> {
    return this.#moved(id, ownedStream, 'closing', 'closed', document, [['log_position', fence]])
  }

  /** @returns as `closing` */
  proved(id: string, ownedStream: OwnedStream, document: string, facts: ProvedFacts): Promise<boolean> {
    return this.#moved(id, ownedStream, 'closed', 'proved', document, [
      ['log_position', facts.position],
      ['reverse_position', facts.reversePosition],
      ['tries', facts.tries],
      ['pause_ms', facts.pauseMs],
      ['proved_rows', facts.provedRows],
    ])
  }

  /**
   * Withdraws the attempt: after this no program opens the target to writers, and the source may be opened again.
   * @param to `preparing` if another attempt follows
   * @returns status of the row after that: the requested one, or `switched` or later if the target was opened before
   */
  async withdraw(id: string, ownedStream: OwnedStream, to: 'preparing' | 'given up'): Promise<CutoverStatus> {
    const { sql, parameters } = this.#isOwned(ownedStream, 'in whatever state')
    const ended = to === 'given up' ? `, ended_ms = ${this.#now}` : ''
    const [, rows] = await this.#database.batch([
      {
        sql: `UPDATE migration_switches SET status = ?${ended} WHERE switch_id = ? AND status IN ${UNDER_WAY} AND ${sql}`,
        parameters: [to, id, ...parameters],
      },
      { sql: 'SELECT status FROM migration_switches WHERE switch_id = ?', parameters: [id] },
    ])
    return String(rows?.[0]?.[0] ?? 'given up') as CutoverStatus
  }

  /** For the transaction that opens the target: marks the cutover as done and its stream as ended. */
  opening(id: string, ownedStream: OwnedStream): Closing {
    const { sql, parameters } = this.#isOwned(ownedStream)
    const now = this.#now
    return {
      statements: [
        {
          sql: `UPDATE migration_switches SET status = 'switched', run_id = ?, switched_ms = ${now} WHERE switch_id = ? AND status = 'proved' AND ${sql}`,
          parameters: [this.#owner.runId, id, ...parameters],
        },
        {
          sql: `UPDATE migration_streams SET status = 'ended', ended_ms = ${now} WHERE stream_id = ?`,
          parameters: [ownedStream.stream],
        },
      ],
      guard: {
        sql: `SELECT 1 FROM migration_switches WHERE switch_id = ? AND status = 'proved' AND ${sql}`,
        parameters: [id, ...parameters],
      },
      landed: {
        sql: `SELECT 1 FROM migration_switches WHERE switch_id = ? AND status IN ('switched', 'announced', 'done')`,
        parameters: [id],
      },
    }
  }

  /** Records that users know the new address. */
  async announced(id: string): Promise<void> {
    const sql = `UPDATE migration_switches SET status = 'announced' WHERE switch_id = ? AND status = 'switched'`
    await runStatement(this.#database, sql, [id])
  }

  /**
   * Records that the earlier stream is removed completely, and that the reverse stream is in the ledger of its target.
   */
  async done(id: string): Promise<void> {
    const sql = `UPDATE migration_switches SET status = 'done', ended_ms = ${this.#now} WHERE switch_id = ? AND status IN ('switched', 'announced')`
    await runStatement(this.#database, sql, [id])
  }

  async #moved(
    id: string,
    held: OwnedStream,
    from: CutoverStatus,
    to: CutoverStatus,
    document: string,
    facts: readonly (readonly [string, string | number | bigint])[],
  ): Promise<boolean> {
    const { sql, parameters } = this.#isOwned(held)
    const set = facts.map(([column]) => `, ${column} = ?`).join('')
    const [, rows] = await this.#database.batch([
      {
        sql: `UPDATE migration_switches SET status = ?, document = ?${set} WHERE switch_id = ? AND status = ? AND ${sql}`,
        parameters: [to, document, ...facts.map(([, value]) => value), id, from, ...parameters],
      },
      { sql: 'SELECT status, document FROM migration_switches WHERE switch_id = ?', parameters: [id] },
    ])
    // A batch may run twice: the second UPDATE then finds another status. The document identifies the attempt.
    return rows?.[0]?.[0] === to && rows[0][1] === document
  }

  /** Condition: this program owns the stream. Only opening the target also needs an active stream. */
  #isOwned({ stream, fence }: OwnedStream, state: 'active' | 'in whatever state' = 'active'): Statement {
    const isActive = state === 'active' ? ` AND s.status = 'active'` : ''
    return {
      sql: `EXISTS (SELECT 1 FROM migration_streams s WHERE s.stream_id = ? AND s.owner = ? AND s.fence = ?${isActive})`,
      parameters: [stream, this.#owner.id, fence],
    }
  }
}
