/** Whether tables of PostgreSQL can be worked with. */
import { tableText, type TableName, type TableSpec } from '../../../../model/copy/column-type.ts'
import type { SignOffCheck } from '../../../../model/follow/sign-off.ts'
import { throwIfAborted } from '../../../../shared/abort.ts'
import { asSluiceError } from '../../../../shared/errors.ts'
import type { OperationalExam } from '../../../../model/follow/operational-port.ts'
import { isConnectionLoss } from '../../server/server-errors.ts'
import { targetError } from '../../server/errors.ts'
import { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { underSignal } from '../../server/under-signal.ts'
import type { PostgresSettings } from '../../server/settings.ts'
import { constraintsHold, indexesValid, sequencesAhead, triggersFire } from './in-force.ts'
import type { Examined, Verdict } from './examined.ts'
import { pruningWorks } from './pruning.ts'
import { writeLands } from './write.ts'

type Check = (session: CopySession, table: Examined) => Promise<Verdict>

/** How long a check waits for a lock. */
const LOCK_WAIT_MS = 10_000

const CHECKS: readonly (readonly [name: string, check: Check])[] = [
  ['a write lands', writeLands],
  ['partition pruning', pruningWorks],
  ['indexes', indexesValid],
  ['constraints', constraintsHold],
  ['triggers', triggersFire],
  ['sequences', sequencesAhead],
]

export class PostgresOperational implements OperationalExam {
  readonly #settings: PostgresSettings

  constructor(settings: PostgresSettings) {
    this.#settings = { ...settings, lockWaitMs: LOCK_WAIT_MS }
  }

  async check(tables: readonly TableSpec[], signal: AbortSignal): Promise<readonly SignOffCheck[]> {
    return await this.#with(signal, async (session) => {
      const found: SignOffCheck[] = []
      for (const spec of tables) {
        const name = tableText(spec.table)
        const [[oid] = []] = await session.ask(`SELECT pg_catalog.to_regclass(${literal(tableSql(spec.table))})::oid`)
        for (const [check, look] of CHECKS) {
          throwIfAborted(signal)
          found.push({ check, table: name, ...(await verdictOf(session, look, spec, oid ?? null)) })
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

  async #with<T>(signal: AbortSignal, body: (session: CopySession) => Promise<T>): Promise<T> {
    throwIfAborted(signal)
    const { label } = this.#settings
    try {
      // Of a session that writes: what it would be refused, the checks have to meet.
      const session = await CopySession.open(this.#settings, 'write')
      try {
        return await underSignal(session, signal, () => body(session))
      } finally {
        await session.close()
      }
    } catch (error) {
      throw targetError(error, this.#settings, label)
    }
  }
}

/** What a server refuses is what a check finds; only a lost connection ends them all. */
async function verdictOf(session: CopySession, look: Check, spec: TableSpec, oid: string | null): Promise<Verdict> {
  if (oid === null) return { outcome: 'failed', found: 'there is no such table' }
  await session.ask('BEGIN')
  try {
    return await look(session, { oid, spec, sql: tableSql(spec.table) })
  } catch (error) {
    if (isConnectionLoss(error)) throw error
    return { outcome: 'failed', found: asSluiceError(error).message }
  } finally {
    await session.ask('ROLLBACK').catch(() => undefined)
  }
}
