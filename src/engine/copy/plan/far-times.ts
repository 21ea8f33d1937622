/**
 * Detects key values that the target sorts as texts, in another order than the source. Text order equals time order
 * only for years 1 to 9999 in one spelling.
 */
import type { Column } from '../../../model/copy/column-type.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import { EVERY_KEY } from '../../../model/copy/range.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import { keyColumns } from '../../../stores/common/key-ranges.ts'
import { findingByKey } from './sorts-alike.ts'

const FIRST = '0001-01-01 00:00:00'
const BEYOND = '10000-01-01 00:00:00'

/**
 * Returns the plan, changed to find target rows by key if the target's texts sort differently from the source's times.
 * @param ask queries a view of the source
 * @throws SluiceError UNSUPPORTED_KEY if ranges of the target are to be replaced; errors of the source
 */
export async function withFarTimes(
  plan: TablePlan,
  from: CopyStore,
  to: CopyStore,
  ask: <T>(question: (view: SourceView) => Promise<T>) => Promise<T>,
  signal: AbortSignal,
): Promise<TablePlan> {
  if (!plan.sortsAlike || plan.cut !== 'key') return plan
  for (const column of keyColumns(plan.source)) {
    const far = await orderDifference(column, plan, { from, to, ask, signal })
    if (far === null) continue
    return findingByKey(plan, `${far} of ${column.name}`)
  }
  return plan
}

type Sides = {
  readonly from: CopyStore
  readonly to: CopyStore
  readonly ask: <T>(question: (view: SourceView) => Promise<T>) => Promise<T>
  readonly signal: AbortSignal
}

/** Text for messages about key values that sort differently in the target; null if there are none. */
async function orderDifference(column: Column, plan: TablePlan, sides: Sides): Promise<string | null> {
  const { from, to } = sides
  const { kind } = column.type
  if (kind === 'uuid') {
    const otherwise = from.offers.spellings?.condition(column) ?? null
    const last = otherwise === null ? null : await lastKey(otherwise, plan, sides)
    return last === null ? null : `the spelling of ${last}`
  }
  if (kind !== 'date' && kind !== 'time' && kind !== 'timestamp') return null
  // A text may spell a time in several ways. The copy normalizes it, so it may sort differently in the target.
  if (from.can.textTimes === true) return 'the text of times'
  // A TIME of MySQL has a sign and up to three digits of hours, which other systems do not accept.
  if (kind === 'time') return from.system === to.system ? null : 'a time outside of one day'
  if (from.can.farTimes !== true || to.can.textTimes !== true) return null
  // An index finds times outside of years 1 to 9999 only if the column is its first one. Otherwise the search reads the
  // whole index, which costs more than finding rows by key.
  const isFound = plan.source.key[0] === column.name || plan.onExisting === 'replace-range'
  return isFound ? await farValue(column, plan, sides) : 'a time before year 1 or after 9999'
}

async function farValue(column: Column, plan: TablePlan, sides: Sides): Promise<string | null> {
  for (const [low, high] of [
    [null, FIRST],
    [BEYOND, null],
  ] as const) {
    const outside = sides.from.offers.times?.condition(column, low, high) ?? null
    const last = outside === null ? null : await lastKey(outside, plan, sides)
    if (last !== null) return last
  }
  return null
}

/** The largest key of the planned rows for which the condition holds, for messages; null if there is none. */
async function lastKey(
  condition: string,
  { source, where }: TablePlan,
  { ask, signal }: Sides,
): Promise<string | null> {
  // Add a line end, so that a comment at the end of the user's condition does not hide the bracket.
  const both = where === undefined ? condition : `(${where}\n) AND (${condition})`
  const last = await ask((view) => view.last(source, EVERY_KEY, both, signal))
  return last === null ? null : last.join(', ')
}
