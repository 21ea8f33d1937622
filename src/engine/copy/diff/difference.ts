/** One row that differs between the two sides. */
import type { DifferenceEvent } from '../../../model/run/answer-events.ts'
import { bytesText } from '../../../model/copy/bytes-text.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import type { Cell, Row } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { comparedColumns } from '../table/context.ts'
import { rowBound } from './sides.ts'

export type RowDifference = {
  readonly key: RowKey
  readonly kind: 'missing' | 'extra' | 'different'
  /** Differing columns, under the source's column names. */
  readonly columns: NonNullable<DifferenceEvent['columns']>
  /** Columns that the target wrote later than the source. */
  readonly newer?: readonly string[]
  /** Why a side cannot be queried by this key; the current state of the row is then unknown. */
  readonly unasked?: SluiceError
}

/** Differing columns of two rows; empty if they are equal. */
export function differingColumns(plan: TablePlan, source: Row, target: Row): RowDifference['columns'] {
  return comparedColumns(plan).flatMap(({ from }, i) => {
    const [x, y] = [source[i] ?? null, target[i] ?? null]
    const [a, b] = [shown(x), shown(y)]
    // Values of different kinds differ, even if their texts are equal.
    return a === b && typeof x === typeof y ? [] : [{ column: from, source: a, target: b }]
  })
}

/**
 * Difference for a source row whose key equals, in the target, the key of another source row: the target has only one
 * of the two rows.
 */
export function sharedKeyDifference(plan: TablePlan, row: Row): RowDifference {
  const unasked = new SluiceError('ROW_REFUSED', 'another row of the source has the same key in the target', {
    reason: 'the target treats both keys as equal, so it has only one of the two rows',
    hint: 'give one of the two rows another key at the source',
  })
  return { key: rowBound(plan, row), kind: 'missing', columns: [], unasked }
}

export function differenceOf(plan: TablePlan, source: Row | undefined, target: Row | undefined): RowDifference | null {
  if (source === undefined)
    return target === undefined ? null : { key: rowBound(plan, target), kind: 'extra', columns: [] }
  if (target === undefined) return { key: rowBound(plan, source), kind: 'missing', columns: [] }
  const columns = differingColumns(plan, source, target)
  return columns.length === 0 ? null : { key: rowBound(plan, source), kind: 'different', columns }
}

function shown(cell: Cell): string | null {
  if (cell === null) return null
  if (typeof cell === 'number') return Object.is(cell, -0) ? '-0' : String(cell)
  return typeof cell === 'string' ? cell : bytesText(cell)
}
