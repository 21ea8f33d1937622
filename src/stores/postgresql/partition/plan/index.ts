/** Plans the partitioning of a PostgreSQL table, in transactions that only read, or are rolled back. */
import { setTimeout as sleep } from 'node:timers/promises'
import { throwIfAborted } from '../../../../shared/abort.ts'
import type {
  MeasureRequest,
  Measured,
  PartitionPlanStore,
  PlanFinding,
  PlannedTable,
  Rehearsal,
  Spread,
  NewTablePartition,
  NewTableStatements,
  Years,
} from '../../../../model/partition/plan-port.ts'
import type { Pool } from '../../../common/pool.ts'
import { sourceError, targetError } from '../../server/errors.ts'
import { isBusy } from '../../server/locks.ts'
import { committed } from '../../server/patience.ts'
import { CopySession } from '../../server/session.ts'
import { underSignal } from '../../server/under-signal.ts'
import type { PostgresSettings } from '../../server/settings.ts'
import { aboutTable, type Look } from './about.ts'
import { codeOf } from './code.ts'
import { keysOf } from './keys.ts'
import { leadsIndex } from './by-index.ts'
import { measureLanes } from './measure.ts'
import { rehearsed } from './rehearse.ts'
import { referencesOf } from './references.ts'
import { rightsOf } from './rights.ts'
import { shapeOf } from './shape.ts'
import { spreadOf, yearsOf } from './spread.ts'
import { storageOf } from './storage.ts'
import { streamsOf } from './streams.ts'
import { takenNames, newTableStatements } from './new-table.ts'

const LOOKS: readonly Look[] = [shapeOf, keysOf, referencesOf, codeOf, streamsOf, rightsOf, storageOf]

/** Lock timeout, ms: a foreign key of the new table blocks writers of the referenced table until all is created. */
const LOCK_WAIT_MS = 300
const TRIES = 20
const REST_MS = 250

export class PostgresPartitionPlan implements PartitionPlanStore {
  readonly #settings: PostgresSettings
  readonly #sessions: Pool<CopySession>

  constructor(settings: PostgresSettings, sessions: Pool<CopySession>) {
    this.#settings = settings
    this.#sessions = sessions
  }

  findings(planned: PlannedTable, nulls: boolean, signal: AbortSignal): Promise<readonly PlanFinding[]> {
    return this.#look(signal, async (session) => {
      const about = await aboutTable(session, planned, nulls)
      const found: PlanFinding[] = []
      for (const look of LOOKS) found.push(...(await look(about)))
      return found
    })
  }

  years(planned: PlannedTable, exact: boolean, signal: AbortSignal): Promise<Years> {
    return this.#look(signal, (session) => yearsOf(session, planned, exact))
  }

  spread(planned: PlannedTable, bounds: readonly string[], exact: boolean, signal: AbortSignal): Promise<Spread> {
    return this.#look(signal, (session) => spreadOf(session, planned, bounds, exact))
  }

  taken(planned: PlannedTable, tables: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
    return this.#look(signal, async (session) => takenNames(await aboutTable(session, planned, false), tables))
  }

  newTable(
    planned: PlannedTable,
    name: string,
    partitions: readonly NewTablePartition[],
    signal: AbortSignal,
  ): Promise<NewTableStatements> {
    return this.#look(signal, async (session) =>
      newTableStatements(await aboutTable(session, planned, false), name, partitions),
    )
  }

  isIndexed(planned: PlannedTable, signal: AbortSignal): Promise<boolean> {
    return this.#look(signal, async (session) => leadsIndex(await aboutTable(session, planned, false)))
  }

  async rehearse(statements: NewTableStatements, signal: AbortSignal): Promise<Rehearsal> {
    throwIfAborted(signal)
    const session = await CopySession.open(this.#settings, 'write')
    try {
      return await underSignal(session, signal, () => rehearsed(session, statements))
    } catch (error) {
      throw targetError(error, this.#settings, 'the new table')
    } finally {
      await session.close()
    }
  }

  async make(statements: readonly string[], signal: AbortSignal): Promise<void> {
    throwIfAborted(signal)
    const session = await CopySession.open(this.#settings, 'write')
    try {
      await underSignal(session, signal, () => makeTables(session, statements))
    } catch (error) {
      throw targetError(error, this.#settings, 'the new table')
    } finally {
      await session.close()
    }
  }

  async measure(request: MeasureRequest): Promise<Measured> {
    const open: CopySession[] = []
    const stop = (): void => {
      for (const session of open) session.destroy()
    }
    request.signal.addEventListener('abort', stop)
    try {
      return await measureLanes(request, async () => {
        throwIfAborted(request.signal)
        const session = await CopySession.open(this.#settings, 'write')
        open.push(session)
        return session
      })
    } catch (error) {
      throwIfAborted(request.signal)
      throw sourceError(error, this.#settings)
    } finally {
      request.signal.removeEventListener('abort', stop)
      // Closing a session rolls back its transaction.
      for (const session of open) await session.close()
    }
  }

  async #look<T>(signal: AbortSignal, body: (session: CopySession) => Promise<T>): Promise<T> {
    throwIfAborted(signal)
    try {
      return await this.#sessions.use((session) =>
        underSignal(session, signal, async () => {
          await session.begin('ISOLATION LEVEL REPEATABLE READ READ ONLY', "SET LOCAL search_path = ''")
          try {
            return await body(session)
          } finally {
            if (session.alive) await session.ask('ROLLBACK')
          }
        }),
      )
    } catch (error) {
      throw sourceError(error, this.#settings)
    }
  }
}

/**
 * Creates the new table with its partitions: all of it, or nothing.
 * @throws errors of the server; its lock refusal if a referenced table was locked by others in all tries
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
      if (left <= 1 || !session.alive || !isBusy(error)) throw error
    }
    await sleep(REST_MS)
  }
}
