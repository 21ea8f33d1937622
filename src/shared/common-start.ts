/**
 * The common beginning of all texts, as the first one spells it; empty if there are none.
 * @param alike true if two letters are treated as equal; default: identical letters only
 */
export function commonStart(
  [first = '', ...others]: readonly string[],
  alike: (one: string, other: string) => boolean = (one, other) => one === other,
): string {
  let end = first.length
  for (const other of others) {
    let at = 0
    while (at < Math.min(end, other.length) && alike(first[at] ?? '', other[at] ?? '')) at += 1
    end = at
  }
  return first.slice(0, end)
}
