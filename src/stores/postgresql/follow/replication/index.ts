/** PostgreSQL as a source of changes: refusals, publication, slot, and their checks. `stream.ts` reads the slot. */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import type { LogPosition } from '../../../../model/copy/change.ts'
import type { FrameFormat } from '../../../../model/copy/rows.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type {
  ChangeSource,
  ChangeStream,
  FollowedTable,
  FollowPreflight,
  RecordedTarget,
  ReplicationSlotLine,
  SourceLag,
  StreamStart,
  StreamState,
} from '../../../../model/follow/port.ts'
import { ReadsServer, writing } from '../../server/reading.ts'
import type { CopySession } from '../../server/session.ts'
import { beginStream, endReplication, renewTables } from './start.ts'
import { inspectSource } from './preflight.ts'
import { readPostgresFollower, writePostgresFollower } from './stream-comment.ts'
import { replicationSlotLines, sourceLag } from './lag.ts'
import { commitFence, flushLog, isFlushed, lsnOf, lsnText } from '../../server/lsn.ts'
import { tablePublications } from './publication.ts'
import { refuseForeign } from './slot.ts'
import { openReplicationStream } from './stream.ts'
import { TruncateNotes } from './truncate-notes.ts'
import { otherTime, slotFault, verifyStream } from './verify.ts'
import { WAIT_MS } from '../../../common/wait-for-transactions.ts'
import type { PostgresWait } from '../../server/waiting.ts'

/** Common part of both sources of changes, the log and the notes of triggers: both use positions of the log. */
export abstract class PostgresChangeSource extends ReadsServer {
  text(position: LogPosition): string {
    return lsnText(position)
  }

  position(text: string): LogPosition {
    return lsnOf(text)
  }

  slots(signal: AbortSignal): Promise<readonly ReplicationSlotLine[]> {
    return this.read(signal, replicationSlotLines)
  }

  database(signal: AbortSignal): Promise<string> {
    return this.read(signal, async (session) => {
      return (await session.one('SELECT pg_catalog.current_database()')) ?? this.settings.database
    })
  }

  protected wait(session: CopySession, signal: AbortSignal, report: (message: string) => void): PostgresWait {
    return { session, signal, tell: report, waitLimitMs: WAIT_MS }
  }
}

export class PostgresChanges extends PostgresChangeSource implements ChangeSource {
  readonly #notes = new TruncateNotes()

  inspect(tables: readonly FollowedTable[], signal: AbortSignal): Promise<FollowPreflight> {
    return this.read(signal, (session) => inspectSource(session, tables, signal))
  }

  async begin(
    name: string,
    tables: readonly FollowedTable[],
    signal: AbortSignal,
    report: (message: string) => void = () => undefined,
    quiet = false,
  ): Promise<StreamStart> {
    refuseForeign(name)
    this.#notes.partitions.forget(tables)
    return this.#write(signal, (session) =>
      beginStream(this.settings, name, tables, this.wait(session, signal, report), quiet),
    )
  }

  verify(
    startRecord: StreamStart,
    tables: readonly FollowedTable[],
    applied: LogPosition,
    signal: AbortSignal,
  ): Promise<StreamState> {
    return this.read(signal, (session) => verifyStream(session, startRecord, tables, applied, this.#notes))
  }

  async renew(
    startRecord: StreamStart,
    tables: readonly FollowedTable[],
    applied: LogPosition,
    signal: AbortSignal,
    report: (message: string) => void = () => undefined,
  ): Promise<StreamStart> {
    this.#notes.partitions.forget(tables)
    return this.#write(signal, (session) =>
      renewTables(startRecord, tables, applied, this.wait(session, signal, report)),
    )
  }

  async fence(signal: AbortSignal): Promise<LogPosition> {
    const [position, isThere] = await this.read(signal, async (session) => {
      const end = await commitFence(session)
      return [end, await isFlushed(session, end)]
    })
    if (!isThere) await this.#write(signal, flushLog)
    return position
  }

  lag(startRecord: StreamStart, signal: AbortSignal): Promise<SourceLag> {
    return this.read(signal, (session) => sourceLag(session, startRecord))
  }

  async open(
    startRecord: StreamStart,
    tables: readonly FollowedTable[],
    from: LogPosition,
    signal: AbortSignal,
    frames?: FrameFormat,
  ): Promise<ChangeStream> {
    // Only the owner of the run's lease may read the slot: another reader is a program that lost the lease.
    const stream = await openReplicationStream(this.settings, startRecord, tables, from, {
      signal,
      takeOver: true,
      frames,
    })
    try {
      // From here on no other program can replace the slot, and nothing is confirmed yet.
      const fault = await this.read(signal, async (session) => {
        return (await otherTime(session, startRecord, from)) ?? (await slotFault(session, startRecord, from))
      })
      if (fault !== null) {
        throw new SluiceError('SLOT_LOST', fault, {
          where: this.settings.label,
          hint: 'changes since that position are lost: copy these tables again',
        })
      }
      return this.#notes.listen(
        stream,
        tables.map(({ table }) => tableText(table.table)),
      )
    } catch (error) {
      await stream[Symbol.asyncDispose]()
      throw error
    }
  }

  recordedTarget(name: string, signal: AbortSignal): Promise<RecordedTarget | null> {
    return this.read(signal, (session) => readPostgresFollower(session, ['PUBLICATION', name]))
  }

  recordTarget(name: string, follower: RecordedTarget, was: string | null, signal: AbortSignal): Promise<boolean> {
    return this.#write(signal, (session) => writePostgresFollower(session, ['PUBLICATION', name], follower, was))
  }

  end(name: string, signal: AbortSignal): Promise<void> {
    return this.#write(signal, (session) => endReplication(session, name, 'end'))
  }

  streamsOf(table: TableName, signal: AbortSignal): Promise<readonly string[]> {
    return this.read(signal, (session) => tablePublications(session, table))
  }

  #write<T>(signal: AbortSignal, body: (session: CopySession) => Promise<T>): Promise<T> {
    return writing(this.settings, signal, body)
  }
}
