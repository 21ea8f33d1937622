/** Fills the tables that will replace a default partition, then applies changes of other sessions to them. */
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { forget, keysSql, lockedSql, noted, noteSql, sameKey, type KeyLog, type LogNotes } from './key-log.ts'
import { NotNow } from './not-now.ts'
import { committed } from '../../server/patience.ts'
import { lateConstraints, mirrorSql } from './mirror.ts'
import type { SideTable } from './aside-table.ts'

/** Blocks copied between two progress reports: 64 MB. */
const BLOCKS_AT_ONCE = 8192
/** First server version that reads a range of blocks without a full scan. */
const READS_BLOCKS = 140_000
/** Most notes that the last round applies, because other sessions wait for it. */
const MOST_LAST = 2000

export class SideTables {
  readonly tables: readonly SideTable[]
  readonly #session: CopySession
  readonly #log: KeyLog
  /** Columns that the server does not generate. */
  readonly #columns: readonly string[]

  constructor(session: CopySession, log: KeyLog, columns: readonly string[], tables: readonly SideTable[]) {
    this.#session = session
    this.#log = log
    this.#columns = columns
    this.tables = tables
  }

  /** Copies all rows of one snapshot, which is taken after the triggers note changes. */
  async fill(onRows: (rows: bigint) => void): Promise<void> {
    await this.#inOneSnapshot(async () => this.#fill(onRows))
  }

  /** Applies noted changes. @returns number of applied notes */
  async follow(): Promise<number> {
    return this.#inOneSnapshot(async () => {
      const all = await noted(this.#session, this.#log)
      await this.#apply(all)
      return all.ids.length
    })
  }

  /**
   * From now on the transaction of each change also applies it to the new tables. So in every later snapshot the new
   * tables equal the default partition. The caller's transaction has locked the default partition against writers.
   * @returns id of this transaction: a snapshot is a later one if this transaction is visible in it
   * @throws NotNow if more notes are left than other sessions can wait for
   */
  async mirror(): Promise<string> {
    const session = this.#session
    const before = this.tables.map(({ rows }) => rows)
    try {
      const last = await noted(session, this.#log, MOST_LAST + 1)
      if (last.ids.length > MOST_LAST || last.emptied) throw new NotNow('other sessions change too many rows now')
      await this.#apply(last)
      const late = await lateConstraints(
        session,
        this.tables.map(({ newTable }) => newTable.table),
      )
      await session.ask(noteSql(this.#log, mirrorSql(this.#log, this.tables, this.#columns, late)))
      return (await session.one('SELECT pg_catalog.txid_current()')) ?? ''
    } catch (error) {
      this.#restore(before)
      throw error
    }
  }

  /** Applies these notes. Must run in a transaction whose snapshot has exactly these notes. */
  async #apply({ ids, emptied }: LogNotes): Promise<void> {
    if (ids.length === 0) return
    const session = this.#session
    if (emptied) {
      for (const table of this.tables) {
        await session.ask(`TRUNCATE ${tableSql(table.newTable.table.name)}`)
        table.rows = 0n
      }
      await this.#fill(() => undefined)
    } else {
      const keys = keysSql(this.#log, ids)
      for (const table of this.tables) {
        const removed = await session.run(
          `DELETE FROM ${tableSql(table.newTable.table.name)} t USING (${keys}) k WHERE ${sameKey(this.#log, 't', 'k')}`,
        )
        table.rows -= BigInt(removed)
      }
      for (const table of this.tables) {
        table.rows += await this.#insert(
          table,
          `EXISTS (SELECT FROM (${keys}) k WHERE ${sameKey(this.#log, 'd', 'k')})`,
        )
      }
    }
    await forget(session, this.#log, ids)
  }

  async #fill(onRows: (rows: bigint) => void): Promise<void> {
    const session = this.#session
    const [row] = await session.ask(
      `SELECT pg_catalog.pg_relation_size(${literal(this.#log.of.oid)}::oid) / pg_catalog.current_setting('block_size')::int`,
    )
    const blocks = session.version < READS_BLOCKS ? 1 : Number(row?.[0] ?? 0)
    let all = 0n
    for (let from = 0; from === 0 || from < blocks; from += BLOCKS_AT_ONCE) {
      // No upper bound: rows after the last block are not in this snapshot.
      const last = from + BLOCKS_AT_ONCE >= blocks
      const range = [
        ...(from === 0 ? [] : [`d.ctid >= '(${from},0)'::tid`]),
        ...(last ? [] : [`d.ctid < '(${from + BLOCKS_AT_ONCE},0)'::tid`]),
      ]
      for (const table of this.tables) {
        const rows = await this.#insert(table, range.length === 0 ? 'true' : range.join(' AND '))
        table.rows += rows
        all += rows
      }
      onRows(all)
    }
  }

  async #insert({ newTable, belongs }: SideTable, condition: string): Promise<bigint> {
    const names = this.#columns.map(quoteName)
    const list = names.map((name) => `d.${name}`).join(', ')
    const rows = await this.#session.run(
      `INSERT INTO ${tableSql(newTable.table.name)} (${names.join(', ')}) SELECT ${list} FROM ONLY ${tableSql(this.#log.of.name)} d
       WHERE ${condition} AND ${belongs('d')}`,
    )
    return BigInt(rows)
  }

  async #inOneSnapshot<T>(body: () => Promise<T>): Promise<T> {
    const session = this.#session
    const before = this.tables.map(({ rows }) => rows)
    try {
      // Lock before the first read: TRUNCATE empties the table for older snapshots, too.
      await session.begin('ISOLATION LEVEL REPEATABLE READ READ WRITE', lockedSql(this.#log))
      const result = await body()
      await committed(session)
      return result
    } catch (error) {
      this.#restore(before)
      await session.rollBack()
      throw error
    }
  }

  /** Restores the row counts after a rollback. */
  #restore(rows: readonly bigint[]): void {
    for (const [i, table] of this.tables.entries()) table.rows = rows[i] ?? 0n
  }
}
