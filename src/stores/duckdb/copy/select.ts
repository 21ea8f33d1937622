/** SQL for the canonical form of DuckDB's column values. Sessions are in UTC. */
import { withWholeDigit } from '../decimal-text.ts'
import type { Column, ColumnType } from '../../../model/copy/column-type.ts'
import { quotedName } from '../../../shared/sql-text.ts'

/** JavaScript type of a column's values. */
export type DuckdbWireType = 'text' | 'number' | 'bytes'

export function duckdbWireType({ type }: Pick<Column, 'type'>): DuckdbWireType {
  return type.kind === 'float' ? 'number' : type.kind === 'bytes' ? 'bytes' : 'text'
}

/**
 * SELECT expression of a column: canonical except for JSON, whose form SQL cannot produce.
 * @param tries true: NULL for a value that DuckDB cannot convert; false: the statement fails
 */
export function duckdbSelection(column: Column, as: ColumnType, tries = false): string {
  const name = quotedName(column.name)
  switch (duckdbWireType(column)) {
    case 'number':
      return `CAST(${name} AS DOUBLE)`
    case 'bytes':
      return name
    case 'text':
      return doubledBom(canonicalText(column, as, tries))
  }
}

/** SQL that doubles U+FEFF at the start of a text, because the driver drops the first one. */
export function doubledBom(text: string): string {
  return `CASE WHEN starts_with(${text}, chr(65279)) THEN chr(65279) || ${text} ELSE ${text} END`
}

/**
 * Canonical text of a column's value; for JSON, lists and structs a JSON text, unless the target reads DuckDB's own
 * text.
 * @param tries as for `duckdbSelection`
 */
export function canonicalText({ name, type, native }: Column, as: ColumnType, tries = false): string {
  const value = quotedName(name)
  // TRY must enclose only the conversion: DuckDB computes repeated parts of an expression once, outside of it.
  const tried = (sql: string): string => (tries ? `TRY(${sql})` : sql)
  const printed = tried(`CAST(${value} AS VARCHAR)`)
  const json = tried(`CAST(to_json(${value}) AS VARCHAR)`)
  if (as.kind === 'native') return type.kind === 'decimal' ? withWhole(printed, type) : printed
  switch (type.kind) {
    case 'bool':
      return `CASE ${value} WHEN true THEN '1' WHEN false THEN '0' END`
    case 'decimal':
      return (type.scale ?? 0) > 0 ? `rtrim(rtrim(${withWhole(printed, type)}, '0'), '.')` : printed
    case 'date':
      return `replace(${printed}, ' (BC)', ' BC')`
    case 'timestamp': {
      const wall = withoutZeros(type.zone ? utcTimestampSql(value) : type.digits > 6 ? nanoClock(value) : printed, type)
      return `CASE WHEN contains(${wall}, '(BC)') THEN replace(${wall}, ' (BC)', '') || ' BC' ELSE ${wall} END`
    }
    case 'time':
      return withoutZeros(printed, type)
    case 'json':
      return native === 'JSON' ? printed : json
    case 'list':
      return json
    default:
      return printed
  }
}

/** A TIMESTAMPTZ as a TIMESTAMP in UTC. Casts use ICU, which fails or is a millisecond off at the largest values. */
export function utcTimestampSql(value: string): string {
  return `CASE WHEN isinf(${value}) THEN CAST(${value} AS VARCHAR) ELSE CAST(make_timestamp(epoch_us(${value})) AS VARCHAR) END`
}

/** A TIMESTAMP_NS with nine digits, computed from its number: DuckDB does not print times of its first day. */
function nanoClock(value: string): string {
  const number = `epoch_ns(${value})`
  const micros = `make_timestamp(${number} // 1000 - CASE WHEN ${number} % 1000 < 0 THEN 1 ELSE 0 END)`
  const rest = `lpad(CAST((${number} % 1000 + 1000) % 1000 AS VARCHAR), 3, '0')`
  return `CASE WHEN isinf(${value}) THEN CAST(${value} AS VARCHAR) ELSE strftime(${micros}, '%Y-%m-%d %H:%M:%S.%f') || ${rest} END`
}

function withWhole(printed: string, { precision, scale }: ColumnType & { readonly kind: 'decimal' }): string {
  return precision === undefined || precision !== scale ? printed : withWholeDigit(printed)
}

/** SQL that cuts trailing zeros: for types finer than microseconds DuckDB prints all nine digits. */
function withoutZeros(printed: string, { digits }: { readonly digits: number }): string {
  return digits > 6
    ? `CASE WHEN contains(${printed}, '.') THEN rtrim(rtrim(${printed}, '0'), '.') ELSE ${printed} END`
    : printed
}

/**
 * `rowText` of a column's value, as SQL.
 * @param ours true if this program wrote the values: texts and JSON are then in canonical form
 * @returns null if only JavaScript can compute it
 */
export function proofText(column: Column, as: ColumnType, ours: boolean): string | null {
  if (!sameForm(column, as, ours)) return null
  const name = quotedName(column.name)
  switch (duckdbWireType(column)) {
    case 'number': {
      const bits = `lower(hex(CAST(CAST(CAST(${name} AS DOUBLE) AS BIT) AS BLOB)))`
      return `coalesce('16:' || CASE WHEN isnan(${name}) THEN '7ff8000000000000' ELSE ${bits} END, 'N')`
    }
    case 'bytes':
      return `coalesce((octet_length(${name}) * 2) || ':' || lower(hex(${name})), 'N')`
    case 'text': {
      const text = canonicalText(column, as)
      return `coalesce(strlen(${text}) || ':' || ${text}, 'N')`
    }
  }
}

/** Types whose values are texts as their own system prints them. */
const OWN_TEXTS: ReadonlySet<ColumnType['kind']> = new Set(['native', 'json', 'list', 'text', 'decimal'])

/** True if the canonical texts of the column's type and of the type of the transfer are equal for every value. */
function sameForm({ type, native }: Column, as: ColumnType, ours: boolean): boolean {
  if (as.kind === 'native') return OWN_TEXTS.has(type.kind)
  switch (type.kind) {
    case 'int':
    case 'decimal':
      if (as.kind === 'int') return type.kind === 'int' || type.scale === 0
      return (
        as.kind === 'decimal' && (as.precision === undefined || type.kind === 'int' || scaleOf(type) <= (as.scale ?? 0))
      )
    case 'float':
      return as.kind === 'float' && type.bits <= as.bits
    case 'timestamp':
    case 'time':
      return as.kind === type.kind && (ours || type.digits <= as.digits)
    case 'text':
      return as.kind === 'text' ? as.padded !== true || ours : ours && as.kind !== 'float' && as.kind !== 'bytes'
    case 'json':
      return ours && native === 'JSON' && (as.kind === 'json' || as.kind === 'list')
    case 'list':
    case 'native':
      return false
    default:
      return as.kind === type.kind
  }
}

function scaleOf({ scale }: { readonly scale?: number }): number {
  return scale ?? Infinity
}
