/** Words for a POSIX shell, in the commands that are printed to be copied. */

/** A word as a POSIX shell reads it. */
export function shellQuote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
