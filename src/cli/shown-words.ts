/** The words of a command line as others may see them. */
import { redactUrl } from '../shared/redact.ts'

/**
 * The same words without the passwords of URLs. To the end of its word: a password may hold what ends the address in a
 * text.
 */
export function shownWords(argv: readonly string[]): readonly string[] {
  return argv.map((word) => word.replace(/\b[a-z][a-z0-9+.-]*:\/\/.*/is, redactUrl))
}

/** Whether a URL among the words holds a password. */
export function holdsPassword(argv: readonly string[]): boolean {
  const shown = shownWords(argv)
  return argv.some((word, at) => word !== shown[at])
}

/**
 * What is said of it once: the words stand in the list of programs until they are replaced, and in the history of the
 * shell.
 */
export const PASSWORD_NOTE =
  'a password on the command line can be read in the list of programs while sluice starts, and later in the history of the shell: SLUICE_DATABASE_URL, DATABASE_URL, PGPASSWORD, MYSQL_PWD, CASSANDRA_PASSWORD or a store that is $VARIABLE keep it out'
