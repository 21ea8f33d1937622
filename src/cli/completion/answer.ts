/** Answers a shell's request for completions of a word. */
import { completionOf } from './candidates.ts'
import { PLACE_LINES } from './scripts.ts'

type Env = Readonly<Record<string, string | undefined>>

type Quote = "'" | '"' | null

/**
 * Answers a shell that passes words as typed, and expects quoted answers.
 * @param raw words with their quotes; the last word may have an open quote
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
 * Removes quotes, backslashes and variables from a word as typed; the last quote may still be open.
 * @param env values of variables; an unset variable stays as written
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

/** A word quoted as a continuation of the typed text. An open quote is not repeated: the shell keeps and closes it. */
function quotedFor(word: string, open: Quote): string {
  if (open === "'") return word.replaceAll("'", String.raw`'\''`)
  if (open === '"') return word.replaceAll(/["\\$`]/g, (sign) => `\\${sign}`)
  return word.replaceAll(/[^\p{L}\p{N}_@%+=:,./-]/gu, (sign) => `\\${sign}`)
}

/** Longest description, in cells. */
const MEANING_CELLS = 60

/**
 * @param words after the program name, up to the cursor
 * @param env may have the URL of the database
 * @param timeoutMs timeout for the database; default 2 s
 */
export async function completionAnswer(
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  timeoutMs?: number,
): Promise<string> {
  const { candidates, places, wanted } = completionOf(words)
  // Load database drivers only for a word that needs a database.
  const names = wanted === undefined ? [] : await (await import('./names.ts')).namesFor(wanted, words, env, timeoutMs)
  const lines = [...candidates, ...names].map(({ word, meaning }) => `${word}\t${shortened(meaning)}\n`)
  return lines.join('') + (places === null ? '' : `${PLACE_LINES[places]}\n`)
}

function shortened(text: string): string {
  return text.length <= MEANING_CELLS ? text : `${text.slice(0, MEANING_CELLS - 3).trimEnd()}...`
}
