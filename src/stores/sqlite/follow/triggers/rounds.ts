/** Reads batches of changes from a SQLite file, over two connections: one reads, one writes. */
import type Database from 'better-sqlite3'
import type { Change, LogPosition } from '../../../../model/copy/change.ts'
import { tableText } from '../../../../model/copy/column-type.ts'
import { breathe, throwIfAborted } from '../../../../shared/abort.ts'
import type { FollowedTable, StreamStart } from '../../../../model/follow/port.ts'
import { OpenPath } from '../../../common/open-path.ts'
import { refuseOtherFollower } from '../../../common/follower-note.ts'
import type { RoundState, Rounds, RoundChanges } from '../../../common/trigger-stream/rounds.ts'
import { quote } from '../../../common/sqlite-dialect/ddl.ts'
import { beginWrite, rollBack, written } from '../../copy/connection.ts'
import { sqliteCopyError } from '../../copy/errors.ts'
import { sqliteView } from '../../copy/source.ts'
import { openReader } from '../../reader.ts'
import { counted, openNoter } from './counter.ts'
import { readSqliteFollower } from './follower.ts'
import { sqliteLogTable, tableNumber, sqliteProgressTable } from './log.ts'
import { notesIn, sqliteReportedRound, type SqliteNotedTable, type Notes } from './round.ts'
import { notedFault, sqliteShapeText } from './shape.ts'
import { sqliteCode } from '../../errors.ts'

/** Maximum number of notes that are deleted in one transaction; all writers wait for its end. */
const TAKEN = 5000

export type RoundsOptions = {
  readonly file: string
  readonly label: string
  readonly startRecord: StreamStart
  readonly tables: readonly FollowedTable[]
  readonly signal: AbortSignal
}

/**
 * @property noted notes of each table that has any
 * @property at time under the write lock, ms since the epoch: the snapshot shows all earlier commits
 */
type Opened = { readonly position: LogPosition; readonly at: number; readonly noted: readonly Notes[] }
type Reshaped = Extract<Change, { readonly type: 'reshaped' }>

export class SqliteRounds implements Rounds {
  readonly request: RoundsOptions
  readonly #tables: readonly SqliteNotedTable[]
  readonly #reader: Database.Database
  readonly #writer: Database.Database
  readonly #path: OpenPath
  /** Schema version at which all tables were last found unchanged. */
  #schema: unknown = null

  /** @throws the driver's errors */
  constructor(options: RoundsOptions) {
    const { file, startRecord, tables } = options
    this.request = options
    this.#tables = tables.map((table) => {
      const number = tableNumber(startRecord, table.table.table)
      return { table, number, log: sqliteLogTable(startRecord.slot, number) }
    })
    this.#reader = openReader(file)
    try {
      this.#path = new OpenPath(file, options.label, 'source')
      this.#writer = openNoter(file)
    } catch (error) {
      this.#reader.close()
      throw error
    }
  }

  async state(): Promise<RoundState> {
    this.#path.check()
    const logs = this.#tables.map(({ log }) => `EXISTS (SELECT 1 FROM ${quote(log)})`)
    const sql = `SELECT counter, ${logs.join(' OR ')} FROM ${quote(sqliteProgressTable(this.request.startRecord.slot))}`
    try {
      const row = this.#reader.prepare(sql).raw(true).safeIntegers(true).get() as [bigint, bigint] | undefined
      if (row !== undefined) return { end: row[0], isNoted: row[1] === 1n, idle: row[0] }
    } catch (error) {
      if (sqliteCode(error) !== 'SQLITE_ERROR') throw error
    }
    // A table does not exist; the next batch reports which one.
    return { end: 0n, isNoted: true, idle: 0n }
  }

  async *report(forView: boolean): RoundChanges {
    const { file, label, signal } = this.request
    const reader = forView ? openReader(file) : this.#reader
    let isKept = false
    try {
      const opened = await this.#opened(reader)
      if ('type' in opened) {
        yield [opened]
        return null
      }
      const { position, noted } = opened
      if (!(yield* sqliteReportedRound(reader, this.#tables, opened, signal))) return null
      isKept = forView
      return {
        position,
        isEmpty: noted.length === 0,
        forget: (upTo) => this.#forget(noted, upTo),
        view: async () => sqliteView(reader, label),
      }
    } finally {
      if (!forView) rollBack(reader)
      if (forView && !isKept) reader.close()
    }
  }

  async guarded<T>(body: () => Promise<T>): Promise<T> {
    throwIfAborted(this.request.signal)
    try {
      return await body()
    } catch (error) {
      throw sqliteCopyError(error, this.request.label, 'source')
    }
  }

  async close(): Promise<void> {
    this.#reader.close()
    this.#writer.close()
  }

  /** Takes the snapshot and its number under the write lock, see `counter.ts`. Writes nothing if there are no notes. */
  async #opened(reader: Database.Database): Promise<Opened | Reshaped> {
    const { startRecord, signal } = this.request
    this.#path.check()
    await beginWrite(this.#writer, signal)
    const at = Date.now()
    try {
      reader.exec('BEGIN')
      const other = this.#firstOther(reader)
      if (other !== null) return other
      const noted = notesIn(reader, this.#tables)
      if (noted.length === 0) return { position: 0n, at, noted }
      const position = counted(this.#writer, startRecord.slot)
      if (position === null) return reshaped(0, `${sqliteProgressTable(startRecord.slot)} has lost its row`)
      this.#writer.exec('COMMIT')
      return { position, at, noted }
    } finally {
      rollBack(this.#writer)
    }
  }

  /** The first table whose changes may not all be noted, or that cannot be read as planned; null if there is none. */
  #firstOther(reader: Database.Database): Reshaped | null {
    const { startRecord } = this.request
    const version = reader.pragma('main.schema_version', { simple: true })
    if (version === this.#schema) return null
    for (const [place, { table, number }] of this.#tables.entries()) {
      const { table: name } = table.table
      const fault = notedFault(
        startRecord.shapes[tableText(name)],
        sqliteShapeText(reader, startRecord.slot, number, name),
      )
      if (fault !== null) return reshaped(place, fault.reason)
    }
    const [row] = reader
      .prepare(`SELECT 1 FROM main.sqlite_schema WHERE name = ?`)
      .all(sqliteProgressTable(startRecord.slot))
    if (row === undefined) return reshaped(0, `${sqliteProgressTable(startRecord.slot)} no longer exists`)
    this.#schema = version
    return null
  }

  /**
   * Deletes reported notes. A later note has a larger id than all reported ones: SQLite assigns the largest id of the
   * table plus 1, and the last reported note is deleted only with the last piece. The snapshot showed every smaller id,
   * because there is one writer at a time. Each piece is a transaction: after a kill between two, the remaining notes
   * are reported again, which changes nothing.
   */
  async #forget(noted: readonly Notes[], upTo: LogPosition): Promise<void> {
    const progress = quote(sqliteProgressTable(this.request.startRecord.slot))
    const begin = this.#writer.prepare(
      `UPDATE ${progress} SET forgetting = 1, forgotten = max(coalesce(forgotten, 0), ?)`,
    )
    const end = this.#writer.prepare(`UPDATE ${progress} SET forgetting = NULL`)
    // If a power cut undoes the deletes, these notes are reported again.
    this.#writer.pragma('synchronous = NORMAL')
    try {
      for (const { place, last } of noted) {
        const log = quote(this.#tables[place]?.log ?? '')
        const some = `SELECT note_id FROM ${log} WHERE note_id < ? ORDER BY note_id LIMIT ${TAKEN}`
        const remove = this.#writer.prepare(`DELETE FROM ${log} WHERE note_id IN (${some})`)
        const removeLast = this.#writer.prepare(`DELETE FROM ${log} WHERE note_id = ?`)
        for (let removed = TAKEN; removed === TAKEN;) {
          removed = await written(this.#writer, () => {
            refuseOtherFollower(
              this.request.startRecord,
              readSqliteFollower(this.#writer, this.request.startRecord.slot),
            )
            begin.run(upTo)
            const { changes } = remove.run(last)
            if (changes < TAKEN) removeLast.run(last)
            end.run()
            return changes
          })
          await breathe()
        }
      }
    } finally {
      this.#writer.pragma('synchronous = FULL')
    }
  }
}

function reshaped(table: number, reason: string): Reshaped {
  return { type: 'reshaped', table, reason }
}
