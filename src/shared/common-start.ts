/**
 * What all of the texts begin with, as the first one spells it; empty where there are none.
 * @param alike whether two letters count as the same; when absent, they have to be
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
