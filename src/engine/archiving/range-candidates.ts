/** Ranges of time of a plain table, as candidates for the archive. */
import type { ArchivedPartition } from '../../archive/ledger/record.ts'
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../stores/copy-port.ts'
import { boundsFor } from '../calendar/bounds.ts'
import { duePeriods } from '../calendar/due.ts'
import { periodAt, type Period } from '../calendar/period.ts'
import type { Candidate, Wanted } from './candidate.ts'
import { columnNamed, valueKind } from './value-kind.ts'

/** @throws SluiceError BAD_FLAG where nobody said which column is the time */
export async function rangeCandidates(
  table: TableSpec,
  timeColumn: string | null,
  wanted: Wanted,
  known: ReadonlyMap<string, ArchivedPartition>,
  { store, signal }: { readonly store: CopyStore; readonly signal: AbortSignal },
): Promise<{ readonly candidates: readonly Candidate[]; readonly unplaced: string | null }> {
  if (timeColumn === null) {
    throw new SluiceError(
      'BAD_FLAG',
      `${tableText(table.table)} is not partitioned: say which column tells when a row belongs`,
      {
        hint: 'name it with --by COLUMN',
      },
    )
  }
  const column = columnNamed(table, timeColumn)
  const extent = await store.timeExtent?.(table, column, signal)
  const { low, high, nulls } = extent ?? { low: null, high: null, nulls: 0n }
  const kind = valueKind(table, column, high)
  const { calendar, labels, until } = wanted
  const named = labels.map((label) => periodAt(calendar, label))
  const periods: readonly Period[] =
    named.length > 0 ? named : until === null ? [] : [...duePeriods(calendar, low, kind, until)]
  const candidates: Candidate[] = []
  await using view = await store.source(signal)
  const counted = async (first: Period, last: Period): Promise<bigint> => {
    const { from } = boundsFor(calendar, first, kind)
    const { to } = boundsFor(calendar, last, kind)
    const condition = store.timeCondition?.(column, from, to) ?? null
    if (condition === null) {
      throw new SluiceError('BAD_FLAG', `${timeColumn} says no time`, { hint: 'name another column with --by' })
    }
    return (await view.extent(table, condition, true)).rows
  }
  for (let at = 0; at < periods.length; at++) {
    const period = periods[at]
    // What happened to it decides, not what is in the source by now.
    if (period === undefined || (known.get(period.label)?.fence ?? 0n) > 0n) continue
    const rows = await counted(period, period)
    if (rows === 0n && named.length === 0) {
      at = (await nextWithRows(periods, at, counted)) - 1
      continue
    }
    candidates.push({
      label: period.label,
      ...boundsFor(calendar, period, kind),
      native: null,
      rows,
      estimated: false,
      bytes: table.rows === 0n ? 0n : (table.bytes * rows) / (table.rows > rows ? table.rows : rows),
      ...(rows === 0n ? { status: 'blocked', note: 'it holds no rows' } : { status: 'due' }),
    })
  }
  return { candidates, unplaced: unplacedText(timeColumn, nulls, high) }
}

/** Rows that no run ever archives; null where there are none. */
function unplacedText(column: string, nulls: bigint, high: string | null): string | null {
  const parts = [
    ...(nulls === 0n ? [] : [`${nulls} ${nulls === 1n ? 'row has' : 'rows have'} no value in ${column}`]),
    ...(high === 'infinity' ? [`some have infinity in ${column}, and were not counted`] : []),
  ]
  return parts.length === 0 ? null : `${parts.join(', ')}: they belong to no period, and no run archives them`
}

/**
 * The first period behind an empty one that may hold rows: one row of long ago would otherwise cost a question for every day since.
 * @returns the number of periods where none of them does
 */
async function nextWithRows(
  periods: readonly Period[],
  empty: number,
  counted: (first: Period, last: Period) => Promise<bigint>,
): Promise<number> {
  let from = empty + 1
  for (let step = 1; from < periods.length; step *= 2) {
    const last = Math.min(from + step, periods.length) - 1
    const [a, b] = [periods[from], periods[last]]
    if (a === undefined || b === undefined) break
    if ((await counted(a, b)) === 0n) {
      from = last + 1
      continue
    }
    if (from === last) return from
    step = 0.5
  }
  return from
}
