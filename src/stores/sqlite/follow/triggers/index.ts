/** SQLite files as a source of changes: triggers note the keys of changed rows, and batches read the rows. */
import type Database from 'better-sqlite3'
import type { LogPosition } from '../../../../model/copy/change.ts'
import type { TableName } from '../../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../../shared/abort.ts'
import { SluiceError } from '../../../../shared/errors.ts'
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
import { RESTART_STREAM } from '../../../../model/follow/lost-stream.ts'
import { quote } from '../../../common/sqlite-dialect/ddl.ts'
import { CounterSource } from '../../../common/trigger-stream/counter.ts'
import { TriggerStream } from '../../../common/trigger-stream/stream.ts'
import { sqliteCopyError } from '../../copy/errors.ts'
import { definitionOf, sqliteColumns } from '../../copy/shape.ts'
import { existing, openReader } from '../../reader.ts'
import { beginSqliteTriggers, endSqliteTriggers, fileNumber, renewSqliteTriggers } from './start.ts'
import { sqliteTriggerCost } from './cost.ts'
import { counted, counterNow, openNoter } from './counter.ts'
import { checkSqliteTriggers } from './preflight.ts'
import { readSqliteFollower, writeSqliteFollower } from './follower.ts'
import { sqliteLogTable, sqliteProgressTable, streamsOn } from './log.ts'
import { SqliteRounds } from './rounds.ts'
import { verifySqliteTriggers } from './verify.ts'
import { withConnection, written } from '../../copy/connection.ts'

/** Number of notes whose size is measured, and bytes of a note in addition to its key. */
const [SAMPLED, NOTE_BYTES] = [100, 8]

export class SqliteTriggers extends CounterSource implements ChangeSource {
  readonly #file: string
  readonly #label: string

  /** @param file path of the database */
  constructor(file: string, label: string) {
    super()
    this.#file = file
    this.#label = label
  }

  inspect(tables: readonly FollowedTable[], signal: AbortSignal): Promise<FollowPreflight> {
    return this.#read(signal, (one) => checkSqliteTriggers(one, this.#file, tables))
  }

  cost(tables: readonly FollowedTable[], signal: AbortSignal): Promise<readonly string[]> {
    return this.#read(signal, (one) => sqliteTriggerCost(one, tables, signal))
  }

  begin(name: string, tables: readonly FollowedTable[], signal: AbortSignal): Promise<StreamStart> {
    this.stream = name
    return this.#write(signal, (one) => beginSqliteTriggers(one, this.#file, name, tables, signal))
  }

  renew(
    startRecord: StreamStart,
    tables: readonly FollowedTable[],
    applied: LogPosition,
    signal: AbortSignal,
  ): Promise<StreamStart> {
    this.stream = startRecord.slot
    return this.#write(signal, (one) => renewSqliteTriggers(one, this.#file, startRecord, tables, applied, signal))
  }

  verify(
    startRecord: StreamStart,
    tables: readonly FollowedTable[],
    applied: LogPosition,
    signal: AbortSignal,
  ): Promise<StreamState> {
    this.stream = startRecord.slot
    return this.#read(signal, (one) => {
      one.exec('BEGIN')
      return verifySqliteTriggers(one, fileNumber(this.#file), startRecord, tables, applied)
    })
  }

  fence(signal: AbortSignal): Promise<LogPosition> {
    const stream = this.startedStream()
    return this.#write(signal, async (one) => {
      const number = await written(one, () => counted(one, stream), signal)
      if (number !== null) return number
      throw new SluiceError(
        'SLOT_LOST',
        `${sqliteProgressTable(stream)} has lost the row with the counter of the stream`,
        {
          where: this.#label,
          hint: `copy the tables again: ${RESTART_STREAM}`,
        },
      )
    })
  }

  lag({ slot, facts }: StreamStart, signal: AbortSignal): Promise<SourceLag> {
    const numbers = Object.entries(facts).flatMap(([name, text]) => (name.startsWith('log of ') ? [Number(text)] : []))
    return this.#read(signal, (one) => {
      const at = Date.now()
      one.exec('BEGIN')
      const now = counterNow(one, slot)
      let [waiting, heldBytes] = [0n, 0n]
      for (const number of now === null ? [] : numbers) {
        const { notes, bytes } = sizeOf(one, sqliteLogTable(slot, number))
        waiting += notes
        heldBytes += bytes
      }
      const isNoted = waiting > 0n
      return { now: now?.counter ?? 0n, waiting, isNoted, heldBytes, safeBytes: null, status: 'reserved', clockMs: at }
    })
  }

  async open(
    startRecord: StreamStart,
    tables: readonly FollowedTable[],
    from: LogPosition,
    signal: AbortSignal,
  ): Promise<ChangeStream> {
    throwIfAborted(signal)
    this.stream = startRecord.slot
    try {
      const rounds = new SqliteRounds({ file: this.#file, label: this.#label, startRecord, tables, signal })
      return new TriggerStream(rounds, from, signal)
    } catch (error) {
      throw sqliteCopyError(error, this.#label, 'source')
    }
  }

  recordedTarget(name: string, signal: AbortSignal): Promise<RecordedTarget | null> {
    return this.#read(signal, (one) => readSqliteFollower(one, name))
  }

  recordTarget(name: string, follower: RecordedTarget, was: string | null, signal: AbortSignal): Promise<boolean> {
    return this.#write(signal, (one) => writeSqliteFollower(one, name, follower, was, signal))
  }

  end(name: string, signal: AbortSignal): Promise<void> {
    return this.#write(signal, (one) => endSqliteTriggers(one, name, signal))
  }

  endByHand(name: string): string {
    return `DROP every trigger and table of the file whose name begins with ${name}_, triggers first`
  }

  streamsOf(table: TableName, signal: AbortSignal): Promise<readonly string[]> {
    return this.#read(signal, (one) => streamsOn(one, table))
  }

  async database(): Promise<string> {
    return 'main'
  }

  /** Runs the body on a new connection, so that it reads the file that is at the path now. */
  async #read<T>(signal: AbortSignal, body: (connection: Database.Database) => T | Promise<T>): Promise<T> {
    return await withConnection(() => openReader(existing(this.#file)), this.#label, signal, body)
  }

  async #write<T>(signal: AbortSignal, body: (connection: Database.Database) => Promise<T>): Promise<T> {
    return await withConnection(() => openNoter(this.#file), this.#label, signal, body)
  }
}

/**
 * Number of waiting notes, and their approximate bytes. Estimated, because a large log must not be scanned every
 * second.
 */
function sizeOf(connection: Database.Database, log: string): { readonly notes: bigint; readonly bytes: bigint } {
  if (definitionOf(connection, log) === null) return { notes: 0n, bytes: 0n }
  const keys = sqliteColumns(connection, log).flatMap(({ name }) =>
    name === 'note_id' ? [] : [`coalesce(octet_length(${quote(name)}), 0)`],
  )
  const [notes, size] = connection
    .prepare(
      `SELECT (SELECT coalesce(max(note_id) - min(note_id) + 1, 0) FROM ${quote(log)}), (SELECT coalesce(avg(${keys.join(' + ')}), 0) FROM (SELECT * FROM ${quote(log)} LIMIT ${SAMPLED}))`,
    )
    .raw(true)
    .get() as [number, number]
  return { notes: BigInt(notes), bytes: BigInt(Math.round(notes * (size + NOTE_BYTES))) }
}
