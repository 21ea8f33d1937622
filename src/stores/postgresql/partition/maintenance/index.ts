/** Inspects and creates partitions of PostgreSQL tables. */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../../shared/abort.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { eitherSignal, isStop, NOTHING_MADE, tableRefusal } from '../../../../model/partition/maintenance-port.ts'
import type {
  MaintenanceStore,
  Made,
  MakeRequest,
  RangedTable,
  PrintedBounds,
  DefaultRows,
} from '../../../../model/partition/maintenance-port.ts'
import { lockedStepError } from '../../archive/step-errors.ts'
import { ReadsServer } from '../../server/reading.ts'
import { CopySession } from '../../server/session.ts'
import { underSignal } from '../../server/under-signal.ts'
import { takeHostLock } from './host-lock.ts'
import { clearLeftOver, leftOverOf } from './left-over.ts'
import { inspectPostgresPartitions } from './inspect.ts'
import { foreseePostgresPartitions, makePostgresPartitions } from './make.ts'
import { LockRetry } from '../../server/lock-retry.ts'
import { countedRows, databaseZone, strayRows } from './stray.ts'

const RIGHTS = 'connect as the owner of the table and of its partitions, who may also CREATE in their schema'

/** How long a failed run tries to remove what it created, ms. */
const TIDYING_MS = 3000

export class PostgresMaintenance extends ReadsServer implements MaintenanceStore {
  inspect(table: TableName, sizes: boolean, signal: AbortSignal): Promise<RangedTable | null> {
    return this.read(signal, (session) => inspectPostgresPartitions(session, table, sizes))
  }

  zone(signal: AbortSignal): Promise<string | null> {
    return this.read(signal, databaseZone)
  }

  count(table: RangedTable, signal: AbortSignal): Promise<readonly bigint[]> {
    return this.read(signal, (session) => countedRows(session, table))
  }

  countDefault(
    table: RangedTable,
    spans: readonly PrintedBounds[],
    signal: AbortSignal,
  ): Promise<{ readonly spans: readonly bigint[]; readonly others: DefaultRows }> {
    return this.read(signal, (session) => strayRows(session, table, spans))
  }

  makeRefusal({
    table,
    partitions,
    signal,
  }: Pick<MakeRequest, 'table' | 'partitions' | 'signal'>): Promise<SluiceError | null> {
    return this.read(signal, (session) => tableRefusal(() => foreseePostgresPartitions(session, { table, partitions })))
  }

  async make(request: MakeRequest): Promise<Made> {
    const { signal, table } = request
    throwIfAborted(signal)
    const waits = { ...request, signal: eitherSignal(request) }
    const about = { settings: this.settings, table: tableText(table.table), rights: RIGHTS }
    const session = await CopySession.open(this.settings, 'write')
    let holds = false
    try {
      return await underSignal(session, signal, async () => {
        await prepare(session, waits)
        holds = true
        return await makePostgresPartitions(session, request, new LockRetry(session, waits))
      })
    } catch (error) {
      if (isStop(error, request)) return NOTHING_MADE
      // A SluiceError already names the cause.
      if (error instanceof SluiceError) throw error
      const oids = [table, ...table.partitions].map(({ identity }) => identity)
      throw await lockedStepError(error, about, session, oids)
    } finally {
      await session.close()
      if (holds) await this.#tidy(request)
    }
  }

  /** Removes objects that a failed run created and did not attach. If this fails, the next run removes them. */
  async #tidy({ table, lockTimeoutMs }: MakeRequest): Promise<void> {
    const limits = { lockTimeoutMs, retryLimitMs: TIDYING_MS, signal: new AbortController().signal }
    try {
      await using session = await CopySession.open(this.settings, 'write')
      if ((await leftOverOf(session, table.identity)) === null) return
      await prepare(session, { ...limits, table })
      await clearLeftOver(session, new LockRetry(session, limits), table.identity)
    } catch {
      // The error of the run itself is reported instead.
    }
  }
}

/** Takes the host lock of the table. From then on names need their schema, and new objects get default settings. */
async function prepare(
  session: CopySession,
  {
    table,
    lockTimeoutMs,
    retryLimitMs,
    signal,
  }: Pick<MakeRequest, 'table' | 'lockTimeoutMs' | 'retryLimitMs' | 'signal'>,
): Promise<void> {
  const [row] = await session.ask(
    `SET search_path TO ''; SET default_tablespace TO ''; SET default_table_access_method TO heap; SET lock_timeout TO ${lockTimeoutMs};
     SELECT pg_catalog.current_setting('transaction_read_only'), pg_catalog.pg_is_in_recovery()`,
  )
  if (row?.[0] === 'on') throw readOnly(tableText(table.table), row[1] === 't')
  await takeHostLock(session, table.identity, { retryLimitMs, signal, table: tableText(table.table) })
}

/**
 * Error for a read-only session. It is thrown before the first change, because the server would accept some statements
 * and refuse others.
 */
function readOnly(table: string, isStandby: boolean): SluiceError {
  return new SluiceError('TARGET_DENIED', `partitions of ${table} cannot be created: this session is read-only`, {
    where: table,
    reason: isStandby
      ? 'the server is a standby'
      : 'default_transaction_read_only is on for this server, database or role',
    hint: isStandby
      ? 'use the primary server'
      : 'connect as a role that may write, or ALTER ROLE … RESET default_transaction_read_only',
  })
}
