/**
 * Which rows of a table its copy holds already, told by their time alone: of a copy that is made period by period and stands still. Nobody copies meanwhile, so
 * what is open is read later, by a snapshot that shows every change which was left out.
 */
import type { ChangeRow } from '../../../model/copy/change.ts'
import type { Bound } from '../../../model/copy/range.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ChunkLedger } from '../../copy/ledger/chunks.ts'
import { CLOSED } from '../../copy/ledger/stored-chunk.ts'
import { Cover } from '../../copy/plan/covered.ts'
import { compareTimes } from '../../copy/plan/period-cut.ts'

/**
 * `copied`: its chunk is there. `open`: its chunk will be copied. `unsure`: it has the very time of a bound between both, and other columns of the key tell, which
 * only the source can compare.
 */
export type Whereabouts = 'copied' | 'open' | 'unsure'

export type CopiedStretch = { readonly after: Bound | null; readonly through: Bound | null }

export class CopiedPart {
  /** Where in a row the time stands. */
  readonly #place: number
  readonly #stretches: readonly CopiedStretch[]

  /** @param stretches ranges of the key that are copied; the time is its first column */
  constructor(place: number, stretches: readonly CopiedStretch[]) {
    this.#place = place
    this.#stretches = stretches
  }

  /** Of a row as it stands behind a change. */
  of(row: ChangeRow): Whereabouts {
    const time = row[this.#place]
    if (typeof time !== 'string') return 'unsure'
    let found: Whereabouts = 'open'
    for (const { after, through } of this.#stretches) {
      const [low, high] = [besides(time, after, 1), besides(time, through, -1)]
      if (low === 'copied' && high === 'copied') return 'copied'
      if (low !== 'open' && high !== 'open') found = 'unsure'
    }
    return found
  }
}

/** @param side 1 for a bound that rows lie behind, -1 for one that they do not go past */
function besides(time: string, bound: Bound | null, side: 1 | -1): Whereabouts {
  const [edge] = bound ?? []
  if (bound === null || edge === undefined) return 'copied'
  const order = compareTimes(time, edge) * side
  if (order !== 0) return order > 0 ? 'copied' : 'open'
  // What equals a bound of the time alone is not above it.
  if (bound.length === 1 && time === edge) return side === 1 ? 'open' : 'copied'
  return 'unsure'
}

/**
 * @param column of the source, the first of its key @param columns names in the order of the cells of a change
 * @throws SluiceError NOT_FOLLOWABLE where the stream does not tell the column
 */
export async function copiedPart(ledger: ChunkLedger, column: string, columns: readonly string[]): Promise<CopiedPart> {
  const place = columns.indexOf(column)
  if (place < 0)
    throw new SluiceError('NOT_FOLLOWABLE', `the stream does not tell ${column}, by which the table is parted`)
  const cover = new Cover()
  for await (const chunk of ledger.each(CLOSED)) cover.add(chunk)
  return new CopiedPart(place, cover.stretches)
}
