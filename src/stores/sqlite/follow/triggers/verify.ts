/** Verifies that a stream is unchanged since its start: file, counter, logs, triggers, definitions of its tables. */
import type Database from 'better-sqlite3'
import type { LogPosition } from '../../../../model/copy/change.ts'
import { tableText } from '../../../../model/copy/column-type.ts'
import type { FollowedTable, StreamStart, StreamFault, StreamState } from '../../../../model/follow/port.ts'
import { counterFault, counterText } from '../../../common/trigger-stream/counter.ts'
import { counterNow } from './counter.ts'
import { tableNumber, sqliteProgressTable } from './log.ts'
import { notedFault, sqliteShapeText } from './shape.ts'

/** @param connection within one transaction @param file current inode of the database file */
export function verifySqliteTriggers(
  connection: Database.Database,
  file: string,
  startRecord: StreamStart,
  tables: readonly FollowedTable[],
  applied: LogPosition,
): StreamState {
  const since = counterText(applied)
  const names = tables.map(({ table }) => tableText(table.table))
  const whole = streamFault(connection, file, startRecord, applied)
  if (whole !== null) return { faults: [{ ...whole, tables: names, since }], moved: {}, unclear: [] }
  const faults: StreamFault[] = []
  const moved: Record<string, string> = {}
  for (const [at, { table }] of tables.entries()) {
    const name = names[at] ?? ''
    const now = sqliteShapeText(connection, startRecord.slot, tableNumber(startRecord, table.table), table.table)
    const fault = notedFault(startRecord.shapes[name], now)
    if (fault !== null) faults.push({ code: fault.code, tables: [name], message: `${name}: ${fault.reason}`, since })
    else if (now !== startRecord.shapes[name]) moved[name] = now
  }
  return { faults, moved, unclear: [] }
}

/** The fault that affects all tables of a stream; null if there is none. */
export function streamFault(
  connection: Database.Database,
  file: string,
  { slot, facts }: StreamStart,
  applied: LogPosition,
): Pick<StreamFault, 'code' | 'message'> | null {
  if (file !== facts['file'])
    return { code: 'OTHER_SERVER', message: 'the file was replaced by another one since the stream began' }
  const now = counterNow(connection, slot)
  if (now === null) {
    const message = `the logs of the stream are gone: ${sqliteProgressTable(slot)} with the applied position does not exist, or has no row`
    return { code: 'SLOT_LOST', message }
  }
  if (now.token !== facts['token'])
    return { code: 'OTHER_SERVER', message: 'the file has objects of another stream of this name' }
  return counterFault(now.counter, now.forgotten, applied)
}
