/** Dependencies of tables in a DuckDB file other than rows, keys, indexes and constraints. */
import { tableText, type Column, type TableName, type TableSpec } from '../../../model/copy/column-type.ts'
import { groupDependencies, type LeftBehind, type LeftKind } from '../../../model/copy/dependencies.ts'
import type { ColumnSequence } from '../../../model/copy/sequence.ts'
import { countText } from '../../../shared/figures.ts'
import type { DependencyStore, DependencyScope } from '../../../model/copy/dependency-port.ts'
import { columnsIn, expressionIn } from '../../common/column-definitions.ts'
import { nameAt, mentions } from '../../common/definition-text.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import type { DuckdbCopySession } from './session.ts'

const HERE = 'database_name = current_database()'

export class DuckdbDependencies implements DependencyStore {
  readonly #reader: DuckdbCopySession

  constructor(reader: DuckdbCopySession) {
    this.#reader = reader
  }

  async notCopied({ tables, all }: DependencyScope, signal: AbortSignal): Promise<readonly LeftBehind[]> {
    const ask = (sql: string): Promise<readonly SqlRow[]> => this.#reader.rows(sql, [], { signal })
    const rows: [LeftKind, string | undefined, string | null][] = []
    const find = (schema: unknown, name: unknown): string | undefined => {
      const table = tables.find((one) => (one.schema ?? 'main') === schema && one.name === name)
      return table === undefined ? undefined : tableText(table)
    }
    for (const [schema, name, sql, comment] of await ask(
      `SELECT schema_name, table_name, coalesce(sql, ''), comment FROM duckdb_tables() WHERE ${HERE} AND NOT internal`,
    )) {
      const table = find(schema, name)
      if (table === undefined) continue
      if (comment != null) rows.push(['comment', table, 'of the table'])
      for (const { column, code } of columnsIn(String(sql))) {
        if (/\bCOLLATE\b.*\bNOCASE\b/i.test(code)) rows.push(['collation', table, column])
      }
    }
    for (const [schema, name, column] of await ask(
      `SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE ${HERE} AND comment IS NOT NULL`,
    )) {
      const table = find(schema, name)
      if (table !== undefined) rows.push(['comment', table, String(column)])
    }
    for (const [schema, name, sql] of await ask(
      `SELECT schema_name, view_name, sql FROM duckdb_views() WHERE ${HERE} AND NOT internal`,
    )) {
      const text = `${String(schema)}.${String(name)}`
      const about = tables.filter((table) => mentions(String(sql), table))
      for (const table of about) rows.push(['view', tableText(table), text])
      if (all && about.length === 0) rows.push(['view', undefined, text])
    }
    if (all) rows.push(...(await this.#others(tables, ask)))
    return groupDependencies(rows)
  }

  async sequences({ table }: TableSpec, signal: AbortSignal): Promise<readonly ColumnSequence[]> {
    return await duckdbSequences(this.#reader, table, signal)
  }

  async detailed(table: TableSpec, signal: AbortSignal): Promise<TableSpec> {
    if (!table.columns.some(({ generated }) => generated === true)) return table
    const { schema = 'main', name } = table.table
    const [[sql = ''] = []] = await this.#reader.rows(
      `SELECT sql FROM duckdb_tables() WHERE ${HERE} AND schema_name = ? AND table_name = ?`,
      [schema, name],
      { signal },
    )
    const expressions = new Map(
      columnsIn(String(sql)).map(({ column, code, text }) => [column, expressionIn(code, text)]),
    )
    const columns = table.columns.map((column): Column => {
      const expression = column.generated === true ? expressions.get(column.name) : undefined
      return expression == null ? column : { ...column, expression }
    })
    return { ...table, columns }
  }

  async #others(
    tables: readonly TableName[],
    ask: (sql: string) => Promise<readonly SqlRow[]>,
  ): Promise<readonly [LeftKind, undefined, string][]> {
    const copied = new Set(['main', ...tables.map(({ schema }) => schema ?? 'main')])
    const schemas = await ask(
      `SELECT schema_name, CAST(count(*) AS VARCHAR) FROM duckdb_tables() WHERE ${HERE} AND NOT internal AND NOT temporary GROUP BY schema_name
       ORDER BY schema_name`,
    )
    const macros = await ask(
      `SELECT DISTINCT function_name FROM duckdb_functions() WHERE ${HERE} AND NOT internal ORDER BY function_name`,
    )
    return [
      ...schemas.flatMap(([schema, count]): readonly [LeftKind, undefined, string][] => {
        if (copied.has(String(schema))) return []
        return [['schema', undefined, `${String(schema)} (${countText(String(count), 'table')})`]]
      }),
      ...macros.map(([name]): [LeftKind, undefined, string] => ['function', undefined, String(name)]),
    ]
  }
}

/** Sequences of columns whose default is only `nextval`. */
export async function duckdbSequences(
  session: DuckdbCopySession,
  { schema = 'main', name }: TableName,
  signal: AbortSignal,
): Promise<readonly ColumnSequence[]> {
  const columns = await session.rows(
    `SELECT column_name, column_default FROM duckdb_columns() WHERE ${HERE} AND schema_name = ? AND table_name = ?
     AND starts_with(column_default, 'nextval(')`,
    [schema, name],
    { signal },
  )
  const all: ColumnSequence[] = []
  for (const [column, value] of columns) {
    const text = /^nextval\('((?:[^']|'')+)'\)$/.exec(String(value))?.[1]?.replaceAll("''", "'")
    if (text === undefined) continue
    const named = pathOf(text, schema)
    const [row] = await session.rows(
      `SELECT CAST(start_value AS VARCHAR), CAST(increment_by AS VARCHAR), CAST(min_value AS VARCHAR), CAST(max_value AS VARCHAR), cycle,
         sql FROM duckdb_sequences() WHERE ${HERE} AND schema_name = ? AND sequence_name = ?`,
      [named.schema, named.name],
      { signal },
    )
    if (row === undefined) continue
    const [start, increment, min, max, cycle, sql] = row
    // The definition starts with the next number; `last_value` differs once the file was reopened.
    const next = / START (?:WITH )?(-?\d+)/.exec(String(sql))?.[1]
    const by = BigInt(String(increment))
    all.push({
      column: String(column),
      named,
      next: next === undefined ? null : BigInt(next),
      options: {
        start: BigInt(String(start)),
        increment: by,
        min: BigInt(String(min)),
        max: BigInt(String(max)),
        cycle: Boolean(cycle),
        cache: 1n,
      },
    })
  }
  return all
}

function pathOf(text: string, schema: string): { readonly schema: string; readonly name: string } {
  const parts: string[] = []
  for (let rest = text; rest !== '';) {
    const found = nameAt(rest)
    if (found === null) break
    parts.push(found.name)
    rest = found.rest.replace(/^\./, '')
  }
  const [name = text, above = schema] = parts.toReversed()
  return { schema: above, name }
}
