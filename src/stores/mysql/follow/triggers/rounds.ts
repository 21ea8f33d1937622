/** Reads batches of changes of a MySQL source from its trigger logs, with a reading and a writing session. */
import type { LogPosition } from '../../../../model/copy/change.ts'
import { tableText } from '../../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../../shared/abort.ts'
import type { FollowedTable, StreamStart } from '../../../../model/follow/port.ts'
import { refuseOtherFollower } from '../../../common/follower-note.ts'
import type { PartitionChange } from '../../../common/reported-partitions.ts'
import type { RoundState, Rounds, RoundChanges } from '../../../common/trigger-stream/rounds.ts'
import type { MysqlConfig } from '../../config.ts'
import { mysqlSourceError } from '../../copy/errors.ts'
import { backquotedTable, mysqlTableSql } from '../../copy/names.ts'
import { interruptibleMysql, openCopySession, stopOn } from '../../copy/sessions.ts'
import { mysqlSnapshotView } from '../../copy/view.ts'
import { mysqlErrorNumber } from '../../error-numbers.ts'
import { setMysqlLockWait } from '../../lock-wait.ts'
import type { MysqlSession } from '../../session.ts'
import { lockProgress, readMysqlFollower } from './follower.ts'
import { FIRST_NOTE, mysqlLogOf, mysqlProgressTable } from './log.ts'
import { mysqlClockMs, logsGone, noteShown, readProgress, takeNumber } from './position.ts'
import { mysqlReportedRound, type MysqlNotedTable, type MysqlReportedRound } from './round.ts'
import { NO_TABLE, parseMysqlShape } from './shape.ts'
import { TOKEN } from './verify.ts'

/** Lock timeout of a batch for a table, in seconds: the server accepts only whole ones. */
const LOCK_SECONDS = 1

type RoundsOptions = {
  readonly config: MysqlConfig
  readonly startRecord: StreamStart
  readonly tables: readonly FollowedTable[]
  /** Position up to which changes are durable in the target. */
  readonly from: LogPosition
  /** Called for each new partition of a table with notes. */
  readonly onPartition: (partition: PartitionChange) => void
  readonly signal: AbortSignal
}

export class MysqlRounds implements Rounds {
  readonly request: RoundsOptions
  readonly #noted: readonly MysqlNotedTable[]
  #reader: Reader
  readonly #writer: MysqlSession

  /**
   * @throws SluiceError as for connecting; SOURCE_IO (retryable) if the source has lost its stored position, or that
   * position is below the target's
   */
  static async open(options: RoundsOptions): Promise<MysqlRounds> {
    const { config, startRecord, from, signal } = options
    throwIfAborted(signal)
    const reader = await readerOf(config)
    try {
      const writer = await openCopySession(config, 'write')
      try {
        await writer.execute('SET @sluice_forgets = ?', [startRecord.facts[TOKEN] ?? ''])
        const rounds = new MysqlRounds(options, reader, writer)
        const progress = await readProgress(reader.session, config.database, startRecord.slot)
        // A source that has lost reported numbers would use them again.
        if (progress === null || progress.shown < from)
          throw logsGone('the source has lost state of the stream since its last run')
        return rounds
      } catch (error) {
        writer.destroy()
        throw error
      }
    } catch (error) {
      reader.session.destroy()
      throw error
    }
  }

  private constructor(options: RoundsOptions, reader: Reader, writer: MysqlSession) {
    const { startRecord, tables } = options
    this.request = options
    this.#reader = reader
    this.#writer = writer
    this.#noted = tables.map((table) => {
      const shape = parseMysqlShape(startRecord.shapes[tableText(table.table.table)])
      return { table, log: mysqlLogOf(startRecord, table), shape, partitions: new Set(Object.values(shape.ids)) }
    })
  }

  async state(): Promise<RoundState> {
    const { config, startRecord } = this.request
    const progress = await readProgress(this.#reader.session, config.database, startRecord.slot)
    if (progress === null) throw logsGone(`the row of progress of stream ${startRecord.slot} is gone`)
    const { counter, shown } = progress
    const isNoted = await this.#isNoted()
    // No change has this number, but the target will store it as its position: the source must keep it after a crash.
    if (!isNoted && counter > shown) await noteShown(this.#writer, config.database, startRecord.slot, counter)
    return { end: counter, isNoted, idle: counter }
  }

  async *report(forView: boolean): RoundChanges {
    const { config, onPartition, signal } = this.request
    const { session, restore } = forView ? await readerOf(config) : this.#reader
    const undo = forView ? stopOn(config, session, signal) : async (): Promise<void> => undefined
    let isKept = false
    try {
      const begun = await this.#begin(session)
      const { position } = begun
      const reported = yield* mysqlReportedRound(session, this.#noted, begun, onPartition)
      if (reported === null) return null
      isKept = forView
      return {
        position,
        isEmpty: reported.size === 0,
        forget: (upTo) => this.#forget(reported, upTo),
        view: async () => {
          // The short lock timeout is for batches only: a batch whose table stays locked is read again later. A view
          // uses the usual timeout.
          await restore()
          return await mysqlSnapshotView(config, session)
        },
      }
    } finally {
      await undo()
      if (forView ? !isKept : session.isStreaming) session.destroy()
      else if (!forView) await session.rollBack()
      else if (session.alive) await session.command('ROLLBACK TO SAVEPOINT sluice').catch(() => session.destroy())
    }
  }

  async guarded<T>(body: () => Promise<T>): Promise<T> {
    const { config, signal } = this.request
    try {
      return await interruptibleMysql(config, this.#reader.session, signal, body)
    } catch (error) {
      throw mysqlSourceError(asLogsGone(error) ?? error, config.label)
    }
  }

  async close(): Promise<void> {
    this.#reader.session.destroy()
    await this.#writer.close()
  }

  /**
   * Takes a number and a snapshot, then raises `shown`: see `position.ts`. @returns the number, and the server's time
   */
  async #begin(session: MysqlSession): Promise<{ readonly position: LogPosition; readonly at: number }> {
    const { config, startRecord } = this.request
    const position = await takeNumber(this.#writer, config.database, startRecord.slot)
    const at = await mysqlClockMs(session)
    await session.command('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY')
    await session.command('SAVEPOINT sluice')
    await noteShown(this.#writer, config.database, startRecord.slot, position)
    return { position, at }
  }

  /** True if any log has notes. @throws SluiceError SOURCE_IO, retryable, if a log was emptied */
  async #isNoted(): Promise<boolean> {
    if (this.#noted.length === 0) return false
    const logs = this.#noted.map(({ log }) => mysqlTableSql(log.table))
    const whole = logs.map((log) => `EXISTS (SELECT 1 FROM ${log} WHERE id = ${FIRST_NOTE})`).join(' AND ')
    const noted = logs.map((log) => `EXISTS (SELECT 1 FROM ${log} WHERE id > ${FIRST_NOTE})`).join(' OR ')
    const [[isWhole, isNoted] = []] = await this.#reader.session.rows(`SELECT ${whole}, ${noted}`)
    if (Number(isWhole) !== 1) throw logsGone('a log of the stream was emptied by another program')
    return Number(isNoted) === 1
  }

  async #forget(reported: MysqlReportedRound, upTo: LogPosition): Promise<void> {
    const { config, startRecord } = this.request
    const session = this.#writer
    try {
      await lockProgress(session, config.database, startRecord.slot)
      refuseOtherFollower(startRecord, await readMysqlFollower(session, config.database, startRecord.slot))
      for (const [place, notes] of reported) {
        const log = this.#noted[place]?.log
        if (log === undefined) continue
        for (const piece of notes.pieces())
          await session.execute(forgetSql(mysqlTableSql(log.table)), [JSON.stringify(piece)])
      }
      await session.execute(
        `UPDATE ${backquotedTable(mysqlProgressTable(config.database, startRecord.slot))} SET forgotten = GREATEST(forgotten, ?)`,
        [upTo],
      )
      const lost = await session.commit()
      if (lost !== null) throw lost.lost
    } catch (error) {
      await session.rollBack()
      throw error
    }
  }
}

/**
 * Deletes each note by its number, and locks only these rows (READ COMMITTED locks no gaps). A DELETE of a range of
 * numbers would wait for an uncommitted note after the end of the range. A plan that scans the log would wait for every
 * uncommitted note.
 */
function forgetSql(log: string): string {
  return `DELETE l FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS j STRAIGHT_JOIN ${log} AS l FORCE INDEX (PRIMARY) ON l.id = j.id`
}

/** `logsGone` for a missing log or table; null for other errors. */
function asLogsGone(error: unknown): unknown {
  return mysqlErrorNumber(error) === NO_TABLE ? logsGone('a log of the stream, or a followed table, is gone') : null
}

/** `restore` sets the usual lock timeout again. */
type Reader = { readonly session: MysqlSession; readonly restore: () => Promise<void> }

async function readerOf(config: MysqlConfig): Promise<Reader> {
  const session = await openCopySession(config, 'read')
  try {
    return { session, restore: await setMysqlLockWait(session, LOCK_SECONDS) }
  } catch (error) {
    session.destroy()
    throw error
  }
}
