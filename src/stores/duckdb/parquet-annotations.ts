/** Parquet states a column's meaning in an old and a new field (Apache Parquet, "LogicalTypes"): they must agree. */
import type { DuckDBValue } from '@duckdb/node-api'

const OLD_OF: Readonly<Record<string, readonly string[]>> = {
  StringType: ['UTF8'],
  EnumType: ['ENUM'],
  JsonType: ['JSON'],
  BsonType: ['BSON'],
  DateType: ['DATE'],
  DecimalType: ['DECIMAL'],
  ListType: ['LIST'],
  MapType: ['MAP', 'MAP_KEY_VALUE'],
}
/** DuckDB prints the bit width as the character with that code. */
const INTEGER = /^IntType\(bitWidth=([\s\S]), isSigned=(\w+)\)/
const DECIMAL = /^DecimalType\(scale=(-?\d+), precision=(-?\d+)\)/
const UNIT = /unit=TimeUnit\(.*\b(MILLIS|MICROS|NANOS)=(?!<null>)/

/**
 * The contradiction, such as "UTF8 and DateType() at once"; null if only one is set, or one is unknown here.
 * @param annotation as DuckDB's `parquet_schema` returns it
 */
export function annotationFault(annotation: {
  readonly converted: string | null
  readonly logical: string | null
  readonly precision: DuckDBValue | undefined
  readonly scale: DuckDBValue | undefined
}): string | null {
  const { converted, logical, precision, scale } = annotation
  if (converted === null || logical === null) return null
  const fault = `${converted} and ${logical} at once`
  const name = logical.slice(0, logical.indexOf('('))
  if (name === 'IntType') {
    const [, width, signed] = INTEGER.exec(logical) ?? []
    if (width === undefined) return null
    return converted === `${signed === '1' || signed === 'true' ? '' : 'U'}INT_${width.charCodeAt(0)}` ? null : fault
  }
  if (name === 'TimestampType' || name === 'TimeType') {
    const unit = UNIT.exec(logical)?.[1]
    return converted === `${name === 'TimestampType' ? 'TIMESTAMP' : 'TIME'}_${unit}` ? null : fault
  }
  const old = OLD_OF[name]
  if (old === undefined) return null
  if (!old.includes(converted)) return fault
  const digits = DECIMAL.exec(logical)
  if (digits === null) return null
  const agree = Number(digits[1]) === Number(scale) && Number(digits[2]) === Number(precision)
  return agree ? null : `DECIMAL(${String(precision)},${String(scale)}) and ${logical} at once`
}
