/** The answer to a shell that asks what a word may become. */
import { completionOf } from './candidates.ts'
import { PLACE_LINES } from './scripts.ts'

/** One line is as long as a shell shows. */
const MEANING_CELLS = 60

/** @param words behind the name of the program, up to the cursor @param env variables that may name the database which knows more */
export async function completionAnswer(
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const { candidates, places, wanted } = completionOf(words)
  // The drivers of databases are loaded for a word that only a database knows.
  const names = wanted === undefined ? [] : await (await import('./names.ts')).namesFor(wanted, words, env)
  const lines = [...candidates, ...names].map(({ word, meaning }) => `${word}\t${shortened(meaning)}\n`)
  return lines.join('') + (places === null ? '' : `${PLACE_LINES[places]}\n`)
}

function shortened(text: string): string {
  return text.length <= MEANING_CELLS ? text : `${text.slice(0, MEANING_CELLS - 3).trimEnd()}...`
}
