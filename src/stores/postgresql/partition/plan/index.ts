/** Plans the partitioning of a PostgreSQL table, in transactions that only read, or are rolled back. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TableName } from '../../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../../shared/abort.ts'
import type {
  MeasureRequest,
  MeasuredRead,
  PartitionPlanStore,
  PlanFinding,
  TableToPartition,
  TrialResult,
  RowSpread,
  NewTablePartition,
  NewTableStatements,
  Years,
} from '../../../../model/partition/plan-port.ts'
import { postgresSourceError } from '../../server/errors.ts'
import { isPostgresBusy } from '../../server/locks.ts'
import { committed } from '../../server/lock-retry.ts'
import { reading, ReadsServer, writingTo } from '../../server/reading.ts'
import { CopySession } from '../../server/session.ts'
import { aboutTable, type PlanInspection } from './about.ts'
import { planCodeFindings } from './code.ts'
import { planKeyFindings } from './keys.ts'
import { lackingStatements } from './lacking.ts'
import { leadsIndex } from './by-index.ts'
import { measureCopyWorkers } from './measure.ts'
import { rehearsed } from './rehearse.ts'
import { planReferenceFindings } from './references.ts'
import { planRightFindings, replicaFindings } from './rights.ts'
import { planShapeFindings } from './shape.ts'
import { spreadOf, yearsOf } from './spread.ts'
import { storageOf } from './storage.ts'
import { planStreamFindings } from './streams.ts'
import { takenNames, newTableStatements } from './new-table.ts'

const INSPECTIONS: readonly PlanInspection[] = [
  planShapeFindings,
  planKeyFindings,
  planReferenceFindings,
  planCodeFindings,
  planStreamFindings,
  planRightFindings,
  storageOf,
]

/** Lock timeout, ms: a foreign key of the new table blocks writers of the referenced table until the commit. */
const LOCK_WAIT_MS = 300
const TRIES = 20
const REST_MS = 250

export class PostgresPartitionPlan extends ReadsServer implements PartitionPlanStore {
  findings(planned: TableToPartition, nulls: boolean, signal: AbortSignal): Promise<readonly PlanFinding[]> {
    return this.#inspect(signal, async (session) => {
      const about = await aboutTable(session, planned, nulls)
      const found: PlanFinding[] = []
      for (const inspect of INSPECTIONS) found.push(...(await inspect(about)))
      return found
    })
  }

  years(planned: TableToPartition, exact: boolean, signal: AbortSignal): Promise<Years> {
    return this.#inspect(signal, (session) => yearsOf(session, planned, exact))
  }

  spread(
    planned: TableToPartition,
    bounds: readonly string[],
    exact: boolean,
    signal: AbortSignal,
  ): Promise<RowSpread> {
    return this.#inspect(signal, (session) => spreadOf(session, planned, bounds, exact))
  }

  usedNames(planned: TableToPartition, tables: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
    return this.#inspect(signal, async (session) => takenNames(await aboutTable(session, planned, false), tables))
  }

  newTable(
    planned: TableToPartition,
    name: string,
    partitions: readonly NewTablePartition[],
    signal: AbortSignal,
  ): Promise<NewTableStatements> {
    return this.#inspect(signal, async (session) =>
      newTableStatements(await aboutTable(session, planned, false), name, partitions),
    )
  }

  isIndexed(planned: TableToPartition, signal: AbortSignal): Promise<boolean> {
    return this.#inspect(signal, async (session) => leadsIndex(await aboutTable(session, planned, false)))
  }

  missingObjects(table: TableName, late: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
    return this.#inspect(signal, (session) => lackingStatements(session, table, late))
  }

  async roleFindings(signal: AbortSignal): Promise<readonly PlanFinding[]> {
    return await writingTo(this.settings, 'the new table', signal, replicaFindings)
  }

  tryStatements(statements: NewTableStatements, signal: AbortSignal): Promise<TrialResult> {
    return writingTo(this.settings, 'the new table', signal, (session) => rehearsed(session, statements))
  }

  make(statements: readonly string[], signal: AbortSignal): Promise<void> {
    return writingTo(this.settings, 'the new table', signal, (session) => makeTables(session, statements))
  }

  async measure(request: MeasureRequest): Promise<MeasuredRead> {
    const open: CopySession[] = []
    const stop = (): void => {
      for (const session of open) session.destroy()
    }
    request.signal.addEventListener('abort', stop)
    try {
      return await measureCopyWorkers(request, async () => {
        throwIfAborted(request.signal)
        const session = await CopySession.open(this.settings, 'write')
        open.push(session)
        return session
      })
    } catch (error) {
      throwIfAborted(request.signal)
      throw postgresSourceError(error, this.settings)
    } finally {
      request.signal.removeEventListener('abort', stop)
      // Closing a session rolls back its transaction.
      for (const session of open) await session.close()
    }
  }

  #inspect<T>(signal: AbortSignal, body: (session: CopySession) => Promise<T>): Promise<T> {
    return reading(this.readers, this.settings, signal, body)
  }
}

/**
 * Creates the new table with its partitions, in one transaction.
 * @throws errors of the server, such as the lock timeout if other sessions locked a referenced table in all tries
 */
async function makeTables(session: CopySession, statements: readonly string[]): Promise<void> {
  for (let left = TRIES; ; left--) {
    await session.begin('', `SET LOCAL lock_timeout = ${LOCK_WAIT_MS}; SET LOCAL search_path = ''`)
    try {
      for (const statement of statements) await session.ask(statement)
      await committed(session)
      return
    } catch (error) {
      if (session.alive) await session.rollBack()
      if (left <= 1 || !session.alive || !isPostgresBusy(error)) throw error
    }
    await sleep(REST_MS)
  }
}
