/**
 * Makes column names unique without regard to case, for files whose rows use the names as keys: their readers ignore
 * case.
 */
export function uniqueNames(names: readonly string[]): readonly string[] {
  const taken = new Set<string>()
  return names.map((name) => {
    let unique = name === '' ? 'column' : name
    for (let n = 2; taken.has(unique.toLowerCase()); n++) unique = `${name}_${n}`
    taken.add(unique.toLowerCase())
    return unique
  })
}

/** Columns that `uniqueNames` renames, as `a -> a_2`. */
export function renamedColumns(names: readonly string[]): readonly string[] {
  return uniqueNames(names).flatMap((name, i) => (name === names[i] ? [] : [`${names[i] || '(no name)'} -> ${name}`]))
}

/** `renamedColumns` as a sentence with the remedy; null if every column keeps its name. */
export function renamedText(names: readonly string[]): string | null {
  const renamed = renamedColumns(names)
  if (renamed.length === 0) return null
  return `columns with the same name get a number: ${renamed.join(', ')}; give each another name with AS`
}
