/**
 * Compares one range of a table that was copied before, repairs it as `diff --fix` does, and repeats until nothing is
 * left to repair. The last comparison is the proof.
 */
import { hasWholeBounds, keyMayBeNull, type TableSpec } from '../../../model/copy/column-type.ts'
import { equalDigests, type Digest } from '../../../model/copy/rows.ts'
import type { ChunkLedger } from '../ledger/chunks.ts'
import { ChunkCoverage } from '../plan/covered.ts'
import type { Range } from '../../../model/copy/range.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import type { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { RowDifference } from '../diff/difference.ts'
import { unprovedRange } from '../diff/explained.ts'
import { noProcessed, type DifferenceProcessor } from '../diff/process-differences.ts'
import type { KeyPass } from '../diff/compared-keys.ts'
import type { DiffSides } from '../diff/sides.ts'
import type { RingPlan } from '../plan/ring-plan.ts'
import { comparePiece, type ComparedPiece } from './compare-piece.ts'

/** Differences repaired in one call. */
const REPAIRED_AT_ONCE = 1000
/** Limit of comparisons of one range: rows may change all the time, and the run must end. */
const MOST_ROUNDS = 4

export type RefusedKey = { readonly key: RowKey; readonly error: SluiceError }

export type ChunkComparison = {
  /** Result of the last comparison. */
  readonly piece: ComparedPiece
  /** Rows written in all rounds. */
  readonly mended: bigint
  readonly removed: bigint
  /** Rows that only the target has, and that stay. */
  readonly extra: bigint
  /** Rows of the source that are missing or different in the target, without refused rows. */
  readonly open: bigint
  /** Open rows with values that the target wrote later than the source. */
  readonly newer: bigint
  /** Rows that the target refused. */
  readonly refused: readonly RefusedKey[]
}

export type ChunkComparing = {
  readonly sides: Omit<DiffSides, 'target' | 'met'>
  /** Finds source keys, also of other ranges, that become equal in the target; null if all keys stay distinct. */
  readonly met: (() => KeyPass) | null
  /** Read view of the target, opened when the comparison of the table began. */
  readonly target: SourceView
  readonly to: CopyStore
  readonly ring: RingPlan | null
  readonly processor: DifferenceProcessor
  /** True to remove rows that only the target has. */
  readonly deletes: boolean
  /** True to search only for rows that the source does not have. */
  readonly extraOnly: boolean
  /** True as soon as nothing more may be written. */
  readonly isStopped: () => boolean
  readonly progress: (step: 'reading' | 'writing', rows: bigint) => void
}

/** @returns null if the run was asked to stop before the range was proved @throws SluiceError errors of the stores */
export async function compareChunk(range: Range, work: ChunkComparing): Promise<ChunkComparison | null> {
  const refused = new Map<string, RefusedKey>()
  const sum = { mended: 0n, removed: 0n }
  let { target } = work
  let opened: SourceView | null = null
  try {
    for (let round = 1; ; round++) {
      const settled = noProcessed()
      const waiting: RowDifference[] = []
      const ids = numberedIds()
      let extra = 0n
      let rows = 0n
      const settle = async (): Promise<void> => {
        if (waiting.length === 0) return
        work.progress('writing', rows)
        await work.processor.process(waiting.splice(0), settled)
      }
      const met = work.met === null ? {} : { met: work.met() }
      const piece = await comparePiece({ ...work.sides, ...met, target }, range, work.ring, {
        found: async (difference) => {
          if (difference.kind === 'extra' ? !work.deletes : work.extraOnly) {
            if (difference.kind === 'extra') extra += 1n
            return
          }
          if (refused.has(ids.idOf(difference))) return
          waiting.push(difference)
          if (waiting.length >= REPAIRED_AT_ONCE) await settle()
        },
        compared: (count) => {
          rows += count
          work.progress('reading', rows)
        },
      })
      await settle()
      if (work.isStopped()) return null
      for (const one of settled.refused) refused.set(ids.ofRefused(one), one)
      const repaired = BigInt(settled.fixedMissing + settled.fixedDifferent)
      sum.mended += repaired
      sum.removed += BigInt(settled.removed)
      const left = BigInt(settled.missing + settled.different - settled.refused.length) - repaired
      const extraLeft = extra + BigInt(settled.extra - settled.removed)
      const isLast = round >= MOST_ROUNDS
      const changed = settled.fixedMissing + settled.fixedDifferent + settled.removed + settled.refused.length
      // Another round follows if rows were changed or refused, if differences were gone when read again, or if no
      // difference is left but the two sides are still not equal (`isUnlike`).
      const quarantined = BigInt(refused.size + piece.unread.length)
      const isWhole = !work.extraOnly && !piece.keyless && left === 0n
      const isUnlike = isWhole && unprovedRange('', { ...piece, missing: 0n, extra: extraLeft, quarantined }) !== null
      if ((changed + settled.gone === 0 && !isUnlike) || isLast) {
        const keyless = piece.keyless ? keylessRows(piece) : { extra: 0n, open: 0n }
        return {
          piece,
          ...sum,
          extra: extraLeft + keyless.extra,
          // Rows repaired in the last round, and differences gone when read again, were not compared again: they count
          // as open.
          open: left + keyless.open + (isLast ? repaired + BigInt(settled.gone) : 0n),
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

/**
 * Returns ids of differences that are equal in all rounds. An id is the key. If the row cannot be queried by its key
 * (`unasked`), the id also has a number.
 */
function numberedIds(): { idOf(difference: RowDifference): string; ofRefused(refused: RefusedKey): string } {
  const counts = new Map<string, number>()
  const ids = new Map<SluiceError, string>()
  return {
    idOf({ key, unasked }) {
      const text = JSON.stringify(key)
      if (unasked === undefined) return text
      const nth = counts.get(text) ?? 0
      counts.set(text, nth + 1)
      ids.set(unasked, `${text} ${nth}`)
      return `${text} ${nth}`
    },
    ofRefused: ({ key, error }) => ids.get(error) ?? JSON.stringify(key),
  }
}

/**
 * Counts for rows without a key, which cannot be repaired. If the range has no row in the source, all its target rows
 * are extra; otherwise the larger of the two row counts is open.
 */
function keylessRows({ rows, targetRows }: ComparedPiece): { readonly extra: bigint; readonly open: bigint } {
  return rows === 0n ? { extra: targetRows, open: 0n } : { extra: 0n, open: rows > targetRows ? rows : targetRows }
}

/**
 * Digests of both sides of a compared chunk. If they differ, the rows were compared one by one, and both get an empty
 * checksum.
 */
export function bothDigests({
  piece: { source, target },
}: ChunkComparison): Readonly<Record<'source' | 'target', Digest>> {
  if (equalDigests(source, target)) return { source, target }
  return { source: { ...source, sum: '' }, target: { ...target, sum: '' } }
}

/** Ranges that no chunk covers, including the range of NULL keys if a key may be NULL. */
export async function rangesOfOthers(ledger: ChunkLedger, table: TableSpec): Promise<readonly Range[]> {
  const cover = new ChunkCoverage()
  let nullKeys = false
  for await (const chunk of ledger.each()) {
    cover.add(chunk)
    nullKeys ||= chunk.range.by === 'nullKey'
  }
  const mayBeNull = keyMayBeNull(table).length > 0
  const gaps = cover.gaps(hasWholeBounds(table))
  return mayBeNull && !nullKeys ? [...gaps, { by: 'nullKey' }] : gaps
}
