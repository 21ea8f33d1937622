/**
 * A comparison round that several programs share: its snapshots and ranges are in the target's ledger. The stream's
 * owner holds the snapshots, and begins and ends the round; other programs take ranges under a lease. A result is
 * accepted only if its range was not taken again after the lease expired, although both results would be equal.
 */
import { randomUUID } from 'node:crypto'
import type { Range } from '../../../model/copy/range.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { endedOwnerId, storedLeaseOwner, LEASE_COLUMNS, ownerColumns } from '../../../stores/common/lease/columns.ts'
import { databaseTimes, LeaseSql } from '../../../stores/common/lease/sql.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import { isMissingTable } from '../../../stores/common/late-table.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { makeLateTable } from '../../copy/ledger/late-tables.ts'
import { COPY_LEASE_MS, type RunOwner } from '../../copy/ledger/owner.ts'
import type { RangeResult } from '../compare/range-answer.ts'
import type { FollowTable } from '../stream/followed-table.ts'
import { runStatement } from '../../copy/ledger/statement.ts'

/** Ranges per INSERT. */
const AT_ONCE = 200
/** After this many attempts other programs leave a range to the stream's owner, which reports the error. */
export const TRIES = 2

/** Facts of a table that a comparison needs. */
type ComparedTable = Pick<FollowTable, 'plan' | 'targetWhere'>

/** Marks a bigint, for which JSON has no type. No column option or setting has a name that begins like that. */
const INTEGER = '$integer'

/** A round as other programs find it. @property sourceSnapshot @property targetSnapshot as in `SourceView.exported` */
export type SharedRound = {
  readonly id: string
  readonly sourceSnapshot: string
  readonly targetSnapshot: string
  readonly tables: readonly ComparedTable[]
}

/** Tables of a stream as text, so that other programs compare the same columns under the same conditions. */
function tablesText(tables: readonly ComparedTable[]): string {
  const kept = tables.map(({ plan, targetWhere }) => ({ plan, targetWhere }))
  return JSON.stringify(kept, (_name, value: unknown) =>
    typeof value === 'bigint' ? { [INTEGER]: value.toString() } : value,
  )
}

function tablesOf(text: string): readonly ComparedTable[] {
  return JSON.parse(text, (_name, value: unknown) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, INTEGER)) return value
    return BigInt((value as Record<string, string>)[INTEGER] ?? '')
  }) as ComparedTable[]
}

/** @property table its number in the round */
export type ProofRange = { readonly no: number; readonly table: number; readonly range: Range }
/** A range that this program has taken. @property claim random id: only a result with the present id is accepted */
export type ClaimedRange = ProofRange & { readonly claim: string }
export type AnsweredRange = {
  readonly no: number
  readonly table: number
  /** True if this program compared the range. */
  readonly isOwn: boolean
  readonly answer: RangeResult
}

/** Maximum rows per range that are reported with values; of further rows only the key is needed, to read them again. */
const WITH_VALUES = 100

export class RoundLedger {
  readonly #database: LedgerDatabase
  readonly #owner: RunOwner
  readonly #lease: LeaseSql
  readonly #now: string
  readonly #skipLocked: string

  constructor(database: LedgerDatabase, owner: RunOwner) {
    this.#database = database
    this.#owner = owner
    this.#lease = new LeaseSql(LEASE_COLUMNS, databaseTimes(database.dialect, COPY_LEASE_MS))
    const { now, skipLocked } = ledgerDialect(database.dialect)
    this.#now = now
    this.#skipLocked = skipLocked
  }

  /**
   * Begins a round, and ends any other round of the stream.
   * @param sharedRun the same for all programs that share the round
   * @returns id of the round
   */
  async begin(stream: string, sharedRun: string, round: Omit<SharedRound, 'id'>): Promise<string> {
    for (const name of ['migration_proof_ranges', 'migration_proof_rounds'] as const)
      await makeLateTable(this.#database, name)
    const id = randomUUID()
    await this.#database.batch([
      ...removed(stream),
      {
        sql: `INSERT INTO migration_proof_rounds (stream_id, round_id, shared_run, run_id, source_snapshot, target_snapshot, tables, begun_ms)
              VALUES (?, ?, ?, ?, ?, ?, ?, ${this.#now})`,
        parameters: [
          stream,
          id,
          sharedRun,
          this.#owner.runId,
          round.sourceSnapshot,
          round.targetSnapshot,
          tablesText(round.tables),
        ],
      },
    ])
    return id
  }

  /** Ends the rounds of a stream: no program takes a range after that, and pending results are discarded. */
  async end(stream: string): Promise<void> {
    await this.#database.batch(removed(stream))
  }

  /** @returns null if no round is open */
  async openRound(sharedRun: string): Promise<SharedRound | null> {
    try {
      const [row] = await this.#database.all(
        'SELECT round_id, source_snapshot, target_snapshot, tables FROM migration_proof_rounds WHERE shared_run = ?',
        [sharedRun],
      )
      if (row === undefined) return null
      const [id, sourceSnapshot, targetSnapshot, tables] = row.map(String)
      return {
        id: id ?? '',
        sourceSnapshot: sourceSnapshot ?? '',
        targetSnapshot: targetSnapshot ?? '',
        tables: tablesOf(tables ?? '[]'),
      }
    } catch (error) {
      if (isMissingTable(error)) return null
      throw error
    }
  }

  /** True if a round is still open. */
  async isOpen(round: string): Promise<boolean> {
    const rows = await this.#database.all('SELECT 1 FROM migration_proof_rounds WHERE round_id = ?', [round])
    return rows.length > 0
  }

  async add(round: string, ranges: readonly ProofRange[]): Promise<void> {
    for (let at = 0; at < ranges.length; at += AT_ONCE) {
      const some = ranges.slice(at, at + AT_ONCE)
      const values = some.map(() => "(?, ?, ?, ?, 'open', 0)").join(', ')
      const sql = `INSERT INTO migration_proof_ranges (round_id, range_no, table_no, wanted, status, tries) VALUES ${values}
                ON CONFLICT DO NOTHING`
      await runStatement(
        this.#database,
        sql,
        some.flatMap(({ no, table, range }): SqlRow => [round, no, table, JSON.stringify(range)]),
      )
    }
  }

  /** Takes the next free range. @param tries skips ranges with this many attempts @returns null if no range is free */
  async claim(round: string, tries: number | null): Promise<ClaimedRange | null> {
    const claim = randomUUID()
    const taken = this.#lease.taken(this.#owner)
    const among = tries === null ? '' : ` AND tries < ${tries}`
    const next = `SELECT range_no FROM migration_proof_ranges
      WHERE round_id = ? AND (status = 'open' OR (status = 'held' AND COALESCE(lease_until, 0) < ${this.#now}))${among}
      ORDER BY range_no LIMIT 1 ${this.#skipLocked}`
    const [, [row] = []] = await this.#database.batch([
      {
        sql: `UPDATE migration_proof_ranges SET status = 'held', ${taken.sql}, claim = ?, tries = tries + 1
              WHERE round_id = ? AND range_no = (SELECT range_no FROM (${next}) AS due)`,
        parameters: [...taken.parameters, claim, round, round],
      },
      {
        sql: 'SELECT range_no, table_no, wanted FROM migration_proof_ranges WHERE round_id = ? AND claim = ?',
        parameters: [round, claim],
      },
    ])
    if (row === undefined) return null
    return { no: Number(row[0]), table: Number(row[1]), range: JSON.parse(String(row[2])) as Range, claim }
  }

  /** @returns false if the round is over, or another program has the range by now */
  async answer(round: string, { no, claim }: ClaimedRange, answer: RangeResult): Promise<boolean> {
    const [, rows = []] = await this.#database.batch([
      {
        sql: `UPDATE migration_proof_ranges SET status = 'done', answer = ?
              WHERE round_id = ? AND range_no = ? AND claim = ? AND status = 'held'`,
        parameters: [answerText(answer), round, no, claim],
      },
      {
        sql: `SELECT range_no FROM migration_proof_ranges WHERE round_id = ? AND claim = ? AND status = 'done'`,
        parameters: [round, claim],
      },
    ])
    return rows.length > 0
  }

  /** Lets another program take the range. */
  async giveBack(round: string, { no, claim }: ClaimedRange): Promise<void> {
    const sql = `UPDATE migration_proof_ranges SET status = 'open', claim = NULL, ${this.#lease.released} WHERE round_id = ? AND range_no = ? AND claim = ?`
    await runStatement(this.#database, sql, [round, no, claim])
  }

  /** Extends the leases of all ranges that this owner holds. */
  async renew(round: string): Promise<void> {
    const renewed = this.#lease.renewed
    const sql = `UPDATE migration_proof_ranges SET ${renewed.sql} WHERE round_id = ? AND status = 'held' AND owner = ?`
    await runStatement(this.#database, sql, [...renewed.parameters, round, this.#owner.id])
  }

  /** Frees ranges of owners known to have ended, before their leases expire. @returns ranges without a result */
  async freeEnded(round: string): Promise<number> {
    const rows = await this.#database.all(
      `SELECT ${ownerColumns(LEASE_COLUMNS).join(', ')}, status FROM migration_proof_ranges WHERE round_id = ? AND status <> 'done'`,
      [round],
    )
    const ended = new Set(
      rows.flatMap((row) =>
        row.at(-1) === 'held' ? (endedOwnerId(storedLeaseOwner(row.slice(0, -1)), this.#owner) ?? []) : [],
      ),
    )
    for (const owner of ended) {
      const sql = `UPDATE migration_proof_ranges SET status = 'open', claim = NULL, ${this.#lease.released} WHERE round_id = ? AND status = 'held' AND owner = ?`
      await runStatement(this.#database, sql, [round, owner])
    }
    return rows.length
  }

  /** New results, by range number. @param known range numbers that are left out */
  async answers(round: string, known: ReadonlySet<number>): Promise<readonly AnsweredRange[]> {
    const numbers = await this.#database.all(
      `SELECT range_no FROM migration_proof_ranges WHERE round_id = ? AND status = 'done' ORDER BY range_no`,
      [round],
    )
    const fresh = numbers.map(([no]) => Number(no)).filter((no) => !known.has(no))
    const answered: AnsweredRange[] = []
    for (const no of fresh) {
      const [row] = await this.#database.all(
        `SELECT table_no, owner, answer FROM migration_proof_ranges WHERE round_id = ? AND range_no = ? AND status = 'done'`,
        [round, no],
      )
      if (row === undefined) continue
      const [table, owner, answer] = row
      answered.push({
        no,
        table: Number(table),
        isOwn: String(owner) === this.#owner.id,
        answer: answerOf(String(answer)),
      })
    }
    return answered
  }
}

/** Result of a range as text, for the stream's owner. */
function answerText({ rows, targetRows, differences, ...rest }: RangeResult): string {
  return JSON.stringify({
    rows: rows.toString(),
    targetRows: targetRows.toString(),
    ...rest,
    differences: differences.map(({ key, kind, columns }, at) => ({
      key,
      kind,
      columns: at < WITH_VALUES ? columns : [],
    })),
  })
}

function answerOf(text: string): RangeResult {
  const { rows, targetRows, ...rest } = JSON.parse(text) as Omit<RangeResult, 'rows' | 'targetRows'> & {
    readonly rows: string
    readonly targetRows: string
  }
  return { ...rest, rows: BigInt(rows), targetRows: BigInt(targetRows) }
}

const removed = (stream: string): readonly { readonly sql: string; readonly parameters: SqlRow }[] => [
  {
    sql: 'DELETE FROM migration_proof_ranges WHERE round_id IN (SELECT round_id FROM migration_proof_rounds WHERE stream_id = ?)',
    parameters: [stream],
  },
  { sql: 'DELETE FROM migration_proof_rounds WHERE stream_id = ?', parameters: [stream] },
]
