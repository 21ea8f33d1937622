/**
 * Steps on partitions of PostgreSQL. Each is one transaction that compares the table with the archive again (a detach:
 * only its columns) and completes the ledger entry. Only a concurrent detach takes several transactions.
 */
import { tableText, type TableName, type TableSpec } from '../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type {
  InsertRequest,
  Inheritance,
  Relatives,
  OwnPropertiesRecord,
  DetachLimits,
  DetachState,
  ConcurrentDetach,
  DetachedTable,
  DetachResult,
  NativePartitions,
  PartitionRequest,
  PartitionStore,
  NumberedName,
  ColumnChanges,
  StepEnd,
  AttachRequest,
} from '../../../model/archive/port.ts'
import type { Pool } from '../../common/pool.ts'
import { ReadsServer } from '../server/reading.ts'
import type { CopySession } from '../server/session.ts'
import { tableSql, literal } from '../server/sql.ts'
import { describeTable } from '../server/tables.ts'
import type { WantedLock } from '../server/lock-retry.ts'
import {
  lockDetachedTable,
  detachedTables,
  tableHolds,
  partitionParent,
  lockedPartition,
  isUnchanged,
} from './step-state.ts'
import { partitionsBetween } from './insert-rows.ts'
import type { PartitionBounds } from '../server/bounds.ts'
import { attachedTables } from './attached.ts'
import { attach, insertAmongOthers, recreate, type ReturnRequest } from './restore-partition.ts'
import { inheritanceOf, kinOf } from './inheritance.ts'
import { hasColumns, tableByIdentity, tableByName, type FoundRelation } from '../server/known.ts'
import {
  endAndMove,
  endMarkingSessions,
  concurrentDetachRefusal,
  lockDetaching,
  markDetaching,
  detachState,
  unlockDetaching,
} from './detach-concurrently.ts'
import { readDetachFacts, detachAndMove, type DetachFacts } from './detach.ts'
import { dropRefusal, returnRefusal } from './foreseen.ts'
import { listPartitions } from './list.ts'
import type { KnownTable } from '../server/locks.ts'
import { archivedName, ensureArchivedSchema, hasArchivedSchema, moveTable, ARCHIVED_SCHEMA } from './move.ts'
import { schemaNow } from './noted-schemas.ts'
import { readOwn, type NotRestored } from './own.ts'
import type { StepBodyEnd, Steps, WithinStep } from './steps.ts'
import { refuseOtherBelow, tablesBelow } from '../server/tree.ts'
import { permissionDenied } from '../../../shared/guide-errors.ts'
import { quoteName } from '../server/connect.ts'

type LastRequest = PartitionRequest & OwnPropertiesRecord
type EndRequest = Omit<PartitionRequest, 'expect'> & DetachLimits
type LeaveRequest = EndRequest & OwnPropertiesRecord & Partial<ConcurrentDetach>
type Ending = {
  readonly table: FoundRelation
  readonly below: readonly KnownTable[]
  readonly locks: readonly WantedLock[]
}

export class PostgresPartitions extends ReadsServer implements PartitionStore {
  readonly #database: string
  readonly #steps: Steps

  /** @param database identity of this database */
  constructor(database: string, readers: Pool<CopySession>, steps: Steps) {
    super(steps.settings, readers)
    this.#database = database
    this.#steps = steps
  }

  async list(parent: TableSpec, signal: AbortSignal): Promise<NativePartitions | null> {
    return this.read(signal, (session) => listPartitions(session, parent, this.#database))
  }

  async detach(request: LeaveRequest): Promise<DetachResult> {
    const step = { ...request, table: request.partition }
    const { begun, left, retryLimitMs, stop } = request
    await this.#steps.inOtherSession(step, ensureArchivedSchema)
    const find = async (session: CopySession): Promise<DetachFacts | null> => {
      const pair = await lockedPartition(session, request)
      return pair === null ? null : readDetachFacts(session, pair, request)
    }
    const why = await this.#steps.inOtherSession(step, (session) => concurrentDetachRefusal(session, request))
    const slow =
      begun === undefined || left === undefined || why !== null ? null : { begun, left, retryLimitMs: retryLimitMs / 2 }
    try {
      return await this.#steps.retryLocks(
        { ...step, retryLimitMs: slow?.retryLimitMs ?? retryLimitMs },
        find,
        async ({ session }, found) => {
          // The partition may have been renamed before it was locked.
          const again = await lockedPartition(session, request)
          if (again === null || tableSql(again.partition.name) !== tableSql(found.pair.partition.name)) return 'gone'
          return detachAndMove(session, found, request)
        },
      )
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code !== 'TARGET_BUSY' || stop.aborted) throw error
      if (slow === null) throw begun === undefined || why === null ? error : withWhy(error, why)
      return this.#detachConcurrently({ ...request, ...slow })
    }
  }

  async completeDetach(request: EndRequest): Promise<StepEnd | 'in'> {
    const step = { ...request, table: request.partition }
    const { standing } = await this.#steps.inOtherSession(step, async (session) => {
      await endMarkingSessions(session, request)
      return detachState(session, request)
    })
    return standing === 'in' ? 'in' : (await this.#end(request)).end
  }

  async detachState(
    request: Pick<PartitionRequest, 'parent' | 'partition' | 'identity'>,
    signal: AbortSignal,
  ): Promise<{ readonly standing: DetachState; readonly table: TableSpec | null }> {
    return this.read(signal, async (session) => {
      const { standing, table } = await detachState(session, request)
      if (table === null) return { standing, table: null }
      const spec = await describeTable(session, table.oid, "'r', 'p'", this.#database)
      return spec === null ? { standing: 'gone', table: null } : { standing, table: spec }
    })
  }

  /** Records that a concurrent detach begins, marks the partition, and finishes once no session blocks the detach. */
  async #detachConcurrently(request: LeaveRequest & ConcurrentDetach): Promise<DetachResult> {
    const step = { ...request, table: request.partition }
    const until = performance.now() + request.retryLimitMs
    const begun = await this.#steps.onOneSession(step, async (session): Promise<StepEnd> => {
      await lockDetaching(session, request.identity)
      const noted = await this.#steps.within(session, { ...step, closing: request.begun }, async () => {
        const pair = await lockedPartition(session, request)
        if (pair === null) return 'gone'
        if (!(await hasColumns(session, pair.partition, request.columns))) return 'differs'
        await keep(session, pair.partition, pair.parent, request)
        return 'done'
      })
      if (noted !== 'done') return noted
      while (!(await markDetaching(session, request, request.lockTimeoutMs))) {
        throwIfAborted(request.stop)
        if (performance.now() > until)
          throw new SluiceError('TARGET_BUSY', `other sessions use ${tableText(request.parent)}`, {
            hint: 'run the same command again when fewer sessions use the table',
          })
      }
      await unlockDetaching(session, request.identity)
      return 'done'
    })
    if (begun !== 'done') return { end: begun, tries: 0, longestMs: 0 }
    const retryLimitMs = Math.max(1, until - performance.now())
    return this.#end({ ...request, closing: request.left, retryLimitMs })
  }

  #end(request: EndRequest): Promise<DetachResult> {
    const find = async (session: CopySession): Promise<Ending | null> => {
      const { standing, table } = await detachState(session, request)
      if (table === null || standing === 'in') return null
      const below = table.kind === 'p' ? await tablesBelow(session, table) : []
      return { table, below, locks: [table, ...below].map((one) => ({ table: one, mode: 'ACCESS EXCLUSIVE' })) }
    }
    return this.#steps.retryLocks(
      { ...request, table: request.partition },
      find,
      async ({ session }, { table, below }) => {
        if (table.kind === 'p') await refuseOtherBelow(session, table, below)
        await endAndMove(session, request, table)
        return 'done'
      },
    )
  }

  async detachedTable(_partition: TableName, identity: string, signal: AbortSignal): Promise<TableSpec | null> {
    return this.read(signal, async (session) => {
      const found = await tableByIdentity(session, identity)
      if (found === null || !isUnchanged(found)) return null
      return await describeTable(session, found.oid, "'r', 'p'", this.#database)
    })
  }

  async attached(
    parent: TableName,
    left: readonly DetachedTable[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, TableName>> {
    return this.read(signal, (session) => attachedTables(session, parent, left))
  }

  async detachedTables(partition: TableName, identity: string, signal: AbortSignal): Promise<readonly NumberedName[]> {
    return this.read(signal, (session) => detachedTables(session, partition, identity))
  }

  async isGone(partition: TableName, identity: string, signal: AbortSignal): Promise<boolean> {
    return this.read(signal, async (session) => {
      if ((await tableByIdentity(session, identity)) !== null) return false
      return (await tableByName(session, archivedName(partition, identity))) === null
    })
  }

  requireRights(parent: TableName, signal: AbortSignal): Promise<void> {
    return this.read(signal, (session) => requireRights(session, parent))
  }

  inheritance(table: TableName, signal: AbortSignal): Promise<Inheritance> {
    return this.read(signal, (session) => inheritanceOf(session, table))
  }

  relatives(table: TableName, identities: readonly string[], signal: AbortSignal): Promise<Relatives> {
    return this.read(signal, (session) => kinOf(session, table, identities))
  }

  dropRefusal({ identity }: Pick<PartitionRequest, 'identity'>, signal: AbortSignal): Promise<SluiceError | null> {
    return this.read(signal, async (session) => {
      const table = await tableByIdentity(session, identity)
      return table === null ? null : dropRefusal(session, table)
    })
  }

  drop(request: LastRequest): Promise<StepEnd> {
    return this.#steps.run({ ...request, table: request.parent }, (within) => drop(within, request))
  }

  attachRefusal(request: AttachRequest, signal: AbortSignal): Promise<SluiceError | null> {
    return this.read(signal, (session) => returnRefusal(session, request))
  }

  attach(request: ReturnRequest & { readonly reshape?: ColumnChanges }): Promise<StepEnd> {
    return this.#back(request, (within, missing) => attach(within, request, missing))
  }

  recreate(request: ReturnRequest, csv: AsyncIterable<Buffer>): Promise<StepEnd> {
    return this.#back(request, (within, missing) => recreate(within, request, csv, missing))
  }

  async overlapping(parent: TableName, bounds: PartitionBounds, signal: AbortSignal): Promise<readonly TableName[]> {
    return this.read(signal, async (session) => {
      const { oid, key } = await partitionParent(session, parent)
      return partitionsBetween(session, oid, key, bounds)
    })
  }

  insertRows(request: InsertRequest, csv: AsyncIterable<Buffer> | null): Promise<StepEnd> {
    return this.#steps.run({ ...request, table: request.parent }, (within) => insertAmongOthers(within, request, csv))
  }

  detachedName(partition: TableName, identity: string): TableName {
    return archivedName(partition, identity)
  }

  async #back(
    request: ReturnRequest,
    body: (within: WithinStep, missing: NotRestored[]) => Promise<StepBodyEnd>,
  ): Promise<StepEnd> {
    const missing: NotRestored[] = []
    const end = await this.#steps.run({ ...request, table: request.partition }, (within) => body(within, missing))
    if (end === 'done') for (const { what, why } of missing) request.notGiven?.(what, why)
    return end
  }
}

async function drop({ session, locks }: WithinStep, request: LastRequest): Promise<StepBodyEnd> {
  const table = await lockDetachedTable(session, locks, request.identity)
  if (table === null) return 'gone'
  if (!(await tableHolds(session, table, request))) return 'differs'
  const refusal = await dropRefusal(session, table)
  if (refusal !== null) throw refusal
  await session.ask(`DROP TABLE ${tableSql(await recordProperties(session, table, request))}`)
  return 'done'
}

async function keep(
  session: CopySession,
  table: KnownTable,
  parent: KnownTable | null,
  { keep: noting }: OwnPropertiesRecord,
): Promise<void> {
  if (noting === undefined) return
  const { sql, parameters } = noting(await readOwn(session, table, parent))
  await session.run(sql, parameters)
}

/**
 * Records a detached table's own properties, if the ledger does not have them yet. Renames the table back first,
 * because the properties contain its name.
 * @returns the table's current name
 */
async function recordProperties(session: CopySession, table: KnownTable, request: LastRequest): Promise<TableName> {
  if (request.keep === undefined) return table.name
  const name = await schemaNow(session, request.partition, request.parent)
  await moveTable(session, table, name)
  const parent = await tableByName(session, request.parent)
  await keep(session, { ...table, name }, parent, request)
  return name
}

/** The error, with the reason why the partition was not detached concurrently. */
function withWhy(error: SluiceError, why: string): SluiceError {
  const { reason, where, hint } = error
  return new SluiceError('TARGET_BUSY', error.message, {
    where,
    hint,
    reason: `${reason === undefined ? '' : `${reason}; `}it was not detached concurrently: ${why}`,
    retryable: true,
    cause: error,
  })
}

/**
 * @throws SluiceError TARGET_DENIED if the login does not own the table, or has no right to create tables in the
 * archive schema; TABLE_REFUSED if that schema belongs to an untrusted role
 */
async function requireRights(session: CopySession, parent: TableName): Promise<void> {
  const schema = literal(ARCHIVED_SCHEMA)
  const [[me = '', database = '', owner = null, mayUse, mayCreate = 'f'] = []] = await session.ask(
    `SELECT current_user, pg_catalog.current_database(),
       (SELECT pg_catalog.pg_get_userbyid(c.relowner) FROM pg_catalog.pg_class c
        WHERE c.oid = pg_catalog.to_regclass(${literal(tableSql(parent))}) AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')),
       (SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_schema_privilege(n.oid, 'CREATE')
        FROM pg_catalog.pg_namespace n WHERE n.nspname = ${schema}),
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')`,
  )
  const role = quoteName(me ?? '')
  const refuse = (reason: string, hint: string): never => {
    throw new SluiceError(...permissionDenied('TARGET_DENIED', { where: tableText(parent), reason, hint }))
  }
  if (owner !== null) {
    const reason = `only its owner, ${owner}, can detach a partition of the table`
    refuse(reason, `connect as ${owner}; or, as ${owner} or a superuser: GRANT ${quoteName(owner)} TO ${role}`)
  }
  if (await hasArchivedSchema(session)) {
    if (mayUse === 't') return
    const reason = `detached partitions are moved into the schema ${ARCHIVED_SCHEMA}, in which ${me} may not create tables`
    const grant = `GRANT USAGE, CREATE ON SCHEMA ${quoteName(ARCHIVED_SCHEMA)} TO ${role}`
    refuse(reason, `as the owner of the schema or a superuser: ${grant}`)
  }
  if (mayCreate === 't') return
  const reason = `detached partitions are moved into the schema ${ARCHIVED_SCHEMA}, which does not exist and which ${me} may not create`
  const grant = `GRANT CREATE ON DATABASE ${quoteName(database ?? '')} TO ${role}`
  refuse(reason, `as the owner of the database or a superuser: ${grant}`)
}
