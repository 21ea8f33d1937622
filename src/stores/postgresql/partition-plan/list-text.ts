/** Definitions as the server prints them, with one more column in their list. */

/**
 * @param definition what `pg_get_indexdef` or `pg_get_constraintdef` prints, from anywhere before its first list of columns on
 * @param column quoted
 * @returns the definition with the column at the end of its first list
 */
export function withColumn(definition: string, column: string): string {
  const start = definition.indexOf('(')
  let depth = 0
  for (let at = start; at < definition.length && start !== -1; at++) {
    const character = definition[at]
    if (character === "'" || character === '"') at = endOfQuoted(definition, at)
    else if (character === '(') depth++
    else if (character === ')' && --depth === 0) return `${definition.slice(0, at)}, ${column}${definition.slice(at)}`
  }
  throw new Error(`a definition without a list of columns: ${definition}`)
}

/** Where a text or a name ends; doubled quotes are a part of it. */
function endOfQuoted(text: string, start: number): number {
  const quote = text[start] ?? ''
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] !== quote) continue
    if (text[at + 1] !== quote) return at
    at++
  }
  return text.length
}
