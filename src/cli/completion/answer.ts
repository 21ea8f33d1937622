/** The answer to a shell that asks what a word may become. */
import { completionOf } from './candidates.ts'
import { quotedFor, unquoted } from './quoting.ts'
import { PLACE_LINES } from './scripts.ts'

/**
 * The same for a shell that hands words over as they were typed, and takes them back so.
 * @param raw words with their quotes; the last one may have one that is open
 */
export async function rawAnswer(
  raw: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const read = raw.map((word) => unquoted(word, env))
  const answer = await completionAnswer(
    read.map(({ text }) => text),
    env,
  )
  const open = read.at(-1)?.open ?? null
  return answer.replaceAll(/^([^\t\n]+)\t/gm, (_line, word: string) => `${quotedFor(word, open)}\t`)
}

/** One line is as long as a shell shows. */
const MEANING_CELLS = 60

/** @param words behind the name of the program, up to the cursor @param env variables that may name the database which knows more @param patienceMs how long that may take; two seconds when absent */
export async function completionAnswer(
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  patienceMs?: number,
): Promise<string> {
  const { candidates, places, wanted } = completionOf(words)
  // The drivers of databases are loaded for a word that only a database knows.
  const names = wanted === undefined ? [] : await (await import('./names.ts')).namesFor(wanted, words, env, patienceMs)
  const lines = [...candidates, ...names].map(({ word, meaning }) => `${word}\t${shortened(meaning)}\n`)
  return lines.join('') + (places === null ? '' : `${PLACE_LINES[places]}\n`)
}

function shortened(text: string): string {
  return text.length <= MEANING_CELLS ? text : `${text.slice(0, MEANING_CELLS - 3).trimEnd()}...`
}
