/** Result of an archive run or a restore, in the words of a headless run. */
import { countedStates } from '../../../render/archive-summary.ts'
import { bytes, countDec, amount } from '../../../render/screen-format.ts'
import type { Finished } from '../run-view.ts'

/**
 * Text such as `3 partitions: 3 exported, 2 detached 24,691,356 rows 2.4 GB → 420.0 MB (5.7×)`.
 * @param otherwise text for a run without counts
 */
export function outcomeText({ totals, status }: Pick<Finished, 'totals' | 'status'>, otherwise: string): string {
  const { brought, there } = totals
  if (brought !== undefined && status === 'ok') {
    return there === undefined
      ? `${amount(Number(brought), 'row')} restored into the other table and proved there`
      : `${amount(Number(there), 'row')} ${there === '1' ? 'was' : 'were'} already in the other table`
  }
  const counts = countedStates(totals)
  if (counts.length === 0) return status === 'ok' ? 'nothing was left to do' : otherwise
  const { partitions = '0', rows = '0' } = totals
  const sizes = shownSizes(Number(totals['sourceBytes'] ?? 0), Number(totals['bytes'] ?? 0))
  return [
    `${amount(Number(partitions), 'partition')}: ${counts.join(', ')}`,
    ...(rows === '0' ? [] : [`${countDec(rows)} ${rows === '1' ? 'row' : 'rows'}`]),
    ...(sizes === '' ? [] : [sizes]),
  ].join('  ')
}

/** Sizes as text, such as `1.2 GB → 210.0 MB (5.7×)`; empty if a size is unknown. */
export function shownSizes(source: number, stored: number): string {
  if (source <= 0 || stored <= 0) return ''
  return `${bytes(source)} → ${bytes(stored)} (${timesText(source, stored)})`
}

/** Ratio of source size to stored size, such as `5.7×`. */
export function timesText(source: number, stored: number): string {
  const times = source / stored
  return `${times < 9.95 ? times.toFixed(1) : Math.round(times).toString()}×`
}
