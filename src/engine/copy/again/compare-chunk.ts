/**
 * One range of a table that was copied before: compared, mended by the repairs of `diff --fix`, and compared once more until nothing is left
 * to mend. The last comparison is the proof.
 */
import type { Range } from '../../../model/copy/range.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import type { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore, SourceView } from '../../../model/copy/port.ts'
import type { Difference } from '../diff/difference.ts'
import { unproved } from '../diff/explained.ts'
import { noneSettled, type Settler } from '../diff/settle.ts'
import type { MeetingKeys } from '../diff/met-keys.ts'
import type { Sides } from '../diff/sides.ts'
import type { RingPlan } from '../plan/ring-plan.ts'
import { comparePiece, type Piece } from './compare-piece.ts'

/** Differences that are mended together. */
const TOGETHER = 1000
/** Comparisons of one range: rows that change while they are compared do not keep a run for ever. */
const MOST_ROUNDS = 4

export type Refused = { readonly key: RowKey; readonly error: SluiceError }

export type Comparison = {
  /** As the last comparison found it. */
  readonly piece: Piece
  /** Rows that were written, of all rounds. */
  readonly mended: bigint
  readonly removed: bigint
  /** Rows of the target that the source has not, and that stay. */
  readonly extra: bigint
  /** Rows of the source that the target does not hold as the source has them, those refused left out. */
  readonly open: bigint
  /** Of the open ones: values that the target wrote later. */
  readonly newer: bigint
  /** Rows that the target did not take. */
  readonly refused: readonly Refused[]
}

export type Comparing = {
  readonly sides: Omit<Sides, 'target' | 'met'>
  /** Keys of the rows of this range and of others; null where each of them is one row. */
  readonly met: (() => MeetingKeys) | null
  /** What the target held when the comparison of the table began. */
  readonly target: SourceView
  readonly to: CopyStore
  readonly ring: RingPlan | null
  readonly settler: Settler
  /** Rows that only the target has are removed. */
  readonly deletes: boolean
  /** Rows that only the target has are all that is looked for. */
  readonly extraOnly: boolean
  /** True as soon as nothing more may be written. */
  readonly ends: () => boolean
  readonly progress: (step: 'reading' | 'writing', rows: bigint) => void
}

/**
 * @returns null where the run was asked to stop before the range was proved
 * @throws SluiceError what hinders the stores
 */
export async function compareChunk(range: Range, work: Comparing): Promise<Comparison | null> {
  const refused = new Map<string, Refused>()
  const sum = { mended: 0n, removed: 0n }
  let { target } = work
  let opened: SourceView | null = null
  try {
    for (let round = 1; ; round++) {
      const settled = noneSettled()
      const waiting: Difference[] = []
      let extra = 0n
      let rows = 0n
      const settle = async (): Promise<void> => {
        if (waiting.length === 0) return
        work.progress('writing', rows)
        await work.settler.settle(waiting.splice(0), settled)
      }
      const met = work.met === null ? {} : { met: work.met() }
      const piece = await comparePiece({ ...work.sides, ...met, target }, range, work.ring, {
        found: async (difference) => {
          if (difference.kind === 'extra' ? !work.deletes : work.extraOnly) {
            if (difference.kind === 'extra') extra += 1n
            return
          }
          if (refused.has(JSON.stringify(difference.key))) return
          waiting.push(difference)
          if (waiting.length >= TOGETHER) await settle()
        },
        compared: (count) => {
          rows += count
          work.progress('reading', rows)
        },
      })
      await settle()
      if (work.ends()) return null
      for (const one of settled.refused) refused.set(JSON.stringify(one.key), one)
      const mended = BigInt(settled.fixedMissing + settled.fixedDifferent)
      sum.mended += mended
      sum.removed += BigInt(settled.removed)
      const left = BigInt(settled.missing + settled.different - settled.refused.length) - mended
      const extraLeft = extra + BigInt(settled.extra - settled.removed)
      const isLast = round >= MOST_ROUNDS
      const changed = settled.fixedMissing + settled.fixedDifferent + settled.removed + settled.refused.length
      // What differed a moment ago and is equal now is looked at once more, too.
      const aside = BigInt(refused.size + piece.unread.length)
      const isWhole = !work.extraOnly && !piece.keyless && left === 0n
      const isUnlike = isWhole && unproved('', { ...piece, missing: 0n, extra: extraLeft, aside }) !== null
      if ((changed + settled.gone === 0 && !isUnlike) || isLast) {
        const keyless = piece.keyless ? keylessRows(piece) : { extra: 0n, open: 0n }
        return {
          piece,
          ...sum,
          extra: extraLeft + keyless.extra,
          // What was mended in the last round, or was equal at the second look, was not compared again.
          open: left + keyless.open + (isLast ? mended + BigInt(settled.gone) : 0n),
          newer: BigInt(settled.newer),
          refused: [...refused.values()],
        }
      }
      await opened?.[Symbol.asyncDispose]()
      opened = null
      opened = await work.to.source(work.sides.signal)
      target = opened
    }
  } finally {
    await opened?.[Symbol.asyncDispose]()
  }
}

/** Rows without a key are found by no repair: only where the source has none is it known what they are. */
function keylessRows({ rows, targetRows }: Piece): { readonly extra: bigint; readonly open: bigint } {
  return rows === 0n ? { extra: targetRows, open: 0n } : { extra: 0n, open: rows > targetRows ? rows : targetRows }
}
