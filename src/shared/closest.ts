/** Suggestions for mistyped words. */

/** Edit distance of two words, with a swap of neighbours as one edit. */
function edits(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1]
      let best = Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (before[j - 2] ?? 0) + 1)
      next.push(best)
    }
    before = row
    row = next
  }
  return row[b.length] ?? 0
}

/** The word of `known` that was probably meant; null if no word is similar. */
export function closest(word: string, known: readonly string[]): string | null {
  const prefixed = known.filter((name) => word.length >= 3 && name.startsWith(word))
  if (prefixed.length === 1) return prefixed[0] ?? null
  const limit = Math.max(1, Math.floor(word.length / 3))
  let best: string | null = null
  let fewest = limit + 1
  for (const name of known) {
    const distance = edits(word.toLowerCase(), name)
    if (distance < fewest) {
      fewest = distance
      best = name
    }
  }
  return best
}

/** ` (word?)`, with the word of `known` that was probably meant; empty if no word is similar. */
export function suggested(word: string, known: readonly string[]): string {
  const meant = closest(word, known)
  return meant === null ? '' : ` (${meant}?)`
}
