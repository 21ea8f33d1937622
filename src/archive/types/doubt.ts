/** Which columns may hold values that their stored type does not. */
import type { StoredColumn, StoredTable } from '../../model/archiving/stored-column.ts'

export type Doubt = {
  readonly column: StoredColumn
  /** What it may hold that an archive does not, in words. */
  readonly why: string
  /** Every value that is stored lies from `low` to `high`, as the source compares them, and none that is not does. */
  readonly low: string
  readonly high: string
}

/** Dates of Delta are those of four digits: readers refuse or change others. */
const DAYS = { low: '0001-01-01', high: '9999-12-31' }
const MOMENTS = { low: '0001-01-01 00:00:00', high: '9999-12-31 23:59:59.999999' }

/** Columns whose source should be asked before a new archive is begun: what it would be refused for is better known at once. */
export function doubtful({ columns }: StoredTable): readonly Doubt[] {
  return columns.flatMap((column): readonly Doubt[] => {
    const { as } = column
    switch (as.kind) {
      case 'date':
        return [{ column, why: 'infinity, days such as 0000-00-00, before the year 1 or after 9999', ...DAYS }]
      case 'timestamp':
        return [
          { column, why: 'infinity, times of days such as 0000-00-00, before the year 1 or after 9999', ...MOMENTS },
        ]
      case 'decimal': {
        const { precision = 0, scale = 0 } = as
        const whole = '9'.repeat(precision - scale)
        const high = `${whole === '' ? '0' : whole}${scale === 0 ? '' : `.${'9'.repeat(scale)}`}`
        return [
          {
            column,
            why: `NaN, or more digits than ${precision}, ${scale} of them behind the point`,
            low: `-${high}`,
            high,
          },
        ]
      }
      default:
        return []
    }
  })
}
