/** MySQL and MariaDB as a source of changes: triggers note the keys of changed rows, and batches read the rows. */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import type { LogPosition } from '../../../../model/copy/change.ts'
import { throwIfAborted } from '../../../../shared/abort.ts'
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
import { CounterSource } from '../../../common/trigger-stream/counter.ts'
import { ReportedPartitions, type PartitionChange } from '../../../common/reported-partitions.ts'
import { TriggerStream } from '../../../common/trigger-stream/stream.ts'
import { WAIT_MS } from '../../../common/wait-for-transactions.ts'
import type { MysqlConfig } from '../../config.ts'
import { mysqlSourceError } from '../../copy/errors.ts'
import { mysqlTableSql } from '../../copy/names.ts'
import { interruptibleMysql, openCopySession } from '../../copy/sessions.ts'
import type { MysqlSession } from '../../session.ts'
import { beginMysqlTriggers, endMysqlTriggers, renewMysqlTriggers } from './start.ts'
import type { MysqlWait } from './busy.ts'
import { mysqlTriggerCost } from './cost.ts'
import { checkMysqlTriggers } from './preflight.ts'
import { readMysqlFollower, writeMysqlFollower } from './follower.ts'
import { FIRST_NOTE, logsOf, mysqlProgressTable, refuseForeignName, streamOfTrigger } from './log.ts'
import { mysqlClockMs, readProgress, takeNumber } from './position.ts'
import { MysqlRounds } from './rounds.ts'
import { verifyMysqlTriggers } from './verify.ts'
import type { AskMysql } from '../../copy/dependencies.ts'

/** Up to this many notes are counted exactly; above it the dictionary's estimate is used. */
const MOST_COUNTED = 100_000

export class MysqlTriggers extends CounterSource implements ChangeSource {
  readonly #config: MysqlConfig
  readonly #ask: AskMysql
  readonly #partitions = new ReportedPartitions()

  constructor(config: MysqlConfig, ask: AskMysql) {
    super()
    this.#config = config
    this.#ask = ask
  }

  inspect(tables: readonly FollowedTable[], signal: AbortSignal): Promise<FollowPreflight> {
    return this.#ask(signal, (session) => checkMysqlTriggers(session, this.#config.database, tables))
  }

  cost(tables: readonly FollowedTable[], signal: AbortSignal): Promise<readonly string[]> {
    return this.#write(signal, (session) => mysqlTriggerCost(session, this.#config.database, tables, signal))
  }

  async begin(
    name: string,
    tables: readonly FollowedTable[],
    signal: AbortSignal,
    report: (message: string) => void = () => undefined,
  ): Promise<StreamStart> {
    refuseForeignName(name)
    this.stream = name
    this.#partitions.forget(tables)
    return await this.#write(signal, (session) =>
      beginMysqlTriggers(this.#config, name, tables, this.#wait(session, signal, report)),
    )
  }

  async renew(
    startRecord: StreamStart,
    tables: readonly FollowedTable[],
    applied: LogPosition,
    signal: AbortSignal,
    report: (message: string) => void = () => undefined,
  ): Promise<StreamStart> {
    this.stream = startRecord.slot
    this.#partitions.forget(tables)
    return await this.#write(signal, (session) =>
      renewMysqlTriggers(this.#config, startRecord, tables, applied, this.#wait(session, signal, report)),
    )
  }

  async verify(
    startRecord: StreamStart,
    tables: readonly FollowedTable[],
    applied: LogPosition,
    signal: AbortSignal,
  ): Promise<StreamState> {
    this.stream = startRecord.slot
    return await this.#ask(signal, (session) =>
      verifyMysqlTriggers(session, this.#config.database, startRecord, tables, applied, this.#partitions),
    )
  }

  async fence(signal: AbortSignal): Promise<LogPosition> {
    const name = this.startedStream()
    return await this.#write(signal, (session) => takeNumber(session, this.#config.database, name))
  }

  lag(startRecord: StreamStart, signal: AbortSignal): Promise<SourceLag> {
    return this.#ask(signal, async (session) => {
      const progress = await readProgress(session, this.#config.database, startRecord.slot)
      // Read the clock before counting notes: a count of 0 then means that no note was waiting at that time.
      const at = await mysqlClockMs(session)
      const { bytes, waiting } = await sizeOf(session, startRecord)
      return {
        now: progress?.counter ?? 0n,
        waiting,
        isNoted: waiting > 0n,
        heldBytes: bytes,
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
    this.stream = startRecord.slot
    const names = tables.map(({ table }) => tableText(table.table))
    const onPartition = (partition: PartitionChange): void =>
      this.#partitions.note(names[partition.table] ?? '', partition)
    try {
      const rounds = await MysqlRounds.open({ config: this.#config, startRecord, tables, from, onPartition, signal })
      return new TriggerStream(rounds, from, signal)
    } catch (error) {
      throw mysqlSourceError(error, this.#config.label)
    }
  }

  recordedTarget(name: string, signal: AbortSignal): Promise<RecordedTarget | null> {
    return this.#ask(signal, (session) => readMysqlFollower(session, this.#config.database, name))
  }

  recordTarget(name: string, follower: RecordedTarget, was: string | null, signal: AbortSignal): Promise<boolean> {
    return this.#write(signal, (session) => writeMysqlFollower(session, this.#config.database, name, follower, was))
  }

  end(name: string, signal: AbortSignal): Promise<void> {
    return this.#write(signal, (session) =>
      endMysqlTriggers(
        this.#config.database,
        name,
        this.#wait(session, signal, () => undefined),
      ),
    )
  }

  /** Instructions for the manual clean-up of a stream whose ledger does not exist any more. */
  endByHand(name: string): string {
    return `DROP TRIGGER of each trigger ${name}_…, then DROP TABLE of ${tableText(mysqlProgressTable(this.#config.database, name))} ${name}_follower and of each ${name}_keys_…`
  }

  streamsOf({ schema, name }: TableName, signal: AbortSignal): Promise<readonly string[]> {
    return this.#ask(signal, async (session) => {
      const rows = await session.rows(
        'SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = COALESCE(?, DATABASE()) AND EVENT_OBJECT_TABLE = ? ORDER BY 1',
        [schema ?? null, name],
      )
      return [...new Set(rows.flatMap(([trigger]) => streamOfTrigger(String(trigger)) ?? []))]
    })
  }

  async database(): Promise<string> {
    return this.#config.database
  }

  #wait(session: MysqlSession, signal: AbortSignal, report: (message: string) => void): MysqlWait {
    return { session, signal, tell: report, waitLimitMs: WAIT_MS }
  }

  async #write<T>(signal: AbortSignal, body: (session: MysqlSession) => Promise<T>): Promise<T> {
    throwIfAborted(signal)
    try {
      await using session = await openCopySession(this.#config, 'write')
      return await interruptibleMysql(this.#config, session, signal, () => body(session))
    } catch (error) {
      throw mysqlSourceError(error, this.#config.label)
    }
  }
}

/** Number of waiting notes, and bytes of the logs. */
async function sizeOf(
  session: MysqlSession,
  startRecord: StreamStart,
): Promise<{ readonly bytes: bigint; readonly waiting: bigint }> {
  let [bytes, waiting] = [0n, 0n]
  for (const { table } of logsOf(startRecord).values()) {
    const [[size, estimate] = []] = await session.rows(
      'SELECT CAST(DATA_LENGTH AS CHAR), CAST(TABLE_ROWS AS CHAR) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?',
      [table.schema ?? null, table.name],
    )
    if (size == null) continue
    bytes += BigInt(String(size))
    const [[counted] = []] = await session.rows(
      `SELECT CAST(COUNT(*) AS CHAR) FROM (SELECT 1 FROM ${mysqlTableSql(table)} WHERE id > ${FIRST_NOTE} LIMIT ${MOST_COUNTED}) AS some`,
    )
    const count = BigInt(String(counted))
    const about = BigInt(String(estimate ?? 0))
    waiting += count === BigInt(MOST_COUNTED) && about > count ? about : count
  }
  return { bytes, waiting }
}
