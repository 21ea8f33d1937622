/** Cutover of two tables of PostgreSQL: its preflight check, and the transaction that exchanges the tables. */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../../shared/abort.ts'
import type {
  FurthestValues,
  SwitchAttempt,
  SwitchFinding,
  SwitchLimits,
  SwitchMark,
  SwitchRequest,
  SwitchStore,
} from '../../../../model/follow/switch-port.ts'
import { isPostgresBusy } from '../../server/locks.ts'
import { postgresTargetError } from '../../server/errors.ts'
import { CopySession } from '../../server/session.ts'
import { underSignal } from '../../server/under-signal.ts'
import { LockRetry } from '../../server/lock-retry.ts'
import { commitFence, flushLog, isFlushed } from '../../server/lsn.ts'
import { Attempt } from './attempt.ts'
import { furthestValues } from './furthest.ts'
import { guardBeforeSql, unguardSql } from './guard.ts'
import { LockLimit } from './lock-limit.ts'
import { findingOf, stepsOf } from './inspections.ts'
import { cutoverMark } from './mark.ts'
import { reading, ReadsServer, writingTo } from '../../server/reading.ts'
import { cutoverSide, cutoverTable, cutoverTables, type CutoverTable } from './sides.ts'
import { dependentsWithRules, lockAll, lockDependent, deadlockTimeoutSql } from './take.ts'

const BUDGET_MS = 5000
/** Limits for guarding, ms. Lock waits are short, so that no other session waits long behind them. */
const GUARD_LIMITS = { lockTimeoutMs: 200, retryLimitMs: 20_000 }

export class PostgresSwitches extends ReadsServer implements SwitchStore {
  inspect(request: SwitchRequest, signal: AbortSignal): Promise<readonly SwitchFinding[]> {
    return reading(this.readers, this.settings, signal, async (session) => {
      for (const table of [request.from, request.to]) {
        const side = await cutoverTable(session, table)
        if (side === null || !/^[rp]$/.test(side.kind)) return [missing(table)]
      }
      return (await stepsOf(await cutoverTables(session, request), false)).map(findingOf)
    })
  }

  mark(request: SwitchRequest, signal: AbortSignal): Promise<SwitchMark> {
    return reading(this.readers, this.settings, signal, async (session) => {
      const { from, to } = await cutoverTables(session, request)
      return await cutoverMark(session, [from, to])
    })
  }

  furthest({ to }: SwitchRequest, signal: AbortSignal): Promise<FurthestValues> {
    return reading(this.readers, this.settings, signal, async (session) =>
      furthestValues(session, await cutoverSide(session, to)),
    )
  }

  async open(request: SwitchRequest, limits: SwitchLimits, signal: AbortSignal): Promise<SwitchAttempt | null> {
    throwIfAborted(signal)
    const sessions: CopySession[] = []
    const open = async (): Promise<CopySession> => {
      const session = await CopySession.open(this.settings, 'write')
      sessions.push(session)
      return session
    }
    let attempt: SwitchAttempt | null = null
    try {
      const [session, otherSession] = [await open(), await open()]
      attempt = await underSignal(session, signal, () => this.#take(session, otherSession, request, limits, signal))
      return attempt
    } catch (error) {
      throwIfAborted(signal)
      throw postgresTargetError(error, this.settings, tableText(request.from))
    } finally {
      if (attempt === null) {
        for (const session of sessions) {
          await session.rollBack()
          await session.close()
        }
      }
    }
  }

  guard(request: SwitchRequest, signal: AbortSignal): Promise<void> {
    return this.#alter(request.to, 'writers', signal, async (session) => {
      const sides = await cutoverTables(session, request)
      return { table: sides.to, sql: await guardBeforeSql(sides) }
    })
  }

  unguard(table: TableName, signal: AbortSignal): Promise<void> {
    return this.#alter(table, 'everybody', signal, async (session) => {
      const side = await cutoverTable(session, table)
      if (side === null || !/^[rp]$/.test(side.kind)) return null
      return { table: side, sql: await unguardSql(session, side.oid) }
    })
  }

  /** @param wanted returns the statements; called once without a lock and once with it */
  #alter(
    name: TableName,
    from: 'everybody' | 'writers',
    signal: AbortSignal,
    wanted: (session: CopySession) => Promise<{ readonly table: CutoverTable; readonly sql: readonly string[] } | null>,
  ): Promise<void> {
    return writingTo(this.settings, tableText(name), signal, async (session) => {
      const before = await wanted(session)
      if (before === null || before.sql.length === 0) return
      await new LockRetry(session, { ...GUARD_LIMITS, signal }).run([], async () => {
        await session.ask(deadlockTimeoutSql(session.version))
        await lockAll(session, before.table, GUARD_LIMITS.lockTimeoutMs, from)
        const now = await wanted(session)
        if (now !== null) await session.askAll(now.sql)
      })
    })
  }

  /** @returns null if other sessions did not release the table in time */
  async #take(
    session: CopySession,
    otherSession: CopySession,
    request: SwitchRequest,
    { lockTimeoutMs, pauseLimitMs = BUDGET_MS }: SwitchLimits,
    signal: AbortSignal,
  ): Promise<Attempt | null> {
    const [row] = await session.ask("SELECT pg_catalog.current_setting('search_path')")
    const { from } = await cutoverTables(session, request)
    const dependents = await dependentsWithRules(session, from)
    const held = new LockLimit(session, pauseLimitMs)
    await session.begin(
      'ISOLATION LEVEL READ COMMITTED READ WRITE',
      `${held.firstSql}; ${deadlockTimeoutSql(session.version)}`,
    )
    held.begin()
    const left = (): number => lockTimeoutMs - held.waitedMs()
    try {
      for (const one of dependents) await lockDependent(session, one, left())
      await lockAll(session, from, left())
    } catch (error) {
      if (!session.alive || !isPostgresBusy(error)) throw error
      return null
    }
    await held.shorten()
    held.work()
    // Read after the lock was taken: before that, the names may have referred to other tables.
    const sides = await cutoverTables(session, request)
    if (sides.from.oid !== from.oid) return null
    const position = await commitFence(session)
    if (!(await isFlushed(session, position))) await flushLog(otherSession)
    held.rest()
    return new Attempt({
      session,
      otherSession,
      settings: this.settings,
      request,
      signal,
      lockTimeoutMs,
      fence: position,
      held,
      tables: [sides.from, sides.to],
      path: row?.[0] ?? '',
    })
  }
}

function missing(table: TableName): SwitchFinding {
  return {
    verdict: 'refused',
    about: 'table',
    object: tableText(table),
    detail: 'there is no such table',
    hint: 'it was dropped or renamed: plan the cutover again',
  }
}
