/** Adds to a plan how many rows of archived periods are still in the source. */
import { isAllRemoved } from '../ledger/record.ts'
import { cutCondition } from '../steps/cut-condition.ts'
import { surplusText } from '../../model/archive/surplus-text.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import { periodRows, type PeriodState } from './period-rows.ts'
import type { PlannedArchive } from './plan.ts'
import type { PlannedPartition } from './planned-status.ts'
import { blockingText } from './referring-rows.ts'
import { refusalText } from './row-triggers.ts'

/**
 * Adds to a plan the number of rows of archived periods that are still in the source, if it takes about a second to
 * count them. If a run will remove rows of a plain table, also adds notes about referring rows of other tables, and
 * about key numbers that the system may give to later rows.
 */
export async function withRowCounts(
  plan: PlannedArchive,
  context: { readonly store: CopyStore; readonly signal: AbortSignal },
): Promise<PlannedArchive> {
  const { archived, table } = plan
  const { partitions: known } = archived
  const inspections =
    known === undefined ? null : await periodRows({ ...context, table }, { ...archived, partitions: known }, 'cheap')
  const partitions: PlannedPartition[] = []
  for (const one of plan.partitions) {
    partitions.push(withRowCount(await withRemovalNotes(plan, one, context), inspections?.get(one.label)))
  }
  return { ...plan, partitions }
}

/**
 * Adds notes. For a native partition: what prevents its drop. For a plain table: rows of other tables that prevent the
 * removal, and key numbers that the system may give to later rows.
 */
async function withRemovalNotes(
  { table, archived, referred }: PlannedArchive,
  one: PlannedPartition,
  { store, signal }: { readonly store: CopyStore; readonly signal: AbortSignal },
): Promise<PlannedPartition> {
  const place = one.known ?? one.candidate
  const isGoing =
    one.status === 'due' || one.status === 'resume' || one.status === 'drop' || one.known?.state === 'DETACHED'
  if (!isGoing || place === null) return one
  if (place.native !== null) {
    const refusal = (await store.offers.partitions?.dropRefusal(place.native, signal)) ?? null
    if (refusal === null) return one
    const text = refusalText(refusal)
    if (one.note?.includes(text) === true) return one
    const note = `its drop would be refused: ${text}`
    return { ...one, note: one.note === undefined ? note : `${note}; ${one.note}` }
  }
  const condition = cutCondition(store, table, archived, place)
  if (condition === null) return one
  const again = (await store.offers.periods?.reusedColumn?.(table, condition, signal)) ?? null
  const notes = [
    blockingText(await referred.searchPartition(table.table, condition, signal)),
    again === null
      ? null
      : `its rows have the highest ${again}: after their removal ${store.system} may give that number to another row, and the archived row cannot be restored; with AUTOINCREMENT each number is used once`,
    one.note ?? null,
  ].filter((text) => text !== null)
  return notes.length === 0 ? one : { ...one, note: notes.join('; ') }
}

function withRowCount(one: PlannedPartition, state: PeriodState | undefined): PlannedPartition {
  if (state === undefined) return one
  const surplus = 'surplus' in state ? state.surplus : 0n
  const isLate = surplus > 0n && one.known?.native === null && one.known.state === 'DETACHED'
  const notes = [
    ...('notInspected' in state ? [`not inspected: ${state.notInspected}`] : []),
    ...(surplus === 0n ? [] : [surplusText(surplus)]),
    // Omit the note if all archived rows were removed: the surplus may then be restored rows that changed. These
    // prevent the drop, so the note would be wrong.
    ...(isLate && !isAllRemoved(one.known)
      ? ['late rows are archived as a further part after this one is dropped, or with it after it is restored']
      : []),
    ...(one.note === undefined ? [] : [one.note]),
  ]
  return { ...one, counted: state, ...(notes.length === 0 ? {} : { note: notes.join('; ') }) }
}
