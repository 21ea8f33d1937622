/**
 * DuckDB's package, by `require`. An `import` would first search its 181 CommonJS files for the names that they export,
 * which takes longer than loading them.
 */
import { createRequire } from 'node:module'

type Api = typeof import('@duckdb/node-api')
export type DuckDBTimestampTZValue = InstanceType<Api['DuckDBTimestampTZValue']>
export type DuckDBTypeId = import('@duckdb/node-api').DuckDBTypeId

export const {
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalType,
  DuckDBInstance,
  DuckDBTimestampTZValue,
  DuckDBTypeId,
  ResultReturnType,
  StatementType,
}: Api = createRequire(import.meta.url)('@duckdb/node-api')
