/** Quotes names and texts in SQL as our sessions read it: a quote is doubled, and a backslash is a plain character. */

export function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** Quotes a name for MySQL, which reads double quotes as texts by default. */
export function backquotedName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

/** A text as a literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
