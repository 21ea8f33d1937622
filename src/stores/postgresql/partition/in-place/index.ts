/**
 * Makes a table the first partition of a new one. Scans run first, while the table is in use; the cutover is one
 * transaction.
 */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { restUnder, throwIfAborted } from '../../../../shared/abort.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type {
  InPlaceFacts,
  InPlaceLimits,
  InPlacePlan,
  InPlaceRequest,
  InPlaceStore,
  InPlaceSwitched,
  InPlaceReported,
  OutsideRows,
  SlicePlan,
  SliceRequest,
} from '../../../../model/partition/in-place-port.ts'
import type { PlanFinding } from '../../../../model/partition/plan-port.ts'
import { isPostgresBusy } from '../../server/locks.ts'
import { ReadsServer, writingTo } from '../../server/reading.ts'
import type { CopySession } from '../../server/session.ts'
import { tableSql } from '../../server/sql.ts'
import { sqlStateOf } from '../../server/server-errors.ts'
import { takeHostLock } from '../maintenance/host-lock.ts'
import { committed, LockRetry } from '../../server/lock-retry.ts'
import { aboutTable } from '../plan/about.ts'
import { LockLimit } from '../../follow/switch/lock-limit.ts'
import { cutoverTable } from '../../follow/switch/sides.ts'
import { deadlockTimeoutSql } from '../../follow/switch/take.ts'
import { quoteName } from '../../server/connect.ts'
import { attachPast, makeNewParts, sidesIn, switchStatements, takeTable } from './attempt.ts'
import {
  boundsState,
  boundsStatements,
  dropChecks,
  countOutsideRows,
  outsideRefused,
  addBoundsCheck,
} from './bounds.ts'
import { buildIndexes, indexStatements, wantedIndexes } from './indexes.ts'
import { beforeFindings, planFinding, takeoverSteps } from './inspections.ts'
import { detachPast, pastOf, lockPartitions } from './revert.ts'
import { moveSlice, planSlice, prepareSlice } from './slice.ts'

/** Longest wait, in ms, for another program that works on this table: it may end soon. */
const HOST_MS = 10_000
const LOCK_MS = 900
const TRY_LIMIT_MS = 300

const WRITE = 'ISOLATION LEVEL READ COMMITTED READ WRITE'
const BRIEF_LOCKS = `SET LOCAL lock_timeout TO ${TRY_LIMIT_MS}`
const FIRST_REST_MS = 200
const MOST_REST_MS = 5000
/** An index build takes hours: the server checks at this interval whether its client is still connected. */
const CLIENT_CHECK_SQL =
  "SELECT pg_catalog.set_config(name, '2s', false) FROM pg_catalog.pg_settings WHERE name = 'client_connection_check_interval'"
/** SQLSTATE of a statement that exceeded `statement_timeout`, which limits how long other sessions wait. */
const STATEMENT_TIMEOUT = '57014'

const OTHERS = 'other sessions held the locks that it needs'

type Body<T> = (session: CopySession) => Promise<T>
/** One attempt under the locks. @returns findings about created objects */
type Try = (session: CopySession, held: LockLimit, lockTimeoutMs: number) => Promise<readonly PlanFinding[]>

/** Lock timeout of the statements after the cutover, ms: they block no session, but may wait for an autovacuum. */
const FINISH_LOCK_MS = 5000

export class PostgresInPlace extends ReadsServer implements InPlaceStore {
  async facts(table: TableName, signal: AbortSignal): Promise<InPlaceFacts | null> {
    const found = await this.read(signal, (session) => pastOf(session, table))
    return found === null ? null : { past: found.past, bound: found.bound }
  }

  outside(request: InPlaceRequest, signal: AbortSignal): Promise<OutsideRows> {
    const { table } = request.planned.table
    return this.read(signal, async (session) => {
      const about = { session, oid: (await cutoverTable(session, table))?.oid ?? '0' }
      if ((await boundsState(about, request)) === 'valid') return { nulls: 0n, beyond: 0n, latest: null }
      return await countOutsideRows(session, tableSql(table), request)
    })
  }

  plan(request: InPlaceRequest, signal: AbortSignal): Promise<InPlacePlan> {
    return this.#write(request.planned.table.table, signal, (session) =>
      session.rolledBack(WRITE, BRIEF_LOCKS, () => planned(session, request)),
    )
  }

  async prepare(request: InPlaceRequest, limits: InPlaceLimits, report: InPlaceReported): Promise<void> {
    const { signal } = limits
    const { table } = request.planned.table
    await this.#locked(table, limits, async (session) => {
      const about = await aboutTable(session, request.planned, false)
      if ((await boundsState(about, request)) !== 'valid') {
        const outside = await countOutsideRows(session, about.sql, request)
        if (outside.nulls + outside.beyond > 0n) throw outsideRefused(request, outside)
      }
      await buildIndexes(session, about, await wantedIndexes(about), signal, report)
      const waits = lockRetry(session, limits)
      try {
        await addBoundsCheck(about, request, waits, report)
      } catch (error) {
        throw session.alive && isPostgresBusy(error) ? late(table, waits.tries, OTHERS) : error
      }
    })
  }

  attach(request: InPlaceRequest, limits: InPlaceLimits, report: InPlaceReported): Promise<InPlaceSwitched> {
    const { table } = request.planned.table
    return this.#locked(table, limits, (session) =>
      this.#retried(session, table, limits, report, async (_, held, lockTimeoutMs) => {
        const newParts = await makeNewParts(session, request)
        await takeTable(session, newParts, held, lockTimeoutMs)
        await limitLockTime(session, held, limits)
        return await attachPast(session, newParts, request)
      }),
    )
  }

  revert(table: TableName, limits: InPlaceLimits, report: InPlaceReported): Promise<InPlaceSwitched> {
    return this.#locked(table, limits, (session) =>
      this.#retried(session, table, limits, report, async (_, held, lockTimeoutMs) => {
        const side = await cutoverTable(session, table)
        if (side === null) throw gone(table)
        await lockPartitions(session, side, held, lockTimeoutMs)
        await limitLockTime(session, held, limits)
        return await detachPast(session, table)
      }),
    )
  }

  planSlice(request: SliceRequest, signal: AbortSignal): Promise<SlicePlan> {
    return this.#write(request.table, signal, (session) =>
      session.rolledBack(WRITE, BRIEF_LOCKS, () => planSlice(session, request)),
    )
  }

  slice(
    request: SliceRequest,
    limits: InPlaceLimits,
    report: InPlaceReported,
  ): Promise<InPlaceSwitched & { readonly rows: bigint }> {
    const { table, partition } = request
    return this.#locked(table, limits, async (session) => {
      const waits = lockRetry(session, limits)
      try {
        await prepareSlice(session, request, waits)
      } catch (error) {
        throw session.alive && isPostgresBusy(error) ? late(table, waits.tries, OTHERS) : error
      }
      report('validate', 'done', `the partition of the past may end at ${partition.from}`)
      let rows = 0n
      const switched = await this.#retried(session, table, limits, report, async (_, held, lockTimeoutMs) => {
        const side = await cutoverTable(session, table)
        if (side === null) throw gone(table)
        await lockPartitions(session, side, held, lockTimeoutMs)
        await limitLockTime(session, held, limits)
        rows = await moveSlice(session, request)
        return []
      })
      return { ...switched, rows }
    })
  }

  clear(table: TableName, limits: InPlaceLimits): Promise<number> {
    return this.#locked(table, limits, async (session) => {
      const side = await cutoverTable(session, table)
      if (side === null) throw gone(table)
      let cleared = 0
      const report: InPlaceReported = () => void cleared++
      await buildIndexes(session, side, [], limits.signal, report)
      if (await dropChecks({ ...side, session }, lockRetry(session, limits))) cleared++
      return cleared
    })
  }

  finish(table: TableName, signal: AbortSignal): Promise<readonly string[]> {
    return this.#write(table, signal, (session) => finishTable(session, table))
  }

  /** Retries until other sessions release their locks in time. */
  async #retried(
    session: CopySession,
    table: TableName,
    { pauseLimitMs, triesForMs, signal }: InPlaceLimits,
    report: InPlaceReported,
    attempt: Try,
  ): Promise<InPlaceSwitched> {
    const end = performance.now() + triesForMs
    const lockTimeoutMs = Math.max(1, Math.min(LOCK_MS, Math.floor(pauseLimitMs / 2)))
    for (let [tries, rest] = [1, FIRST_REST_MS]; ; tries++, rest = Math.min(rest * 2, MOST_REST_MS)) {
      throwIfAborted(signal)
      const held = new LockLimit(session, pauseLimitMs)
      let why: string
      await session.begin(WRITE, `${held.firstSql}; ${deadlockTimeoutSql(session.version)}`)
      try {
        const made = await attempt(session, held, lockTimeoutMs)
        const pauseMs = held.waitedMs()
        if (pauseMs <= pauseLimitMs) {
          await committed(session)
          return { pauseMs: Math.ceil(held.waitedMs()), tries, made }
        }
        why = `it took ${Math.ceil(pauseMs)} ms, but other sessions may wait only ${pauseLimitMs} ms`
        await session.rollBack()
      } catch (error) {
        await session.rollBack()
        if (!session.alive || !(isPostgresBusy(error) || sqlStateOf(error) === STATEMENT_TIMEOUT)) throw error
        why = isPostgresBusy(error) ? OTHERS : `it took longer than ${pauseLimitMs} ms`
      }
      report('switch', 'again', `${why}: nothing was changed, and sluice tries again`)
      if (performance.now() + rest > end) throw late(table, tries, why)
      await restUnder(signal, rest)
    }
  }

  /** Takes the lock that only one program at a time can have for this table, on all hosts, then runs the body. */
  #locked<T>(table: TableName, limits: InPlaceLimits, body: Body<T>): Promise<T> {
    const { signal } = limits
    return this.#write(table, signal, async (session) => {
      const side = await cutoverTable(session, table)
      if (side === null) throw gone(table)
      await takeHostLock(session, side.oid, { retryLimitMs: HOST_MS, signal, table: tableText(table) })
      return await body(session)
    })
  }

  #write<T>(table: TableName, signal: AbortSignal, body: Body<T>): Promise<T> {
    return writingTo(this.settings, tableText(table), signal, async (session) => {
      await session.ask(
        `SET search_path TO ''; SET default_tablespace TO ''; SET default_table_access_method TO heap; SET lock_timeout TO 0; ${CLIENT_CHECK_SQL}`,
      )
      return await body(session)
    })
  }
}

/** Runs the statements after the cutover, while the table is in use. @returns failed statements, with their errors */
async function finishTable(session: CopySession, table: TableName): Promise<readonly string[]> {
  const side = await cutoverTable(session, table)
  if (side === null) return []
  const rows = await session.ask(
    `SELECT n.nspname, c.relname, k.conname FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE k.contype = 'f' AND k.confrelid = ${side.oid}::oid AND k.conparentid = 0::oid AND NOT k.convalidated ORDER BY 1, 2, 3`,
  )
  const statements = [
    ...rows.map(
      ([schema, name, key]) =>
        `ALTER TABLE ${tableSql({ schema: schema ?? '', name: name ?? '' })} VALIDATE CONSTRAINT ${quoteName(key ?? '')}`,
    ),
    // Autovacuum analyzes only the partitions, not the partitioned table.
    `ANALYZE ${tableSql(table)}`,
  ]
  await session.ask(`SET lock_timeout TO ${FINISH_LOCK_MS}`)
  const left: string[] = []
  for (const sql of statements) {
    try {
      await session.ask(sql)
    } catch (error) {
      if (!session.alive) throw error
      left.push(`${sql}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return left
}

/**
 * Creates the new table and compares it with the old one; the caller rolls back. Creates no foreign keys: they block
 * writers.
 */
async function planned(session: CopySession, request: InPlaceRequest): Promise<InPlacePlan> {
  const about = await aboutTable(session, request.planned, false)
  const bytes = BigInt((await session.one(`SELECT pg_catalog.pg_table_size(${about.oid})`)) ?? 0)
  const before = await beforeFindings(about)
  if (before.some(({ verdict }) => verdict === 'refused')) return { findings: before, statements: [], bytes }
  const statements = [...(await indexStatements(about)), ...(await boundsStatements(about, request))]
  const newParts = await makeNewParts(session, request)
  await session.askAll(newParts.parts.rest)
  const sides = await sidesIn(session, request)
  const steps = (await takeoverSteps(sides, true)).filter(
    ({ about: what, verdict }) => what !== 'foreign key from it' || verdict !== 'refused',
  )
  const { made, references, rest } = newParts.parts
  const all = [
    'BEGIN',
    ...made,
    `LOCK TABLE ONLY ${about.sql} IN ACCESS EXCLUSIVE MODE`,
    ...references,
    ...rest,
    ...(await switchStatements(newParts, request, sides, steps)),
    'COMMIT',
  ]
  return {
    findings: [...before, ...steps.map(planFinding)],
    statements: [...statements, ...all.map((sql) => ({ step: 'switch' as const, sql, isDone: false }))],
    bytes,
  }
}

/**
 * Limits this transaction: from now on, the server ends the session if it is idle, and cancels a statement that runs
 * longer than other sessions may still wait.
 */
async function limitLockTime(session: CopySession, held: LockLimit, { pauseLimitMs }: InPlaceLimits): Promise<void> {
  await held.shorten()
  held.work()
  const left = Math.max(1, Math.ceil(pauseLimitMs - held.waitedMs()))
  await session.ask(`SET LOCAL statement_timeout TO ${left}; SET LOCAL lock_timeout TO ${Math.min(left, 150)}`)
}

function lockRetry(session: CopySession, { signal, triesForMs }: InPlaceLimits): LockRetry {
  return new LockRetry(session, { lockTimeoutMs: TRY_LIMIT_MS, retryLimitMs: triesForMs, signal })
}

function late(table: TableName, tries: number, why: string): SluiceError {
  return new SluiceError('OUT_OF_TRIES', `${tableText(table)} could not be locked in ${tries} tries`, {
    where: tableText(table),
    reason: why,
    hint: 'completed steps are kept; run the same command again with a longer --pause-budget or --tries-for',
  })
}

function gone(table: TableName): SluiceError {
  return new SluiceError('SOURCE_GONE', `there is no table ${tableText(table)}`, {
    where: tableText(table),
    hint: 'it was dropped or renamed: check its name, then run the same command again',
  })
}
