/** Indexes, constraints and defaults in DuckDB. An existing table can get indexes and defaults, but no constraints. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { IndexPart, SchemaObject } from '../../../model/copy/schema-object.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import type { ObjectStore } from '../../../model/copy/objects-port.ts'
import { bracketElements, nameAt } from '../../common/definition-text.ts'
import { objectFailed } from '../../common/object-names.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { duckdbCopyError, isExpressionError, isDuckdbRowError, duckdbErrorLine } from '../errors.ts'
import { fromTable } from './key-dialect.ts'
import type { DuckdbParts } from './session.ts'

const OF_TABLE = 'database_name = current_database() AND schema_name = ? AND table_name = ?'

export class DuckdbObjects implements ObjectStore {
  readonly words = 'duckdb'
  readonly #parts: DuckdbParts

  constructor(parts: DuckdbParts) {
    this.#parts = parts
  }

  async list(tables: readonly TableSpec[], signal: AbortSignal): Promise<readonly (readonly SchemaObject[])[]> {
    const lists: (readonly SchemaObject[])[] = []
    for (const table of tables) lists.push(await this.#listTable(table, signal))
    return lists
  }

  async #listTable({ table }: TableSpec, signal: AbortSignal): Promise<readonly SchemaObject[]> {
    const { schema = 'main', name } = table
    const ask = (sql: string): Promise<readonly SqlRow[]> => this.#parts.reader.rows(sql, [schema, name], { signal })
    const indexes = await ask(
      `SELECT index_name, is_unique, sql FROM duckdb_indexes() WHERE ${OF_TABLE} ORDER BY index_name`,
    )
    const constraints = await ask(
      `SELECT constraint_type, constraint_name, constraint_text, CAST(to_json(constraint_column_names) AS VARCHAR), referenced_table,
         CAST(to_json(referenced_column_names) AS VARCHAR) FROM duckdb_constraints() WHERE ${OF_TABLE} AND constraint_type <> 'NOT NULL'
       ORDER BY constraint_index`,
    )
    const defaults = await ask(
      `SELECT column_name, column_default FROM duckdb_columns() WHERE ${OF_TABLE} AND column_default IS NOT NULL ORDER BY column_index`,
    )
    const generated = new Set((await this.#generated(schema, name, signal)).map(([column]) => String(column)))
    return [
      ...indexes.map(indexObject),
      ...constraints.map((row) => constraintObject(schema, row)),
      ...defaults
        .filter(([column]) => !generated.has(String(column)))
        .map(([column, own]): SchemaObject => {
          return { kind: 'default', name: String(column), own: String(own), columns: [String(column)] }
        }),
    ]
  }

  scope(): 'schema' {
    return 'schema'
  }

  async usedNames({ table }: TableSpec, names: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    const rows = await this.#parts.reader.rows(
      `SELECT index_name FROM duckdb_indexes() WHERE database_name = current_database() AND schema_name = ? AND table_name <> ?
       UNION SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() AND schema_name = ?`,
      [table.schema ?? 'main', table.name, table.schema ?? 'main'],
      { signal },
    )
    const there = new Set(rows.map(([name]) => String(name).toLowerCase()))
    return new Set(names.filter((name) => there.has(name.toLowerCase())))
  }

  adapted(object: SchemaObject, { columns }: TableSpec): SchemaObject | { readonly refused: string } {
    switch (object.kind) {
      case 'index':
      case 'unique': {
        if (object.own !== '') return { ...object, kind: 'index' }
        for (const { column } of object.parts) {
          const native = columns.find(({ name }) => name === column)?.native ?? ''
          if (/\]$|^(?:STRUCT|MAP|UNION|JSON|BIT|INTERVAL)\b/i.test(native)) {
            return { refused: `${column ?? ''} is ${native} in the target, which DuckDB cannot index` }
          }
        }
        // DuckDB's indexes have no order.
        return {
          ...object,
          kind: 'index',
          method: 'art',
          include: [],
          parts: object.parts.map(({ column }) => ({ column })),
        }
      }
      case 'default':
        return object
      case 'foreign key':
        return { refused: 'DuckDB adds foreign keys only when a table is created' }
      case 'check':
        return { refused: 'DuckDB adds checks only when a table is created' }
      case 'exclusion':
        return { refused: 'DuckDB has no exclusion constraints' }
    }
  }

  async build(object: SchemaObject, table: TableSpec, _inUse: boolean, signal: AbortSignal): Promise<void> {
    const { turn, label } = this.#parts
    const writer = this.#parts.writer()
    const sql = buildSql(object, table)
    await turn.take(async () => {
      throwIfAborted(signal)
      try {
        await writer.change(sql, [], signal)
      } catch (error) {
        throwIfAborted(signal)
        if (isExpressionError(error) || isDuckdbRowError(error)) {
          const where = `${label}, ${table.table.name}`
          throw objectFailed(object, duckdbErrorLine(error), { where, cause: error })
        }
        throw duckdbCopyError(error, label, 'target')
      }
    })
  }

  async #generated(schema: string, table: string, signal: AbortSignal): Promise<readonly SqlRow[]> {
    const [row] = await this.#parts.reader.rows(`SELECT sql FROM duckdb_tables() WHERE ${OF_TABLE}`, [schema, table], {
      signal,
    })
    return bracketElements(String(row?.[0] ?? '')).flatMap((element) => {
      const named = / GENERATED ALWAYS AS/.test(element) ? nameAt(element) : null
      return named === null ? [] : [[named.name]]
    })
  }
}

function indexObject([name, unique, sql]: SqlRow): SchemaObject {
  const text = String(sql).replace(/;\s*$/, '')
  const parts = bracketElements(text).map((element): IndexPart => {
    const named = nameAt(element)
    return { column: named !== null && named.rest.trim() === '' ? named.name : null }
  })
  const names = parts.flatMap(({ column }) => (column === null ? [] : [column]))
  const hasExpression = names.length < parts.length
  return {
    kind: 'index',
    name: String(name),
    own: hasExpression ? `(${bracketElements(text).join(', ')})` : '',
    columns: hasExpression ? null : names,
    unique: unique === 1,
    method: 'art',
    parts,
    include: [],
  }
}

function constraintObject(schema: string, row: SqlRow): SchemaObject {
  const [kind, name, text, columnText, parent, parentText] = row
  const columns = JSON.parse(String(columnText)) as readonly string[]
  const named = { name: String(name), own: '', columns }
  if (kind === 'CHECK') return { ...named, kind: 'check', own: String(text) }
  if (kind === 'FOREIGN KEY') {
    return {
      ...named,
      kind: 'foreign key',
      from: columns,
      to: { table: { schema, name: String(parent) }, columns: JSON.parse(String(parentText)) as readonly string[] },
      onDelete: 'NO ACTION',
      onUpdate: 'NO ACTION',
      rest: '',
    }
  }
  return {
    ...named,
    kind: 'unique',
    unique: true,
    ...(kind === 'PRIMARY KEY' ? { primary: true } : {}),
    method: 'art',
    parts: columns.map((column) => ({ column })),
    include: [],
  }
}

function buildSql(object: SchemaObject, table: TableSpec): string {
  const name = quotedName(object.name)
  if (object.kind === 'default') return `ALTER TABLE ${fromTable(table)} ALTER COLUMN ${name} SET DEFAULT ${object.own}`
  if (object.kind !== 'index') throw new Error(`DuckDB cannot create a ${object.kind}`)
  const { own, parts, unique } = object
  const list = own === '' ? `(${parts.map(({ column }) => quotedName(column ?? '')).join(', ')})` : own
  return `CREATE ${unique ? 'UNIQUE ' : ''}INDEX IF NOT EXISTS ${name} ON ${fromTable(table)} ${list}`
}
