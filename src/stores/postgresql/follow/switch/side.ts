/**
 * One of the two databases of a cutover: closes and opens its table, and computes digests to compare with the other.
 */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import type { RowKey } from '../../../../model/copy/row-key.ts'
import { restUnder } from '../../../../shared/abort.ts'
import type { Closing, Statement } from '../../../../model/run/ledger-port.ts'
import type { FurthestValues, SwitchFinding, SwitchMark } from '../../../../model/follow/switch-port.ts'
import type {
  SideAddress,
  SideClosed,
  SideCloseRequest,
  SideDigest,
  SideFacts,
  SidePositions,
  SideWriters,
  SwitchSide,
} from '../../../../model/follow/switch-side-port.ts'
import { quoteName } from '../../server/connect.ts'
import { isPostgresBusy } from '../../server/locks.ts'
import { commitChunk } from '../../copy/commit.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'
import { committed, LockRetry } from '../../server/lock-retry.ts'
import { commitFence, flushLog } from '../../server/lsn.ts'
import {
  barrierLockSql,
  missingTriggersSql,
  closedTable,
  closeSql,
  hasWholeBarrier,
  openSql,
  removeBarrierSql,
  tokenOf,
} from './barrier.ts'
import { digestTableRows } from './compare.ts'
import { furthestValues } from './furthest.ts'
import { changesSinceMark, cutoverMark } from './mark.ts'
import { advanceSequence, positionsOf } from './sequences.ts'
import { cutoverTableFacts, RIGHTS, type CutoverTableFacts } from './side-facts.ts'
import { sideFindings } from './side-findings.ts'
import { usersNamedSql, type UserFact } from './side-users.ts'
import { reading, ReadsServer, writingTo } from '../../server/reading.ts'
import { goneTable, cutoverSide, cutoverTable, type CutoverTable } from './sides.ts'
import { lockAll, deadlockTimeoutSql } from './take.ts'
import { endWriters, writersOf } from './writers.ts'

const SHORTLY = { lockTimeoutMs: 200, retryLimitMs: 20_000 }
const TIDY = { lockTimeoutMs: 200, retryLimitMs: 3000 }
/** After this many attempts at the lock, sessions that write into the table are terminated, if this is requested. */
const TRIES = 2
const REST_MS = 50
/** The server ends a session that locks a table and sends no statement for this time, in ms: its program is frozen. */
const FROZEN_MS = 2000
/** Longest wait for a session that changes the table's partitions, before the table is opened, in ms. */
const OPEN_MS = 2000
const WRITE = 'ISOLATION LEVEL READ COMMITTED READ WRITE'

export class PostgresSwitchSide extends ReadsServer implements SwitchSide {
  get address(): SideAddress {
    const { host, port, database } = this.settings
    return { host, port: String(port), database }
  }

  facts(table: TableName, signal: AbortSignal): Promise<SideFacts> {
    return this.#read(table, signal, async (session, side) => ({
      text: JSON.stringify(await cutoverTableFacts(session, side)),
    }))
  }

  inspect(table: TableName, source: SideFacts, signal: AbortSignal): Promise<readonly SwitchFinding[]> {
    return this.#read(table, signal, async (session, side) => {
      const from = JSON.parse(source.text) as CutoverTableFacts
      const roles = [...new Set([from.owner, ...from.grants.map(({ role }) => role)])]
      const list = (names: readonly string[]): string => `ARRAY[${names.map(literal).join(', ')}]::text[]`
      const rights = await session.ask(
        `SELECT r.rolname, p.what FROM pg_catalog.pg_roles r, pg_catalog.unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) p (what)
         WHERE r.rolname = ANY (${list(roles)}) AND pg_catalog.has_table_privilege(r.oid, ${side.oid}::oid, p.what)
         UNION ALL SELECT r.rolname, pg_catalog.format('%s (%I)', p.what, a.attname)
         FROM pg_catalog.pg_roles r, pg_catalog.unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) p (what), pg_catalog.pg_attribute a
         WHERE r.rolname = ANY (${list(roles)}) AND a.attrelid = ${side.oid}::oid AND a.attnum > 0 AND NOT a.attisdropped
           AND pg_catalog.has_column_privilege(r.oid, ${side.oid}::oid, a.attnum, p.what)
         UNION ALL SELECT 'PUBLIC', e.named FROM pg_catalog.pg_class c, LATERAL (${RIGHTS}) e WHERE c.oid = ${side.oid}::oid AND e.grantee = 0::oid`,
      )
      const ofPolicies = from.policies.flatMap((policy) => policy.roles)
      const there = await session.ask(
        `SELECT rolname FROM pg_catalog.pg_roles WHERE rolname = ANY (${list(roles)})
         UNION SELECT pg_catalog.quote_ident(rolname) FROM pg_catalog.pg_roles WHERE pg_catalog.quote_ident(rolname) = ANY (${list(ofPolicies)})
         UNION SELECT 'PUBLIC'`,
      )
      const tables = await session.ask(
        `SELECT t FROM pg_catalog.unnest(${list(from.references.map(({ to }) => to))}) t WHERE pg_catalog.to_regclass(t) IS NOT NULL`,
      )
      const users = await session.objects<UserFact>(
        usersNamedSql(
          side.oid,
          from.users.map(({ role }) => role),
        ),
      )
      const has = new Set(rights.map(([role, right]) => `${right} ${role}`))
      return sideFindings(from, await cutoverTableFacts(session, side), side.sql, {
        roles: new Set(there.map(([name]) => name ?? '')),
        tables: new Set(tables.map(([name]) => name ?? '')),
        schema: quoteName(side.schema),
        users,
        may: (role, right) => has.has(`${right} ${role}`) || has.has(`${right.replace(/ .*/s, '')} ${role}`),
      })
    })
  }

  writers(table: TableName, signal: AbortSignal): Promise<SideWriters> {
    return this.#read(table, signal, writersOf)
  }

  mark(table: TableName, signal: AbortSignal): Promise<SwitchMark> {
    return this.#read(table, signal, (session, side) => cutoverMark(session, [side]))
  }

  changesSince(table: TableName, mark: SwitchMark, signal: AbortSignal): Promise<readonly string[]> {
    return this.#read(table, signal, (session, side) => changesSinceMark(session, mark, [side]))
  }

  guard(
    request: Pick<SideCloseRequest, 'table' | 'token' | 'says' | 'hint'>,
    held: Statement,
    signal: AbortSignal,
  ): Promise<boolean> {
    return this.#write(request.table, signal, async (session, side) => {
      if ((await tokenOf(session, side)) !== null && (await hasWholeBarrier(session, side))) return true
      return await new LockRetry(session, { ...SHORTLY, signal }).run([], async () => {
        await session.ask(`${deadlockTimeoutSql(session.version)}; ${barrierLockSql(side)}`)
        await lockAll(session, side, SHORTLY.lockTimeoutMs, 'writers')
        // Another program that opens the table waits for this transaction, or has already ended the stream.
        if ((await session.all(held.sql, held.parameters)).length === 0) return false
        const isClosed = (await tokenOf(session, side)) !== null
        await session.askAll(
          isClosed ? await missingTriggersSql(session, side) : await closeSql(session, side, request),
        )
        return true
      })
    })
  }

  close(
    request: SideCloseRequest,
    ended: (session: string) => void,
    signal: AbortSignal,
  ): Promise<SideClosed | { readonly closedBy: string } | null> {
    const { table, lockTimeoutMs, pauseLimitMs, endsSessions, mayReplace } = request
    return this.#write(table, signal, async (session, side) => {
      const gone: string[] = []
      const since = performance.now()
      for (let tries = 1; ; tries++) {
        const left = pauseLimitMs - (performance.now() - since)
        if (left <= 0) return null
        try {
          await session.begin(
            WRITE,
            `SET LOCAL idle_in_transaction_session_timeout TO ${FROZEN_MS}; ${deadlockTimeoutSql(session.version)}; ${barrierLockSql(side)}`,
          )
          await lockAll(session, side, Math.min(lockTimeoutMs, left), 'writers')
          break
        } catch (error) {
          if (!session.alive || !isPostgresBusy(error)) throw error
          await session.rollBack()
        }
        if (endsSessions && tries >= TRIES) {
          const those = await endWriters(session, side)
          for (const one of those) ended(one)
          gone.push(...those)
        } else await restUnder(signal, REST_MS)
      }
      // Checked after the lock was taken: before that, the name may have referred to another table.
      if ((await cutoverTable(session, table))?.oid !== side.oid) throw goneTable(table)
      const closedBy = await tokenOf(session, side)
      if (closedBy !== null && !mayReplace(closedBy)) return { closedBy }
      await session.askAll(await closeSql(session, side, request))
      await committed(session)
      const position = await commitFence(session)
      await flushLog(session)
      return { fence: position, ended: gone }
    })
  }

  closedBy(table: TableName, signal: AbortSignal): Promise<string | null> {
    return reading(this.readers, this.settings, signal, async (session) => {
      const side = await cutoverTable(session, table)
      return side === null ? null : await tokenOf(session, side)
    })
  }

  isClosed(table: TableName, token: string, signal: AbortSignal): Promise<boolean> {
    return reading(this.readers, this.settings, signal, async (session) => {
      const side = await cutoverTable(session, table)
      return side !== null && (await tokenOf(session, side)) === token && (await hasWholeBarrier(session, side))
    })
  }

  release(table: TableName, token: string, signal: AbortSignal): Promise<void> {
    return writingTo(this.settings, tableText(table), signal, async (session) => {
      const side = await closedTable(session, table, token)
      if (side === null) return
      await session.begin(WRITE, barrierLockSql(side))
      if ((await tokenOf(session, side)) === token) await session.askAll(openSql(side))
      await committed(session)
    })
  }

  tidy(table: TableName, signal: AbortSignal): Promise<boolean> {
    return writingTo(this.settings, tableText(table), signal, async (session) => {
      const side = await cutoverTable(session, table)
      if (side === null || (await removeBarrierSql(session, side)).length === 0) return true
      try {
        await new LockRetry(session, { ...TIDY, signal }).run([], async () => {
          await session.ask(`${deadlockTimeoutSql(session.version)}; ${barrierLockSql(side)}`)
          await lockAll(session, side, TIDY.lockTimeoutMs)
          await session.askAll(await removeBarrierSql(session, side))
        })
        return true
      } catch (error) {
        if (!session.alive || !isPostgresBusy(error)) throw error
        return false
      }
    })
  }

  digest(
    table: TableName,
    identity: readonly string[],
    keys: readonly RowKey[],
    signal: AbortSignal,
  ): Promise<SideDigest> {
    return this.#read(table, signal, (session, side) => digestTableRows(session, side, identity, keys))
  }

  furthest(table: TableName, signal: AbortSignal): Promise<FurthestValues> {
    return this.#read(table, signal, furthestValues)
  }

  positions(table: TableName, signal: AbortSignal): Promise<SidePositions> {
    return this.#read(table, signal, positionsOf)
  }

  advance(
    table: TableName,
    source: SidePositions,
    furthest: readonly FurthestValues[],
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    return this.#write(table, signal, (session, side) => advanceSequence(session, side, source, furthest))
  }

  open(
    table: TableName,
    mark: SwitchMark,
    closing: Closing,
    signal: AbortSignal,
  ): Promise<'opened' | 'fenced' | { readonly changed: readonly string[] }> {
    return this.#write(table, signal, async (session, side) => {
      await session.begin(
        WRITE,
        `SET LOCAL idle_in_transaction_session_timeout TO ${FROZEN_MS}; ${barrierLockSql(side)}`,
      )
      // Attaching a partition takes the same lock.
      await session.ask(
        `SET LOCAL lock_timeout TO ${OPEN_MS}; LOCK TABLE ONLY ${side.sql} IN SHARE UPDATE EXCLUSIVE MODE`,
      )
      const changed = await changesSinceMark(session, mark, [side])
      if (changed.length > 0) {
        await session.rollBack()
        return { changed }
      }
      await session.askAll(openSql(side))
      const outcome = await commitChunk(session, closing, this.settings, signal, 'a switch')
      return outcome === 'committed' ? 'opened' : 'fenced'
    })
  }

  #read<T>(
    table: TableName,
    signal: AbortSignal,
    body: (session: CopySession, side: CutoverTable) => Promise<T>,
  ): Promise<T> {
    return reading(
      this.readers,
      this.settings,
      signal,
      async (session) => await body(session, await cutoverSide(session, table)),
    )
  }

  #write<T>(
    table: TableName,
    signal: AbortSignal,
    body: (session: CopySession, side: CutoverTable) => Promise<T>,
  ): Promise<T> {
    return writingTo(this.settings, tableText(table), signal, async (session) => {
      try {
        return await body(session, await cutoverSide(session, table))
      } finally {
        await session.rollBack()
      }
    })
  }
}
