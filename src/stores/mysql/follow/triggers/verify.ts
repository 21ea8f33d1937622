/** Verifies that a stream by triggers is unchanged: progress row, logs, triggers, fingerprints of its tables. */
import type { LogPosition } from '../../../../model/copy/change.ts'
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import type { FollowedTable, StreamStart, StreamFault, StreamState } from '../../../../model/follow/port.ts'
import { counterFault, counterText } from '../../../common/trigger-stream/counter.ts'
import type { ReportedPartitions } from '../../../common/reported-partitions.ts'
import type { MysqlSession } from '../../session.ts'
import {
  FIRST_NOTE,
  mysqlLogFact,
  mysqlLogOf,
  logsOf,
  mysqlProgressTable,
  triggerNames,
  type MysqlTableLog,
} from './log.ts'
import { readProgress } from './position.ts'
import { replicaFault } from './replica.ts'
import {
  hasRowsIn,
  NO_TABLE,
  readLogFingerprint,
  readMysqlTriggerShape,
  parseMysqlShape,
  type MysqlTriggerShape,
} from './shape.ts'
import { mysqlErrorNumber } from '../../error-numbers.ts'
import { backquotedTable } from '../../copy/names.ts'

/** Name of the fact that identifies the progress row of this stream. */
export const TOKEN = 'token'

export async function verifyMysqlTriggers(
  session: MysqlSession,
  database: string,
  startRecord: StreamStart,
  tables: readonly FollowedTable[],
  applied: LogPosition,
  reported: ReportedPartitions,
): Promise<StreamState> {
  const all = tables.map(({ table }) => tableText(table.table))
  const since = counterText(applied)
  const whole = await streamWideFault(session, database, startRecord, applied)
  if (whole !== null) return { faults: [{ ...whole, tables: all, since }], moved: {}, unclear: [] }
  const faults: StreamFault[] = []
  const moved: Record<string, string> = {}
  for (const [at, table] of tables.entries()) {
    const name = all[at] ?? ''
    const key = tableText(table.table.table)
    const before = parseMysqlShape(startRecord.shapes[key])
    const now = await readMysqlTriggerShape(session, table.table.table)
    const code = await tableFault(session, startRecord, table, before, now, reported.of(key))
    if (code !== null) faults.push({ code: code.code, tables: [name], message: `${name}: ${code.reason}`, since })
    else if (now !== null && JSON.stringify(now) !== startRecord.shapes[key]) moved[key] = JSON.stringify(now)
  }
  return { faults, moved, unclear: [] }
}

type StreamWideFault = Pick<StreamFault, 'code' | 'message'>

/** The fault that affects all tables of a stream; null if none. */
export async function streamWideFault(
  session: MysqlSession,
  database: string,
  startRecord: StreamStart,
  applied: LogPosition,
): Promise<StreamWideFault | null> {
  const progress = await readProgress(session, database, startRecord.slot)
  const table = tableText(mysqlProgressTable(database, startRecord.slot))
  if (progress === null)
    return { code: 'SLOT_LOST', message: `the row of ${table} with the applied position of the logs is gone` }
  if (progress.token !== startRecord.facts[TOKEN])
    return { code: 'OTHER_SERVER', message: `${table} belongs to another stream` }
  const lost = counterFault(progress.shown, progress.forgotten, applied)
  if (lost?.code === 'OTHER_SERVER') {
    const { code, message } = lost
    return { code, message: `${message}, or it crashed before its commits were on disk` }
  }
  if (lost !== null) return lost
  const replica = await replicaFault(session)
  return replica === null ? null : { code: 'TRIGGERS_CHANGED', message: replica.message }
}

type TableFault = { readonly code: 'TABLE_CHANGED' | 'TRIGGERS_CHANGED'; readonly reason: string }

async function tableFault(
  session: MysqlSession,
  startRecord: StreamStart,
  followed: FollowedTable,
  before: MysqlTriggerShape,
  now: MysqlTriggerShape | null,
  reported: ReadonlyMap<string, string>,
): Promise<TableFault | null> {
  const { table } = followed.table
  const changed = (reason: string): TableFault => ({ code: 'TABLE_CHANGED', reason })
  if (now === null) return changed('it was dropped or renamed')
  const log = logsOf(startRecord).get(mysqlLogFact(table))
  if (log === undefined) return { code: 'TRIGGERS_CHANGED', reason: 'the stream has no log of it' }
  const reason = columnsFault(before, now) ?? passedPartition(now, reported) ?? (await numbersFault(session, table, before, now)) ?? keyFault(log, followed, now) ?? revertedAlterFault(before, now) // prettier-ignore
  if (reason !== null) return changed(reason)
  const wrong = await logFault(session, startRecord.slot, table, mysqlLogOf(startRecord, followed))
  return wrong === null ? null : { code: 'TRIGGERS_CHANGED', reason: wrong }
}

/** @returns how the columns differ from the planned columns of the stream; null if they are the same */
export function columnsFault(
  before: Pick<MysqlTriggerShape, 'columns'>,
  now: Pick<MysqlTriggerShape, 'columns'>,
): string | null {
  const gone = before.columns.filter((one) => !now.columns.includes(one))
  const added = now.columns.filter((one) => !before.columns.includes(one))
  // If columns of one type swap names, the same texts occur in another order.
  if (gone.length === 0 && added.length === 0)
    return before.columns.every((one, at) => one === now.columns[at])
      ? null
      : `the order of its columns has changed: ${now.columns.map((one) => one.slice(0, one.indexOf(' '))).join(', ')}`
  const listed = (columns: readonly string[]): string => columns.map((one) => one.trim()).join(', ')
  return `its columns have changed: ${[...(gone.length === 0 ? [] : [`no more ${listed(gone)}`]), ...(added.length === 0 ? [] : [`now ${listed(added)}`])].join('; ')}`
}

async function numbersFault(
  session: MysqlSession,
  table: TableName,
  before: MysqlTriggerShape,
  now: MysqlTriggerShape,
): Promise<string | null> {
  for (const [partition, id] of Object.entries(before.ids)) {
    if (now.ids[partition] === id) continue
    return partition === ''
      ? 'it was emptied by TRUNCATE, rebuilt by ALTER TABLE or OPTIMIZE TABLE, or another table has its name'
      : `partition ${partition} was dropped, emptied, exchanged or rebuilt`
  }
  if (Object.keys(now.ids).length === 0) return 'InnoDB does not report its number: it is no longer an InnoDB table, or the login has lost the right PROCESS' // prettier-ignore
  for (const partition of Object.keys(now.ids)) {
    if (before.ids[partition] !== undefined) continue
    // In MariaDB a table with rows may have become a partition (CONVERT TABLE); a partition that was created has none.
    if (session.facts.flavour === 'mariadb' && (await hasRowsIn(session, table, partition)))
      return `partition ${partition} is new and has rows, and it is unknown whether it was created with them`
  }
  const cascade = now.cascades.find((one) => !before.cascades.includes(one))
  return cascade === undefined ? null : `foreign key ${cascade} was added, which fires no triggers`
}

/** @param reported partitions whose rows the stream reported before an inspection found them: name by id */
function passedPartition({ ids }: MysqlTriggerShape, reported: ReadonlyMap<string, string>): string | null {
  const there = new Set(Object.values(ids))
  const passed = [...reported].find(([id]) => !there.has(id))
  return passed === undefined
    ? null
    : `partition ${passed[1]} was added, and then dropped, emptied, exchanged or rebuilt`
}

function keyFault(
  { index, key }: MysqlTableLog,
  { identity }: FollowedTable,
  { unique }: MysqlTriggerShape,
): string | null {
  const columns = unique[index]
  const isSame = columns !== undefined && columns.length === key.length && key.every((one) => columns.includes(one))
  if (isSame || identity.length === 0) return null
  return `unique index ${index} on its key (${key.join(', ')}) is gone, or was changed`
}

/**
 * Fault of a table that was altered and altered back: a foreign key in between may have removed rows without a note.
 */
function revertedAlterFault(before: MysqlTriggerShape, now: MysqlTriggerShape): string | null {
  const isSame = JSON.stringify({ ...before, altered: '' }) === JSON.stringify({ ...now, altered: '' })
  return isSame && before.altered !== now.altered
    ? `it was altered, and altered back (${now.altered}): changes in between may not have been recorded`
    : null
}

async function logFault(
  session: MysqlSession,
  slot: string,
  table: TableName,
  log: MysqlTableLog,
): Promise<string | null> {
  const names = { triggers: triggerNames(slot, log.number), guard: `${slot}_${log.number}_guard` }
  const now = await readLogFingerprint(session, table, log.table, names)
  const name = tableText(log.table)
  if (now.id !== log.made.id) return `its log ${name} is gone, was emptied, or was replaced by another table`
  for (const [trigger, was] of Object.entries(log.made.triggers)) {
    const is = now.triggers[trigger]
    if (is === undefined) return `trigger ${trigger} was dropped, or the login can no longer see it`
    if (is !== was) return `trigger ${trigger} was recreated or altered: for a while it may not have fired`
  }
  return (await isWhole(session, log.table)) ? null : `its log ${name} was emptied by another program`
}

async function isWhole(session: MysqlSession, log: TableName): Promise<boolean> {
  try {
    const rows = await session.rows(`SELECT 1 FROM ${backquotedTable(log)} WHERE id = ${FIRST_NOTE}`)
    return rows.length > 0
  } catch (error) {
    if (mysqlErrorNumber(error) === NO_TABLE) return false
    throw error
  }
}
