/** Range partitions of MySQL and MariaDB, and how they are created. */
import { isZone } from '../../../../model/calendar/zone.ts'
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { restUnder, throwIfAborted } from '../../../../shared/abort.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { eitherSignal, isStop, NOTHING_MADE, tableRefusal } from '../../../../model/partition/maintenance-port.ts'
import type {
  Made,
  MaintenanceStore,
  MakeRequest,
  RangedTable,
  PrintedBounds,
  DefaultRows,
} from '../../../../model/partition/maintenance-port.ts'
import type { SessionLock, SqlValue } from '../../../../model/run/sql-port.ts'
import { mysqlTimeCondition } from '../../archive/time.ts'
import type { MysqlConfig } from '../../config.ts'
import type { MysqlSessionPurpose } from '../../connect.ts'
import { mysqlSourceError, mysqlTargetError } from '../../copy/errors.ts'
import { backquotedTable, quoted } from '../../copy/names.ts'
import { interruptibleMysql, openCopySession } from '../../copy/sessions.ts'
import { lockName, takeMysqlLock } from '../../lock.ts'
import type { MysqlSession } from '../../session.ts'
import { deniedError } from './denied.ts'
import { inspectMysqlPartitions } from './inspect.ts'
import { foreseeMysqlPartitions, makeMysqlPartitions } from './make.ts'
import { backquotedName } from '../../../../shared/sql-text.ts'
import { bigintOf } from '../../../common/cells.ts'

/**
 * In this mode the server accepts every existing table: columns may have zero dates as their default, and comments and
 * paths may have backslashes. With NO_BACKSLASH_ESCAPES MariaDB cannot even open a table with backslashes.
 */
const SQL_MODE = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_ENGINE_SUBSTITUTION'
const REST_MS = 100

export class MysqlMaintenance implements MaintenanceStore {
  readonly #config: MysqlConfig
  readonly #server: string

  /** @param server identifies this server */
  constructor(config: MysqlConfig, server: string) {
    this.#config = config
    this.#server = server
  }

  async inspect(table: TableName, _sizes: boolean, signal: AbortSignal): Promise<RangedTable | null> {
    return await this.#reading(
      signal,
      async (session) => (await inspectMysqlPartitions(session, table, this.#server))?.ranged ?? null,
    )
  }

  async zone(signal: AbortSignal): Promise<string | null> {
    return await this.#reading(signal, async (session) => {
      const [[zone, system] = []] = await session.rows('SELECT @@global.time_zone, @@global.system_time_zone')
      const named = String(zone) === 'SYSTEM' ? String(system) : String(zone)
      if (/^(?:UTC|GMT|[+-]00:00)$/i.test(named)) return 'UTC'
      // Abbreviations of the operating system are ambiguous, or an hour off for half of the year.
      return String(zone) !== 'SYSTEM' && named.includes('/') && isZone(named) ? named : null
    })
  }

  async count({ table, partitions }: RangedTable, signal: AbortSignal): Promise<readonly bigint[]> {
    return await this.#reading(signal, async (session) => {
      const counts: bigint[] = []
      await session.command('START TRANSACTION WITH CONSISTENT SNAPSHOT')
      for (const { name } of partitions) {
        throwIfAborted(signal)
        const [[rows] = []] = await session.command(
          `SELECT CAST(COUNT(*) AS CHAR) FROM ${backquotedTable(table)} PARTITION (${backquotedName(name.name)})`,
        )
        counts.push(bigintOf(rows))
      }
      await session.command('COMMIT')
      return counts
    })
  }

  async countDefault(
    { table, column, partitions }: RangedTable,
    spans: readonly PrintedBounds[],
    signal: AbortSignal,
  ): Promise<{ readonly spans: readonly bigint[]; readonly others: DefaultRows }> {
    const rest = partitions.find(({ isDefault }) => isDefault)
    const none = { spans: spans.map(() => 0n), others: { from: null, to: null, rows: 0n } }
    if (rest === undefined) return none
    const conditions = spans.map(({ from, to }) => mysqlTimeCondition(column, plain(from), plain(to)) ?? 'FALSE')
    // This may be the first partition, which contains the rows with NULL: for these rows all conditions are NULL.
    const within = conditions.map((one) => `(${one})`).join(' OR ')
    const others = conditions.length === 0 ? 'TRUE' : `NOT COALESCE(${within}, FALSE)`
    const value = `CASE WHEN ${others} THEN ${quoted(column.name)} END`
    const counts = [...conditions, others].map((one) => `CAST(COALESCE(SUM(${one}), 0) AS CHAR)`)
    return await this.#reading(signal, async (session) => {
      const [row = []] = await session.command(
        `SELECT CAST(MIN(${value}) AS CHAR), CAST(MAX(${value}) AS CHAR), ${counts.join(', ')} FROM ${backquotedTable(table)} PARTITION (${backquotedName(rest.name.name)})`,
      )
      const [low, high, ...numbers] = row
      const isInstant = column.type.kind === 'timestamp' && column.type.zone
      const text = (end: SqlValue | undefined): string | null =>
        end == null ? null : `${String(end)}${isInstant ? '+00' : ''}`
      return {
        spans: numbers.slice(0, -1).map(bigintOf),
        others: { from: text(low), to: text(high), rows: bigintOf(numbers.at(-1)) },
      }
    })
  }

  async makeRefusal(request: Pick<MakeRequest, 'table' | 'partitions' | 'signal'>): Promise<SluiceError | null> {
    return await this.#reading(request.signal, (session) =>
      tableRefusal(() => foreseeMysqlPartitions(session, request, this.#server)),
    )
  }

  async make(request: MakeRequest): Promise<Made> {
    const { table, retryLimitMs, signal } = request
    const place = `${this.#config.label}: ${tableText(table.table)}`
    const open: MysqlSession[] = []
    try {
      await using lock = await this.#runLock(table.table, retryLimitMs, eitherSignal(request))
      const worker = await this.#open('write')
      open.push(worker)
      // Each statement is its own transaction: reads between two of them hold no lock on the table.
      await worker.command('SET SESSION autocommit = 1, lock_wait_timeout = 1')
      const watcher = await this.#open('read')
      open.push(watcher)
      return await makeMysqlPartitions({ worker, watcher }, lock, request, this.#server)
    } catch (error) {
      throwIfAborted(signal)
      if (isStop(error, request)) return NOTHING_MADE
      throw deniedError(error, 'TARGET_DENIED', place) ?? mysqlTargetError(error, place)
    } finally {
      await Promise.all(open.map((session) => session.close()))
    }
  }

  /** One run at a time creates partitions of a table, on any host. The server ends the lock with its session. */
  async #runLock({ schema, name }: TableName, retryLimitMs: number, signal: AbortSignal): Promise<SessionLock> {
    const until = performance.now() + retryLimitMs
    for (;;) {
      throwIfAborted(signal)
      const lock = await takeMysqlLock(
        await this.#open('read'),
        lockName(schema ?? this.#config.database, `partitions of ${name}`),
      )
      if (lock !== null) return lock
      if (performance.now() >= until) throw anotherRun(tableText({ name }), this.#config.label)
      await restUnder(signal, REST_MS)
    }
  }

  async #reading<T>(signal: AbortSignal, body: (session: MysqlSession) => Promise<T>): Promise<T> {
    throwIfAborted(signal)
    const session = await this.#open('read')
    try {
      return await interruptibleMysql(this.#config, session, signal, () => body(session))
    } catch (error) {
      throw deniedError(error, 'SOURCE_DENIED', this.#config.label) ?? mysqlSourceError(error, this.#config.label)
    } finally {
      await session.close()
    }
  }

  async #open(purpose: MysqlSessionPurpose): Promise<MysqlSession> {
    const session = await openCopySession(this.#config, purpose)
    try {
      await session.command(`SET SESSION sql_mode = '${SQL_MODE}'`)
      return session
    } catch (error) {
      session.destroy()
      throw error
    }
  }
}

/** The bound without `+00`: our sessions are in UTC, and `timeCondition` expects times without an offset. */
function plain(bound: string | null): string | null {
  return bound?.replace(/\+00$/, '') ?? null
}

function anotherRun(table: string, where: string): SluiceError {
  return new SluiceError('TARGET_BUSY', `another run creates partitions of ${table}`, {
    where,
    hint: 'wait until it ends, then run the same command again',
    retryable: true,
  })
}
