/** One batch: all keys in the log tables that one snapshot of the source shows, as one transaction. */
import type { Change, LogPosition } from '../../../../model/copy/change.ts'
import { tableText } from '../../../../model/copy/column-type.ts'
import type { Row } from '../../../../model/copy/rows.ts'
import type { FollowedTable } from '../../../../model/follow/port.ts'
import type { ReadColumn } from '../../../../model/copy/read-column.ts'
import type { PartitionChange } from '../../../common/reported-partitions.ts'
import { ReportedChanges, type NotedChanges } from '../../../common/trigger-stream/round-changes.ts'
import { mysqlSelection } from '../../copy/cells.ts'
import { isNull, quoted, mysqlTableSql } from '../../copy/names.ts'
import { canonicalRowReader } from '../../copy/read.ts'
import { mysqlErrorNumber } from '../../error-numbers.ts'
import type { MysqlSession } from '../../session.ts'
import { isMysqlBusy } from './busy.ts'
import { exactSql, FIRST_NOTE, mysqlLogKeyColumn, type MysqlTableLog } from './log.ts'
import { logsGone } from './position.ts'
import { columnsFault } from './verify.ts'
import { columnTexts, countUnique, createdAs, tableIds, type MysqlTriggerShape } from './shape.ts'

/** Rows that are passed on at once, and bytes of rows that may wait in memory. */
const [PIECE_ROWS, PIECE_BYTES] = [2000, 4 * 1024 * 1024]
const NUMBERS_AT_ONCE = 20_000
/** Error number: the table was altered, or recreated, after the snapshot. */
const CHANGED = 1412
/** Error numbers: no such table; no such index. */
const GONE = new Set([1146, 1176])

/** A replicated table, and the log table that its triggers fill. */
export type MysqlNotedTable = {
  readonly table: FollowedTable
  readonly log: MysqlTableLog
  readonly shape: MysqlTriggerShape
  /** Ids of its noted partitions, and of those reported as new. */
  readonly partitions: Set<string>
}

/** Note numbers that are deleted from a log at once. */
const AT_ONCE = 2000

/** Reported notes of a batch, by index of the table. */
export type MysqlReportedRound = ReadonlyMap<number, ReportedNotes>

/** The exact numbers of the notes that a batch has reported. */
class ReportedNotes {
  /** First and last number of each run without a gap, alternating: notes of one statement have neighbouring numbers. */
  readonly #runs: number[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  /** @param id greater than all ids that were added before */
  add(id: number): void {
    this.#size++
    const last = this.#runs.length - 1
    if (this.#runs[last] === id - 1) this.#runs[last] = id
    else this.#runs.push(id, id)
  }

  *pieces(): Generator<readonly number[]> {
    let piece: number[] = []
    for (let at = 0; at < this.#runs.length; at += 2) {
      const last = this.#runs[at + 1] ?? 0
      for (let id = this.#runs[at] ?? 0; id <= last; id++) {
        piece.push(id)
        if (piece.length === AT_ONCE) {
          yield piece
          piece = []
        }
      }
    }
    if (piece.length > 0) yield piece
  }
}

type Reshaped = Extract<Change, { type: 'reshaped' }>

/**
 * Yields the changes in pieces; none if no table has notes.
 * @param session in a transaction with its snapshot taken, after a savepoint `sluice`
 * @param begun `position` of the batch, and `at`, the time when it was taken, before the snapshot: everything committed
 * until then is included
 * @param onPartition called for each new partition of a table with notes, before the batch reports it
 * @returns null if no rows were reported: a table was altered (then a single change reports this), or a table cannot be
 * read in this snapshot
 * @throws SluiceError VALUE_REFUSED, SOURCE_IO if a log was emptied; the server's errors
 */
export async function* mysqlReportedRound(
  session: MysqlSession,
  tables: readonly MysqlNotedTable[],
  { position, at }: { readonly position: LogPosition; readonly at: number },
  onPartition: (partition: PartitionChange) => void,
): AsyncGenerator<readonly Change[], MysqlReportedRound | null> {
  const counts = await countNotes(session, tables)
  const locked = await lockDefinitions(session, tables, [...counts.keys()])
  if (locked === 'later') return null
  if ('type' in locked) {
    yield [locked]
    return null
  }
  const reported = new Map<number, ReportedNotes>()
  if (counts.size === 0) return reported
  yield [{ type: 'begin', xid: 0, commit: position, at }]
  locked.added.forEach(onPartition)
  if (locked.added.length > 0) yield locked.added
  const changes = new ReportedChanges([...counts.values()].reduce((sum, count) => sum + count, 0))
  for (const place of counts.keys()) {
    const one = tables[place]
    if (one === undefined) continue
    reported.set(place, await numbersOf(session, one.log))
    yield* changes.of(await changesOf(session, place, one))
  }
  return reported
}

/** @returns number of notes by index of the table, only for tables that have notes */
async function countNotes(
  session: MysqlSession,
  tables: readonly MysqlNotedTable[],
): Promise<ReadonlyMap<number, number>> {
  const asked = tables.map(
    ({ log }, place) =>
      `SELECT ${place}, CAST(COUNT(*) AS CHAR), CAST(MIN(id) AS CHAR) FROM ${mysqlTableSql(log.table)}`,
  )
  const rows = await session.rows(asked.join(' UNION ALL '))
  const counts = new Map<number, number>()
  for (const [place, count, first] of rows) {
    const { log } = tables[Number(place)] ?? {}
    if (Number(first ?? 0) !== FIRST_NOTE && log !== undefined)
      throw logsGone(`${tableText(log.table)}, a log of the stream, was emptied by another program`)
    if (Number(count) > 1) counts.set(Number(place), Number(count) - 1)
  }
  return counts
}

/**
 * Locks the definitions of the tables until the batch has been reported.
 * @returns the first table that was replaced or altered, or the new partitions, each once; `later` if a table cannot be
 * read in this snapshot
 */
async function lockDefinitions(
  session: MysqlSession,
  tables: readonly MysqlNotedTable[],
  places: readonly number[],
): Promise<Reshaped | 'later' | { readonly added: readonly PartitionChange[] }> {
  const added: PartitionChange[] = []
  for (const place of places) {
    const one = tables[place]
    if (one === undefined) continue
    const { table, shape, partitions } = one
    const name = table.table.table
    const reshaped = (reason: string): Reshaped => ({ type: 'reshaped', table: place, reason })
    try {
      // Any read locks the definition; a table that was recreated after the snapshot is refused.
      await session.rows(`SELECT 1 FROM ${mysqlTableSql(name)} FORCE INDEX (${quoted(one.log.index)}) LIMIT 1`)
      const created = await createdAs(session, name)
      const columns = created === shape.created ? shape.columns : await columnTexts(session, name)
      const other = columnsFault(shape, { columns })
      if (other !== null) return reshaped(other)
      const ids = await tableIds(session, name)
      if (Object.entries(shape.ids).some(([partition, id]) => ids[partition] !== id))
        return reshaped('it, or a partition of it, was emptied or recreated')
      for (const [partition, id] of Object.entries(ids)) {
        if (partitions.has(id)) continue
        partitions.add(id)
        added.push({ type: 'partition', table: place, id, name: partition })
      }
    } catch (error) {
      const number = mysqlErrorNumber(error) ?? 0
      if (!session.alive) throw error
      if (number === CHANGED || isMysqlBusy(error)) return 'later'
      if (GONE.has(number)) return reshaped('it, or the index of its key, is gone')
      throw error
    }
  }
  return { added }
}

async function numbersOf(session: MysqlSession, log: MysqlTableLog): Promise<ReportedNotes> {
  const reported = new ReportedNotes()
  const stream = await session.stream(
    `SELECT id FROM ${mysqlTableSql(log.table)} WHERE id > ${FIRST_NOTE} ORDER BY id`,
    [],
    PIECE_BYTES,
  )
  for (;;) {
    const page = await stream.take(NUMBERS_AT_ONCE)
    if (page.length === 0) return reported
    for (const [id] of page) reported.add(Number(id))
  }
}

async function changesOf(session: MysqlSession, place: number, one: MysqlNotedTable): Promise<NotedChanges> {
  const { table } = one
  const identity = columnsOf(table, table.identity)
  return {
    place,
    table,
    hasOtherUnique: (await countUnique(session, table.table.table)) > 1,
    gone: (isAll) => read(session, deletedKeysSql(one, isAll), table, identity),
    rows: () => read(session, rowsSql(one), table, table.columns),
  }
}

function columnsOf({ columns }: FollowedTable, names: readonly string[]): readonly ReadColumn[] {
  return names.flatMap((name) => columns.find((column) => column.name === name) ?? [])
}

/**
 * SQL for keys without a row. `a` and `A` can be equal in the table's key, and the target may hold one while the source
 * now has the other. So a key is also reported as deleted if `exactSql` of the row found differs.
 * @param isAll true for all keys, even if their row exists
 */
function deletedKeysSql({ table, log }: MysqlNotedTable, isAll: boolean): string {
  const identity = columnsOf(table, table.identity)
  const list = identity.map(({ name, column }) =>
    mysqlSelection(`k.${quoted(mysqlLogKeyColumn(log.key.indexOf(name)))}`, column),
  )
  const exact = (name: string, expression: string): string =>
    columnsOf(table, [name]).reduce((sql, { column }) => exactSql(sql, column), expression)
  const each = log.key.map((name, at) => exact(name, quoted(mysqlLogKeyColumn(at))))
  const all = `(SELECT ${log.key.map((_, at) => quoted(mysqlLogKeyColumn(at))).join(', ')} FROM ${mysqlTableSql(log.table)} WHERE id > ${FIRST_NOTE} GROUP BY ${each.join(', ')}) AS k`
  if (isAll) return `SELECT ${list.join(', ')} FROM ${all}`
  const same = log.key.flatMap((name, at) => {
    const [there, key] = [`t.${quoted(name)}`, `k.${quoted(mysqlLogKeyColumn(at))}`]
    const both = [there, key].map((expression) => exact(name, expression))
    return [`${there} = ${key}`, ...(both[0] === there ? [] : [both.join(' = ')])]
  })
  const [first = ''] = log.key
  return `SELECT ${list.join(', ')} FROM ${all} LEFT JOIN ${mysqlTableSql(table.table.table)} AS t FORCE INDEX (${quoted(log.index)}) ON ${same.join(' AND ')}
    WHERE ${isNull(`t.${quoted(first)}`)}`
}

function rowsSql({ table, log }: MysqlNotedTable): string {
  const keys = log.key.map((_, at) => quoted(mysqlLogKeyColumn(at))).join(', ')
  const same = log.key.map((name, at) => `t.${quoted(name)} = k.${quoted(mysqlLogKeyColumn(at))}`)
  const list = table.columns.map(({ name, column }) => mysqlSelection(`t.${quoted(name)}`, column))
  // Find each key by the index: a plan that scans the table for a few keys takes time proportional to it.
  return `SELECT ${list.join(', ')} FROM (SELECT DISTINCT ${keys} FROM ${mysqlTableSql(log.table)} WHERE id > ${FIRST_NOTE}) AS k
    STRAIGHT_JOIN ${mysqlTableSql(table.table.table)} AS t FORCE INDEX (${quoted(log.index)}) ON ${same.join(' AND ')}`
}

async function* read(
  session: MysqlSession,
  sql: string,
  { table }: FollowedTable,
  columns: readonly ReadColumn[],
): AsyncGenerator<readonly Row[]> {
  const rowOf = canonicalRowReader(columns, table, null)
  const stream = await session.stream(sql, [], PIECE_BYTES)
  for (;;) {
    const page = await stream.take(PIECE_ROWS)
    if (page.length === 0) return
    yield page.flatMap((given) => {
      const row = rowOf(given)
      return row === null ? [] : [row]
    })
  }
}
