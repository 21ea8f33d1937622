/** Runs rounds of a PostgreSQL source, with the sessions that they use. */
import type { Change, LogPosition } from '../../../../model/copy/change.ts'
import { tableText } from '../../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../../shared/abort.ts'
import type { SourceView } from '../../../../model/copy/source-port.ts'
import type { FollowedTable, StreamStart } from '../../../../model/follow/port.ts'
import { refuseOtherFollower } from '../../../common/follower-note.ts'
import type { PartitionChange } from '../../../common/reported-partitions.ts'
import type { RoundState, Rounds, RoundChanges } from '../../../common/trigger-stream/rounds.ts'
import { postgresSourceError } from '../../server/errors.ts'
import { CopySession } from '../../server/session.ts'
import { postgresSnapshotView } from '../../copy/source.ts'
import { tableSql } from '../../server/sql.ts'
import { underSignal } from '../../server/under-signal.ts'
import { committed } from '../../server/lock-retry.ts'
import { readPostgresFollower } from '../replication/stream-comment.ts'
import { flushLog, lsnOf, lsnText } from '../../server/lsn.ts'
import type { PostgresSettings } from '../../server/settings.ts'
import { deleteNotesSql, postgresLogOf, progressLock } from './log.ts'
import { notedOf } from './noted-shape.ts'
import { insertPosition, WRITTEN } from './position.ts'
import { postgresReportedRound, type PostgresNotedTable, type PostgresReportedRound } from './round.ts'

type RoundsOptions = {
  readonly settings: PostgresSettings
  readonly startRecord: StreamStart
  readonly tables: readonly FollowedTable[]
  /** Called for each transaction that truncated a table. @param table its index in `tables` */
  readonly onEmptied: (table: number, txid: string) => void
  /** Called for each new partition of a table with notes. */
  readonly onPartition: (partition: PartitionChange) => void
  /** Number of sessions that read one view. */
  readonly readers: number
  readonly signal: AbortSignal
}

export class PostgresRounds implements Rounds {
  readonly request: RoundsOptions
  readonly #noted: readonly PostgresNotedTable[]
  readonly #reader: CopySession
  readonly #writer: CopySession

  /** @throws SluiceError as `connect` does */
  static async open(options: RoundsOptions): Promise<PostgresRounds> {
    const { settings, signal } = options
    throwIfAborted(signal)
    const reader = await ownSession(settings, 'read')
    try {
      return new PostgresRounds(options, reader, await ownSession(settings, 'write'))
    } catch (error) {
      reader.destroy()
      throw error
    }
  }

  private constructor(options: RoundsOptions, reader: CopySession, writer: CopySession) {
    const { startRecord, tables } = options
    this.request = options
    this.#reader = reader
    this.#writer = writer
    this.#noted = tables.map((table) => {
      const { shape } = notedOf(startRecord.shapes[tableText(table.table.table)])
      return {
        table,
        log: postgresLogOf(startRecord, table),
        shape,
        partitions: new Set(shape.nodes.map(({ oid }) => oid)),
      }
    })
  }

  async state(): Promise<RoundState> {
    const end = await insertPosition(this.#reader)
    const noted = this.#noted.map(({ log }) => `EXISTS (SELECT FROM ${tableSql(log.table)})`).join(' OR ')
    const [row] = await this.#reader.ask(`SELECT ${noted}, ${WRITTEN}`)
    const written = lsnOf(row?.[1] ?? '')
    return { end, isNoted: row?.[0] === 't', idle: written < end ? written : end }
  }

  async *report(forView: boolean): RoundChanges {
    const { settings, readers } = this.request
    const session = forView ? await ownSession(settings, 'read') : this.#reader
    let isKept = false
    try {
      const position = await insertPosition(session)
      const round = yield* this.notified(session, position)
      if (round === null) return null
      isKept = forView
      return {
        position,
        isEmpty: round.tables.length === 0,
        forget: (upTo) => this.#forget(round, upTo),
        view: () => heldOrGone(settings, session, readers),
      }
    } finally {
      if (!forView && session.alive) await session.rollBack()
      if (forView && !isKept) session.destroy()
    }
  }

  async guarded<T>(body: () => Promise<T>): Promise<T> {
    try {
      return await underSignal(this.#reader, this.request.signal, body)
    } catch (error) {
      throw postgresSourceError(error, this.request.settings)
    }
  }

  async close(): Promise<void> {
    this.#reader.destroy()
    await this.#writer.close()
  }

  notified(
    session: CopySession,
    position: LogPosition,
  ): AsyncGenerator<readonly Change[], PostgresReportedRound | null> {
    const { onEmptied, onPartition } = this.request
    return postgresReportedRound({
      session,
      tables: this.#noted,
      position,
      flush: () => flushLog(this.#writer),
      onEmptied,
      onPartition,
    })
  }

  async #forget({ tables, snapshot }: PostgresReportedRound, upTo: LogPosition): Promise<void> {
    const logs = tables.flatMap((place) => this.#noted[place]?.log ?? [])
    const { startRecord } = this.request
    await this.#writer.begin('ISOLATION LEVEL READ COMMITTED READ WRITE', progressLock(startRecord.slot))
    try {
      refuseOtherFollower(startRecord, await readPostgresFollower(this.#writer, ['SCHEMA', startRecord.slot]))
      await this.#writer.ask(deleteNotesSql(startRecord.slot, logs, snapshot, lsnText(upTo)))
    } catch (error) {
      if (this.#writer.alive) await this.#writer.rollBack()
      throw error
    }
    await committed(this.#writer)
  }
}

async function heldOrGone(settings: PostgresSettings, session: CopySession, readers: number): Promise<SourceView> {
  try {
    return await postgresSnapshotView(settings, session, readers)
  } catch (error) {
    session.destroy()
    throw error
  }
}

/** A session with an empty search path, so that it finds no objects of users without their schema. */
async function ownSession(settings: PostgresSettings, mode: 'read' | 'write'): Promise<CopySession> {
  const session = await CopySession.open(settings, mode)
  try {
    await session.ask(`SET search_path TO ''`)
    return session
  } catch (error) {
    session.destroy()
    throw error
  }
}
