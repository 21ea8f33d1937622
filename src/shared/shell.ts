/** Words for a POSIX shell, in commands that are printed to be copied. */
import { quotedName } from './sql-text.ts'

/** A word, quoted for a POSIX shell. */
export function shellQuote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

/** A flag with its quoted value. A value that begins with a dash would be read as another flag. */
export function shellOption(flag: string, quoted: string): string {
  return flag + valueAfterFlag(quoted)
}

/** A quoted value after its separator from the flag: `=` if the value begins with a dash, otherwise a blank. */
export function valueAfterFlag(quoted: string): string {
  return `${/^'?-/.test(quoted) ? '=' : ' '}${quoted}`
}

/** Names as one quoted word, for a flag that takes a list: a name with a comma or a quote is in double quotes. */
export function shellNames(names: readonly string[]): string {
  const listed = names.map((name) => (/[",]/.test(name) || name !== name.trim() ? quotedName(name) : name))
  return shellQuote(listed.join(','))
}
