/** Table declarations with their derived columns. */
import { createHash } from 'node:crypto'
import { tableText, type Column, type ColumnType, type TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { columnTypeOf, cqlText, parseCql } from '../../cassandra/copy/types.ts'
import { addsNothing, type Derivation } from './derivation.ts'

const TEXT: ColumnType = { kind: 'text' }

/**
 * Adds the derived columns. The map's key becomes the last column of the row key, because a source row becomes several.
 * @throws SluiceError BAD_FLAG if a column is missing, or exists already; UNSUPPORTED_TYPE if it is no map
 */
export function derivedTable(table: TableSpec, options: Derivation, system: string): TableSpec {
  if (addsNothing(options)) return table
  const { constants = {}, explodeMap } = options
  for (const name of Object.keys(constants)) {
    if (table.key.includes(name)) throw taken(table, name, 'is part of its key, and cannot be a constant')
  }
  const entries = explodeMap === undefined ? [] : entryColumns(table, explodeMap, system)
  const made = new Set([...Object.keys(constants), ...entries.map(({ name }) => name)])
  const kept = table.columns.filter(({ name }) => name !== explodeMap?.column && !made.has(name))
  if (explodeMap !== undefined) {
    for (const { name } of entries) {
      const isOther = name !== explodeMap.column && table.columns.some((column) => column.name === name)
      if (isOther || name in constants) throw taken(table, name, 'exists already')
    }
  }
  const always = Object.entries(constants).map(([name, value]): Column => ({
    name,
    type: TEXT,
    native: 'text',
    nullable: false,
    made: 'constant',
    always: value,
  }))
  const { blocks: _blocks, ...rest } = table
  return {
    // Blocks are read by row number, which rows derived from one map do not have.
    ...(explodeMap === undefined ? table : rest),
    identity: `${table.identity} ${createHash('sha256')
      .update(JSON.stringify([Object.entries(constants), explodeMap]))
      .digest('hex')
      .slice(0, 16)}`,
    columns: [...kept, ...entries, ...always],
    key: explodeMap === undefined || table.key.length === 0 ? table.key : [...table.key, explodeMap.key],
  }
}

function entryColumns(
  table: TableSpec,
  { column, key, value }: NonNullable<Derivation['explodeMap']>,
  system: string,
): readonly Column[] {
  const map = table.columns.find(({ name }) => name === column)
  if (map === undefined) throw taken(table, column, 'does not exist')
  if (table.key.includes(column)) throw taken(table, column, 'is part of its key, and cannot become several rows')
  const cql = system === 'cassandra' ? parseCql(map.native, fieldsOf(table)) : null
  if (cql === null ? map.type.kind !== 'json' : cql.kind !== 'map') {
    throw new SluiceError('UNSUPPORTED_TYPE', `${tableText(table.table)}.${column} (${map.native}) is not a map`, {
      hint: '--explode-map needs a map of Cassandra, or a column of JSON objects',
    })
  }
  const named = (name: string, made: 'key' | 'value'): Column => {
    const type = cql?.kind === 'map' ? cql[made] : null
    return {
      name,
      type: type === null ? TEXT : columnTypeOf(type),
      native: type === null ? 'text' : cqlText(type),
      nullable: made === 'value' && type === null,
      made,
    }
  }
  return [named(key, 'key'), named(value, 'value')]
}

/** Finds the fields of the table's user-defined types. */
export function fieldsOf({ types = [] }: TableSpec): Parameters<typeof parseCql>[1] {
  const find: NonNullable<Parameters<typeof parseCql>[1]> = (name) =>
    types
      .find((type) => type.name === name)
      ?.fields.map((field) => ({ name: field.name, type: parseCql(field.native, find) })) ?? null
  return find
}

function taken({ table, columns }: TableSpec, name: string, what: string): SluiceError {
  return new SluiceError('BAD_FLAG', `${name} of ${tableText(table)} ${what}`, {
    hint: `the table has ${columns.map((column) => column.name).join(', ')}`,
  })
}
