import { closeSync, existsSync, fsyncSync, openSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type Database from 'better-sqlite3'
import type { RowTest } from '../../../model/archive/row-test.ts'
import type { Column, ColumnType, TableName, TableSpec } from '../../../model/copy/column-type.ts'
import type { BesideStore } from '../../../model/copy/beside-port.ts'
import { SqliteBeside } from './beside.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore, DeclaredColumn, DeclareOptions } from '../../../model/copy/port.ts'
import type { CopyTarget } from '../../../model/copy/target-port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { ObjectStore } from '../../../model/copy/objects-port.ts'
import type { Origin, TableMark } from '../../../model/copy/identification-port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { StoreAbilities } from '../../../model/copy/abilities.ts'
import type { ColumnValues, TimeExtent } from '../../../model/archive/values-port.ts'
import { rowCondition } from '../archive/row-condition.ts'
import { timeCondition } from '../archive/time.ts'
import type { PeriodStore, ReferrerStore, RowTriggers, TableIdentities } from '../../../model/archive/port.ts'
import type { Cdc, ChangeSource, ChangeTarget } from '../../../model/follow/port.ts'
import { SqliteApply } from '../follow/apply/index.ts'
import { periodCounts, periodEffort } from '../archive/periods.ts'
import { danglingRows, orphansOf, referrersOf, referringRow } from '../archive/referrers.ts'
import { rowTriggersOf } from '../archive/row-triggers.ts'
import { columnValues } from '../archive/column-values.ts'
import { timeExtent } from '../archive/time-extent.ts'
import { openReader } from '../reader.ts'
import { openWriter, type Writer } from './connection.ts'
import { copyError, type Side } from './errors.ts'
import { tablesOf } from './introspect.ts'
import { refusePlanted } from '../planted.ts'
import { SqliteLedger } from './ledger.ts'
import { SqliteObjects } from './objects.ts'
import { lockBeside } from './side-lock.ts'
import { SqliteView } from './source.ts'
import { SqliteTarget } from './target.ts'
import { SqliteTriggers } from '../follow/triggers/index.ts'
import { Turn } from '../../../model/run/turn.ts'
import { createTable } from '../../common/sqlite-dialect/ddl.ts'
import { declareType } from '../../common/sqlite-dialect/types.ts'
import { givenAgain, tableMarks } from '../archive/table-facts.ts'

export type SqliteCopyOptions = { readonly mode: 'read' | 'write'; readonly label: string }

const ABILITIES: StoreAbilities = {
  atomic: 'chunk',
  snapshot: 'shared',
  writers: 1,
  hosts: 'one',
  frames: [],
  folds: { tables: 'ascii', columns: true },
  decimals: 'declared',
  textTimes: true,
  looseTypes: true,
  numbering: 'whole key',
  // Half a gigabyte is the largest text that JavaScript can hold.
  maxValueBytes: 500_000_000,
}

/**
 * Opens a database file. `write` mode creates a missing file; `read` mode never writes. `ledger()` of a writing store
 * keeps every other copy out until the ledger is disposed.
 * @throws SluiceError CONNECT_FAILED, TARGET_DENIED, TARGET_CORRUPT
 */
export async function openSqliteCopy(file: string, { mode, label }: SqliteCopyOptions): Promise<CopyStore> {
  const path = resolve(file)
  const side: Side = mode === 'read' ? 'source' : 'target'
  try {
    return new SqliteCopy(path, label, side, mode === 'write' ? openWriter(path) : null)
  } catch (error) {
    throw copyError(error, label, side)
  }
}

class SqliteCopy implements CopyStore {
  readonly system = 'sqlite'
  readonly label: string
  readonly identity: string
  readonly can = ABILITIES
  readonly schema = null
  readonly #file: string
  readonly #side: Side
  readonly #writer: Writer | null
  readonly #turn = new Turn()
  #reader: Database.Database | null
  #ledger: SqliteLedger | null = null
  /** One for all callers, because it holds which stream is read. */
  #triggers: SqliteTriggers | null = null

  constructor(file: string, label: string, side: Side, writer: Writer | null) {
    this.#file = file
    this.label = label
    this.#side = side
    this.#writer = writer
    try {
      // Opened now, so that a missing file, or one that is not SQLite, fails at once.
      this.#reader = openOld(file)
    } catch (error) {
      writer?.connection.close()
      throw error
    }
    const { dev, ino } = statSync(file, { bigint: true })
    this.identity = `sqlite ${dev}:${ino}`
  }

  async tables(pattern: string, signal: AbortSignal): Promise<readonly TableSpec[]> {
    throwIfAborted(signal)
    try {
      return tablesOf(this.#open(), pattern)
    } catch (error) {
      throw copyError(error, this.label, this.#side)
    }
  }

  /**
   * Inode and creation time. Another path, a restart of the machine and VACUUM keep both; a copy of the file has
   * others. Some file systems return the time of the last change as the creation time; it is left out then.
   */
  async origin(): Promise<Origin> {
    const { ino, birthtimeNs, ctimeNs } = statSync(this.#file, { bigint: true })
    const isKnown = birthtimeNs > 0n && birthtimeNs !== ctimeNs
    return { file: ino.toString(), ...(isKnown ? { made: birthtimeNs.toString() } : {}) }
  }

  /**
   * Syncs the WAL: connections with `synchronous = NORMAL` write commits to it without a sync. In other journal modes
   * commits are already synced.
   */
  async flushed(): Promise<void> {
    const log = `${this.#file}-wal`
    if (!existsSync(log)) return
    // Closing this file loses no lock: SQLite's locks are on the database and the WAL index.
    const open = openSync(log, 'r+')
    try {
      fsyncSync(open)
    } finally {
      closeSync(open)
    }
  }

  async mark(_table: TableName, signal: AbortSignal): Promise<TableMark | null> {
    throwIfAborted(signal)
    try {
      // Tables have no versions; the schema version rises with every change of any table.
      return { text: String(this.#open().pragma('main.schema_version', { simple: true })), lasting: false }
    } catch (error) {
      throw copyError(error, this.label, this.#side)
    }
  }

  identities(): TableIdentities {
    const marks = (tables: readonly TableName[], signal: AbortSignal) =>
      this.#within(signal, (one) => tableMarks(one, tables))
    return { by: 'mark', lasting: true, marks }
  }

  declare(type: ColumnType, _inKey?: boolean, options?: DeclareOptions): DeclaredColumn {
    return declareType(type, options?.decimal)
  }

  async source(signal: AbortSignal): Promise<SourceView> {
    throwIfAborted(signal)
    try {
      const connection = openOld(this.#file)
      try {
        return new SqliteView(connection, this.label)
      } catch (error) {
        connection.close()
        throw error
      }
    } catch (error) {
      throw copyError(error, this.label, 'source')
    }
  }

  target(): CopyTarget {
    return new SqliteTarget(this.#write, this.#turn, this.label)
  }

  async refuseUncreatable(table: TableSpec, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal)
    createTable(table)
    const { name } = table.table
    try {
      const found = this.#open().prepare(`SELECT type FROM main.sqlite_schema WHERE lower(name) = lower(?)`).pluck()
      const type = found.get(name) as string | undefined
      if (type === undefined || type === 'table') return
      throw new SluiceError('TABLE_REFUSED', `there is a ${type} named ${name}, and no table`, {
        where: this.label,
        hint: 'give the table another name with --rename, or drop what has the name',
      })
    } catch (error) {
      throw copyError(error, this.label, this.#side)
    }
  }

  objects(): ObjectStore {
    return new SqliteObjects({
      reader: () => this.#open(),
      writer: this.#write,
      turn: this.#turn,
      label: this.label,
      side: this.#side,
    })
  }

  /** A file has no replication slot: changes are available by triggers only. */
  changeSource(cdc: Cdc = 'slot'): ChangeSource | undefined {
    if (cdc === 'slot') return undefined
    return (this.#triggers ??= new SqliteTriggers(this.#file, this.label))
  }

  changeTarget(): ChangeTarget {
    return new SqliteApply({ reader: () => this.#open(), writer: this.#write, turn: this.#turn, label: this.label })
  }

  beside(): BesideStore {
    return new SqliteBeside(() => this.#open(), this.label, this.#side)
  }

  async ledger(): Promise<LedgerDatabase> {
    if (this.#ledger !== null) return this.#ledger
    try {
      refusePlanted(this.#open(), this.#writer !== null, this.label)
      const lock = this.#writer === null ? null : lockBeside(this.#file, this.label)
      this.#ledger = new SqliteLedger({
        reader: () => this.#open(),
        writer: this.#writer === null ? null : this.#write,
        turn: this.#turn,
        label: this.label,
        release: () => {
          this.#ledger = null
          lock?.[Symbol.dispose]()
        },
      })
      return this.#ledger
    } catch (error) {
      throw copyError(error, this.label, this.#side)
    }
  }

  timeCondition(column: Column, from: string | null, to: string | null): string | null {
    return timeCondition(column, from, to)
  }

  rowCondition(columns: readonly Column[], test: RowTest): string | null {
    return rowCondition(columns, test)
  }

  async timeExtent(table: TableSpec, column: Column, signal: AbortSignal): Promise<TimeExtent> {
    throwIfAborted(signal)
    try {
      return await timeExtent(this.#open(), table, column, signal)
    } catch (error) {
      throw copyError(error, this.label, 'source')
    }
  }

  columnValues(table: TableSpec, column: Column, most: number, signal: AbortSignal): Promise<ColumnValues | null> {
    return this.#within(signal, (connection) => columnValues(connection, table, column, most, signal))
  }

  periods(): PeriodStore {
    return {
      effort: (table, conditions, signal) => this.#within(signal, (one) => periodEffort(one, table, conditions)),
      counts: (table, conditions, by, signal) =>
        this.#within(signal, (one) => periodCounts(one, table, conditions, by, signal)),
      givesAgain: (table, condition, signal) => this.#within(signal, (one) => givenAgain(one, table, condition)),
    }
  }

  rowTriggers({ name }: TableName, signal: AbortSignal): Promise<RowTriggers> {
    return this.#within(signal, (one) => rowTriggersOf(one, name))
  }

  referrers(): ReferrerStore {
    return {
      list: ({ name }, signal) => this.#within(signal, (one) => referrersOf(one, name)),
      referringRow: (table, referrer, condition, _budgetMs, signal) =>
        this.#within(signal, (one) => referringRow(one, table, referrer, condition)),
      orphans: (table, referrer, _budgetMs, signal) => this.#within(signal, (one) => orphansOf(one, table, referrer)),
      dangling: (table, condition, signal) => this.#within(signal, (one) => danglingRows(one, table, condition)),
    }
  }

  /** All statements of the body see the snapshot of the first one. */
  async #within<T>(signal: AbortSignal, body: (connection: Database.Database) => T | Promise<T>): Promise<T> {
    throwIfAborted(signal)
    try {
      const connection = openOld(this.#file)
      try {
        connection.exec('BEGIN')
        return await body(connection)
      } finally {
        connection.close()
      }
    } catch (error) {
      throw copyError(error, this.label, 'source')
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // After the last chunk: a connection in use cannot be closed.
    await this.#turn.take(() => undefined)
    this.#reader?.close()
    this.#reader = null
    this.#writer?.restore()
    this.#writer?.connection.close()
    await this.#ledger?.[Symbol.asyncDispose]()
  }

  readonly #write = (): Database.Database => {
    if (this.#writer === null) throw new Error('the database was opened for reading')
    return this.#writer.connection
  }

  #open(): Database.Database {
    this.#reader ??= openOld(this.#file)
    return this.#reader
  }
}

/** Without this the driver would create the missing file. */
function openOld(file: string): Database.Database {
  if (!existsSync(file)) throw Object.assign(new Error('there is no such file'), { code: 'SQLITE_CANTOPEN' })
  return openReader(file)
}
