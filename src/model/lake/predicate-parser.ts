/** Parser of `--where`. */
import { parseDate, parseTimestamp } from './instant.ts'
import type { ColumnRef, Comparison, Condition, Literal, Predicate } from './condition.ts'
import { predicateError, RESERVED, predicateTokens, type PredicateToken } from './predicate-lexer.ts'

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  '=': '=',
  '==': '=',
  '<>': '<>',
  '!=': '<>',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
}
const FLIPPED: Readonly<Record<Comparison, Comparison>> = {
  '=': '=',
  '<>': '<>',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
}
const MAX_DEPTH = 200

/** Text of a token for a message. */
function tokenText(token: PredicateToken): string {
  if (token.kind === 'end') return 'the end'
  return token.kind === 'string' ? `'${token.text}'` : `"${token.text}"`
}

function isLiteralStart(token: PredicateToken, following: PredicateToken): boolean {
  if (token.kind === 'number' || token.kind === 'string') return true
  if (token.kind === 'sign') return token.text === '-' || token.text === '+'
  if (token.kind !== 'word') return false
  const word = token.text.toUpperCase()
  if (word === 'DATE' || word === 'TIMESTAMP') return following.kind === 'string'
  return word === 'TRUE' || word === 'FALSE' || word === 'NULL'
}

/**
 * Parses a condition.
 * @throws SluiceError BAD_PREDICATE with the position as text and under a caret
 */
export function parsePredicate(text: string): Predicate {
  const list = predicateTokens(text)
  const end = list.at(-1) as PredicateToken
  let position = 0
  let depth = 0

  const peek = (ahead = 0): PredicateToken => list[position + ahead] ?? end
  const fail = (token: PredicateToken, message: string, hint?: string) => predicateError(text, token.at, message, hint)
  const isWord = (word: string, ahead = 0): boolean =>
    peek(ahead).kind === 'word' && peek(ahead).text.toUpperCase() === word
  const isSign = (sign: string): boolean => peek().kind === 'sign' && peek().text === sign
  const take = (): PredicateToken => {
    const token = peek()
    position++
    return token
  }
  const acceptWord = (word: string): boolean => {
    if (!isWord(word)) return false
    position++
    return true
  }
  const expectWord = (word: string): void => {
    if (!acceptWord(word)) throw fail(peek(), `expected ${word}, found ${tokenText(peek())}`)
  }
  const expectSign = (sign: string): void => {
    if (!isSign(sign)) throw fail(peek(), `expected "${sign}", found ${tokenText(peek())}`)
    position++
  }

  function name(): string {
    const token = take()
    if (token.kind === 'quoted' && token.text !== '') return token.text
    if (token.kind === 'word' && !RESERVED.has(token.text.toUpperCase())) return token.text
    const hint = token.kind === 'word' ? `Quote a column of this name: \`${token.text}\`` : undefined
    throw fail(token, `expected a column, found ${tokenText(token)}`, hint)
  }

  function column(): ColumnRef {
    const { at } = peek()
    const names = [name()]
    while (isSign('.')) {
      position++
      names.push(name())
    }
    return { names, at }
  }

  function typedLiteral(kind: 'date' | 'timestamp', at: number): Literal {
    const token = take()
    const isValid = kind === 'date' ? parseDate(token.text) !== null : parseTimestamp(token.text) !== null
    if (!isValid) {
      const shape = kind === 'date' ? 'yyyy-MM-dd' : 'yyyy-MM-dd HH:mm:ss, with or without a zone'
      throw fail(token, `'${token.text}' is not a ${kind}`, `A ${kind} is written ${shape}`)
    }
    return { kind, text: token.text, at }
  }

  function literal(): Literal {
    const token = take()
    const { at } = token
    if (token.kind === 'string') return { kind: 'string', text: token.text, at }
    if (token.kind === 'number') return { kind: 'number', text: token.text, at }
    if (token.kind === 'sign' && (token.text === '-' || token.text === '+')) {
      const digits = take()
      if (digits.kind !== 'number') throw fail(digits, `expected a number, found ${tokenText(digits)}`)
      return { kind: 'number', text: token.text === '-' ? `-${digits.text}` : digits.text, at }
    }
    const word = token.kind === 'word' ? token.text.toUpperCase() : ''
    if (word === 'TRUE' || word === 'FALSE') return { kind: 'boolean', value: word === 'TRUE', at }
    if (word === 'NULL') return { kind: 'null', at }
    if ((word === 'DATE' || word === 'TIMESTAMP') && peek().kind === 'string') {
      return typedLiteral(word === 'DATE' ? 'date' : 'timestamp', at)
    }
    const isName = token.kind === 'word' || token.kind === 'quoted'
    const hint = isName ? `Write text in single quotes: '${token.text}'; two columns cannot be compared` : undefined
    throw fail(token, `expected a value, found ${tokenText(token)}`, hint)
  }

  function comparison(): Comparison {
    const token = take()
    const op = token.kind === 'sign' ? COMPARISONS[token.text] : undefined
    if (op === undefined) throw fail(token, `expected a comparison, found ${tokenText(token)}`)
    return op
  }

  function values(): readonly Literal[] {
    expectSign('(')
    const found = [literal()]
    while (isSign(',')) {
      position++
      found.push(literal())
    }
    expectSign(')')
    return found
  }

  function test(): Condition {
    if (isLiteralStart(peek(), peek(1))) {
      const value = literal()
      const op = FLIPPED[comparison()]
      return { kind: 'compare', column: column(), op, value }
    }
    const subject = column()
    if (acceptWord('IS')) {
      const negated = acceptWord('NOT')
      expectWord('NULL')
      return { kind: 'isNull', column: subject, negated }
    }
    const negated = acceptWord('NOT')
    if (acceptWord('IN')) return { kind: 'in', column: subject, values: values(), negated }
    if (acceptWord('BETWEEN')) {
      const low = literal()
      expectWord('AND')
      return { kind: 'between', column: subject, low, high: literal(), negated }
    }
    if (acceptWord('LIKE')) {
      const pattern = literal()
      if (pattern.kind !== 'string') throw predicateError(text, pattern.at, 'LIKE needs a text in single quotes')
      return { kind: 'like', column: subject, pattern, negated }
    }
    if (negated) throw fail(peek(), `expected IN, BETWEEN or LIKE after NOT, found ${tokenText(peek())}`)
    return { kind: 'compare', column: subject, op: comparison(), value: literal() }
  }

  function operand(): Condition {
    if (++depth > MAX_DEPTH) throw fail(peek(), `the condition is nested more than ${MAX_DEPTH} deep`)
    let condition: Condition
    if (acceptWord('NOT')) condition = { kind: 'not', part: operand() }
    else if (isSign('(')) {
      position++
      condition = chain('or')
      expectSign(')')
    } else condition = test()
    depth--
    return condition
  }

  function chain(kind: 'and' | 'or'): Condition {
    const next = (): Condition => (kind === 'or' ? chain('and') : operand())
    const parts = [next()]
    while (acceptWord(kind.toUpperCase())) parts.push(next())
    const [only] = parts
    if (parts.length === 1 && only) return only
    // Flattens `a AND (b AND c)` into one chain: the same condition, and the same text when rendered.
    return { kind, parts: parts.flatMap((part) => (part.kind === kind ? part.parts : [part])) }
  }

  if (peek().kind === 'end') throw fail(peek(), 'the condition is empty')
  const root = chain('or')
  if (peek().kind !== 'end') throw fail(peek(), `expected AND, OR or the end, found ${tokenText(peek())}`)
  return { text, root }
}
