/** The answer to a shell that asks what a word may become. */
import { completionOf } from './candidates.ts'
import { PLACE_LINES } from './scripts.ts'

/** One line is as long as a shell shows. */
const MEANING_CELLS = 60

/** @param words behind the name of the program, up to the cursor */
export function completionAnswer(words: readonly string[]): string {
  const { candidates, places } = completionOf(words)
  const lines = candidates.map(({ word, meaning }) => `${word}\t${shortened(meaning)}\n`)
  return lines.join('') + (places === null ? '' : `${PLACE_LINES[places]}\n`)
}

function shortened(text: string): string {
  return text.length <= MEANING_CELLS ? text : `${text.slice(0, MEANING_CELLS - 3).trimEnd()}...`
}
