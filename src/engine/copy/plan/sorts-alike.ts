/** Whether a range of keys of the source is one of the target. */
import { isDeepStrictEqual } from 'node:util'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import type { ColumnPlan, TablePlan } from '../../../model/copy/plan.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'

type Sorted = Pick<TablePlan, 'source' | 'target' | 'columns'> & { readonly sameSystem: boolean }

/** Texts may follow the rules of a language on one side, and a type that became another one may sort in another way. */
export function sortAlike({ source, target, columns, sameSystem }: Sorted): boolean {
  // Bounds of ranges know nothing of columns that are made on the way.
  const cutting = source.ring === undefined ? source.key : source.key.slice(0, source.ring.columns)
  if (source.columns.some(({ name, made }) => made !== undefined && cutting.includes(name))) return false
  if (source.ring !== undefined || target.ring !== undefined) return sameRing(source, target, columns)
  return source.key.every((name) => {
    const column = columns.find(({ from }) => from === name)
    if (column === undefined || column.source.collation !== column.target.collation) return false
    if (mayMerge(column)) return false
    if (column.source.asText !== column.target.asText) return false
    // Blanks at the end sort as blanks in one system, and as nothing in another: 'a' and 'a\t' change places.
    if (!sameSystem && isPadded(column.source) && isPadded(column.target)) return false
    const [a, b] = [column.source.type.kind, column.target.type.kind]
    return a === b && a !== 'native' && a !== 'json' && a !== 'list'
  })
}

/**
 * The plan, with rows of the target found by their keys where the table is made there without a collation of the key, which only the source has.
 * @throws SluiceError UNSUPPORTED_KEY as `findingByKey`; what the target throws
 */
export async function withCollations(plan: TablePlan, to: CopyStore, signal: AbortSignal): Promise<TablePlan> {
  if (!plan.create || !plan.sortsAlike) return plan
  const keyed = plan.columns.filter(
    ({ from, target }) => target.collation !== undefined && plan.source.key.includes(from),
  )
  const names = keyed.flatMap(({ target }) => target.collation ?? [])
  const there = names.length === 0 ? undefined : await to.beside?.().collations?.(names, signal)
  const lacking = keyed.find(({ target }) => there?.has(target.collation ?? '') === false)
  return lacking === undefined
    ? plan
    : findingByKey(plan, `${lacking.from}, of a collation that the target does not have,`)
}

/** @param what sorts in another way @throws SluiceError UNSUPPORTED_KEY where ranges of the target are to be replaced */
export function findingByKey(plan: TablePlan, what: string): TablePlan {
  if (plan.onExisting !== 'replace-range') return { ...plan, sortsAlike: false }
  throw noRange(plan.target, what)
}

export function noRange({ table }: TableSpec, what: string): SluiceError {
  return new SluiceError('UNSUPPORTED_KEY', `no range of ${tableText(table)} can be replaced`, {
    reason: `${what} sorts in another way there than at the source, and rows of other chunks would be removed`,
    hint: 'choose --on-existing upsert or append',
  })
}

/** Two values may become one: behind it, the next column of a key sorts rows that were apart. A time that is taken for UTC stays itself. */
export function mayMerge({ lossy, as, source }: ColumnPlan): boolean {
  return lossy !== undefined && !isDeepStrictEqual(as, source.type)
}

function isPadded({ type }: ColumnPlan['source']): boolean {
  return type.kind === 'text' && type.padded === true
}

/** Whether equal rows have equal tokens on both sides. */
function sameRing(source: TableSpec, target: TableSpec, columns: readonly ColumnPlan[]): boolean {
  const { ring } = source
  if (ring === undefined || target.ring?.partitioner !== ring.partitioner || target.ring.columns !== ring.columns)
    return false
  return source.key.slice(0, ring.columns).every((name, at) => {
    const column = columns.find(({ from }) => from === name)
    return column !== undefined && column.to === target.key[at] && column.source.native === column.target.native
  })
}
