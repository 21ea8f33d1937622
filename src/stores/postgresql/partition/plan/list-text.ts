/** Changes definitions that the server printed: adds a column or a tablespace, or joins lines. */

/**
 * @param definition output of `pg_get_indexdef` or `pg_get_constraintdef`, from any point before its first column list
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

/** Clauses that may follow the tablespace of an index or of a constraint. */
const BEHIND_PLACE = /^ (?:WHERE|DEFERRABLE|NOT DEFERRABLE|INITIALLY|NOT ENFORCED)\b/

/**
 * Inserts a tablespace into a definition, before the clauses that follow it.
 * @param definition of an index from its method on, or of a constraint with an index
 * @param place such as ` TABLESPACE "fast"`, with a leading blank
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

/** Joins the server's output into one line; string literals and quoted names are not changed. */
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

/** Position of the closing quote of a literal or quoted name; doubled quotes do not close it. */
function endOfQuoted(text: string, start: number): number {
  const quote = text[start] ?? ''
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] !== quote) continue
    if (text[at + 1] !== quote) return at
    at++
  }
  return text.length
}
