/** Findings for rows without a period, such as NULL and infinite values, and for rows far from all others. */
import type { CountedRows, PlanFinding, TableToPartition, Years } from '../model/partition/plan-port.ts'
import type { RowYears } from './planned-periods.ts'

const NAMED_YEARS = 5

/** Findings about rows without a period, and rows far from all others. @param found earlier findings of the table */
export function periodFindings(
  { column }: TableToPartition,
  { nulls, outside }: Years,
  { far }: RowYears,
  found: readonly PlanFinding[],
): readonly PlanFinding[] {
  const all: PlanFinding[] = []
  const add = (verdict: PlanFinding['verdict'], about: string, detail: string, hint?: string): void => {
    all.push({ verdict, about, object: column.name, detail, ...(hint === undefined ? {} : { hint }) })
  }
  const stays = !found.some((one) => one.verdict === 'refused' && one.about === 'column' && one.object === column.name)
  const rest =
    'such rows go to the default partition, stay there when periods are archived, and are scanned whenever a partition is created'
  const exact = '--exact reads all, and so does an index of the column'
  const timeless = 'rows without a time'
  if (nulls.rows > 0n) {
    const then = stays ? rest : 'the new table does not take them: see the finding of the column'
    add('changes', timeless, `${countText(nulls)} NULL: ${then}`)
  } else if (column.nullable) {
    if (nulls.off === null) add('fine', timeless, 'no row has NULL')
    else add('not looked', timeless, 'none of the rows that were read has NULL', exact)
  }
  if (outside.rows === 0n && outside.off !== null) {
    const detail =
      'none of the rows that were read is infinite or lies far from the others; rows that were not read may be'
    add('not looked', 'rows outside', detail, exact)
  }
  if (outside.rows > 0n) {
    const detail = `${countText(outside)} infinite, before the year 1 or after 9999: ${rest}`
    add('changes', 'rows outside', detail, 'give them a valid time, or NULL')
  }
  if (far.length > 0) {
    const years = far.slice(0, NAMED_YEARS).map(({ year, ...count }) => `${year} (${countText(count)})`)
    const more = far.length > NAMED_YEARS ? ` and ${far.length - NAMED_YEARS} more years` : ''
    const detail = `rows of ${years.join(', ')}${more} lie far from the others, and no partitions are created up to them: ${rest}`
    add('changes', 'rows far away', detail, 'a year such as 9999 often means no end: use NULL instead')
  }
  return all
}

function countText({ rows, off }: CountedRows): string {
  const word = rows === 1n ? 'row' : 'rows'
  return off === null ? `${rows} ${word}` : `about ${rows} ${word}, up to ${off} more or fewer,`
}
