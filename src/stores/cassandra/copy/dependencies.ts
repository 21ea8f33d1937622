/** Dependencies of Cassandra tables that a copy does not transfer. */
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { groupDependencies, dependencyOf, type LeftBehind, type LeftKind } from '../../../model/copy/dependencies.ts'
import type { ColumnSequence } from '../../../model/copy/sequence.ts'
import type { DependencyStore, DependencyScope } from '../../../model/copy/dependency-port.ts'
import type { CassandraLink } from '../connect.ts'

type DependencyQuery = { readonly kind: LeftKind; readonly what: string; readonly cql: string }

/** Queries by keyspace. They return the table, or null for an object of the whole keyspace, and a name. */
const QUERIES: readonly DependencyQuery[] = [
  {
    kind: 'trigger',
    what: 'triggers',
    cql: 'SELECT table_name, trigger_name FROM system_schema.triggers WHERE keyspace_name = ?',
  },
  {
    kind: 'view',
    what: 'materialized views',
    cql: 'SELECT base_table_name, view_name FROM system_schema.views WHERE keyspace_name = ?',
  },
]
const FUNCTIONS: DependencyQuery = {
  kind: 'function',
  what: 'functions',
  cql: 'SELECT function_name FROM system_schema.functions WHERE keyspace_name = ?',
}
/** Queries for releases before 3.0, which have neither views nor functions. */
const OLD_QUERIES: readonly DependencyQuery[] = [
  {
    kind: 'trigger',
    what: 'triggers',
    cql: 'SELECT columnfamily_name, trigger_name FROM system.schema_triggers WHERE keyspace_name = ?',
  },
]
const PERMISSIONS = 'SELECT role, resource, permissions FROM system_auth.role_permissions'

export class CassandraDependencies implements DependencyStore {
  readonly #link: CassandraLink

  constructor(link: CassandraLink) {
    this.#link = link
  }

  async notCopied({ tables, all }: DependencyScope): Promise<readonly LeftBehind[]> {
    const isOld = Number.parseInt(this.#link.release, 10) < 3
    const keyspaces = [...new Set(tables.map(({ schema }) => schema ?? this.#link.settings.keyspace ?? ''))]
    const rows: [LeftKind, string | undefined, string | null][] = []
    const unread: LeftBehind[] = []
    const collect = async ({ kind, what, cql }: DependencyQuery, keyspace: string, ofTable: boolean): Promise<void> => {
      const found = await this.#ask(cql, [keyspace])
      if ('error' in found) unread.push(dependencyOf('unread', [what], undefined, found.error))
      else
        for (const row of found.rows) {
          const [owner = '', name = owner] = row
          const table = tables.find(
            (one) => one.name === owner && (one.schema ?? this.#link.settings.keyspace) === keyspace,
          )
          if (!ofTable) rows.push([kind, undefined, `${keyspace}.${owner}`])
          else if (table !== undefined) rows.push([kind, tableText(table), name])
        }
    }
    for (const keyspace of keyspaces) {
      for (const lookup of isOld ? OLD_QUERIES : QUERIES) await collect(lookup, keyspace, true)
      if (all && !isOld) await collect(FUNCTIONS, keyspace, false)
    }
    if (!isOld && this.#link.settings.user !== null) await this.#grants(tables, rows, unread)
    return [...groupDependencies(rows), ...unread]
  }

  async sequences(): Promise<readonly ColumnSequence[]> {
    return []
  }

  async detailed(table: TableSpec): Promise<TableSpec> {
    return table
  }

  async #grants(
    tables: DependencyScope['tables'],
    rows: [LeftKind, string | undefined, string | null][],
    unread: LeftBehind[],
  ): Promise<void> {
    const found = await this.#ask(PERMISSIONS, [])
    if ('error' in found) {
      unread.push(dependencyOf('unread', ['grants'], undefined, found.error))
      return
    }
    for (const [role = '', resource = ''] of found.rows) {
      const table = tables.find(
        ({ schema, name }) => resource === `data/${schema ?? this.#link.settings.keyspace ?? ''}/${name}`,
      )
      if (table !== undefined) rows.push(['grant', tableText(table), role])
    }
  }

  /** Rows of a query. A table that this release lacks, or that the role may not read, is no error of the copy. */
  async #ask(
    cql: string,
    parameters: readonly string[],
  ): Promise<{ readonly rows: readonly (readonly string[])[] } | { readonly error: string }> {
    try {
      const { rows } = await this.#link.client.execute(cql, [...parameters], { prepare: true, consistency: 1 })
      return { rows: rows.map((row) => row.values().map(String)) }
    } catch (error) {
      return { error: (error as Error).message }
    }
  }
}
