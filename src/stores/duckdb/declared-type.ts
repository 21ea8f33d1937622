/** Types of columns of a query that Parquet has as they are. */
import { DuckDBDecimalType, DuckDBTypeId, type DuckDBType } from '@duckdb/node-api'
import { decimalType, type DeclaredType } from '../../model/run/answer-file.ts'

const BY_ID: Readonly<Partial<Record<DuckDBTypeId, DeclaredType>>> = {
  [DuckDBTypeId.BOOLEAN]: 'boolean',
  [DuckDBTypeId.TINYINT]: 'int16',
  [DuckDBTypeId.UTINYINT]: 'int16',
  [DuckDBTypeId.SMALLINT]: 'int16',
  [DuckDBTypeId.USMALLINT]: 'int32',
  [DuckDBTypeId.INTEGER]: 'int32',
  [DuckDBTypeId.UINTEGER]: 'int64',
  [DuckDBTypeId.BIGINT]: 'int64',
  [DuckDBTypeId.FLOAT]: 'float',
  [DuckDBTypeId.DOUBLE]: 'double',
  [DuckDBTypeId.VARCHAR]: 'text',
  [DuckDBTypeId.DATE]: 'date',
  [DuckDBTypeId.TIME]: 'time',
  [DuckDBTypeId.TIMESTAMP]: 'timestamp',
  [DuckDBTypeId.TIMESTAMP_S]: 'timestamp',
  [DuckDBTypeId.TIMESTAMP_MS]: 'timestamp',
  [DuckDBTypeId.TIMESTAMP_NS]: 'timestamp',
  [DuckDBTypeId.TIMESTAMP_TZ]: 'timestamptz',
  [DuckDBTypeId.UUID]: 'uuid',
}

export function declaredIn(type: DuckDBType): DeclaredType | undefined {
  return type instanceof DuckDBDecimalType ? decimalType(type.width, type.scale) : BY_ID[type.typeId]
}
