/** Tables without a key, cut by the blocks that their rows lie in. */
import type { Range } from '../../../model/copy/range.ts'

/**
 * Ranges of about so many rows.
 * @param blocks how many the table has
 * @param known rows of the table, or 0 where nobody knows
 */
export function* cutByBlock(
  within: Range & { readonly by: 'block' },
  blocks: bigint,
  known: bigint,
  rows: number,
): Generator<Range> {
  const step = blocksFor(blocks, known, BigInt(rows))
  const end = within.to !== null && within.to < blocks ? within.to : blocks
  let from = within.from
  for (; from + step < end; from += step) yield { by: 'block', from, to: from + step }
  yield { by: 'block', from, to: within.to }
}

/** Rows of a block where nobody knows: some of the smallest that occur. */
const GUESS = 100n

function blocksFor(blocks: bigint, known: bigint, rows: bigint): bigint {
  const needed = known > 0n && blocks > 0n ? (rows * blocks) / known : rows / GUESS
  return needed > 0n ? needed : 1n
}
