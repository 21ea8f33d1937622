/** Checks that the rows of a period are the sum of its parts: each part is proved, and no key is in two parts. */
import { byPeriod, isInSource } from '../ledger/parts.ts'
import type { ArchivedPartition, ArchiveRecord } from '../ledger/record.ts'
import { sameKeys } from '../steps/doubled-rows.ts'
import type { TableSpec } from '../../model/copy/column-type.ts'
import { textEquality } from '../../model/copy/text-equality.ts'
import { digestSum } from '../../model/copy/row-hash.ts'
import { type ArchiveContext } from '../steps/context.ts'
import type { ArchiveFinding } from '../steps/find-damage.ts'
import { isPublished } from '../../model/archive/state.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { asSluiceError } from '../../shared/errors.ts'
import { countText } from '../../shared/figures.ts'
import { keysText } from '../steps/named-rows.ts'

export type PeriodSum = { readonly period: string; readonly text: string; readonly isChecked: boolean }

/**
 * Checks each period with several parts.
 * @param wanted true for a requested part
 * @param damaged labels of partitions whose files differ from their proof
 * @returns findings, and the sum of each period
 */
export async function* periodSums(
  context: ArchiveContext,
  { partitions }: ArchiveRecord,
  wanted: (partition: ArchivedPartition) => boolean,
  damaged: ReadonlySet<string>,
): AsyncGenerator<ArchiveFinding | PeriodSum> {
  for (const [period, all] of byPeriod(partitions)) {
    const parts = all.filter(({ state }) => isPublished(state))
    if (parts.length < 2 || !parts.some(wanted)) continue
    if (context.interrupt.stop.aborted) return
    const named = parts.map(({ label }) => label).join(', ')
    const unchecked = (why: string): PeriodSum => ({
      period,
      text: `the sum of the parts of ${period} was not checked: ${why}`,
      isChecked: false,
    })
    const spoiled = parts.find(({ label }) => damaged.has(label))
    const unread = parts.find((part) => !wanted(part))
    if (spoiled !== undefined) {
      yield unchecked(`${spoiled.label} is not the archive that was proved`)
      continue
    }
    let doubled = 0
    let why: string | null = null
    for (const [i, part] of parts.entries()) {
      const others = parts.slice(i + 1)
      if (others.length === 0) continue
      const found = await doubledIn(context, part, others)
      if (typeof found === 'string') why ??= found
      else if (found !== null) {
        doubled++
        yield found
      }
    }
    if (why !== null) yield unchecked(why)
    else if (doubled === 0) {
      const { rows, sum } = digestSum(parts.flatMap(({ digest }) => (digest === null ? [] : [digest])))
      const proved = unread === undefined ? 'each proved separately' : `${unread.label} was not read`
      const text = `${period}: ${rows} rows with the checksum ${sum} are the sum of ${parts.length} parts (${named}), ${proved}, and no key is in two of them${byBytesText(context.table)}${backText(all)}`
      yield { period, text, isChecked: true }
    }
  }
}

/** Text about key columns whose texts only the database can compare: two equal ones of other bytes are not found. */
export function byBytesText({ columns, key }: Pick<TableSpec, 'columns' | 'key'>): string {
  const folded = columns.flatMap((column) => {
    const { name, collation } = column
    const isFolded = key.includes(name) && collation !== undefined && textEquality(column) === 'system'
    return isFolded ? [`${name} (collation ${collation})`] : []
  })
  return folded.length === 0 ? '' : `, by the bytes of ${folded.join(', ')}, which the database compares otherwise`
}

/** Text about restored parts: their rows are in the table, and not in the sum of archived parts. */
function backText(all: readonly ArchivedPartition[]): string {
  const back = all.filter(isInSource).map(({ label }) => label)
  if (back.length === 0) return ''
  return `; ${back.join(', ')} ${back.length === 1 ? 'was' : 'were'} restored, and those rows are in the table, not in this sum`
}

/** Finding if keys of the part are also in other parts; null if not; a string is the reason why it was not checked. */
async function doubledIn(
  context: ArchiveContext,
  part: ArchivedPartition,
  others: readonly ArchivedPartition[],
): Promise<ArchiveFinding | string | null> {
  try {
    const found = await sameKeys(context, part, others)
    if (found === null) return 'the table has no key, or files lack a column of it'
    if (found.rows === 0n) return null
    const rows = countText(found.rows, 'row')
    const detail = `${rows} with keys that ${others.map(({ label }) => label).join(', ')} also has: ${keysText(found.rows, found.keys)}`
    return { finding: 'doubled rows', partition: part.label, detail }
  } catch (thrown) {
    throwIfAborted(context.interrupt.abort)
    return asSluiceError(thrown).message
  }
}
