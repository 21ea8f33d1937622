/**
 * Typed queries: a session of their own, a read-only transaction, and a cursor, which the server declares for a query and for nothing else: not
 * for COPY, nor for several statements. A superuser's rights on the server's files are put aside first.
 */
import type { Client, QueryArrayConfig, QueryArrayResult } from 'pg'
import { throwIfAborted } from '../../shared/abort.ts'
import type { QueryOptions, QueryPage, SqlRow } from '../port.ts'
import { badQuery, placeIn } from '../query-errors.ts'
import { QueryWatch } from '../query-watch.ts'
import { connect, type Backend } from './connect.ts'
import { isConnectionLoss, postgresError, sqlStateOf } from './errors.ts'
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
  const { client, socket, backend } = await connect(settings, 'read')
  const watch = new QueryWatch(options, () => void cancel(settings, backend).catch(() => socket.destroy()))
  try {
    watch.throwIfOver(settings.label)
    await begin(client, timeoutMs)
    if (EXPLAIN.test(sql)) {
      yield pageOf(await ask(client, sql))
      return
    }
    await ask(client, DECLARE + sql)
    for (let first = true; ; first = false) {
      const page = pageOf(await ask(client, `FETCH ${pageRows} FROM sluice_query`))
      if (page.rows.length > 0 || first) yield page
      if (page.rows.length < pageRows) return
    }
  } catch (error) {
    watch.throwIfOver(settings.label, sqlStateOf(error) === '57014')
    throw queryError(error, sql, settings)
  } finally {
    watch[Symbol.dispose]()
    // Leaving takes the transaction and its cursor along.
    await client.end().catch(() => undefined)
  }
}

async function begin(client: Client, timeoutMs: number | undefined): Promise<void> {
  await client.query('BEGIN READ ONLY')
  if (timeoutMs !== undefined) await client.query(`SET LOCAL statement_timeout TO ${Math.max(1, Math.ceil(timeoutMs))}`)
  const { rowCount } = await client.query(
    'SELECT 1 FROM pg_catalog.pg_roles me, pg_catalog.pg_roles reader WHERE me.rolname = current_user AND me.rolsuper AND reader.rolname = $1',
    [READER],
  )
  if (rowCount === 1) await client.query(`SET LOCAL ROLE ${READER}`)
}

/** By the protocol that takes one statement a text. */
function ask(client: Client, text: string): Promise<QueryArrayResult> {
  const query: QueryArrayConfig & { readonly queryMode: 'extended' } = {
    text,
    rowMode: 'array',
    queryMode: 'extended',
    types: QUERY_TYPES,
  }
  return client.query(query)
}

function pageOf({ fields, rows }: QueryArrayResult): QueryPage {
  return { columns: fields.map(({ name }) => name), rows: rows as readonly SqlRow[] }
}

async function cancel(settings: PostgresSettings, { pid }: Backend): Promise<void> {
  const { client } = await connect(settings, 'read')
  try {
    await client.query('SELECT pg_cancel_backend($1)', [pid])
  } finally {
    await client.end()
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
