/** The command that does the same again, to copy into a POSIX shell: quoted, complete, without passwords. */
import { redactText, redactUrl } from '../shared/redact.ts'
import { shellQuote } from '../shared/shell.ts'
import { CATALOG_VARIABLE } from './catalog-choice.ts'
import type { CatalogChoice } from './catalog-choice.ts'

/** Flags that choose a face for this one call; the command is the same without them. */
const FACE_FLAGS = new Set(['--ci', '--json', '--tui', '--no-input'])

/**
 * The words the user typed, with the catalog as it may be shown: a URL from the environment as a variable, else without
 * its password.
 */
export function commandLine(
  argv: readonly string[],
  catalog: CatalogChoice | null,
  secrets: readonly string[],
): string {
  const words = ['sluice']
  let expectUrl = false
  let literal = false
  for (const word of argv) {
    if (literal) words.push(shellQuote(redactText(word, secrets)))
    else if (expectUrl) {
      words.push(shellQuote(redactUrl(word)))
      expectUrl = false
    } else if (word === '--') {
      literal = true
      words.push(word)
    } else if (word.startsWith('--database-url=')) {
      words.push(shellQuote(`--database-url=${redactUrl(word.slice('--database-url='.length))}`))
    } else if (!FACE_FLAGS.has(word)) {
      expectUrl = word === '--database-url'
      words.push(shellQuote(redactText(word, secrets)))
    }
  }
  if (catalog?.from === 'variable')
    words.splice(literal ? words.indexOf('--') : words.length, 0, `--database-url "$${CATALOG_VARIABLE}"`)
  return words.join(' ')
}
