/** The begin and the end of a stream: one transaction each, so that a program that is killed in it leaves nothing. */
import { randomUUID } from 'node:crypto'
import { statSync } from 'node:fs'
import type Database from 'better-sqlite3'
import type { LogPosition } from '../../../../model/copy/change.ts'
import { tableText } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { FollowedTable, StreamBirth } from '../../../../model/follow/port.ts'
import { counterText } from '../../../common/trigger-stream/counter.ts'
import { written } from './counter.ts'
import { makeLog, makeProgress, numberFact, numberOf, removeMade } from './log.ts'
import { notedText } from './shape.ts'
import { streamFault } from './verify.ts'

/** The inode: a file that takes the place of another one has a number of its own. */
export function fileNumber(file: string): string {
  return statSync(file, { bigint: true }).ino.toString()
}

/**
 * Writers wait for some milliseconds, and whoever writes later is noted; whoever wrote before is visible.
 * @param file path of the database @throws what the driver says
 */
export async function beginTriggers(
  connection: Database.Database,
  file: string,
  name: string,
  tables: readonly FollowedTable[],
  signal: AbortSignal,
): Promise<StreamBirth> {
  const token = randomUUID()
  const made = (): StreamBirth => {
    removeMade(connection, name)
    makeProgress(connection, name, token)
    const facts: Record<string, string> = { file: fileNumber(file), token }
    const shapes: Record<string, string> = {}
    for (const [at, table] of tables.entries()) {
      makeLog(connection, name, at + 1, table)
      facts[numberFact(table.table.table)] = String(at + 1)
      shapes[tableText(table.table.table)] = notedText(connection, name, at + 1, table.table.table)
    }
    return { slot: name, publication: name, start: counterText(0n), facts, shapes }
  }
  return await written(connection, made, signal)
}

/** Removes triggers, logs and counter; done twice it does no harm. */
export async function endTriggers(connection: Database.Database, name: string, signal: AbortSignal): Promise<void> {
  await written(connection, () => removeMade(connection, name), signal)
}

/**
 * Tables that are copied anew: their notes are of a time that the new copy has in it, so they begin anew, too.
 * @throws SluiceError STREAM_HALTED, SLOT_LOST where all tables of the stream have lost changes
 */
export async function renewTriggers(
  connection: Database.Database,
  file: string,
  birth: StreamBirth,
  tables: readonly FollowedTable[],
  applied: LogPosition,
  signal: AbortSignal,
): Promise<StreamBirth> {
  return await written(
    connection,
    () => {
      const whole = streamFault(connection, fileNumber(file), birth, applied)
      if (whole !== null) {
        throw new SluiceError(whole.code === 'SLOT_LOST' ? 'SLOT_LOST' : 'STREAM_HALTED', whole.message, {
          reason: 'changes of every table of the stream may be missing',
          hint: 'copy all of them again: the command that began the stream, with --restart',
        })
      }
      const shapes: Record<string, string> = {}
      for (const table of tables) {
        const number = numberOf(birth, table.table.table)
        removeMade(connection, birth.slot, number)
        makeLog(connection, birth.slot, number, table)
        shapes[tableText(table.table.table)] = notedText(connection, birth.slot, number, table.table.table)
      }
      return { ...birth, shapes: { ...birth.shapes, ...shapes } }
    },
    signal,
  )
}
