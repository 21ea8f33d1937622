/**
 * Starts and ends a stream, and renews tables of it. The start creates the publication, then the slot, then waits
 * until snapshots show every earlier transaction. It can make writers wait while the slot is created: then their
 * tables have no open changes at the start of the stream. A table that is copied again is added to the publication if
 * it is missing there, and its current shape is noted.
 */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { FollowedTable, StreamStart } from '../../../../model/follow/port.ts'
import { originOf } from '../../copy/identity.ts'
import { CopySession } from '../../server/session.ts'
import type { PostgresSettings } from '../../server/settings.ts'
import { findReplicatedTables, oidsOf } from './preflight-tables.ts'
import {
  createPublication,
  needsGenerated,
  dropPublication,
  findPublication,
  memberFact,
  sendsWholeTable,
  publishTableAgain,
} from './publication.ts'
import { BY_INDEX, readShapes, shapeText, type ReplicatedShape } from './shapes.ts'
import { createSlot, dropSlot, isOwnSlot, PLUGIN, waitForOpen, waitForOlderTransactions } from './slot.ts'
import { type PostgresWait, waitPostgresUntil } from '../../server/waiting.ts'
import type { LogPosition } from '../../../../model/copy/change.ts'
import { lostStreamError } from '../../../../model/follow/lost-stream.ts'
import { sqlStateOf } from '../../server/server-errors.ts'
import { commitFence, lsnText } from '../../server/lsn.ts'
import { otherTime, publicationFault, slotFault } from './verify.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { throwIfAborted } from '../../../../shared/abort.ts'
import { isPostgresBusy } from '../../server/locks.ts'
import { tableSql } from '../../server/sql.ts'

/**
 * Creates publication and slot; if this fails, both are removed.
 * @param wait its session must allow writes: it creates the publication
 * @param quiet makes writers of the tables wait while the slot is created
 * @throws SluiceError SOURCE_BUSY, SLOT_ACTIVE, NOT_FOLLOWABLE; errors of the server
 */
export async function beginStream(
  settings: PostgresSettings,
  name: string,
  tables: readonly FollowedTable[],
  wait: PostgresWait,
  quiet = false,
): Promise<StreamStart> {
  const { session } = wait
  await endReplication(session, name, 'refuse')
  try {
    const names = tables.map(({ table }) => table.table)
    const isAsked = tables.some(({ columns }) => columns.some(({ column }) => column.generated === true))
    const generated = isAsked || (await needsGenerated(session, names))
    await createPublication(session, { name, tables: names, generated })
    const start = await createStreamSlot(settings, name, tables, wait, quiet)
    return { slot: name, publication: name, start, ...(await currentFacts(session, name, tables)) }
  } catch (error) {
    await removeFailedStream(settings, name)
    throw error
  }
}

/** @returns start position of the stream: snapshots taken from now on include every transaction before it */
async function createStreamSlot(
  settings: PostgresSettings,
  name: string,
  tables: readonly FollowedTable[],
  wait: PostgresWait,
  quiet: boolean,
): Promise<string> {
  const names = tables.map(({ table }) => table.table)
  // Creating a slot waits for open transactions. Wait for them before locking, so that writers do not wait for them.
  if (quiet) await waitForOlderTransactions(wait)
  const still = quiet ? await lockWriters(settings, names, wait) : null
  try {
    const within = quiet ? { ...wait, waitLimitMs: Math.min(wait.waitLimitMs, QUIET_MS) } : wait
    const start = await createSlot(settings, name, within)
    await waitForOpen(within)
    return start
  } finally {
    await still?.[Symbol.asyncDispose]()
  }
}

/**
 * Removes slot and publication. Safe to call twice.
 * @param active `end`: terminates a session that reads the slot
 */
export async function endReplication(session: CopySession, name: string, active: 'end' | 'refuse'): Promise<void> {
  await dropSlot(session, name, active)
  if (isOwnSlot(name)) await dropPublication(session, name)
}

/** Facts to compare later. @throws NOT_FOLLOWABLE if a table is not published, or changed since its preflight check */
export async function currentFacts(
  session: CopySession,
  name: string,
  tables: readonly FollowedTable[],
): Promise<Pick<StreamStart, 'facts' | 'shapes'>> {
  const place = await serverFacts(session)
  return await session.rolledBack('ISOLATION LEVEL REPEATABLE READ READ ONLY', BY_INDEX, async () => {
    const { facts, shapes } = await factsInTransaction(session, name, tables)
    return { facts: { ...place, ...facts }, shapes }
  })
}

/** Server and database of a stream. Call it outside a transaction, which a refused (and ignored) query would abort. */
export async function serverFacts(session: CopySession): Promise<StreamStart['facts']> {
  const [row] = await session.ask('SELECT pg_catalog.current_database()')
  return { ...(await originOf(session)), 'slot.plugin': PLUGIN, 'slot.database': row?.[0] ?? '' }
}

/** Publication and tables as the open transaction sees them. @throws SluiceError NOT_FOLLOWABLE as `currentFacts` */
export async function factsInTransaction(
  session: CopySession,
  name: string,
  tables: readonly FollowedTable[],
): Promise<Pick<StreamStart, 'facts' | 'shapes'>> {
  const facts: Record<string, string> = {}
  const publication = await findPublication(session, name)
  const found = await findReplicatedTables(session, tables)
  const seen = await readShapes(session, oidsOf(found))
  const shapes: Record<string, string> = {}
  for (const [at, table] of tables.entries()) {
    const oid = found[at]?.oid ?? '0'
    const shape = seen.get(oid)?.shape
    const member = publication?.tables.get(oid)
    if (shape === undefined || member === undefined || !isNamedBy(table, shape)) throw changedMeanwhile(table)
    shapes[tableText(table.table.table)] = shapeText(shape)
    facts[memberFact(table.table.table)] = member
  }
  return { facts: { ...facts, ...publication?.facts }, shapes }
}

/** True if the server still identifies rows by the columns that the preflight check found. */
function isNamedBy({ identity }: FollowedTable, { nodes: [root] }: ReplicatedShape): boolean {
  const [mode, ...columns] = root?.identity ?? []
  return mode === 'f' || (columns.length === identity.length && columns.every((name) => identity.includes(name)))
}

function changedMeanwhile({ table }: FollowedTable): SluiceError {
  return new SluiceError('NOT_FOLLOWABLE', `${tableText(table.table)} was changed while its stream was created`, {
    hint: 'run the same command again',
  })
}

/**
 * Removes slot and publication after a failed start. Uses a new session, because the failed one may be closed. If this
 * fails too, the next `begin` removes both.
 */
async function removeFailedStream(settings: PostgresSettings, name: string): Promise<void> {
  try {
    await using session = await CopySession.open(settings, 'write')
    await endReplication(session, name, 'refuse')
  } catch {
    // The caller throws the earlier error, which is the useful one.
  }
}

/** Longest single wait of a table's writers, in ms. */
const LOCK_MS = 500
const NO_LOCK = '55P03'

/**
 * @param wait its session must allow writes
 * @throws SluiceError SLOT_LOST, STREAM_HALTED, NOT_FOLLOWABLE, SOURCE_BUSY; errors of the server
 */
export async function renewTables(
  startRecord: StreamStart,
  tables: readonly FollowedTable[],
  applied: LogPosition,
  wait: PostgresWait,
): Promise<StreamStart> {
  const { session } = wait
  await refuseLost(session, startRecord, applied)
  for (const table of tables) await publishTable(startRecord, table, wait)
  const noted = await currentFacts(session, startRecord.publication, tables)
  const members = tables.map(({ table }) => memberFact(table.table))
  // Wait for commits before this position: later snapshots then contain all changes that the stream leaves out.
  const since = lsnText(await commitFence(session))
  await waitForOpen(wait)
  const names = tables.map(({ table }) => tableText(table.table))
  return {
    ...startRecord,
    facts: { ...startRecord.facts, ...Object.fromEntries(members.map((name) => [name, noted.facts[name] ?? ''])) },
    shapes: { ...startRecord.shapes, ...noted.shapes },
    since: { ...startRecord.since, ...Object.fromEntries(names.map((name) => [name, since])) },
  }
}

async function refuseLost(session: CopySession, startRecord: StreamStart, applied: LogPosition): Promise<void> {
  const lost = await slotFault(session, startRecord, applied)
  const whole =
    (await otherTime(session, startRecord, applied)) ??
    lost ??
    publicationFault(startRecord, (await findPublication(session, startRecord.publication))?.facts ?? null)
  if (whole !== null) throw lostStreamError(whole === lost ? 'SLOT_LOST' : 'STREAM_HALTED', whole)
}

/** @throws SluiceError STREAM_HALTED if the publication itself has changed */
async function publishTable(startRecord: StreamStart, { table }: FollowedTable, wait: PostgresWait): Promise<void> {
  const { session } = wait
  const name = tableText(table.table)
  await waitPostgresUntil(
    wait,
    `publishing ${name}`,
    async () => {
      const member = await memberOf(session, startRecord, table)
      if (member !== undefined && sendsWholeTable(member)) return true
      await session.begin('', `SET LOCAL lock_timeout = ${LOCK_MS}`)
      try {
        await publishTableAgain(session, startRecord.publication, table.table, member !== undefined)
        await session.commit()
        return true
      } catch (error) {
        await session.rollBack()
        if (sqlStateOf(error) !== NO_LOCK) throw error
        return false
      }
    },
    { of: 'table', table: table.table, lock: 'SHARE UPDATE EXCLUSIVE' },
  )
}

async function memberOf(
  session: CopySession,
  startRecord: StreamStart,
  table: FollowedTable['table'],
): Promise<string | undefined> {
  const publication = await findPublication(session, startRecord.publication)
  const fault = publicationFault(startRecord, publication?.facts ?? null)
  if (fault !== null) throw new SluiceError('STREAM_HALTED', fault, { hint: 'run the same command again' })
  const [found] = await findReplicatedTables(session, [{ table }])
  return publication?.tables.get(found?.oid ?? '')
}

/** Longest wait of writers for the slot, in ms: then they continue, and no slot is created. */
const QUIET_MS = 10_000
/** Longest wait for the lock in one attempt, in ms. Writers that queue behind the request wait as long. */
const QUIET_LOCK_MS = 500
const REST_MS = 200
/** How long attempts are repeated, in ms. */
const TRY_MS = 60_000

/**
 * Locks the tables in SHARE ROW EXCLUSIVE mode, which does not block readers. With this lock the session has no
 * transaction id. With ACCESS EXCLUSIVE it would have one, and the creation of a slot would wait for it for ever.
 * @returns the locks: dispose them once the slot exists; this reports how long writers may have waited
 * @throws SluiceError SOURCE_BUSY if other sessions lock a table during all attempts
 */
async function lockWriters(
  settings: PostgresSettings,
  tables: readonly TableName[],
  { signal, tell: report }: PostgresWait,
): Promise<AsyncDisposable> {
  const session = await CopySession.open(settings, 'write')
  const names = tables.map(tableText).join(', ')
  try {
    const end = performance.now() + TRY_MS
    for (;;) {
      throwIfAborted(signal)
      const since = performance.now()
      await session.begin(
        '',
        `SET LOCAL lock_timeout = ${QUIET_LOCK_MS}; SET LOCAL idle_in_transaction_session_timeout = ${QUIET_MS + 5000}`,
      )
      try {
        await session.ask(`LOCK TABLE ${tables.map(tableSql).join(', ')} IN SHARE ROW EXCLUSIVE MODE`)
        return {
          [Symbol.asyncDispose]: async () => {
            if (session.alive) await session.rollBack()
            await session.close()
            report(
              `writers of ${names} waited for at most ${Math.ceil(performance.now() - since)} ms while the slot was created`,
            )
          },
        }
      } catch (error) {
        if (session.alive) await session.rollBack()
        if (!session.alive || !isPostgresBusy(error)) throw error
        if (performance.now() > end) throw kept(names, error)
      }
      await sleep(REST_MS, undefined, { signal }).catch(() => undefined)
    }
  } catch (error) {
    await session.close()
    throw error
  }
}

function kept(names: string, cause: unknown): SluiceError {
  return new SluiceError('SOURCE_BUSY', `long transactions still write to ${names}`, {
    retryable: true,
    hint: 'end them, or run sluice partition run without --quiesce: the stream still gets all changes',
    cause,
  })
}
