/** Decides whether a key range of the source is also a key range of the target. */
import { isDeepStrictEqual } from 'node:util'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import type { ColumnPlan, TablePlan } from '../../../model/copy/plan.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'

type Sorted = Pick<TablePlan, 'source' | 'target' | 'columns'> & { readonly sameSystem: boolean }

/** True if both sides sort the key columns alike: same collation, and no conversion that may change the order. */
export function sortAlike({ source, target, columns, sameSystem }: Sorted): boolean {
  // Bounds of ranges cannot contain columns that the copy derives.
  const cutting = source.ring === undefined ? source.key : source.key.slice(0, source.ring.columns)
  if (source.columns.some(({ name, made }) => made !== undefined && cutting.includes(name))) return false
  if (source.ring !== undefined || target.ring !== undefined) return sameRing(source, target, columns)
  return source.key.every((name) => {
    const column = columns.find(({ from }) => from === name)
    if (column === undefined || column.source.collation !== column.target.collation) return false
    // Systems give one name to different collations: NOCASE of DuckDB treats É and é as equal, that of SQLite does not.
    if (!sameSystem && column.source.collation !== undefined) return false
    if (mayMerge(column)) return false
    if (column.source.sortedAs !== column.target.sortedAs) return false
    // Systems sort trailing blanks differently: 'a' and 'a\t' may be in another order.
    if (!sameSystem && isPadded(column.source) && isPadded(column.target)) return false
    const [a, b] = [column.source.type.kind, column.target.type.kind]
    return a === b && a !== 'native' && a !== 'json' && a !== 'list'
  })
}

/**
 * Returns the plan, changed to find target rows by key if the created table lacks a collation of the source's key.
 * @throws SluiceError UNSUPPORTED_KEY as `findingByKey`; errors of the target
 */
export async function withCollations(plan: TablePlan, to: CopyStore, signal: AbortSignal): Promise<TablePlan> {
  if (!plan.create || !plan.sortsAlike) return plan
  const keyed = plan.columns.filter(
    ({ from, target }) => target.collation !== undefined && plan.source.key.includes(from),
  )
  const names = keyed.flatMap(({ target }) => target.collation ?? [])
  const there = names.length === 0 ? undefined : await to.dependencies().collations?.(names, signal)
  const lacking = keyed.find(({ target }) => there?.has(target.collation ?? '') === false)
  return lacking === undefined
    ? plan
    : findingByKey(plan, `${lacking.from}, of a collation that the target does not have,`)
}

/**
 * Returns the plan, changed to find target rows by key.
 * @param what text about the key values that sort differently
 * @throws SluiceError UNSUPPORTED_KEY if ranges of the target are to be replaced
 */
export function findingByKey(plan: TablePlan, what: string): TablePlan {
  if (plan.onExisting !== 'replace-range') return { ...plan, sortsAlike: false }
  throw noRange(plan.target, what)
}

/** Error for ranges that cannot be replaced. @param what text about the key values that sort differently */
export function noRange({ table }: TableSpec, what: string): SluiceError {
  return new SluiceError('UNSUPPORTED_KEY', `ranges of ${tableText(table)} cannot be replaced`, {
    reason: `${what} sorts differently in the target than in the source: rows of other chunks would be removed`,
    hint: 'choose --on-existing upsert or append, with --restart if the copy has begun',
  })
}

/**
 * True if two key values may become equal in the target. Their rows would then be sorted together, by the next key
 * column. False for a time that is only read as UTC.
 */
export function mayMerge({ lossy, as, source }: ColumnPlan): boolean {
  return lossy !== undefined && (source.spelled === true || !isDeepStrictEqual(as, source.type))
}

function isPadded({ type }: ColumnPlan['source']): boolean {
  return type.kind === 'text' && type.padded === true
}

/** True if equal rows have equal tokens on both sides. */
function sameRing(source: TableSpec, target: TableSpec, columns: readonly ColumnPlan[]): boolean {
  const { ring } = source
  if (ring === undefined || target.ring?.partitioner !== ring.partitioner || target.ring.columns !== ring.columns)
    return false
  return source.key.slice(0, ring.columns).every((name, at) => {
    const column = columns.find(({ from }) => from === name)
    return column !== undefined && column.to === target.key[at] && column.source.native === column.target.native
  })
}
