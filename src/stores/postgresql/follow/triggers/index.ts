/** PostgreSQL as a source of changes without logical replication: triggers note keys, and rounds read the rows. */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import type { LogPosition } from '../../../../model/copy/change.ts'
import type {
  ChangeSource,
  ChangeStream,
  FollowedTable,
  FollowPreflight,
  RecordedTarget,
  SourceLag,
  StreamStart,
  StreamState,
} from '../../../../model/follow/port.ts'
import type { Pool } from '../../../common/pool.ts'
import { quoteName } from '../../server/connect.ts'
import { postgresSourceError } from '../../server/errors.ts'
import { writing } from '../../server/reading.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'
import { PostgresChangeSource } from '../replication/index.ts'
import { readPostgresFollower, writePostgresFollower } from '../replication/stream-comment.ts'
import { postgresClockMs } from '../replication/lag.ts'
import { refuseForeign } from '../replication/slot.ts'
import { refuseStandby } from '../replication/verify.ts'
import type { PartitionChange } from '../../../common/reported-partitions.ts'
import { TruncateNotes } from '../replication/truncate-notes.ts'
import { TriggerStream } from '../../../common/trigger-stream/stream.ts'
import type { PostgresSettings } from '../../server/settings.ts'
import { beginPostgresTriggers, endPostgresTriggers, renewPostgresTriggers } from './start.ts'
import { notedBy } from './noted-shape.ts'
import { postgresTriggerCost } from './cost.ts'
import { checkPostgresTriggers } from './preflight.ts'
import { progressLock } from './log.ts'
import { insertPosition, triggerFence } from './position.ts'
import { PostgresRounds } from './rounds.ts'
import { verifyPostgresTriggers } from './verify.ts'

/** Mask for the lower 32 bits of a transaction id: the catalogs store only these. */
const HALF = 0xffff_ffffn

export class PostgresTriggers extends PostgresChangeSource implements ChangeSource {
  readonly #views: number
  readonly notified = new TruncateNotes()

  /** @param views number of sessions that read one view */
  constructor(settings: PostgresSettings, sessions: Pool<CopySession>, views: number) {
    super(settings, sessions)
    this.#views = views
  }

  inspect(tables: readonly FollowedTable[], signal: AbortSignal): Promise<FollowPreflight> {
    return this.read(signal, (session) => checkPostgresTriggers(session, tables))
  }

  cost(tables: readonly FollowedTable[], signal: AbortSignal): Promise<readonly string[]> {
    return this.#write(signal, (session) => postgresTriggerCost(session, tables, signal))
  }

  begin(
    name: string,
    tables: readonly FollowedTable[],
    signal: AbortSignal,
    report: (message: string) => void = () => undefined,
  ): Promise<StreamStart> {
    refuseForeign(name)
    this.notified.partitions.forget(tables)
    return this.#write(signal, (session) =>
      beginPostgresTriggers(this.settings, name, tables, this.wait(session, signal, report)),
    )
  }

  renew(
    startRecord: StreamStart,
    tables: readonly FollowedTable[],
    applied: LogPosition,
    signal: AbortSignal,
    report: (message: string) => void = () => undefined,
  ): Promise<StreamStart> {
    this.notified.partitions.forget(tables)
    return this.#write(signal, (session) =>
      renewPostgresTriggers(startRecord, tables, applied, this.wait(session, signal, report)),
    )
  }

  async verify(
    startRecord: StreamStart,
    tables: readonly FollowedTable[],
    applied: LogPosition,
    signal: AbortSignal,
  ): Promise<StreamState> {
    // A position later than everything that this check sees. If no session writes, the log reaches this position with
    // the next catch-up position, because that adds a record to the log.
    const end = await this.read(signal, async (session) => {
      await refuseStandby(session)
      return (await insertPosition(session)) + 1n
    })
    return await this.read(signal, (session) =>
      verifyPostgresTriggers(session, startRecord, tables, applied, { reported: this.notified, end }),
    )
  }

  fence(signal: AbortSignal): Promise<LogPosition> {
    return this.#write(signal, triggerFence)
  }

  lag({ facts }: StreamStart, signal: AbortSignal): Promise<SourceLag> {
    const logs = Object.entries(facts).flatMap(([name, text]) =>
      name.startsWith('log of ') ? [(JSON.parse(text) as { readonly oid: string }).oid] : [],
    )
    return this.read(signal, async (session) => {
      // Read the clock before the notes: if there are none, no note was waiting at this time.
      const at = await postgresClockMs(session)
      const found = await session.ask(
        `SELECT pg_catalog.pg_total_relation_size(c.oid), c.oid::regclass FROM pg_catalog.pg_class c WHERE c.oid = ANY (${literal(`{${logs.join(',')}}`)}::oid[])`,
      )
      const noted = found.map(([, log]) => `EXISTS (SELECT FROM ${log})`)
      const [row] = noted.length === 0 ? [] : await session.ask(`SELECT ${noted.join(' OR ')}`)
      return {
        now: await insertPosition(session),
        isNoted: row?.[0] === 't',
        heldBytes: found.reduce((sum, [size]) => sum + BigInt(size ?? 0), 0n),
        safeBytes: null,
        status: 'reserved',
        clockMs: at,
      }
    })
  }

  async open(
    startRecord: StreamStart,
    tables: readonly FollowedTable[],
    from: LogPosition,
    signal: AbortSignal,
  ): Promise<ChangeStream> {
    const names = tables.map(({ table }) => tableText(table.table))
    const onEmptied = (table: number, txid: string): void =>
      this.notified.note(names[table] ?? '', Number(BigInt(txid) & HALF))
    const onPartition = (partition: PartitionChange): void =>
      this.notified.partitions.note(names[partition.table] ?? '', partition)
    try {
      const rounds = await PostgresRounds.open({
        settings: this.settings,
        startRecord,
        tables,
        onEmptied,
        onPartition,
        readers: this.#views,
        signal,
      })
      return new TriggerStream(rounds, from, signal)
    } catch (error) {
      throw postgresSourceError(error, this.settings)
    }
  }

  recordedTarget(name: string, signal: AbortSignal): Promise<RecordedTarget | null> {
    return this.read(signal, (session) => readPostgresFollower(session, ['SCHEMA', name]))
  }

  recordTarget(name: string, follower: RecordedTarget, was: string | null, signal: AbortSignal): Promise<boolean> {
    return this.#write(signal, (session) =>
      writePostgresFollower(session, ['SCHEMA', name], follower, was, progressLock(name)),
    )
  }

  end(name: string, signal: AbortSignal): Promise<void> {
    return this.#write(signal, (session) =>
      endPostgresTriggers(
        name,
        this.wait(session, signal, () => undefined),
      ),
    )
  }

  endByHand(name: string): string {
    return `DROP SCHEMA ${quoteName(name)} CASCADE`
  }

  streamsOf(table: TableName, signal: AbortSignal): Promise<readonly string[]> {
    return this.read(signal, (session) => notedBy(session, table))
  }

  #write<T>(signal: AbortSignal, body: (session: CopySession) => Promise<T>): Promise<T> {
    return writing(this.settings, signal, async (session) => {
      await session.ask(`SET search_path TO ''`)
      return await body(session)
    })
  }
}
