/** The transaction of a cutover, once it has locked the table with the public name. */
import { tableText } from '../../../../model/copy/column-type.ts'
import type { LogPosition } from '../../../../model/copy/change.ts'
import type { RowKey } from '../../../../model/copy/row-key.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { FollowedTable, StreamStart } from '../../../../model/follow/port.ts'
import type { Closing } from '../../../../model/run/ledger-port.ts'
import type {
  FurthestValues,
  SwitchAttempt,
  SwitchFinding,
  SwitchMark,
  SwitchProof,
  SwitchRequest,
} from '../../../../model/follow/switch-port.ts'
import { quoteName } from '../../server/connect.ts'
import { commitChunk } from '../../copy/commit.ts'
import { postgresTargetError } from '../../server/errors.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'
import { underSignal } from '../../server/under-signal.ts'
import { serverFacts, factsInTransaction } from '../replication/start.ts'
import { slotFault } from '../replication/verify.ts'
import { commitFence, lsnOf } from '../../server/lsn.ts'
import { BY_INDEX } from '../replication/shapes.ts'
import type { PostgresSettings } from '../../server/settings.ts'
import { compareTableRows } from './compare.ts'
import { guardSql, leavesOf, unguardSql } from './guard.ts'
import type { LockLimit } from './lock-limit.ts'
import { findingOf, stepsOf } from './inspections.ts'
import { changesSinceMark } from './mark.ts'
import { cutoverTables, type CutoverTable, type CutoverTables } from './sides.ts'
import { lockAll } from './take.ts'

/**
 * Longest wait for further locks, ms. All other sessions wait for the table by now. If one of them holds a lock that
 * the cutover needs, the server would cancel it to end the deadlock. So the cutover gives up first.
 */
const MAX_LOCK_WAIT_MS = 150

export type OpenedAttempt = {
  readonly session: CopySession
  /** A session outside of the transaction, for statements whose failure must not abort it. */
  readonly otherSession: CopySession
  readonly settings: PostgresSettings
  readonly request: SwitchRequest
  readonly signal: AbortSignal
  readonly lockTimeoutMs: number
  /** Catch-up position: a log position after every committed change of the old table. */
  readonly fence: LogPosition
  /** Limits how long other sessions wait for this transaction. */
  readonly held: LockLimit
  readonly tables: readonly [from: CutoverTable, to: CutoverTable]
  /** Search path of the session before this transaction. */
  readonly path: string
}

export class Attempt implements SwitchAttempt {
  readonly fence: LogPosition
  readonly #opened: OpenedAttempt
  /** Furthest values of the rows that were compared. */
  #furthest: FurthestValues = { text: '[]' }
  #isExchanged = false
  #isEnded = false

  constructor(opened: OpenedAttempt) {
    this.#opened = opened
    this.fence = opened.fence
  }

  waitedMs(): number {
    return this.#opened.held.waitedMs()
  }

  changesSince(mark: SwitchMark): Promise<readonly string[]> {
    const { tables, lockTimeoutMs } = this.#opened
    return this.#do(async (session) => {
      await lockAll(session, tables[1], Math.min(lockTimeoutMs, MAX_LOCK_WAIT_MS))
      return await changesSinceMark(session, mark, tables)
    })
  }

  compare(identity: readonly string[], keys: readonly RowKey[]): Promise<SwitchProof> {
    if (this.#isExchanged) throw new Error('rows are compared before the tables are exchanged')
    return this.#do(async (session) => {
      const { furthest, ...proof } = await compareTableRows(session, this.#opened.tables, identity, keys)
      this.#furthest = { text: JSON.stringify(furthest) }
      return proof
    })
  }

  exchange(furthest: FurthestValues): Promise<readonly SwitchFinding[]> {
    const { request, lockTimeoutMs, path } = this.#opened
    const tryTimeoutMs = Math.min(lockTimeoutMs, MAX_LOCK_WAIT_MS)
    return this.#do(async (session) => {
      await lockAll(session, this.#opened.tables[1], tryTimeoutMs)
      await session.ask(`SET LOCAL search_path TO ''; SET LOCAL lock_timeout TO ${tryTimeoutMs}`)
      const sides = { ...(await cutoverTables(session, request)), furthest: [furthest, this.#furthest] }
      const steps = await stepsOf(sides, true)
      const refused = steps.filter(({ verdict }) => verdict === 'refused')
      if (refused.length > 0) throw refusal(sides, refused)
      const leaves = await leavesOf(session, sides.from.oid)
      await session.askAll([
        ...(await unguardSql(session, sides.to.oid)),
        ...steps.flatMap(({ before = [] }) => before),
        ...renames(sides),
        ...steps.flatMap(({ after = [] }) => after),
        ...guardSql(sides, leaves),
      ])
      await session.ask(
        `SET LOCAL lock_timeout TO ${lockTimeoutMs}; SELECT pg_catalog.set_config('search_path', ${literal(path)}, true)`,
      )
      this.#isExchanged = true
      return steps.filter(({ verdict }) => verdict === 'made').map(findingOf)
    })
  }

  startRecord(slot: string, start: string, tables: readonly FollowedTable[]): Promise<StreamStart | null> {
    this.#mustBeExchanged()
    return this.#do(async (session) => {
      const place = await serverFacts(this.#opened.otherSession)
      await session.ask(BY_INDEX)
      const { facts, shapes } = await factsInTransaction(session, slot, tables)
      const startRecord = { slot, publication: slot, start, facts: { ...place, ...facts }, shapes }
      return (await slotFault(session, startRecord, lsnOf(start))) === null ? startRecord : null
    })
  }

  position(): Promise<LogPosition> {
    this.#mustBeExchanged()
    return this.#do(commitFence)
  }

  async commit(closing: Closing): Promise<'committed' | 'fenced'> {
    this.#mustBeExchanged()
    const { session, settings, signal, request } = this.#opened
    const { guard } = closing
    const isHeld = await this.#do(async () => (await session.all(guard.sql, guard.parameters)).length > 0)
    this.#opened.held.work()
    try {
      // `commitChunk` handles the signal itself: it must not be interrupted once COMMIT is sent.
      const outcome = isHeld ? await commitChunk(session, closing, settings, signal, 'a switch') : 'fenced'
      if (!isHeld) await session.rollBack()
      this.#isEnded = true
      return outcome
    } catch (error) {
      throw postgresTargetError(error, settings, tableText(request.from))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { session, otherSession } = this.#opened
    if (!this.#isEnded) {
      this.#isEnded = true
      await session.rollBack()
    }
    await Promise.all([session.close(), otherSession.close()])
  }

  #mustBeExchanged(): void {
    if (!this.#isExchanged) throw new Error('the tables have not been exchanged yet')
  }

  async #do<T>(body: (session: CopySession) => Promise<T>): Promise<T> {
    const { session, settings, signal, request, held } = this.#opened
    if (this.#isEnded) throw new Error('this transaction has ended')
    try {
      return await underSignal(session, signal, async () => {
        if (!session.alive) throw session.loss()
        await held.shorten()
        held.work()
        const result = await body(session)
        held.rest()
        return result
      })
    } catch (error) {
      throw postgresTargetError(error, settings, tableText(request.from))
    }
  }
}

/** Rename statements. If the tables exchange names, one of them gets a temporary name first. */
function renames({ from, to, oldTable, oldTableName }: CutoverTables): readonly string[] {
  const rename = (table: string, name: string): string => `ALTER TABLE ${table} RENAME TO ${quoteName(name)}`
  if (oldTable !== to.sql) return [rename(from.sql, oldTableName), rename(to.sql, from.name)]
  const between = `sluice_switch_${from.oid}`
  return [
    rename(from.sql, between),
    rename(to.sql, from.name),
    rename(`${quoteName(from.schema)}.${between}`, oldTableName),
  ]
}

function refusal({ from, to }: CutoverTables, refused: readonly SwitchFinding[]): SluiceError {
  const [first] = refused
  const said = refused.map(
    ({ about, object, detail }) => `${about}${object === undefined ? '' : ` ${object}`}: ${detail}`,
  )
  return new SluiceError('TABLE_REFUSED', `${tableText(from)} and ${tableText(to)} cannot be exchanged`, {
    where: tableText(from),
    reason: said.join('; '),
    hint: first?.hint ?? 'remove the causes, then run the cutover again',
  })
}
