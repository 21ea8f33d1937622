/**
 * Names of columns under which DuckDB can tell them apart: it takes `A` and `a` for one name. Each name of such a group gets a number, since any of them would answer
 * for the others.
 */
export function distinctNames(names: readonly string[]): readonly string[] {
  const folded = names.map((name) => name.toLowerCase())
  const isAlone = (i: number): boolean => folded.indexOf(folded[i] ?? '') === folded.lastIndexOf(folded[i] ?? '')
  const taken = new Set(folded)
  return names.map((name, i) => {
    if (isAlone(i)) return name
    let free = name
    for (let n = 1; taken.has(free.toLowerCase()); n++) free = `${name}_${n}`
    taken.add(free.toLowerCase())
    return free
  })
}

/** What names that differ by case alone are called, as a sentence for people; empty where there are none. */
export function casesText(names: readonly string[], distinct: readonly string[]): string {
  const renamed = names.flatMap((name, i) => (name === distinct[i] ? [] : [`"${name}" is ${distinct[i]}`]))
  return renamed.length === 0 ? '' : `; DuckDB does not tell capital letters: ${renamed.join(', ')}`
}
