/** Starts and ends a stream by triggers: removes earlier attempts, then creates schema, logs and triggers. */
import type { LogPosition } from '../../../../model/copy/change.ts'
import { tableText } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { FollowedTable, StreamStart } from '../../../../model/follow/port.ts'
import { isPostgresBusy } from '../../server/locks.ts'
import { quoteName } from '../../server/connect.ts'
import { originOf } from '../../copy/identity.ts'
import { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { Changed } from '../../partition/maintenance/not-now.ts'
import { inTransaction } from '../../server/lock-retry.ts'
import { findReplicatedTables, oidsOf } from '../replication/preflight-tables.ts'
import { flushLog, lsnText } from '../../server/lsn.ts'
import { BY_INDEX } from '../replication/shapes.ts'
import { lostStreamError } from '../../../../model/follow/lost-stream.ts'
import { isOwnSlot } from '../replication/slot.ts'
import { otherTime } from '../replication/verify.ts'
import { WAIT_MS } from '../../../common/wait-for-transactions.ts'
import { waitPostgresUntil, type PostgresWait, type WaitsFor } from '../../server/waiting.ts'
import type { PostgresSettings } from '../../server/settings.ts'
import {
  postgresLogFact,
  postgresLogOf,
  makePostgresLog,
  makeSchema,
  noteOf,
  ownLog,
  writtenNow,
  type PostgresTableLog,
} from './log.ts'
import { insertPosition } from './position.ts'
import { readNoted, postgresShapeText } from './noted-shape.ts'
import { logsFault } from './verify.ts'

/** Lock timeout in ms: other sessions queue behind a requested lock. */
const LOCK_MS = 700
/** Attempts with `LOCK_MS`. Later attempts wait more than 1 s: servers then cancel an autovacuum that has the lock. */
const SHORT_TRIES = 5
const LONG_LOCK_MS = 1500
/** The server ends a session that holds locks and sends no statement for this time, in ms: its program is frozen. */
const FROZEN_MS = 5000

/**
 * Creates schema, logs and triggers; if this fails, they are removed. Waits for no long transaction: each table is
 * locked against writers only while its triggers are created. So earlier writes are visible, and triggers note later
 * writes.
 * @param wait its session must allow writes
 * @throws SluiceError SOURCE_BUSY if a table cannot be locked, NOT_FOLLOWABLE; errors of the server
 */
export async function beginPostgresTriggers(
  settings: PostgresSettings,
  name: string,
  tables: readonly FollowedTable[],
  wait: PostgresWait,
): Promise<StreamStart> {
  const { session } = wait
  await endPostgresTriggers(name, wait)
  try {
    await briefly(session, () => makeSchema(session, name))
    const logs: PostgresTableLog[] = []
    for (const table of tables) logs.push(await logged(name, table, wait))
    const start = await insertPosition(session)
    await flushLog(session)
    return { slot: name, publication: name, start: lsnText(start), ...(await currentFacts(session, tables, logs)) }
  } catch (error) {
    await removeFailedStream(settings, name, wait)
    if (error instanceof Changed) throw changedMeanwhile(error.message)
    throw error
  }
}

/** Removes triggers, functions, logs. Safe to call twice. @throws SOURCE_BUSY if a table cannot be locked */
export async function endPostgresTriggers(name: string, wait: PostgresWait): Promise<void> {
  const { session } = wait
  if (!isOwnSlot(name)) return
  const made = await session.ask(
    `SELECT tn.nspname, t.relname, g.tgname FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
       JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace JOIN pg_catalog.pg_class t ON t.oid = g.tgrelid JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
     WHERE n.nspname = ${literal(name)} AND g.tgparentid = 0::oid AND t.relnamespace <> n.oid ORDER BY t.oid, g.oid`,
  )
  for (const [schema, table, trigger] of made) {
    const from = tableSql({ schema: schema ?? '', name: table ?? '' })
    const held: WaitsFor = { of: 'table', table: { schema: schema ?? '', name: table ?? '' }, lock: 'ACCESS EXCLUSIVE' }
    await retryWithLocks(wait, `the trigger on ${schema}.${table}`, held, () =>
      session.ask(`DROP TRIGGER IF EXISTS ${quoteName(trigger ?? '')} ON ${from}`),
    )
  }
  await retryWithLocks(wait, `schema ${name}`, { of: 'database' }, async () => {
    const [row] = await session.ask(`SELECT pg_catalog.to_regnamespace(${literal(quoteName(name))}) IS NOT NULL`)
    if (row?.[0] === 't') await session.ask(`DROP SCHEMA ${quoteName(name)} CASCADE`)
  })
}

/**
 * Creates new logs and triggers for tables of a stream that are copied again: the new copy contains all changes of the
 * old notes.
 * @throws SluiceError STREAM_HALTED, SLOT_LOST if all tables of the stream have lost changes; as
 * `beginPostgresTriggers`
 */
export async function renewPostgresTriggers(
  startRecord: StreamStart,
  tables: readonly FollowedTable[],
  applied: LogPosition,
  wait: PostgresWait,
): Promise<StreamStart> {
  const { session } = wait
  const other = await otherTime(session, startRecord, applied)
  const whole = other ?? (await logsFault(session, startRecord, applied))
  if (whole !== null) throw lostStreamError(other === null ? 'SLOT_LOST' : 'STREAM_HALTED', whole)
  try {
    const logs: PostgresTableLog[] = []
    for (const table of tables)
      logs.push(await logged(startRecord.slot, table, wait, postgresLogOf(startRecord, table)))
    const { facts, shapes } = await currentFacts(session, tables, logs)
    return { ...startRecord, facts: { ...startRecord.facts, ...facts }, shapes: { ...startRecord.shapes, ...shapes } }
  } catch (error) {
    throw error instanceof Changed ? changedMeanwhile(error.message) : error
  }
}

/** @param before the log that is dropped, with its function and the triggers that call it */
function logged(
  name: string,
  table: FollowedTable,
  wait: PostgresWait,
  before?: PostgresTableLog,
): Promise<PostgresTableLog> {
  const { session } = wait
  const held: WaitsFor = { of: 'table', table: table.table.table, lock: 'SHARE ROW EXCLUSIVE' }
  return retryWithLocks(wait, `the trigger on ${tableText(table.table.table)}`, held, async () => {
    await session.ask(`LOCK TABLE ${tableSql(table.table.table)} IN SHARE ROW EXCLUSIVE MODE`)
    const known = [...(before === undefined ? [] : [before.table]), await ownLog(session, name, table)]
    for (const log of known)
      await session.ask(`DROP TABLE IF EXISTS ${tableSql(log)}; DROP FUNCTION IF EXISTS ${noteOf(log)} CASCADE`)
    return await makePostgresLog(session, name, table)
  })
}

/** Runs a transaction with a short lock timeout, and repeats it until it has its locks. */
async function retryWithLocks<T>(
  wait: PostgresWait,
  what: string,
  waitsFor: WaitsFor,
  body: () => Promise<T>,
): Promise<T> {
  const results: T[] = []
  let tries = 0
  await waitPostgresUntil(
    wait,
    what,
    async () => {
      try {
        results.push(await briefly(wait.session, body, tries++ < SHORT_TRIES ? LOCK_MS : LONG_LOCK_MS))
        return true
      } catch (error) {
        if (!wait.session.alive || !isPostgresBusy(error)) throw error
        return false
      }
    },
    waitsFor,
  )
  for (const result of results) return result
  throw new Error(`${what} was not created`)
}

function briefly<T>(session: CopySession, body: () => Promise<T>, lockMs = LOCK_MS): Promise<T> {
  const limits = `SET LOCAL lock_timeout = ${lockMs}; SET LOCAL idle_in_transaction_session_timeout = ${FROZEN_MS}`
  return inTransaction(session, 'ISOLATION LEVEL READ COMMITTED READ WRITE', limits, body)
}

/** Facts and shapes that are compared later. */
async function currentFacts(
  session: CopySession,
  tables: readonly FollowedTable[],
  made: readonly PostgresTableLog[],
): Promise<Pick<StreamStart, 'facts' | 'shapes'>> {
  const facts: Record<string, string> = await originOf(session)
  const shapes: Record<string, string> = {}
  return await session.rolledBack('ISOLATION LEVEL REPEATABLE READ READ ONLY', BY_INDEX, async () => {
    const written = await writtenNow(session, made)
    const found = await findReplicatedTables(session, tables)
    const seen = await readNoted(session, oidsOf(found))
    for (const [at, { table }] of tables.entries()) {
      const noted = seen.get(found[at]?.oid ?? '0')
      const log = made[at]
      if (noted === undefined || log === undefined)
        throw changedMeanwhile(`${tableText(table.table)} was changed while its log was created`)
      facts[postgresLogFact(table.table)] = JSON.stringify({ ...log, ...written[at] })
      shapes[tableText(table.table)] = postgresShapeText(noted)
    }
    return { facts, shapes }
  })
}

function changedMeanwhile(reason: string): SluiceError {
  return new SluiceError('NOT_FOLLOWABLE', 'a table was changed while its triggers were created', {
    reason,
    hint: 'run the same command again',
  })
}

/**
 * Removes what a failed start created. Uses a new session, because the failed one may be closed. If this fails too, the
 * next `begin` removes everything.
 */
async function removeFailedStream(
  settings: PostgresSettings,
  name: string,
  { tell: report }: PostgresWait,
): Promise<void> {
  try {
    await using session = await CopySession.open(settings, 'write')
    const signal = AbortSignal.timeout(WAIT_MS)
    await endPostgresTriggers(name, { session, signal, tell: report, waitLimitMs: LOCK_MS * 10 })
  } catch {
    // The caller throws the earlier error, which is the useful one.
    report(
      `triggers and logs in schema ${name} could not be removed, and still record writes: the same command, or one with --restart, removes them`,
    )
  }
}
