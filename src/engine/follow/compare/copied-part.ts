/**
 * For a paused copy by periods: decides by the time of a row whether the row is already copied. Changes of rows that
 * are not copied yet are left out. No copy runs meanwhile, so these rows are read later, in a snapshot that shows the
 * changes.
 */
import type { ChangeRow } from '../../../model/copy/change.ts'
import type { KeyBound } from '../../../model/copy/range.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ChunkLedger } from '../../copy/ledger/chunks.ts'
import { CLOSED } from '../../copy/ledger/stored-chunk.ts'
import { ChunkCoverage } from '../../copy/plan/covered.ts'
import { comparePeriodTimes } from '../../copy/plan/period-cut.ts'

/**
 * `copied`: the row's chunk is copied. `open`: the chunk will be copied. `unsure`: the row's time equals a bound, so
 * the other key columns decide, and only the source can compare them.
 */
export type RowState = 'copied' | 'open' | 'unsure'

export type CopiedRange = { readonly after: KeyBound | null; readonly through: KeyBound | null }

export class CopiedRanges {
  /** Position of the time column in a row. */
  readonly #place: number
  readonly #ranges: readonly CopiedRange[]

  /** @param stretches ranges of the key that are copied; the time is its first column */
  constructor(place: number, stretches: readonly CopiedRange[]) {
    this.#place = place
    this.#ranges = stretches
  }

  /** @param row the row as it is after a change */
  of(row: ChangeRow): RowState {
    const time = row[this.#place]
    if (typeof time !== 'string') return 'unsure'
    let found: RowState = 'open'
    for (const { after, through } of this.#ranges) {
      const [low, high] = [stateAtBound(time, after, 1), stateAtBound(time, through, -1)]
      if (low === 'copied' && high === 'copied') return 'copied'
      if (low !== 'open' && high !== 'open') found = 'unsure'
    }
    return found
  }
}

/** State of a row by its time and one bound. @param side 1: a lower bound (exclusive), -1: an upper one (inclusive) */
function stateAtBound(time: string, bound: KeyBound | null, side: 1 | -1): RowState {
  const [edge] = bound ?? []
  if (bound === null || edge === undefined) return 'copied'
  const order = comparePeriodTimes(time, edge) * side
  if (order !== 0) return order > 0 ? 'copied' : 'open'
  // The bound consists of the time alone, so all rows with this time are below or at the bound.
  if (bound.length === 1 && time === edge) return side === 1 ? 'open' : 'copied'
  return 'unsure'
}

/**
 * The copied part of a table.
 * @param column first key column of the source @param columns column names in the order of a change's cells
 * @throws SluiceError NOT_FOLLOWABLE if the stream does not report the column
 */
export async function copiedPart(
  ledger: ChunkLedger,
  column: string,
  columns: readonly string[],
): Promise<CopiedRanges> {
  const place = columns.indexOf(column)
  if (place < 0)
    throw new SluiceError('NOT_FOLLOWABLE', `the stream does not report ${column}, the first key column of the table`)
  const cover = new ChunkCoverage()
  for await (const chunk of ledger.each(CLOSED)) cover.add(chunk)
  return new CopiedRanges(place, cover.mergedRanges)
}
