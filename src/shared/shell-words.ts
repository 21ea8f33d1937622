/**
 * Splits a command that sluice has printed, as a POSIX shell does: quotes, backslashes and variables only.
 * Anything that would run another command is rejected.
 */
import { SluiceError } from './errors.ts'

type Env = Readonly<Record<string, string | undefined>>

/** One piece of a line: a quoted text, a backslash, a variable, a blank, or a character of a word. */
const PIECES =
  /'(?<single>[^']*)'|"(?<double>(?:[^"\\`$]|\\[^]|\$(?:\w+|\{\w+\}))*)"|\\(?<escaped>[^\n])|\$(?:(?<variable>\w+)|\{(?<braced>\w+)\})|(?<blank>[ \t\n]+)|(?<plain>[^\s'"\\$`;&|<>()*?[\]#~!])/gy

/**
 * @param env values of variables; an unset one is empty, as in a shell
 * @throws SluiceError BAD_FLAG for an open quote, and for anything a shell does other than splitting words
 */
export function shellWords(line: string, env: Env): readonly string[] {
  const words: string[] = []
  let word: string | null = null
  PIECES.lastIndex = 0
  while (PIECES.lastIndex < line.length) {
    const at = PIECES.lastIndex
    const found = PIECES.exec(line)?.groups
    if (found === undefined) throw unread(line, at)
    const { single, double, escaped, variable, braced, blank, plain } = found
    if (blank !== undefined) {
      if (word !== null) words.push(word)
      word = null
      continue
    }
    const name = variable ?? braced
    if (name !== undefined) {
      // A shell would split this unquoted value at its blanks; in commands that sluice prints it is quoted.
      if (/\s/.test(env[name] ?? '')) throw unread(line, at)
      word = (word ?? '') + (env[name] ?? '')
      continue
    }
    word =
      (word ?? '') + (single ?? (double === undefined ? undefined : unquoted(double, env)) ?? escaped ?? plain ?? '')
  }
  if (word !== null) words.push(word)
  return words
}

/** Text between double quotes. */
function unquoted(text: string, env: Env): string {
  return text.replaceAll(
    /\\([$`"\\])|\\\n|\$(?:(\w+)|\{(\w+)\})/g,
    (_all, kept?: string, variable?: string, braced?: string) => kept ?? env[variable ?? braced ?? ''] ?? '',
  )
}

function unread(line: string, at: number): SluiceError {
  return new SluiceError(
    'BAD_FLAG',
    `this command needs a shell for the part that begins with ${line.slice(at, at + 20)}`,
    {
      hint: 'run it in a shell',
    },
  )
}
