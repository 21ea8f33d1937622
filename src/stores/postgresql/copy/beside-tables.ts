/** Dependencies of PostgreSQL tables: what a table has in addition to rows, keys, indexes and constraints. */
import type { Column, Expression, TableName, TableSpec } from '../../../model/copy/column-type.ts'
import { leftBehind, type LeftFound } from '../../../model/copy/left-behind.ts'
import type { ColumnSequence } from '../../../model/copy/sequence.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { DependencyStore, LeftScope } from '../../../model/copy/beside-port.ts'
import type { Pool } from '../../common/pool.ts'
import { sqlStateOf } from '../server/server-errors.ts'
import type { PostgresSettings } from '../server/settings.ts'
import { namedCollation } from './collations.ts'
import { postgresSourceError } from '../server/errors.ts'
import { postgresLeftBehind } from './left-behind.ts'
import { postgresSequences } from './positions.ts'
import type { CopySession } from '../server/session.ts'
import { literal, tableSql } from '../server/sql.ts'
import { underSignal } from '../server/under-signal.ts'

const DENIED = '42501'

export class PostgresDependencies implements DependencyStore {
  readonly #settings: PostgresSettings
  readonly #sessions: Pool<CopySession>
  readonly #schema: string

  /** @param schema used for names without a schema */
  constructor(settings: PostgresSettings, sessions: Pool<CopySession>, schema: string) {
    this.#settings = settings
    this.#sessions = sessions
    this.#schema = schema
  }

  async left(scope: LeftScope, signal: AbortSignal): Promise<readonly LeftFound[]> {
    try {
      return await this.#use(signal, (session) => postgresLeftBehind(session, scope, this.#schema))
    } catch (error) {
      if (sqlStateOf(error) !== DENIED) throw postgresSourceError(error, this.#settings)
      return [leftBehind('unread', ['triggers, views, functions and grants'], undefined, (error as Error).message)]
    }
  }

  async sequences({ table }: TableSpec, signal: AbortSignal): Promise<readonly ColumnSequence[]> {
    try {
      return await this.#use(signal, (session) => postgresSequences(session, this.#placed(table)))
    } catch (error) {
      throw postgresSourceError(error, this.#settings)
    }
  }

  async detailed(table: TableSpec, signal: AbortSignal): Promise<TableSpec> {
    if (!table.columns.some(({ generated }) => generated === true)) return table
    try {
      return await this.#use(signal, async (session) => withExpressions(session, table, this.#placed(table.table)))
    } catch (error) {
      throw postgresSourceError(error, this.#settings)
    }
  }

  async collations(names: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    const there = new Set<string>()
    try {
      await this.#use(signal, async (session) => {
        for (const name of names) {
          if ((await namedCollation(name, (sql) => session.ask(sql))) !== null) there.add(name)
        }
      })
    } catch (error) {
      throw postgresSourceError(error, this.#settings)
    }
    return there
  }

  #placed({ schema, name }: TableName): TableName {
    return { schema: schema ?? this.#schema, name }
  }

  async #use<T>(signal: AbortSignal, body: (session: CopySession) => Promise<T>): Promise<T> {
    throwIfAborted(signal)
    return await this.#sessions.use((session) => underSignal(session, signal, () => body(session)))
  }
}

/** Adds the expressions of generated columns. `local`: the expression uses functions, operators or types of users. */
async function withExpressions(session: CopySession, table: TableSpec, name: TableName): Promise<TableSpec> {
  const rows = await session.ask(
    `SELECT a.attname, pg_catalog.pg_get_expr(d.adbin, d.adrelid), a.attgenerated = 's', pg_catalog.current_setting('server_version'::text), EXISTS (
       SELECT FROM pg_catalog.pg_depend u WHERE u.classid = 'pg_catalog.pg_attrdef'::regclass::oid AND u.objid = d.oid
         AND (u.refclassid <> 'pg_catalog.pg_class'::regclass::oid OR u.refobjid <> a.attrelid))
     FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attrelid = pg_catalog.to_regclass(${literal(tableSql(name))})::oid AND a.attgenerated <> '' AND NOT a.attisdropped`,
  )
  const expressions = new Map(
    rows.map(([column, sql, stored, version, local]): [string, Expression] => [
      column ?? '',
      {
        sql: sql ?? '',
        stored: stored === 't',
        printedBy: /^\d+/.exec(version ?? '')?.[0] ?? '',
        ...(local === 't' ? { local: true } : {}),
      },
    ]),
  )
  const columns = table.columns.map((column): Column => {
    const expression = expressions.get(column.name)
    return expression === undefined ? column : { ...column, expression }
  })
  return { ...table, columns }
}
