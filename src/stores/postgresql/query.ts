/**
 * Typed queries: a session of their own, a read-only transaction, and a cursor, which the server declares for a query and for nothing else: not
 * for COPY, nor for several statements. A superuser's rights on the server's files are put aside first.
 */
import { throwIfAborted } from '../../shared/abort.ts'
import type { QueryOptions, QueryPage, SqlRow } from '../port.ts'
import { badQuery, placeIn } from '../query-errors.ts'
import { QueryWatch } from '../query-watch.ts'
import { cancel } from './beside.ts'
import { connect } from './connect.ts'
import { declaredIn } from './declared-type.ts'
import { isConnectionLoss, postgresError, sqlStateOf } from './errors.ts'
import { Session } from './session.ts'
import type { PostgresSettings } from './settings.ts'
import { QUERY_TYPES } from './values.ts'

const DECLARE = 'DECLARE sluice_query NO SCROLL CURSOR FOR\n'
/** The server has no cursors for it; read-only it is all the same, whatever it explains. */
const EXPLAIN = /^\s*explain\b/i
const READER = 'pg_read_all_data'

export async function* queryServer(
  settings: PostgresSettings,
  sql: string,
  options: QueryOptions,
): AsyncGenerator<QueryPage> {
  const { pageRows, timeoutMs, signal } = options
  throwIfAborted(signal)
  const session = await QuerySession.open(settings)
  const watch = new QueryWatch(options, () => void cancel(settings, session.backend).catch(() => session.destroy()))
  try {
    watch.throwIfOver(settings.label)
    await session.beginFor(timeoutMs)
    if (EXPLAIN.test(sql)) {
      yield await session.page(sql)
      return
    }
    await session.page(DECLARE + sql)
    for (let first = true; ; first = false) {
      const page = await session.page(`FETCH ${pageRows} FROM sluice_query`)
      if (page.rows.length > 0 || first) yield page
      if (page.rows.length < pageRows) return
    }
  } catch (error) {
    watch.throwIfOver(settings.label, sqlStateOf(error) === '57014')
    throw queryError(error, sql, settings)
  } finally {
    watch[Symbol.dispose]()
    // Leaving takes the transaction and its cursor along.
    await session.close()
  }
}

class QuerySession extends Session {
  static async open(settings: PostgresSettings): Promise<QuerySession> {
    return new QuerySession(settings, await connect(settings, 'read'))
  }

  /** Begins the transaction of a query that may take so long. */
  async beginFor(timeoutMs: number | undefined): Promise<void> {
    await this.begin('READ ONLY')
    if (timeoutMs !== undefined)
      await this.command(`SET LOCAL statement_timeout TO ${Math.max(1, Math.ceil(timeoutMs))}`)
    const { rowCount } = await this.answer({
      text: 'SELECT 1 FROM pg_catalog.pg_roles me, pg_catalog.pg_roles reader WHERE me.rolname = current_user AND me.rolsuper AND reader.rolname = $1',
      values: [READER],
    })
    if (rowCount === 1) await this.command(`SET LOCAL ROLE ${READER}`)
  }

  /** By the protocol that takes one statement a text. */
  async page(text: string): Promise<QueryPage> {
    const { fields, rows } = await this.answer<SqlRow>({ text, queryMode: 'extended', types: QUERY_TYPES })
    return { columns: fields.map(({ name }) => name), types: fields.map(declaredIn), rows }
  }

  /** As the driver throws it: what the server says of a query is about its text. */
  protected override named(error: unknown): unknown {
    return error
  }
}

/** What the server says of the query is the query's fault; what befalls the server or the way to it is not. */
function queryError(error: unknown, sql: string, settings: PostgresSettings): unknown {
  const state = sqlStateOf(error)
  if (state === null || isConnectionLoss(error) || /^(?:53|57|58|XX)/.test(state)) return postgresError(error, settings)
  const { message, position } = error as { readonly message: string; readonly position?: unknown }
  const at = Number(position ?? 0) - 1 - (EXPLAIN.test(sql) ? 0 : DECLARE.length)
  return badQuery(at >= 0 && at <= sql.length ? `${message} (${placeIn(sql, at)})` : message, settings.label, error)
}
