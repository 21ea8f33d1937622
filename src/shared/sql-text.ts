/** Quotes names and texts for SQL in sessions of sluice: a quote is doubled, and a backslash is a plain character. */

export function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** Quotes a name for MySQL, which reads double quotes as texts by default. */
export function backquotedName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

/** A text as a literal. */
export function sqlLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/**
 * Maximum number of terms that are joined without brackets. DuckDB needs a second to prepare a chain of 300 terms,
 * and the time grows faster than their number squared.
 */
const FLAT_TERMS = 8

/**
 * Joins terms by one operator, bracketed in halves: the depth grows with the logarithm of their number. SQLite and
 * DuckDB allow expressions of depth 1,000.
 * @param terms one or more
 */
export function chained(terms: readonly string[], operator: string): string {
  if (terms.length <= FLAT_TERMS) return terms.join(` ${operator} `)
  const half = terms.length >> 1
  return `(${chained(terms.slice(0, half), operator)}) ${operator} (${chained(terms.slice(half), operator)})`
}
