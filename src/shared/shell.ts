/** Words for a POSIX shell, in commands that are printed to be copied. */

/** A word, quoted for a POSIX shell. */
export function shellQuote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

/** A list of names as one word of a flag: a name with a comma or a quote is in double quotes. */
export function quotedNames(names: readonly string[]): string {
  return shellQuote(names.map((name) => (/[,"]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name)).join(','))
}
