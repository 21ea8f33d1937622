/**
 * SQL that writes checkpoint rows as JSON text inside DuckDB, so that no number passes through a double. Null fields
 * are omitted, but nulls in a map stay: a partition value of null is not a missing one.
 */
import type { ParquetColumn, ParquetSelection } from '../../model/lake/parquet-rows.ts'
import { withWholeDigit } from './decimal-text.ts'
import { identifier, sqlLiteral } from './instance.ts'
import { LOCAL_TIMESTAMP } from './parquet-types.ts'

/** A selection names this field to read `stats` with only its number of records. */
export const STATS_NUM_RECORDS = 'stats.numRecords'

/**
 * Structs whose fields have the types of the table's columns. Each is written as a string that contains JSON, because
 * a parser of the line would round their numbers.
 */
const STRUCTS: ReadonlySet<string> = new Set(['stats_parsed', 'partitionValues_parsed'])

/** Form of binary leaves: the text in them (old writers do not mark text), or base64. */
type BinaryAs = 'text' | 'base64'

function key(name: string): string {
  return sqlLiteral(`${JSON.stringify(name)}:`)
}

/** Spark's form, `2024-01-01T00:00:00.000Z`; microseconds only if there are any, so a maximum is never truncated. */
function timestamp(expression: string, type: string): string {
  const zone = type === LOCAL_TIMESTAMP ? '' : 'Z'
  const micros = `epoch_us(${expression})`
  const plain = `make_timestamp(${micros})`
  const format = (fraction: string): string =>
    `strftime(${plain}, ${sqlLiteral(`"%Y-%m-%dT%H:%M:%S.${fraction}${zone}"`)})`
  return `CASE WHEN ${micros} % 1000 = 0 THEN ${format('%g')} ELSE ${format('%f')} END`
}

/** SQL for the JSON text of one value; NULL if the value is NULL. */
function valueSql(expression: string, column: ParquetColumn, binary: BinaryAs): string {
  const { type } = column
  if (column.fields.length > 0) {
    const object = objectSql(column.fields.map((field) => memberSql(expression, field, binary)))
    return `CASE WHEN ${expression} IS NOT NULL THEN ${object} END`
  }
  if (type === 'BOOLEAN' || /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER)$/.test(type)) {
    return `CAST(${expression} AS VARCHAR)`
  }
  if (type.startsWith('DECIMAL')) return withWholeDigit(`CAST(${expression} AS VARCHAR)`)
  if (type === 'FLOAT' || type === 'DOUBLE') {
    // Spark writes numbers that JSON does not have as text.
    const odd = `WHEN isnan(${expression}) THEN '"NaN"' WHEN ${expression} > 0 THEN '"Infinity"' WHEN ${expression} < 0 THEN '"-Infinity"'`
    return `CASE WHEN isfinite(${expression}) THEN CAST(${expression} AS VARCHAR) ${odd} END`
  }
  if (type === 'BLOB') {
    const text = binary === 'text' ? `decode(${expression})` : `base64(${expression})`
    return `CAST(to_json(${text}) AS VARCHAR)`
  }
  if (type === 'DATE') return `'"' || CAST(${expression} AS VARCHAR) || '"'`
  if (type.startsWith('TIMESTAMP')) return timestamp(expression, type)
  return `CAST(to_json(${expression}) AS VARCHAR)`
}

/** `"name":value`, or NULL if the value is null. */
function memberSql(parent: string, field: ParquetColumn, binary: BinaryAs): string {
  return `${key(field.name)} || ${valueSql(`${parent}.${identifier(field.name)}`, field, binary)}`
}

/** An object of members that may be NULL; concat_ws omits those. */
function objectSql(members: readonly string[]): string {
  return members.length === 0 ? `'{}'` : `'{' || concat_ws(',', ${members.join(', ')}) || '}'`
}

type Rendered = {
  readonly sql: string
  /** Columns of the file that the field consists of. */
  readonly leaves: readonly string[]
}

/** `stats` unchanged, or written from `stats_parsed` if it is null or missing in the file. */
function statsSql(column: ParquetColumn, parent: string, onlyCount: boolean): Rendered | null {
  const text = column.fields.find((one) => one.name === 'stats')
  const parsed = column.fields.find((one) => one.name === 'stats_parsed' && one.fields.length > 0)
  const parts: string[] = []
  const leaves: string[] = []
  if (text !== undefined) {
    const raw = `${parent}.${identifier(text.name)}`
    const asText = text.type === 'BLOB' ? `decode(${raw})` : raw
    const count = `json_extract_string(CASE WHEN json_valid(${asText}) THEN ${asText} END, '$.numRecords')`
    parts.push(onlyCount ? `'{"numRecords":' || ${count} || '}'` : asText)
    leaves.push(raw)
  }
  if (parsed !== undefined) {
    const struct = `${parent}.${identifier(parsed.name)}`
    const count = parsed.fields.find((one) => one.name === 'numRecords')
    if (!onlyCount) {
      parts.push(valueSql(struct, parsed, 'base64'))
      leaves.push(struct)
    } else if (count !== undefined) {
      parts.push(`'{' || ${memberSql(struct, count, 'base64')} || '}'`)
      leaves.push(`${struct}.${identifier(count.name)}`)
    }
  }
  if (parts.length === 0) return null
  return { sql: `'"stats":' || CAST(to_json(coalesce(${parts.join(', ')})) AS VARCHAR)`, leaves }
}

function fieldSql(column: ParquetColumn, name: string): Rendered | null {
  const parent = identifier(column.name)
  if (name === 'stats' || name === STATS_NUM_RECORDS) return statsSql(column, parent, name !== 'stats')
  const field = column.fields.find((one) => one.name === name)
  if (field === undefined) return null
  if (STRUCTS.has(name)) {
    if (field.fields.length === 0) return null
    const struct = `${parent}.${identifier(name)}`
    return { sql: `${key(name)} || CAST(to_json(${valueSql(struct, field, 'base64')}) AS VARCHAR)`, leaves: [struct] }
  }
  return { sql: memberSql(parent, field, 'text'), leaves: [`${parent}.${identifier(name)}`] }
}

export type RowsSql = {
  /** JSON text of a row, `{}` if it has none of the columns. */
  readonly line: string
  /** True if a row has any of the columns. */
  readonly present: string
  /** All columns that `line` reads, for a read that does not build the JSON text. */
  readonly leaves: readonly string[]
}

/** SQL for the selected columns that the file has; null if it has none of them. */
export function rowsSql(columns: readonly ParquetColumn[], selection: ParquetSelection): RowsSql | null {
  const members: string[] = []
  const tests: string[] = []
  const leaves: string[] = []
  for (const { column: name, fields } of selection) {
    const column = columns.find((one) => one.name === name)
    if (column === undefined || column.fields.length === 0) continue
    const rendered = fields.map((field) => fieldSql(column, field)).filter((one) => one !== null)
    if (rendered.length === 0) continue
    const own = rendered.flatMap((one) => one.leaves)
    // A test of the struct itself would make DuckDB read all of its fields.
    const all = column.fields.every((field) => own.includes(`${identifier(name)}.${identifier(field.name)}`))
    const test = all ? `${identifier(name)} IS NOT NULL` : `(${own.map((leaf) => `${leaf} IS NOT NULL`).join(' OR ')})`
    members.push(`CASE WHEN ${test} THEN ${key(name)} || ${objectSql(rendered.map((one) => one.sql))} END`)
    tests.push(test)
    leaves.push(...own)
  }
  return members.length === 0 ? null : { line: objectSql(members), present: tests.join(' OR '), leaves }
}
