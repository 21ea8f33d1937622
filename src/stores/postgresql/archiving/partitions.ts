/** Partitions of PostgreSQL: what is done to each is one transaction, that proves its rows once more and closes the ledger. */
import { tableText, type TableName, type TableSpec } from '../../../model/copy/column-type.ts'
import { equalDigests, type Digest } from '../../../model/copy/rows.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type {
  BesideRequest,
  Giving,
  Inheritance,
  Keeping,
  Leaving,
  LeaveStanding,
  LeavingBegun,
  Left,
  NativePartitions,
  PartitionRequest,
  PartitionStore,
  Reshape,
  StepEnd,
} from '../../archive-port.ts'
import type { ReadColumn } from '../../copy-port.ts'
import type { Pool } from '../../pool.ts'
import { sourceError } from '../copy/errors.ts'
import { sqlStateOf } from '../errors.ts'
import { missingTable } from '../copy/relation.ts'
import { digestRows } from '../copy/row-digest.ts'
import type { CopySession } from '../copy/session.ts'
import { fromSql, tableSql } from '../copy/sql.ts'
import { describeTables } from '../copy/tables.ts'
import { underSignal } from '../copy/under-signal.ts'
import { attachTable, createLike, defaultOf, type Parent } from './attach.ts'
import { BACK, bringInto, createBack, standingBetween } from './beside.ts'
import type { Bounds } from './bounds.ts'
import { loadCsv } from './csv-in.ts'
import { hasColumns, partitionKey, tableByIdentity, tableByName, type FoundTable } from './known.ts'
import { inheritanceOf } from './inheritance.ts'
import { listPartitions } from './list.ts'
import type { KnownTable, Locks } from './locks.ts'
import { ARCHIVED_SCHEMA, archivedName, ensureArchivedSchema, moveTable } from './move.ts'
import { GivenBack, readOwn, type NotGiven } from './own.ts'
import { lookBefore, takeAway, type Leave, type Pair } from './leave.ts'
import {
  endAndMove,
  endMarkers,
  keepsFromSlowLeave,
  lockLeaving,
  markLeaving,
  standingOf,
  unlockLeaving,
} from './leave-slowly.ts'
import type { WantedLock } from '../maintenance/patience.ts'
import { reshapeTable } from './reshape.ts'
import type { Steps, Within } from './steps.ts'
import { lockBelow, moveBelowBack, refuseOtherBelow, tablesBelow } from './tree.ts'

type Ended = 'done' | 'differs' | 'gone'
type LastRequest = PartitionRequest & Keeping
type EndRequest = Omit<PartitionRequest, 'expect'> & Leaving
type LeaveRequest = EndRequest & Keeping & Partial<LeavingBegun>
type Ending = {
  readonly table: FoundTable
  readonly below: readonly KnownTable[]
  readonly locks: readonly WantedLock[]
}
type ReturnRequest = PartitionRequest & Giving & Bounds

export class PostgresPartitions implements PartitionStore {
  readonly #database: string
  readonly #readers: Pool<CopySession>
  readonly #steps: Steps

  /** @param database what tells this database from others */
  constructor(database: string, readers: Pool<CopySession>, steps: Steps) {
    this.#database = database
    this.#readers = readers
    this.#steps = steps
  }

  async list(parent: TableSpec, signal: AbortSignal): Promise<NativePartitions | null> {
    return this.#read(signal, (session) => listPartitions(session, parent, this.#database))
  }

  async leave(request: LeaveRequest): Promise<Left> {
    const step = { ...request, table: request.partition }
    const { begun, left, budgetMs, stop } = request
    await this.#steps.beside(step, ensureArchivedSchema)
    const find = async (session: CopySession): Promise<Leave | null> => {
      const pair = await partitionNow(session, request)
      return pair === null ? null : lookBefore(session, pair, request)
    }
    const why = await this.#steps.beside(step, (session) => keepsFromSlowLeave(session, request))
    const slow =
      begun === undefined || left === undefined || why !== null ? null : { begun, left, budgetMs: budgetMs / 2 }
    try {
      return await this.#steps.patiently(
        { ...step, budgetMs: slow?.budgetMs ?? budgetMs },
        find,
        async ({ session }, found) => {
          // What was found may have been renamed before it was locked.
          const again = await partitionNow(session, request)
          if (again === null || tableSql(again.partition.name) !== tableSql(found.pair.partition.name)) return 'gone'
          return takeAway(session, found, request)
        },
      )
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code !== 'TARGET_BUSY' || stop.aborted) throw error
      if (slow === null) throw begun === undefined || why === null ? error : withWhy(error, why)
      return this.#slowly({ ...request, ...slow })
    }
  }

  async endLeave(request: EndRequest): Promise<StepEnd | 'in'> {
    const step = { ...request, table: request.partition }
    const { standing } = await this.#steps.beside(step, async (session) => {
      await endMarkers(session, request)
      return standingOf(session, request)
    })
    return standing === 'in' ? 'in' : (await this.#end(request)).end
  }

  async leaving(
    request: Pick<PartitionRequest, 'parent' | 'partition' | 'identity'>,
    signal: AbortSignal,
  ): Promise<{ readonly standing: LeaveStanding; readonly table: TableSpec | null }> {
    return this.#read(signal, async (session) => {
      const { standing, table } = await standingOf(session, request)
      if (table === null) return { standing, table: null }
      const condition = `c.oid = ${table.oid}`
      const [spec] = await describeTables(session, { condition, exact: true, kinds: "'r', 'p'" }, this.#database)
      return spec === undefined ? { standing: 'gone', table: null } : { standing, table: spec }
    })
  }

  /** Notes that it begins, begins, and ends it as soon as nobody is in the way. */
  async #slowly(request: LeaveRequest & LeavingBegun): Promise<Left> {
    const step = { ...request, table: request.partition }
    const until = performance.now() + request.budgetMs
    const begun = await this.#steps.alone(step, async (session): Promise<StepEnd> => {
      await lockLeaving(session, request.identity)
      const noted = await this.#steps.within(session, { ...step, closing: request.begun }, async () => {
        const pair = await partitionNow(session, request)
        if (pair === null) return 'gone'
        if (!(await hasColumns(session, pair.partition, request.columns))) return 'differs'
        await keep(session, pair.partition, pair.parent, request)
        return 'done'
      })
      if (noted !== 'done') return noted
      while (!(await markLeaving(session, request, request.patienceMs))) {
        throwIfAborted(request.stop)
        if (performance.now() > until)
          throw new SluiceError('TARGET_BUSY', `others have ${tableText(request.parent)} in use`)
      }
      await unlockLeaving(session, request.identity)
      return 'done'
    })
    if (begun !== 'done') return { end: begun, tries: 0, longestMs: 0 }
    const budgetMs = Math.max(1, until - performance.now())
    return this.#end({ ...request, closing: request.left, budgetMs })
  }

  #end(request: EndRequest): Promise<Left> {
    const find = async (session: CopySession): Promise<Ending | null> => {
      const { standing, table } = await standingOf(session, request)
      if (table === null || standing === 'in') return null
      const below = table.kind === 'p' ? await tablesBelow(session, table) : []
      return { table, below, locks: [table, ...below].map((one) => ({ table: one, mode: 'ACCESS EXCLUSIVE' })) }
    }
    return this.#steps.patiently(
      { ...request, table: request.partition },
      find,
      async ({ session }, { table, below }) => {
        if (table.kind === 'p') await refuseOtherBelow(session, table, below)
        await endAndMove(session, request, table)
        return 'done'
      },
    )
  }

  async detached(_partition: TableName, identity: string, signal: AbortSignal): Promise<TableSpec | null> {
    return this.#read(signal, async (session) => {
      const found = await tableByIdentity(session, identity)
      if (found === null || !stands(found)) return null
      const condition = `c.oid = ${found.oid}`
      const [spec] = await describeTables(session, { condition, exact: true, kinds: "'r', 'p'" }, this.#database)
      return spec ?? null
    })
  }

  async isGone(partition: TableName, identity: string, signal: AbortSignal): Promise<boolean> {
    return this.#read(signal, async (session) => {
      if ((await tableByIdentity(session, identity)) !== null) return false
      return (await tableByName(session, archivedName(partition, identity))) === null
    })
  }

  inheritance(table: TableName, signal: AbortSignal): Promise<Inheritance> {
    return this.#read(signal, (session) => inheritanceOf(session, table))
  }

  drop(request: LastRequest): Promise<StepEnd> {
    return this.#steps.run({ ...request, table: request.parent }, (within) => drop(within, request))
  }

  attach(request: ReturnRequest & { readonly reshape?: Reshape }): Promise<StepEnd> {
    return this.#back(request, (within, missing) => attach(within, request, missing))
  }

  recreate(request: ReturnRequest, csv: AsyncIterable<Buffer>): Promise<StepEnd> {
    return this.#back(request, (within, missing) => recreate(within, request, csv, missing))
  }

  async standing(parent: TableName, bounds: Bounds, signal: AbortSignal): Promise<readonly TableName[]> {
    return this.#read(signal, async (session) => {
      const { oid, key } = await parentOf(session, parent)
      return standingBetween(session, oid, key, bounds)
    })
  }

  bringBeside(request: BesideRequest, csv: AsyncIterable<Buffer> | null): Promise<StepEnd> {
    return this.#steps.run({ ...request, table: request.parent }, (within) => bringBeside(within, request, csv))
  }

  detachedName(partition: TableName, identity: string): TableName {
    return archivedName(partition, identity)
  }

  async #read<T>(signal: AbortSignal, body: (session: CopySession) => Promise<T>): Promise<T> {
    try {
      return await this.#readers.use((session) => underSignal(session, signal, () => body(session)))
    } catch (error) {
      throw sourceError(error, this.#steps.settings)
    }
  }

  async #back(request: ReturnRequest, body: (within: Within, missing: NotGiven[]) => Promise<Ended>): Promise<StepEnd> {
    const missing: NotGiven[] = []
    const end = await this.#steps.run({ ...request, table: request.partition }, (within) => body(within, missing))
    if (end === 'done') for (const { what, why } of missing) request.notGiven?.(what, why)
    return end
  }
}

async function drop({ session, locks }: Within, request: LastRequest): Promise<Ended> {
  const table = await detachedTable(session, locks, request.identity)
  if (table === null) return 'gone'
  if (!(await holds(session, table, request))) return 'differs'
  await session.ask(`DROP TABLE ${tableSql(await keptLate(session, table, request))}`)
  return 'done'
}

async function attach(
  { session, locks }: Within,
  request: ReturnRequest & { readonly reshape?: Reshape },
  missing: NotGiven[],
): Promise<Ended> {
  const table = await detachedTable(session, locks, request.identity)
  if (table === null) return 'gone'
  if (!(await holds(session, table, request))) return 'differs'
  const parent = await parentOf(session, request.parent)
  locks.involve(parent.oid)
  if (request.reshape !== undefined) await reshapeTable(session, table, parent, request.reshape)
  await moveTable(session, table, request.partition)
  const back = { ...table, name: request.partition }
  const given = request.own === undefined ? null : new GivenBack(session, request.own)
  if (table.kind === 'p') await moveBelowBack(session, back, given?.division ?? null)
  await attachTable(session, parent, back, request)
  await given?.give('cloned', back)
  missing.push(...(given?.missing ?? []))
  return 'done'
}

async function recreate(
  { session, locks }: Within,
  request: ReturnRequest,
  csv: AsyncIterable<Buffer>,
  missing: NotGiven[],
): Promise<Ended> {
  const { partition, columns } = request
  if ((await tableByName(session, partition)) !== null) return 'gone'
  const parent = await parentOf(session, request.parent)
  locks.involve(parent.oid)
  const table = await createLike(session, parent, partition)
  const given = request.own === undefined ? null : new GivenBack(session, request.own)
  await given?.give('empty', table)
  // Of rows that nobody has seen before, none need to be looked at again later.
  await loadCsv(session, partition, columns, csv, ', FREEZE')
  // Columns that the parent got since are none that were proved.
  if (!(await hasRows(session, table, request))) return 'differs'
  // The parent is locked from the attachment on: indexes are made before.
  await given?.give('filled', table)
  await attachTable(session, parent, table, request)
  await given?.give('attached', table)
  await given?.give('cloned', table)
  missing.push(...(given?.missing ?? []), ...(given?.undivided ?? []))
  return 'done'
}

async function bringBeside(
  { session, locks }: Within,
  request: BesideRequest,
  csv: AsyncIterable<Buffer> | null,
): Promise<Ended> {
  const parent = await parentOf(session, request.parent)
  locks.involve(parent.oid)
  const rest = await defaultOf(session, parent)
  if (csv !== null) {
    await createBack(session, request.parent)
    await loadCsv(session, BACK, request.columns, csv)
    if (!(await hasRows(session, { oid: '', name: BACK }, request))) return 'differs'
    const columns = request.came.map(({ name }) => name)
    return bringInto(session, request.parent, { table: BACK, columns }, request, rest)
  }
  const table = await detachedTable(session, locks, request.identity)
  if (table === null) return 'gone'
  if (!(await holds(session, table, request))) return 'differs'
  const source = { table: table.name, columns: request.sources }
  const end = await bringInto(session, request.parent, source, request, rest)
  if (end === 'done') await session.ask(`DROP TABLE ${tableSql(table.name)}`)
  return end
}

async function keep(
  session: CopySession,
  table: KnownTable,
  parent: KnownTable | null,
  { keep: noting }: Keeping,
): Promise<void> {
  if (noting === undefined) return
  const { sql, parameters } = noting(await readOwn(session, table, parent))
  await session.run(sql, parameters)
}

/** Of a table that was detached and nothing kept of it. It gets its name back first, so that what is kept has that. @returns its name */
async function keptLate(session: CopySession, table: KnownTable, request: LastRequest): Promise<TableName> {
  if (request.keep === undefined) return table.name
  await moveTable(session, table, request.partition)
  const parent = await tableByName(session, request.parent)
  await keep(session, { ...table, name: request.partition }, parent, request)
  return request.partition
}

/**
 * Null where the table is not there, another one is in its place, or it is no partition of its parent any more.
 * @throws SluiceError TABLE_REFUSED where somebody has begun to take it out
 */
async function partitionNow(
  session: CopySession,
  { parent, partition, identity }: Pick<PartitionRequest, 'parent' | 'partition' | 'identity'>,
): Promise<Pair | null> {
  const found = await tableByName(session, partition)
  const above = await tableByName(session, parent)
  if (found === null || above === null || found.oid !== identity || found.parent !== above.oid) return null
  if (!found.leaving) return { parent: above, partition: found }
  throw new SluiceError('TABLE_REFUSED', `somebody began to detach ${tableText(partition)} and did not end`, {
    where: tableText(partition),
    reason: 'DETACH PARTITION CONCURRENTLY was broken off: its rows are in no table that is read',
    hint: `ALTER TABLE ${tableSql(parent)} DETACH PARTITION ${tableSql(partition)} FINALIZE`,
  })
}

/** Whether a table is one that was detached. */
function stands({ name, parent, kind }: FoundTable): boolean {
  return name.schema === ARCHIVED_SCHEMA && parent === null && (kind === 'r' || kind === 'p')
}

/** The table in the schema for what is archived, with those below it, so that nobody else can use them; null where it is not there. */
async function detachedTable(session: CopySession, locks: Locks, identity: string): Promise<FoundTable | null> {
  const there = async (): Promise<FoundTable | null> => {
    const found = await tableByIdentity(session, identity)
    return found !== null && stands(found) ? found : null
  }
  const found = await there()
  if (found === null) return null
  try {
    await locks.take(found, 'ACCESS EXCLUSIVE')
    await lockBelow(session, locks, found)
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
  const again = await there()
  return again !== null && tableSql(again.name) === tableSql(found.name) ? again : null
}

async function parentOf(session: CopySession, name: TableName): Promise<Parent> {
  const found = await tableByName(session, name)
  const key = found === null ? null : await partitionKey(session, found)
  if (found !== null && key !== null) return { ...found, key }
  throw new SluiceError(
    'TABLE_REFUSED',
    found === null ? missingTable(name) : `${tableText(name)} is not partitioned`,
    {
      where: tableText(name),
      hint: 'it was renamed, dropped or made anew: put a partitioned table in its place',
    },
  )
}

type Proof = { readonly columns: readonly ReadColumn[]; readonly expect: Digest | null }

/** Whether a table that nobody can change has the columns and rows that were proved; true where nothing is to be compared. */
async function holds(session: CopySession, table: FoundTable, proof: Proof): Promise<boolean> {
  if (proof.expect === null) return true
  return (await hasColumns(session, table, proof.columns)) && (await hasRows(session, table, proof))
}

async function hasRows(
  session: CopySession,
  { name, kind }: KnownTable & Partial<Pick<FoundTable, 'kind'>>,
  { columns, expect }: Proof,
): Promise<boolean> {
  if (expect === null) return true
  // Rows of a table that is partitioned itself stand in those below it.
  const from = fromSql({ name, only: kind !== 'p' })
  return equalDigests(
    await digestRows(session, { columns, from, condition: 'true', whole: true, table: tableText(name) }),
    expect,
  )
}

function isMissing(error: unknown): boolean {
  const state = sqlStateOf(error)
  return state === '42P01' || state === '3F000'
}

/** Why nobody waited for those who are in the way. */
function withWhy(error: SluiceError, why: string): SluiceError {
  const { reason, where, hint } = error
  return new SluiceError('TARGET_BUSY', error.message, {
    ...(where === undefined ? {} : { where }),
    ...(hint === undefined ? {} : { hint }),
    reason: `${reason === undefined ? '' : `${reason}; `}it was not detached concurrently: ${why}`,
    retryable: true,
    cause: error,
  })
}
