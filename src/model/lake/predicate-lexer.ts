/** Tokens of a `--where` text with their positions, and the error that points to one. */
import { SluiceError } from '../../shared/errors.ts'
import { pointedMessage } from '../../shared/pointed.ts'

export type PredicateToken = {
  readonly kind: 'word' | 'quoted' | 'string' | 'number' | 'sign' | 'end'
  /** The text without its quotes; a doubled quote inside of it counts as one. */
  readonly text: string
  /** Position of the first character, in UTF-16 units from 0. */
  readonly at: number
}

/** Words that must be quoted as column names. */
export const RESERVED: ReadonlySet<string> = new Set([
  'AND',
  'OR',
  'NOT',
  'IN',
  'BETWEEN',
  'IS',
  'NULL',
  'LIKE',
  'TRUE',
  'FALSE',
])

const SPACE = /\s+/uy
const WORD = /[\p{L}_][\p{L}\p{M}\p{N}_$]*/uy
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y
const SIGN = /<=|>=|<>|!=|==|[=<>(),.+-]/y
const QUOTED = /"(?:[^"]|"")*"|`(?:[^`]|``)*`|'(?:[^']|'')*'/y
const SHOWN = 60

/**
 * BAD_PREDICATE with the position in words, and as a caret:
 * ```
 * unknown column "dat" at character 1
 *   dat >= '2024-01-01'
 *   ^
 * ```
 */
export function predicateError(source: string, at: number, message: string, hint?: string): SluiceError {
  const before = Array.from(source.slice(0, at))
  const start = Math.max(0, before.length - SHOWN)
  const head = (start > 0 ? '…' : '') + before.slice(start).join('')
  const rest = Array.from(source.slice(at))
  const tail = rest.slice(0, SHOWN).join('') + (rest.length > SHOWN ? '…' : '')
  const line = (head + tail).replace(/\s/g, ' ')
  const words = `${message} at character ${before.length + 1}`
  return new SluiceError('BAD_PREDICATE', pointedMessage({ words, source: line, at: Array.from(head).length }), {
    hint: hint ?? "A condition looks like: date >= '2024-01-01' AND id = 7",
  })
}

function unquote(text: string): string {
  const quote = text.charAt(0)
  return text.slice(1, -1).replaceAll(quote + quote, quote)
}

/** @throws SluiceError BAD_PREDICATE for an unclosed quote or an invalid character */
export function predicateTokens(source: string): readonly PredicateToken[] {
  const found: PredicateToken[] = []
  let at = 0
  const next = (pattern: RegExp): string | null => {
    pattern.lastIndex = at
    return pattern.exec(source)?.[0] ?? null
  }
  while (at < source.length) {
    const space = next(SPACE)
    if (space !== null) {
      at += space.length
      continue
    }
    const last = found.at(-1)
    // The dot of `a.5` separates names, the dot of `> .5` begins a number.
    const afterName = last?.kind === 'word' || last?.kind === 'quoted'
    const number = afterName && source[at] === '.' ? null : next(NUMBER)
    const word = next(WORD)
    const quoted = next(QUOTED)
    const sign = next(SIGN)
    let text: string
    if (number !== null) {
      text = number
      found.push({ kind: 'number', text, at })
    } else if (word !== null) {
      if (last?.kind === 'number' && last.at + last.text.length === at) {
        throw predicateError(source, last.at, `"${last.text}${word}" is neither a number nor a name`)
      }
      text = word
      found.push({ kind: 'word', text, at })
    } else if (quoted !== null) {
      text = quoted
      found.push({ kind: text.startsWith("'") ? 'string' : 'quoted', text: unquote(text), at })
    } else if (sign !== null) {
      text = sign
      found.push({ kind: 'sign', text, at })
    } else {
      const char = String.fromCodePoint(source.codePointAt(at) ?? 0)
      if (/['"`]/.test(char)) throw predicateError(source, at, `the quote ${char} is never closed`)
      throw predicateError(source, at, `unexpected "${char}"`)
    }
    at += text.length
  }
  found.push({ kind: 'end', text: '', at: source.length })
  return found
}
