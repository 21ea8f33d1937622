/**
 * Retires an old table of PostgreSQL: inspection, and each step as one short transaction with its ledger row. The last
 * step drops the table, under its lock.
 */
import { tableText } from '../../../../model/copy/column-type.ts'
import { equalDigests } from '../../../../model/copy/rows.ts'
import { throwIfAborted } from '../../../../shared/abort.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type {
  CutoverTables,
  DecommissionEnd,
  DecommissionStep,
  DecommissionStore,
  KnownRows,
  OldTableState,
  RecordedTable,
} from '../../../../model/partition/decommission-port.ts'
import type { Statement } from '../../../../model/run/ledger-port.ts'
import type { KnownTable } from '../../server/locks.ts'
import { hasColumns, tableByIdentity, tableByName } from '../../server/known.ts'
import { lockedStepError, stepError } from '../../archive/step-errors.ts'
import { CopySession } from '../../server/session.ts'
import { digestPostgresRows } from '../../copy/row-digest.ts'
import { tableFromSql, tableSql } from '../../server/sql.ts'
import { underSignal } from '../../server/under-signal.ts'
import { LockRetry, type WantedLock } from '../../server/lock-retry.ts'
import type { PostgresSettings } from '../../server/settings.ts'
import { grantAgain, revokeAll } from './grants.ts'
import { publicTableRefusals, inspectOldTable, refusals } from './inspect.ts'
import { guardFunctions, moveSequence, ownedSequences } from './owned-objects.ts'

const RIGHTS = 'connect as the owner of the table, who may also write the tables of the ledger'

/** Body of a transaction under the table's lock. */
type Body<T> = (session: CopySession, table: KnownTable) => Promise<T>

export class PostgresDecommission implements DecommissionStore {
  readonly #settings: PostgresSettings
  readonly #database: string

  /** @param database identity of this database */
  constructor(settings: PostgresSettings, database: string) {
    this.#settings = settings
    this.#database = database
  }

  inspect(tables: CutoverTables, signal: AbortSignal): Promise<OldTableState | 'gone' | 'other'> {
    // With an empty search path the server qualifies every name.
    return this.#read(signal, async (session) => {
      await session.ask(`SET LOCAL search_path TO ''`)
      return await inspectOldTable(session, tables, this.#database)
    })
  }

  async deactivate(step: DecommissionStep, close: (grants: string) => readonly Statement[]): Promise<DecommissionEnd> {
    const done = await this.#step(step, 'SHARE UPDATE EXCLUSIVE', async (session, table) => {
      await closed(session, close(await revokeAll(session, table)))
    })
    return typeof done === 'string' ? done : 'done'
  }

  async reactivate(step: DecommissionStep, grants: string, close: readonly Statement[]) {
    const done = await this.#step(step, 'SHARE UPDATE EXCLUSIVE', async (session, table) => {
      const missing = await grantAgain(session, table, grants)
      await closed(session, close)
      return missing
    })
    return typeof done === 'string' ? { end: done, missing: [] } : { end: 'done' as const, missing: done.result }
  }

  async drop(step: DecommissionStep, heir: RecordedTable, expect: KnownRows | null, close: readonly Statement[]) {
    const done = await this.#step(step, 'ACCESS EXCLUSIVE', async (session, table) => {
      if (expect !== null && !(await hasSameRows(session, table, expect))) return null
      // Write the ledger first: it needs the search path, but DROP needs an empty one.
      await closed(session, close)
      return await dropOldTable(session, table, heir, this.#database)
    })
    if (typeof done === 'string') return { end: done, also: [] }
    return done.result === null ? { end: 'differs' as const, also: [] } : { end: 'done' as const, also: done.result }
  }

  /** Runs one transaction under the table's lock, retried until the retry limit. A kill leaves no partial step. */
  async #step<T>(
    { table, identity, guard, lockTimeoutMs, retryLimitMs, signal }: DecommissionStep,
    mode: WantedLock['mode'],
    body: Body<T>,
  ): Promise<'fenced' | 'gone' | { readonly result: T }> {
    const about = { settings: this.#settings, table: tableText(table), rights: RIGHTS }
    throwIfAborted(signal)
    await using session = await CopySession.open(this.#settings, 'write')
    const known = { oid: identity, name: table }
    try {
      return await underSignal(session, signal, async () => {
        if (!(await hasSameName(session, known))) return 'gone'
        const lockRetry = new LockRetry(session, { lockTimeoutMs, retryLimitMs, signal })
        return await lockRetry.run([{ table: known, mode }], async () => {
          if (!(await hasSameName(session, known))) return 'gone'
          if ((await session.all(guard.sql, guard.parameters)).length === 0) return 'fenced'
          return { result: await body(session, known) }
        })
      })
    } catch (error) {
      if (error instanceof SluiceError && error.code !== 'TARGET_BUSY') throw error
      throw await lockedStepError(error, about, session, [identity])
    }
  }

  async #read<T>(signal: AbortSignal, body: (session: CopySession) => Promise<T>): Promise<T> {
    throwIfAborted(signal)
    await using session = await CopySession.open(this.#settings, 'read')
    try {
      return await underSignal(session, signal, () =>
        session.rolledBack('ISOLATION LEVEL REPEATABLE READ READ ONLY', '', () => body(session)),
      )
    } catch (error) {
      throw stepError(error, { settings: this.#settings, table: '', rights: RIGHTS })
    }
  }
}

async function closed(session: CopySession, statements: readonly Statement[]): Promise<void> {
  for (const { sql, parameters } of statements) await session.run(sql, parameters)
}

/** True if the table still has the recorded rows and columns. */
async function hasSameRows(session: CopySession, table: KnownTable, { columns, digest }: KnownRows): Promise<boolean> {
  if (!(await hasColumns(session, table, columns))) return false
  const from = tableFromSql({ name: table.name, only: true })
  const now = await digestPostgresRows(session, {
    columns,
    from,
    condition: 'true',
    whole: true,
    table: tableText(table.name),
  })
  return equalDigests(now, digest)
}

/** True if the table still has this name. */
async function hasSameName(session: CopySession, { oid, name }: KnownTable): Promise<boolean> {
  const found = await tableByIdentity(session, oid)
  return found !== null && found.name.name === name.name && found.name.schema === name.schema
}

/**
 * Drops the table without CASCADE: a new dependent of the table makes the DROP fail.
 * @returns messages about further changes
 * @throws SluiceError TABLE_REFUSED
 */
async function dropOldTable(
  session: CopySession,
  table: KnownTable,
  heir: RecordedTable,
  database: string,
): Promise<readonly string[]> {
  await session.ask(`SET LOCAL search_path TO ''`)
  const [refused] = [
    ...(await publicTableRefusals(session, table, heir, database)),
    ...(await refusals(session, table.oid)),
  ]
  if (refused !== undefined) {
    throw new SluiceError(
      'TABLE_REFUSED',
      `${refused.object ?? refused.about} prevents the removal of ${tableText(table.name)}`,
      { where: tableText(table.name), reason: refused.detail, hint: refused.hint },
    )
  }
  const also: string[] = []
  const above = await tableByName(session, heir.name)
  for (const sequence of await ownedSequences(session, table.oid, above?.oid ?? null)) {
    await moveSequence(session, sequence, heir.name)
    also.push(
      sequence.heir
        ? `sequence ${tableText(sequence.name)} belongs to column ${sequence.column} of ${tableText(heir.name)}`
        : `sequence ${tableText(sequence.name)} no longer belongs to a table`,
    )
  }
  const guards = await guardFunctions(session, table.oid)
  await session.ask(`DROP TABLE ${tableSql(table.name)}`)
  for (const { sql } of guards) {
    // Function and sequence have the same name.
    await session.ask(`DROP FUNCTION ${sql}; DROP SEQUENCE IF EXISTS ${sql.replace(/\(\)$/, '')}`)
    also.push(`function ${sql}, which blocked writers, is dropped`)
  }
  return also
}
