/** Finds columns that may have values that an archive cannot store, or that it reports. */
import type { StoredColumn, StoredTable } from '../../model/archive/stored-column.ts'
import { isEnum } from '../../model/copy/members.ts'

export type Doubt = {
  readonly column: StoredColumn
  /** Text that names the values that cannot be archived; null for an enum: its error values are kept, and reported. */
  readonly why: string | null
}

/** Columns to check in the source before a new archive is begun, so that a refusal is reported early. */
export function doubtful({ columns }: StoredTable): readonly Doubt[] {
  return columns.flatMap((column): readonly Doubt[] => {
    const { as } = column
    switch (as.kind) {
      case 'date':
      case 'timestamp':
        return [{ column, why: 'infinity, an invalid date such as 0000-00-00, or a year before 1 or after 9999' }]
      case 'decimal': {
        const { precision = 0, scale = 0 } = as
        return [
          {
            column,
            why: `NaN, or more than ${precision - scale} digits before the decimal point or ${scale} after it`,
          },
        ]
      }
      case 'native':
        return isEnum(as.name) ? [{ column, why: null }] : []
      default:
        return []
    }
  })
}
