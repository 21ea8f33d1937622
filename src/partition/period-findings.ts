/** Findings for rows without a period: NULL, infinite and far values. */
import type { CountedRows, PlanFinding, TableToPartition, Years } from '../model/partition/plan-port.ts'
import type { RowYears } from './planned-periods.ts'

const NAMED_YEARS = 5

/** @param found earlier findings of the table */
export function periodFindings(
  { column }: TableToPartition,
  { nulls, outside }: Years,
  { far }: RowYears,
  found: readonly PlanFinding[],
): readonly PlanFinding[] {
  const all: PlanFinding[] = []
  const stays = !found.some((one) => one.verdict === 'refused' && one.about === 'column' && one.object === column.name)
  const rest =
    'such rows go to the default partition, stay there when periods are archived, and are scanned whenever a partition is created'
  if (nulls.rows > 0n) {
    all.push({
      verdict: 'changes',
      about: 'rows without a time',
      object: column.name,
      detail: `${countText(nulls)} NULL: ${stays ? rest : 'the new table does not take them: see the finding of the column'}`,
    })
  } else if (column.nullable) {
    const detail = nulls.off === null ? 'no row has NULL' : 'none of the rows that were read has NULL'
    all.push({
      verdict: nulls.off === null ? 'fine' : 'not looked',
      about: 'rows without a time',
      object: column.name,
      detail,
      ...(nulls.off === null ? {} : { hint: '--exact reads all, and so does an index of the column' }),
    })
  }
  if (outside.rows === 0n && outside.off !== null) {
    all.push({
      verdict: 'not looked',
      about: 'rows outside',
      object: column.name,
      detail: 'none of the rows that were read is infinite or lies far from the others; rows that were not read may be',
      hint: '--exact reads all, and so does an index of the column',
    })
  }
  if (outside.rows > 0n) {
    const detail = `${countText(outside)} infinite, before the year 1 or after 9999: ${rest}`
    all.push({
      verdict: 'changes',
      about: 'rows outside',
      object: column.name,
      detail,
      hint: 'give them a valid time, or NULL',
    })
  }
  if (far.length > 0) {
    const years = far.slice(0, NAMED_YEARS).map(({ year, ...count }) => `${year} (${countText(count)})`)
    const more = far.length > NAMED_YEARS ? ` and ${far.length - NAMED_YEARS} more years` : ''
    const detail = `rows of ${years.join(', ')}${more} lie far from the others, and no partitions are created up to them: ${rest}`
    all.push({
      verdict: 'changes',
      about: 'rows far away',
      object: column.name,
      detail,
      hint: 'a year such as 9999 often means no end: use NULL instead',
    })
  }
  return all
}

function countText({ rows, off }: CountedRows): string {
  const word = rows === 1n ? 'row' : 'rows'
  return off === null ? `${rows} ${word}` : `about ${rows} ${word}, up to ${off} more or fewer,`
}
