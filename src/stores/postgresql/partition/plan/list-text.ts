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

/** What may follow the tablespace of an index or of a constraint. */
const BEHIND_PLACE = /^ (?:WHERE|DEFERRABLE|NOT DEFERRABLE|INITIALLY|NOT ENFORCED)\b/

/**
 * @param definition of an index from its method on, or of a constraint with an index
 * @param place such as ` TABLESPACE "fast"`, with its space in front
 */
export function withPlace(definition: string, place: string): string {
  let depth = 0
  for (let at = 0; at < definition.length; at++) {
    const character = definition[at]
    if (character === "'" || character === '"') at = endOfQuoted(definition, at)
    else if (character === '(') depth++
    else if (character === ')') depth--
    else if (depth === 0 && BEHIND_PLACE.test(definition.slice(at, at + 20)))
      return `${definition.slice(0, at)}${place}${definition.slice(at)}`
  }
  return definition + place
}

/** One line of what the server prints on several, with texts and names as they are. */
export function onOneLine(definition: string): string {
  let line = ''
  for (let at = 0; at < definition.length; at++) {
    const character = definition[at] ?? ''
    const end = character === "'" || character === '"' ? endOfQuoted(definition, at) : at
    if (/\s/.test(character)) line += line.endsWith(' ') ? '' : ' '
    else line += definition.slice(at, end + 1)
    at = end
  }
  return line.trim()
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
