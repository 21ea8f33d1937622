/** Surplus or missing rows as text. */
import { countText } from '../../shared/figures.ts'

/** `3 rows more in the table than expected, by count`. @param surplus negative if rows are missing; not 0 */
export function surplusText(surplus: bigint): string {
  const [many, how] = surplus < 0n ? [-surplus, 'fewer'] : [surplus, 'more']
  return `${countText(many, 'row')} ${how} in the table than expected, by count`
}
