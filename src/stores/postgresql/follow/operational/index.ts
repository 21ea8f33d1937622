/** Checks that tables of PostgreSQL are ready for use. */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import type { SignOffCheck } from '../../../../model/follow/sign-off.ts'
import { throwIfAborted } from '../../../../shared/abort.ts'
import { asSluiceError } from '../../../../shared/errors.ts'
import type { OperationalPreflight, OperationalTable } from '../../../../model/follow/operational-port.ts'
import { keyColumns } from '../../../common/key-ranges.ts'
import { quoteName } from '../../server/connect.ts'
import { isConnectionLoss } from '../../server/server-errors.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, operatorSql, tableSql } from '../../server/sql.ts'
import { writingTo } from '../../server/reading.ts'
import type { PostgresSettings } from '../../server/settings.ts'
import { isGuarded } from '../switch/guard.ts'
import {
  checkConstraints,
  checkIndexes,
  checkSequences,
  checkTriggers,
  type CheckedTable,
  type OperationalVerdict,
  checkPruning,
} from './in-force.ts'

type Check = (session: CopySession, table: CheckedTable) => Promise<OperationalVerdict>

/** Longest wait of a check for a lock, in ms. */
const LOCK_WAIT_MS = 10_000

const CHECKS: readonly (readonly [name: string, check: Check])[] = [
  ['a write lands', checkWrite],
  ['partition pruning', checkPruning],
  ['indexes', checkIndexes],
  ['constraints', checkConstraints],
  ['triggers', checkTriggers],
  ['sequences', checkSequences],
]

/**
 * Checks that a row can be written: finds one row by its key, sets a column to its current value, and rolls the
 * transaction back. Triggers fire as for any writer; their writes are rolled back too.
 */
async function checkWrite(session: CopySession, { oid, sql, spec }: CheckedTable): Promise<OperationalVerdict> {
  const key = keyColumns(spec)
  if (key.length === 0) return { outcome: 'not checked', found: 'the table has no key to find one row' }
  if (await isGuarded(session, oid))
    return { outcome: 'not checked', found: 'it is the old table: before a cutover only its stream writes to it' }
  const [[settable] = []] = await session.ask(
    `SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = ${literal(oid)}::oid AND attnum > 0 AND NOT attisdropped
       AND attidentity <> 'a' AND attgenerated = '' ORDER BY attname = ANY (ARRAY[${spec.key.map(literal).join(', ')}]), attnum LIMIT 1`,
  )
  if (settable == null) return { outcome: 'not checked', found: 'an UPDATE cannot set any column of the table' }
  const [row] = await session.ask(
    `SELECT ${spec.key.map((name) => `${quoteName(name)}::text`).join(', ')} FROM ${sql} LIMIT 1`,
  )
  if (row === undefined) return { outcome: 'not checked', found: 'the table has no row for the test write' }
  // Untyped literals take the types of the columns.
  const same = key.map((one, i) => `${quoteName(one.name)} ${operatorSql('=', [one])} ${literal(row[i] ?? '')}`)
  const column = quoteName(settable)
  const changed = await session.run(`UPDATE ${sql} SET ${column} = ${column} WHERE ${same.join(' AND ')}`)
  // Deferred constraints must be checked before this transaction is rolled back.
  await session.ask('SET CONSTRAINTS ALL IMMEDIATE')
  const [[role] = []] = await session.ask('SELECT current_user')
  if (changed === 1)
    return { outcome: 'ok', found: `as role ${role}, one row was updated to itself by its key, and rolled back` }
  return {
    outcome: 'failed',
    found: `as role ${role}, an UPDATE of one row by its key changed ${changed} rows`,
    hint: 'check triggers, rules and policies of the table that prevent writes',
  }
}

export class PostgresOperational implements OperationalPreflight {
  readonly #settings: PostgresSettings

  constructor(settings: PostgresSettings) {
    this.#settings = { ...settings, lockWaitMs: LOCK_WAIT_MS }
  }

  async check(tables: readonly OperationalTable[], signal: AbortSignal): Promise<readonly SignOffCheck[]> {
    return await this.#with(signal, async (session) => {
      const found: SignOffCheck[] = []
      for (const one of tables) {
        const { table } = one.spec
        const name = tableText(table)
        const [[oid] = []] = await session.ask(`SELECT pg_catalog.to_regclass(${literal(tableSql(table))})::oid`)
        for (const [check, inspect] of CHECKS) {
          throwIfAborted(signal)
          found.push({ check, table: name, ...(await verdictOf(session, inspect, one, oid ?? null)) })
        }
      }
      return found
    })
  }

  async partition(table: TableName, name: string, signal: AbortSignal): Promise<TableName | null> {
    return await this.#with(signal, async (session) => {
      const rows = await session.ask(
        `SELECT n.nspname, c.relname FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass(${literal(tableSql(table))})) t
           JOIN pg_catalog.pg_class c ON c.oid = t.relid::oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE t.isleaf AND t.parentrelid IS NOT NULL AND ${literal(name)} IN (c.relname, n.nspname::text || '.' || c.relname::text)`,
      )
      const [[schema, found] = []] = rows
      return rows.length === 1 && schema != null && found != null ? { schema, name: found } : null
    })
  }

  /** Runs `body` on a session for writing, so that the checks get the same refusals as writers. */
  #with<T>(signal: AbortSignal, body: (session: CopySession) => Promise<T>): Promise<T> {
    return writingTo(this.#settings, this.#settings.label, signal, body)
  }
}

/** An error of the server is the result of a check; only a lost connection ends all checks. */
async function verdictOf(
  session: CopySession,
  inspect: Check,
  table: OperationalTable,
  oid: string | null,
): Promise<OperationalVerdict> {
  if (oid === null) return { outcome: 'failed', found: 'there is no such table' }
  await session.ask('BEGIN')
  try {
    return await inspect(session, { ...table, oid, sql: tableSql(table.spec.table) })
  } catch (error) {
    if (isConnectionLoss(error)) throw error
    return { outcome: 'failed', found: asSluiceError(error).message }
  } finally {
    await session.ask('ROLLBACK').catch(() => undefined)
  }
}
