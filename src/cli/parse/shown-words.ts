/** Redacts the words of a command line. */
import { redactUrl } from '../../shared/redact.ts'

/**
 * The words without passwords of URLs. Redacts to the end of the word, because a password may contain characters that
 * end a URL in a text.
 */
export function shownWords(argv: readonly string[]): readonly string[] {
  return argv.map((word) => word.replace(/\b[a-z][a-z0-9+.-]*:\/\/.*/is, redactUrl))
}

/** True if a word contains a URL with a password. */
export function holdsPassword(argv: readonly string[]): boolean {
  const shown = shownWords(argv)
  return argv.some((word, at) => word !== shown[at])
}

/** Warning: the words are visible in the process list until they are replaced, and in the shell history. */
export const PASSWORD_NOTE =
  'a password on the command line can be read in the list of programs while sluice starts, and later in the history of the shell: use SLUICE_DATABASE_URL, DATABASE_URL, PGPASSWORD, MYSQL_PWD, CASSANDRA_PASSWORD, or a store that is $VARIABLE'
