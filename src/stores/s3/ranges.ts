/** Half-open byte ranges. */

export type ByteRange = { readonly start: number; readonly end: number }

/** Sorts ranges, and joins those that are at most `gap` bytes apart. */
export function joined(ranges: readonly ByteRange[], gap: number): readonly ByteRange[] {
  const result: { start: number; end: number }[] = []
  for (const { start, end } of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = result.at(-1)
    if (last !== undefined && start <= last.end + gap) last.end = Math.max(last.end, end)
    else if (end > start) result.push({ start, end })
  }
  return result
}

/** The parts of `wanted` that are not in `have`. Both must be sorted and joined. */
export function missing(wanted: readonly ByteRange[], have: readonly ByteRange[]): readonly ByteRange[] {
  return wanted.flatMap(({ start, end }) => {
    const left: ByteRange[] = []
    let at = start
    for (const there of have) {
      if (there.end <= at || there.start >= end) continue
      if (there.start > at) left.push({ start: at, end: there.start })
      at = Math.max(at, there.end)
    }
    if (at < end) left.push({ start: at, end })
    return left
  })
}

/** Cuts ranges into parts of at most `size` bytes. */
export function cutRanges(ranges: readonly ByteRange[], size: number): readonly ByteRange[] {
  return ranges.flatMap(({ start, end }) =>
    Array.from({ length: Math.ceil((end - start) / size) }, (_, i) => ({
      start: start + i * size,
      end: Math.min(end, start + (i + 1) * size),
    })),
  )
}

export function total(ranges: readonly ByteRange[]): number {
  return ranges.reduce((sum, { start, end }) => sum + end - start, 0)
}
