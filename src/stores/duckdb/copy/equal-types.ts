import type { ColumnType } from '../../../model/copy/column-type.ts'

/** Whether values come from SQL in the canonical form of the type they travel as: JSON never does. */
export function equalTypes(type: ColumnType, as: ColumnType): boolean {
  return type.kind !== 'json' && type.kind !== 'list' && JSON.stringify(type) === JSON.stringify(as)
}
