/** Columns of a table as a query sees them: those of its archive, and what the source has besides. */
import type { QueryColumn } from '../../../model/archive/query-port.ts'
import type { StoredColumn, StoredTable, StoredType } from '../../../model/archive/stored-column.ts'
import type { Column, ColumnType, TableSpec } from '../../../model/copy/column-type.ts'

/**
 * In the order of the source; columns that it has lost since the table was archived stand at the end.
 * @param stored null for a table that was never archived
 */
export function queryColumns({ columns }: TableSpec, stored: StoredTable | null): readonly QueryColumn[] {
  if (stored === null) return columns.map((column) => ({ ...ofColumn(column), archived: false, hot: true }))
  const archived = new Map(stored.columns.map((column) => [column.name, column]))
  const here = new Set(columns.map(({ name }) => name))
  const present = columns.flatMap((column): QueryColumn[] => {
    const known = archived.get(column.name)
    if (known !== undefined) return [{ ...known, archived: true, hot: true }]
    // What the source computes has values for archived rows too, and nobody here knows them.
    return column.generated === true ? [] : [{ ...ofColumn(column), archived: false, hot: true }]
  })
  const lost = stored.columns.filter(({ name }) => !here.has(name))
  return [...present, ...lost.map((column) => ({ ...column, archived: true, hot: false }))]
}

function ofColumn(column: Column): StoredColumn {
  return { name: column.name, physical: column.name, column, ...storedAs(column) }
}

/** What DuckDB holds as it is; everything else is the text that the source prints. */
function storedAs({ type, native }: Column): { readonly as: ColumnType; readonly stored: StoredType } {
  switch (type.kind) {
    case 'bool':
      return { as: type, stored: 'boolean' }
    case 'int':
      if (type.unsigned !== true) return { as: type, stored: SIGNED[type.bits] }
      return { as: type, stored: type.bits === 64 ? 'decimal(20,0)' : type.bits > 16 ? 'long' : 'integer' }
    case 'float':
      return { as: type, stored: type.bits === 32 ? 'float' : 'double' }
    case 'decimal': {
      const { precision, scale = 0 } = type
      if (precision === undefined || precision > 38 || scale < 0 || scale > precision) return asText(native)
      return { as: type, stored: `decimal(${precision},${scale})` }
    }
    case 'text':
    case 'uuid':
    case 'time':
      return { as: type, stored: 'string' }
    case 'bytes':
      return { as: type, stored: 'binary' }
    case 'date':
      return { as: type, stored: 'date' }
    case 'timestamp':
      return { as: type, stored: type.zone ? 'timestamp' : 'timestamp_ntz' }
    default:
      return asText(native)
  }
}

const SIGNED = { 8: 'byte', 16: 'short', 24: 'integer', 32: 'integer', 64: 'long' } as const

function asText(native: string): { readonly as: ColumnType; readonly stored: 'string' } {
  return { as: { kind: 'native', name: native }, stored: 'string' }
}
