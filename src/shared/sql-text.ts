/**
 * Names and texts of any characters in SQL, as every session of ours reads it: a quote is doubled, and a backslash is a
 * plain character.
 */

export function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** As MySQL writes names, which takes double quotes for texts unless it is told otherwise. */
export function backquotedName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

/** A text as a literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
