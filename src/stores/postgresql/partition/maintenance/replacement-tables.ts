/**
 * Fills the tables that will replace a default partition, then applies the changes of other sessions to these tables:
 * first in rounds, then by a trigger that applies each change in the transaction of the change. At the end, the default
 * partition is compared with these tables in one snapshot: number of rows and checksum.
 */
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import {
  deleteNotes,
  keysSql,
  lockedSql,
  readLogNotes,
  noteSql,
  sameKey,
  type KeyLog,
  type LogNotes,
} from './key-log.ts'
import { NotNow } from './not-now.ts'
import { inTransaction } from '../../server/lock-retry.ts'
import type { SideTable } from './new-table.ts'
import type { KnownTable } from '../../server/locks.ts'
import { tableText, type TableSpec } from '../../../../model/copy/column-type.ts'
import { equalDigests, type Digest } from '../../../../model/copy/rows.ts'
import { checksumText } from '../../../../model/copy/row-hash.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { ReadColumn } from '../../../../model/copy/read-column.ts'
import { digestPostgresRows } from '../../copy/row-digest.ts'
import { unmovable } from './refusals.ts'
import { staleGenerated } from './row-refusals.ts'

/** Blocks copied between two progress reports: 64 MB. */
const BLOCKS_AT_ONCE = 8192
/** First server version that reads a range of blocks without a full scan. */
const READS_BLOCKS = 140_000
/** Maximum number of notes that the last round applies, because other sessions wait for it. */
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

  /** Copies all rows of one snapshot, taken after the triggers began to note changes. */
  async fill(onRows: (rows: bigint) => void): Promise<void> {
    await this.#inOneSnapshot(async () => this.#fill(onRows))
  }

  /** Applies noted changes. @returns number of applied notes */
  async follow(): Promise<number> {
    return this.#inOneSnapshot(async () => {
      const all = await readLogNotes(this.#session, this.#log)
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
      const last = await readLogNotes(session, this.#log, MOST_LAST + 1)
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
    await deleteNotes(session, this.#log, ids)
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
      return await inTransaction(session, 'ISOLATION LEVEL REPEATABLE READ READ WRITE', lockedSql(this.#log), body)
    } catch (error) {
      this.#restore(before)
      throw error
    }
  }

  /** Restores the row counts after a rollback. */
  #restore(rows: readonly bigint[]): void {
    for (const [i, table] of this.tables.entries()) table.rows = rows[i] ?? 0n
  }
}

/** Longest extra lock wait of a writer, ms. A change that would wait longer in a replacement table is only noted. */
const MOST_WAIT_MS = 100
/**
 * Maximum number of rows of one transaction that the trigger changes in both tables. Further rows are only noted, which
 * is faster.
 */
const MOST_ROWS = 10_000

/**
 * Applies the current rows of the keys, not the rows of the trigger event. A user's trigger may have changed them
 * again, and with a deferred check two rows can share a key for a while.
 * @param columns columns that the server does not generate
 * @param late names of deferrable constraints of these tables: a failure at the end of a transaction could not be
 * caught
 * @returns plpgsql statements for `noteSql`
 */
function mirrorSql(
  log: KeyLog,
  tables: readonly SideTable[],
  columns: readonly string[],
  late: readonly string[],
): string {
  const names = columns.map(quoteName).join(', ')
  const values = columns.map((name) => `d.${quoteName(name)}`).join(', ')
  const same = (row: string, of: 'OLD' | 'NEW'): string =>
    log.key.map(({ name }) => `${row}.${quoteName(name)} = ${of}.${quoteName(name)}`).join(' AND ')
  const made = ({ newTable, belongs }: SideTable, of: 'OLD' | 'NEW'): string => {
    const sideTable = tableSql(newTable.table.name)
    return `DELETE FROM ${sideTable} t WHERE ${same('t', of)}; GET DIAGNOSTICS one = ROW_COUNT; removed := removed + one;
      INSERT INTO ${sideTable} (${names}) SELECT ${values} FROM ONLY ${tableSql(log.of.name)} d WHERE ${same('d', of)} AND ${belongs('d')};`
  }
  const both = (of: 'OLD' | 'NEW'): string => {
    if (!tables.every(({ byKey }) => byKey)) return tables.map((one) => made(one, of)).join('\n')
    return `CASE ${tables.map((one) => `WHEN ${one.belongs(of)} THEN ${made(one, of)}`).join('\n')} END CASE;`
  }
  const rows = literal(`sluice.mirrored_${log.oid}`)
  return `DECLARE one bigint; removed bigint := 0; counted bigint; patience text; BEGIN
      counted := coalesce(nullif(pg_catalog.current_setting(${rows}, true), ''), '0');
      IF TG_OP <> 'TRUNCATE' AND counted < ${MOST_ROWS} THEN
        patience := pg_catalog.current_setting('lock_timeout');
        PERFORM pg_catalog.set_config('lock_timeout', '${MOST_WAIT_MS}', true), pg_catalog.set_config(${rows}, (counted + 1)::text, true);
        ${late.length === 0 ? '' : `SET CONSTRAINTS ${late.join(', ')} IMMEDIATE;`}
        IF TG_OP <> 'INSERT' THEN
          ${both('OLD')}
          -- A view of the database from before the copy does not show what is in it: what cannot be removed is noted.
          IF removed = 0 AND pg_catalog.current_setting('transaction_isolation') <> 'read committed' THEN RAISE EXCEPTION 'not seen'; END IF;
        END IF;
        IF TG_OP = 'INSERT' THEN
          ${both('NEW')}
        ELSIF TG_OP = 'UPDATE' THEN
          IF NOT (${same('OLD', 'NEW')}) THEN
            ${both('NEW')}
          END IF;
        END IF;
        PERFORM pg_catalog.set_config('lock_timeout', patience, true);
        RETURN NULL;
      END IF;
    EXCEPTION WHEN OTHERS THEN NULL; END;`
}

/** Qualified names of the deferrable constraints of these tables. */
async function lateConstraints(session: CopySession, tables: readonly KnownTable[]): Promise<readonly string[]> {
  return await session.texts(
    `SELECT pg_catalog.format('%I.%I', n.nspname, k.conname) FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
     WHERE k.conrelid = ANY (${literal(`{${tables.map(({ oid }) => oid).join(',')}}`)}::oid[]) AND k.condeferrable ORDER BY k.oid`,
  )
}

/**
 * Compares the default partition with the new tables. Leaves out rows with changes that are noted but not applied.
 * @returns number of compared rows
 * @throws SluiceError PROOF_FAILED; NotNow if all rows were truncated meanwhile, so nothing can be compared
 */
export async function proveReplacement(
  session: CopySession,
  spec: TableSpec,
  log: KeyLog,
  sideTable: SideTables,
): Promise<bigint> {
  try {
    // Lock before the first read: a later TRUNCATE would empty the table for an older snapshot, too.
    await session.begin('ISOLATION LEVEL REPEATABLE READ READ ONLY', lockedSql(log))
    const { ids, emptied } = await readLogNotes(session, log)
    if (emptied) throw new NotNow('all rows of the default partition were removed at the same time')
    const columns = spec.columns.map(read)
    const settled =
      ids.length === 0 ? 'true' : `NOT EXISTS (SELECT FROM (${keysSql(log, ids)}) k WHERE ${sameKey(log, 'd', 'k')})`
    const digestOf = ({ name }: KnownTable): Promise<Digest> =>
      digestPostgresRows(session, {
        columns,
        from: `ONLY ${tableSql(name)} AS d`,
        condition: settled,
        table: tableText(name),
      })
    const before = await digestOf(log.of)
    let [rows, sum] = [0n, 0n]
    for (const { newTable } of sideTable.tables) {
      const part = await digestOf(newTable.table)
      rows += part.rows
      sum += BigInt(`0x${part.sum}`)
    }
    if (equalDigests(before, { rows, sum: checksumText(sum) })) return rows
    const stale = await staleGenerated(session, log.of)
    if (stale !== null) throw unmovable(log.of, stale)
    throw new SluiceError('PROOF_FAILED', `the rows of ${tableText(log.of.name)} differ from their copies`, {
      where: tableText(log.of.name),
      reason: `the table has ${before.rows} rows with the checksum ${before.sum}, and the copies have ${rows} rows with ${checksumText(sum)}`,
      hint: 'nothing was changed; this is a fault of sluice or of the server: please report it',
    })
  } finally {
    await session.rollBack()
  }
}

/**
 * How a column is read for the comparison. Both sides are on one server, so JSON and lists are compared as the server
 * prints them.
 */
function read(column: TableSpec['columns'][number]): ReadColumn {
  const { kind } = column.type
  const printed = kind === 'json' || kind === 'list'
  return { name: column.name, as: printed ? { kind: 'native', name: column.native } : column.type, column }
}
