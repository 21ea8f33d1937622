/** The answer to a shell that asks what a word may become. */
import { completionOf } from './candidates.ts'
import { PLACE_LINES } from './scripts.ts'

type Env = Readonly<Record<string, string | undefined>>

type Quote = "'" | '"' | null

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

/**
 * Words as a shell has them while they are typed: with quotes, some of them still open, backslashes and variables.
 * @param env what variables hold; one that is not set stays as it is written
 */
function unquoted(raw: string, env: Env): { readonly text: string; readonly open: Quote } {
  let open: Quote = null
  let text = ''
  for (let at = 0; at < raw.length; at += 1) {
    const sign = raw[at] ?? ''
    const next = raw[at + 1]
    if (open === "'") {
      if (sign === "'") open = null
      else text += sign
    } else if (sign === '\\' && next !== undefined && (open === null || /["\\$`]/.test(next))) {
      text += next
      at += 1
    } else if (sign === '"') open = open === null ? '"' : null
    else if (sign === "'" && open === null) open = "'"
    else {
      const name = sign === '$' ? /^\$(?:(\w+)|\{(\w+)\})/.exec(raw.slice(at)) : null
      const value = name === null ? undefined : env[name[1] ?? name[2] ?? '']
      text += value ?? sign
      if (name !== null && value !== undefined) at += name[0].length - 1
    }
  }
  return { text, open }
}

/** A word as it can go on behind what is typed: without the quote that is open, which the shell keeps and closes. */
function quotedFor(word: string, open: Quote): string {
  if (open === "'") return word.replaceAll("'", String.raw`'\''`)
  if (open === '"') return word.replaceAll(/["\\$`]/g, (sign) => `\\${sign}`)
  return word.replaceAll(/[^\p{L}\p{N}_@%+=:,./-]/gu, (sign) => `\\${sign}`)
}

/** One line is as long as a shell shows. */
const MEANING_CELLS = 60

/**
 * @param words behind the name of the program, up to the cursor @param env variables that may name the database which
 * knows more @param patienceMs how long that may take; two seconds when absent
 */
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
