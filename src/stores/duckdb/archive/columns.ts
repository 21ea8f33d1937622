/** Stored columns as DuckDB has them in Parquet files. */
import type { Column, ColumnType } from '../../../model/copy/column-type.ts'
import type { StoredColumn, StoredType } from '../../../model/archive/stored-column.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { duckdbColumnType } from '../copy/types.ts'

const NATIVE: Readonly<Record<Exclude<StoredType, `decimal(${number},${number})`>, string>> = {
  boolean: 'BOOLEAN',
  byte: 'TINYINT',
  short: 'SMALLINT',
  integer: 'INTEGER',
  long: 'BIGINT',
  float: 'FLOAT',
  double: 'DOUBLE',
  string: 'VARCHAR',
  binary: 'BLOB',
  date: 'DATE',
  timestamp: 'TIMESTAMP WITH TIME ZONE',
  timestamp_ntz: 'TIMESTAMP',
}

/** The type of a column in Parquet, as DESCRIBE prints it. */
export function nativeOf(stored: StoredType): string {
  return isDecimal(stored) ? stored.toUpperCase() : NATIVE[stored]
}

export function isDecimal(stored: StoredType): stored is `decimal(${number},${number})` {
  return stored.startsWith('decimal')
}

/** SELECT expression of a column. Timestamps are read as local time of UTC, which DuckDB prints three times as fast. */
export function readColumn({ physical, stored }: StoredColumn): string {
  const name = quotedName(physical)
  return stored === 'timestamp' ? `make_timestamp(epoch_us(${name})) AS ${name}` : name
}

/** The DuckDB column that `readColumn` selects. */
export function duckColumn({ physical, stored }: StoredColumn): Column {
  const native = stored === 'timestamp' ? 'TIMESTAMP' : nativeOf(stored)
  return { name: physical, native, type: duckType(native), nullable: true }
}

function duckType(native: string): ColumnType {
  return duckdbColumnType(native)
}
