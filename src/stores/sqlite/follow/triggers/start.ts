/** Begins and ends a stream, in one transaction each, so that a killed program leaves nothing behind. */
import { randomUUID } from 'node:crypto'
import { statSync } from 'node:fs'
import type Database from 'better-sqlite3'
import type { LogPosition } from '../../../../model/copy/change.ts'
import { tableText } from '../../../../model/copy/column-type.ts'
import { lostStreamError } from '../../../../model/follow/lost-stream.ts'
import type { FollowedTable, StreamStart } from '../../../../model/follow/port.ts'
import { counterText } from '../../../common/trigger-stream/counter.ts'
import { written } from '../../copy/connection.ts'
import { makeSqliteLog, makeProgress, numberFact, tableNumber, removeStream } from './log.ts'
import { sqliteShapeText } from './shape.ts'
import { streamFault } from './verify.ts'

/** The inode of a file: differs if another file has replaced it. */
export function fileNumber(file: string): string {
  return statSync(file, { bigint: true }).ino.toString()
}

/**
 * Creates triggers, logs and counter; writers wait for some ms. Every earlier write is visible afterwards, and every
 * later write is noted.
 * @param file path of the database
 * @throws the driver's errors
 */
export async function beginSqliteTriggers(
  connection: Database.Database,
  file: string,
  name: string,
  tables: readonly FollowedTable[],
  signal: AbortSignal,
): Promise<StreamStart> {
  const token = randomUUID()
  const made = (): StreamStart => {
    removeStream(connection, name)
    makeProgress(connection, name, token)
    const facts: Record<string, string> = { file: fileNumber(file), token }
    const shapes: Record<string, string> = {}
    for (const [at, table] of tables.entries()) {
      makeSqliteLog(connection, name, at + 1, table)
      facts[numberFact(table.table.table)] = String(at + 1)
      shapes[tableText(table.table.table)] = sqliteShapeText(connection, name, at + 1, table.table.table)
    }
    return { slot: name, publication: name, start: counterText(0n), facts, shapes }
  }
  return await written(connection, made, signal)
}

/** Removes triggers, logs and counter; may be repeated. */
export async function endSqliteTriggers(
  connection: Database.Database,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  await written(connection, () => removeStream(connection, name), signal)
}

/**
 * Creates logs and triggers again for tables that are copied again. Their old notes are not needed, because the new
 * copy already includes these changes.
 * @throws SluiceError STREAM_HALTED, SLOT_LOST if all tables of the stream have lost changes
 */
export async function renewSqliteTriggers(
  connection: Database.Database,
  file: string,
  startRecord: StreamStart,
  tables: readonly FollowedTable[],
  applied: LogPosition,
  signal: AbortSignal,
): Promise<StreamStart> {
  return await written(
    connection,
    () => {
      const whole = streamFault(connection, fileNumber(file), startRecord, applied)
      if (whole !== null) {
        throw lostStreamError(whole.code === 'SLOT_LOST' ? 'SLOT_LOST' : 'STREAM_HALTED', whole.message)
      }
      const shapes: Record<string, string> = {}
      for (const table of tables) {
        const number = tableNumber(startRecord, table.table.table)
        removeStream(connection, startRecord.slot, number)
        makeSqliteLog(connection, startRecord.slot, number, table)
        shapes[tableText(table.table.table)] = sqliteShapeText(connection, startRecord.slot, number, table.table.table)
      }
      return { ...startRecord, shapes: { ...startRecord.shapes, ...shapes } }
    },
    signal,
  )
}
