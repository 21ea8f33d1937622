/** Dependencies of PostgreSQL tables: what a table has in addition to rows, keys, indexes and constraints. */
import type { Column, Expression, TableName, TableSpec } from '../../../model/copy/column-type.ts'
import { dependencyOf, type FoundDependency } from '../../../model/copy/dependencies.ts'
import type { ColumnSequence } from '../../../model/copy/sequence.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { DependencyStore, DependencyScope } from '../../../model/copy/dependency-port.ts'
import type { Pool } from '../../common/pool.ts'
import { sqlStateOf } from '../server/server-errors.ts'
import type { PostgresSettings } from '../server/settings.ts'
import { namedCollation } from './collations.ts'
import { postgresSourceError } from '../server/errors.ts'
import { ReadsServer } from '../server/reading.ts'
import { listPostgresDependencies } from './dependency-list.ts'
import { postgresSequences } from './positions.ts'
import type { CopySession } from '../server/session.ts'
import { literal, tableSql } from '../server/sql.ts'
import { underSignal } from '../server/under-signal.ts'

const DENIED = '42501'

export class PostgresDependencies extends ReadsServer implements DependencyStore {
  readonly #schema: string

  /** @param schema used for names without a schema */
  constructor(settings: PostgresSettings, sessions: Pool<CopySession>, schema: string) {
    super(settings, sessions)
    this.#schema = schema
  }

  async notCopied(scope: DependencyScope, signal: AbortSignal): Promise<readonly FoundDependency[]> {
    try {
      throwIfAborted(signal)
      return await this.readers.use((session) =>
        underSignal(session, signal, () => listPostgresDependencies(session, scope, this.#schema)),
      )
    } catch (error) {
      if (sqlStateOf(error) !== DENIED) throw postgresSourceError(error, this.settings)
      return [dependencyOf('unread', ['triggers, views, functions and grants'], undefined, (error as Error).message)]
    }
  }

  sequences({ table }: TableSpec, signal: AbortSignal): Promise<readonly ColumnSequence[]> {
    return this.read(signal, (session) => postgresSequences(session, this.#placed(table)))
  }

  async detailed(table: TableSpec, signal: AbortSignal): Promise<TableSpec> {
    if (!table.columns.some(({ generated }) => generated === true)) return table
    return await this.read(signal, (session) => withExpressions(session, table, this.#placed(table.table)))
  }

  collations(names: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    return this.read(signal, async (session) => {
      const there = new Set<string>()
      for (const name of names) {
        if ((await namedCollation(name, (sql) => session.ask(sql))) !== null) there.add(name)
      }
      return there
    })
  }

  #placed({ schema, name }: TableName): TableName {
    return { schema: schema ?? this.#schema, name }
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
