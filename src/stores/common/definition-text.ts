/** Parses definitions that databases offer only as printed text: names, elements in brackets, quoted parts. */
import type { TableName } from '../../model/copy/column-type.ts'
import { regexText } from '../../shared/name-pattern.ts'

/** Quoting of texts and names: `brackets` also allows names in square brackets, `backslash` escapes in texts. */
export type Quoting = 'standard' | 'brackets' | 'backslash'

const NAME_OR_COMMENT = String.raw`"[^"]*(?:""[^"]*)*"|\x60[^\x60]*(?:\x60\x60[^\x60]*)*\x60|--[^\n]*|\/\*(?:[^*]|\*(?!\/))*\*\/`
const TEXT = String.raw`'[^']*(?:''[^']*)*'`
const QUOTED: Readonly<Record<Quoting, RegExp>> = {
  standard: new RegExp(`${TEXT}|${NAME_OR_COMMENT}`, 'y'),
  brackets: new RegExp(String.raw`${TEXT}|\[[^\]]*\]|${NAME_OR_COMMENT}`, 'y'),
  backslash: new RegExp(String.raw`'(?:[^'\\]|\\[^]|'')*'|${NAME_OR_COMMENT}`, 'y'),
}
const BARE_NAME = /[\p{L}_$\u0080-\u{10FFFF}][\p{L}\p{N}_$\u0080-\u{10FFFF}]*/uy

/** The text from the first bracket to its closing one, split at commas. */
export function bracketElements(sql: string, quoting: Quoting = 'standard'): readonly string[] {
  const elements: string[] = []
  let depth = 0
  let from = 0
  for (let at = 0; at < sql.length;) {
    const quoted = lengthAt(QUOTED[quoting], sql, at)
    if (quoted > 0) {
      at += quoted
      continue
    }
    const char = sql[at]
    if (char === '(' && ++depth === 1) from = at + 1
    else if (char === ',' && depth === 1) {
      elements.push(sql.slice(from, at).trim())
      from = at + 1
    } else if (char === ')' && --depth === 0) {
      elements.push(sql.slice(from, at).trim())
      return elements
    }
    at++
  }
  return elements
}

/** The name at the start of a text, quoted or not, and the text after it; null if the text begins with no name. */
export function nameAt(
  text: string,
  quoting: Quoting = 'standard',
): { readonly name: string; readonly rest: string } | null {
  const trimmed = text.trimStart()
  const bare = lengthAt(BARE_NAME, trimmed, 0)
  if (bare > 0) return { name: trimmed.slice(0, bare), rest: trimmed.slice(bare) }
  const quoted = lengthAt(QUOTED[quoting], trimmed, 0)
  if (quoted === 0) return null
  const mark = trimmed[0] === '[' ? ']' : (trimmed[0] ?? '')
  const name = trimmed.slice(1, quoted - 1).replaceAll(mark + mark, mark)
  return { name, rest: trimmed.slice(quoted) }
}

/** `quoted`: a name or a text, without its quotes. `sign`: any other character. */
export type DefinitionToken = { readonly is: 'word' | 'quoted' | 'sign'; readonly text: string }

/** Words, quoted parts and signs of a statement in order; without blanks and comments. */
export function definitionTokens(sql: string, quoting: Quoting = 'standard'): readonly DefinitionToken[] {
  const tokens: DefinitionToken[] = []
  for (let at = 0; at < sql.length;) {
    const quoted = lengthAt(QUOTED[quoting], sql, at)
    const bare = quoted > 0 ? 0 : lengthAt(BARE_NAME, sql, at)
    const length = Math.max(1, quoted, bare)
    const text = sql.slice(at, at + length)
    at += length
    if (bare > 0) tokens.push({ is: 'word', text })
    else if (quoted > 0 && !text.startsWith('--') && !text.startsWith('/*')) {
      const mark = text.startsWith('[') ? ']' : text.charAt(0)
      tokens.push({ is: 'quoted', text: text.slice(1, -1).replaceAll(mark + mark, mark) })
    } else if (quoted === 0 && text.trim() !== '') tokens.push({ is: 'sign', text })
  }
  return tokens
}

/** The text without quoted parts and comments. */
export function definitionCode(sql: string): string {
  let code = ''
  for (let at = 0; at < sql.length;) {
    const quoted = lengthAt(QUOTED.standard, sql, at)
    code += quoted > 0 ? ' ' : (sql[at] ?? '')
    at += Math.max(1, quoted)
  }
  return code
}

/**
 * The text with blanks in place of quoted parts and comments: all other characters keep their position.
 * @param filler in place of quoted parts, if they must differ from blanks
 */
export function maskedCode(sql: string, quoting: Quoting = 'standard', filler = ' '): string {
  let code = ''
  for (let at = 0; at < sql.length;) {
    const quoted = lengthAt(QUOTED[quoting], sql, at)
    const isComment = sql.startsWith('--', at) || sql.startsWith('/*', at)
    code += quoted > 0 ? (isComment ? ' ' : filler).repeat(quoted) : (sql[at] ?? '')
    at += Math.max(1, quoted)
  }
  return code
}

/**
 * Position of the bracket that closes the one opened before `from`; the length of the text if there is none.
 * @param code as `maskedCode` returns it
 */
export function closingBracket(code: string, from: number): number {
  let depth = 1
  for (let at = from; at < code.length; at++) {
    if (code[at] === '(') depth++
    else if (code[at] === ')' && --depth === 0) return at
  }
  return code.length
}

function lengthAt(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0].length ?? 0
}

/** True if the text of a definition contains the name of a table as a separate word. */
export function mentions(sql: string, { name }: TableName): boolean {
  const word = regexText(name)
  return new RegExp(String.raw`(?<![\p{L}\p{N}_$])${word}(?![\p{L}\p{N}_$])`, 'iu').test(sql)
}
