/** Ranges of time of a plain table, as candidates for the archive. */
import type { ArchivedPartition } from '../../archive/ledger/record.ts'
import { tableText, type TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../stores/copy-port.ts'
import { boundsFor } from '../calendar/bounds.ts'
import { duePeriods } from '../calendar/due.ts'
import { periodAt, type Period } from '../calendar/period.ts'
import type { Wanted } from './native-candidates.ts'
import type { Candidate } from './plan.ts'
import { columnNamed, valueKind } from './value-kind.ts'

/** @throws SluiceError BAD_FLAG where nobody said which column is the time */
export async function rangeCandidates(
  table: TableSpec,
  timeColumn: string | null,
  wanted: Wanted,
  known: ReadonlyMap<string, ArchivedPartition>,
  { store, signal }: { readonly store: CopyStore; readonly signal: AbortSignal },
): Promise<readonly Candidate[]> {
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
  const { low, high } = (await store.timeExtent?.(table, column, signal)) ?? { low: null, high: null }
  const kind = valueKind(table, column, high)
  const { calendar, labels, until } = wanted
  const periods: readonly Period[] =
    labels.length > 0
      ? labels.map((label) => periodAt(calendar, label))
      : until === null
        ? []
        : [...duePeriods(calendar, low, kind, until)]
  const candidates: Candidate[] = []
  await using view = await store.source(signal)
  for (const period of periods) {
    // What happened to it decides, not what is in the source by now.
    if ((known.get(period.label)?.fence ?? 0n) > 0n) continue
    const { from, to } = boundsFor(calendar, period, kind)
    const condition = store.timeCondition?.(column, from, to) ?? null
    if (condition === null)
      throw new SluiceError('BAD_FLAG', `${timeColumn} says no time`, { hint: 'name another column with --by' })
    const { rows } = await view.extent(table, condition, true)
    if (rows === 0n && !labels.includes(period.label)) continue
    candidates.push({
      label: period.label,
      from,
      to,
      native: null,
      rows,
      estimated: false,
      bytes: table.rows === 0n ? 0n : (table.bytes * rows) / (table.rows > rows ? table.rows : rows),
      ...(rows === 0n ? { status: 'blocked', note: 'it holds no rows' } : { status: 'due' }),
    })
  }
  return candidates
}
