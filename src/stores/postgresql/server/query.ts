/**
 * Runs queries that a user types: on a separate session, in a read-only transaction, through a cursor. The server
 * accepts a cursor only for one query, not for COPY or several statements. For a superuser, the transaction uses a
 * read-only role. A query that could leave that role, or do more than read or write rows, is refused before it runs.
 */
import { randomUUID } from 'node:crypto'
import { decimalType, type DeclaredType } from '../../../model/run/answer-file.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { QueryOptions, QueryPage, SqlRow } from '../../../model/run/sql-port.ts'
import { badQuery, placeIn } from '../../common/query-errors.ts'
import { QueryWatch } from '../../common/query-watch.ts'
import { cancel } from './backend-control.ts'
import { connect, quoteName } from './connect.ts'
import { isConnectionLoss, postgresError, sqlStateOf } from './server-errors.ts'
import { DOMAINS_SQL, HIDE_TREES, isAnalysed, refusedUse, SHOW_TREES, TREE, usesSql } from './query-check.ts'
import { WireSession, type ServerNotice } from './wire-session.ts'
import type { PostgresSettings } from './settings.ts'
import { QUERY_TYPES } from './values.ts'

const DECLARE = 'DECLARE sluice_query NO SCROLL CURSOR FOR\n'
/**
 * Matches EXPLAIN with its options, up to the explained query. Parentheses that begin with SELECT, VALUES, TABLE or
 * WITH contain a query, not options. EXPLAIN is matched because the server has no cursor for it.
 */
const EXPLAIN =
  /^\s*explain\b(?:\s*\((?!\s*(?:select|values|table|with)\b)[^()'"/-]*\)|(?:\s+analy[sz]e\b)?(?:\s+verbose\b)?)/i
const READER = 'pg_read_all_data'
/** First server version with the role `READER`. */
const HAS_READER = 140_000

/** Types by OID, as in pg_type.dat; the same on every server. */
const BY_OID: Readonly<Record<number, DeclaredType>> = {
  16: 'boolean',
  18: 'text',
  19: 'text',
  20: 'int64',
  21: 'int16',
  23: 'int32',
  25: 'text',
  26: 'int64',
  114: 'text',
  700: 'float',
  701: 'double',
  1042: 'text',
  1043: 'text',
  1082: 'date',
  1083: 'time',
  1114: 'timestamp',
  1184: 'timestamptz',
  2950: 'uuid',
  3802: 'text',
}
const NUMERIC = 1700
/** Number that the server adds to the type modifier of numeric; a modifier of -1 means no precision and scale. */
const HEADER = 4

export async function* queryPostgresServer(
  settings: PostgresSettings,
  sql: string,
  options: QueryOptions,
): AsyncGenerator<QueryPage> {
  const { pageRows, timeoutMs, signal } = options
  throwIfAborted(signal)
  const session = await QuerySession.open(settings)
  const watch = new QueryWatch(options, () => cancel(settings, session.backend).catch(() => session.destroy()))
  try {
    watch.throwIfOver(settings.label)
    await session.beginFor(timeoutMs)
    const explain = EXPLAIN.exec(sql)?.[0]
    await session.refuseUnsafe(explain ?? '', sql.slice(explain?.length ?? 0))
    if (explain !== undefined) {
      yield await session.typed('', sql)
      return
    }
    await session.typed(DECLARE, sql)
    for (let first = true; ; first = false) {
      const page = await session.page(`FETCH ${pageRows} FROM sluice_query`)
      if (page.rows.length > 0 || first) yield page
      if (page.rows.length < pageRows) return
    }
  } catch (error) {
    watch.throwIfOver(settings.label, sqlStateOf(error) === '57014')
    throw queryError(error, sql, session.ahead, settings)
  } finally {
    watch[Symbol.dispose]()
    // Closing the session ends the transaction and its cursor.
    await session.close()
  }
}

class QuerySession extends WireSession {
  /**
   * Number of characters that the last statement has before the user's text. Negative if the statement lacks the
   * beginning of that text.
   */
  ahead = 0

  static async open(settings: PostgresSettings): Promise<QuerySession> {
    return new QuerySession(settings, await connect(settings, 'read'))
  }

  /**
   * Begins the transaction of a query with this timeout.
   * @throws SluiceError TARGET_DENIED for a superuser if the server has no read-only role
   */
  async beginFor(timeoutMs: number | undefined): Promise<void> {
    await this.begin('READ ONLY')
    if (timeoutMs !== undefined)
      await this.command(`SET LOCAL statement_timeout TO ${Math.max(1, Math.ceil(timeoutMs))}`)
    const { rowCount } = await this.answer({
      text: 'SELECT FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) current_user AND r.rolsuper',
    })
    if (rowCount !== 1) return
    if (this.version < HAS_READER) throw withoutReader(this.settings.label)
    await this.command(`SET LOCAL log_min_messages TO fatal; SET LOCAL ROLE ${READER}`)
  }

  /**
   * Makes the server analyse a query, without planning or running it, and checks the objects that the query uses.
   * @param before the user's text before the query
   * @throws SluiceError BAD_QUERY for functions that do more than read, for functions of other roles, and for any that
   * could leave a superuser's read-only role
   */
  async refuseUnsafe(before: string, query: string): Promise<void> {
    await this.#refuseWhere(DOMAINS_SQL)
    const trees: string[] = []
    const heard = ({ message, detail }: ServerNotice): void => {
      if (message?.startsWith(TREE) === true && detail !== undefined) trees.push(detail)
    }
    const name = quoteName(`sluice_${randomUUID()}`)
    this.client.on('notice', heard)
    try {
      await this.command(SHOW_TREES)
      await this.typed(`PREPARE ${name} AS\n`, query, before.length)
      await this.command(`${HIDE_TREES}; DEALLOCATE ${name}`)
    } finally {
      this.client.off('notice', heard)
    }
    if (!trees.some(isAnalysed)) {
      throw new SluiceError(
        'BAD_QUERY',
        'the query is refused: the server does not report the functions that it calls',
        {
          where: this.settings.label,
          reason: 'a query is run only after its functions are known',
          hint: 'connect directly to the server, without a program that suppresses its messages',
        },
      )
    }
    await this.#refuseWhere(usesSql(trees.join('\n')))
  }

  async #refuseWhere(sql: string): Promise<void> {
    const { rows } = await this.answer<SqlRow>({ text: sql })
    if (rows[0] !== undefined) throw refusedUse(rows[0], this.settings.label)
  }

  /**
   * Runs the user's statement, or the end of it.
   * @param prefix text that sluice puts before it
   * @param leftOut count of the user's characters before `text`
   */
  async typed(prefix: string, text: string, leftOut = 0): Promise<QueryPage> {
    this.ahead = prefix.length - leftOut
    return await this.page(prefix + text)
  }

  /** Runs a statement by the extended protocol, which allows one statement per text. */
  async page(text: string): Promise<QueryPage> {
    const { fields, rows } = await this.answer<SqlRow>({ text, queryMode: 'extended', types: QUERY_TYPES })
    return { columns: fields.map(({ name }) => name), types: fields.map(postgresDeclaredIn), rows }
  }

  /** Returns the error unchanged: `queryError` maps it, because most errors concern the query's text. */
  protected override named(error: unknown): unknown {
    return error
  }
}

/** Type that a query's column gets in answer files; undefined if none fits. */
export function postgresDeclaredIn(field: {
  readonly dataTypeID: number
  readonly dataTypeModifier: number
}): DeclaredType | undefined {
  if (field.dataTypeID !== NUMERIC) return BY_OID[field.dataTypeID]
  if (field.dataTypeModifier < HEADER) return undefined
  const modifier = field.dataTypeModifier - HEADER
  // The scale has eleven bits with a sign: -1000 to 1000.
  const scale = ((modifier & 0x7ff) ^ 1024) - 1024
  return decimalType((modifier >> 16) & 0xffff, scale)
}

/** Maps an error about the query to BAD_QUERY, and an error of the server or the connection to its usual code. */
function queryError(error: unknown, sql: string, ahead: number, settings: PostgresSettings): unknown {
  if (error instanceof SluiceError) return error
  const state = sqlStateOf(error)
  if (state === null || isConnectionLoss(error) || /^(?:53|57|58|XX)/.test(state)) return postgresError(error, settings)
  const { message, position } = error as { readonly message: string; readonly position?: unknown }
  const at = Number(position ?? 0) - 1 - ahead
  return badQuery(at >= 0 && at <= sql.length ? `${message} (${placeIn(sql, at)})` : message, settings.label, error)
}

function withoutReader(where: string): SluiceError {
  return new SluiceError('TARGET_DENIED', 'sluice does not run a query as a superuser on this server', {
    where,
    reason: `queries of a superuser are run with the role ${READER}, which this server does not have`,
    hint: 'connect as a role that is not a superuser, or use PostgreSQL 14 or newer',
  })
}
