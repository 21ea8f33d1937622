/** Finds ON CONFLICT in SQL text: statements as a server stored them, and function bodies. */

export type ConflictClause = {
  /** Parts of the target's name, unquoted; null if the text builds the statement at run time. */
  readonly into: readonly string[] | null
  /** Columns that the INSERT names; null if it names none. */
  readonly columns: readonly string[] | null
  /** Conflict target: columns (null for an expression), a constraint, or neither. */
  readonly target: { readonly columns: readonly (string | null)[] } | { readonly constraint: string } | null
}

type Token = {
  /** `name`: unquoted name; `word`: in lower case; `text`: literal without its quotes; `sign`: one other character. */
  readonly is: 'name' | 'word' | 'text' | 'sign'
  readonly value: string
}

/** Token patterns, each tried where the last token ended. */
const TOKENS: readonly (readonly [Token['is'] | null, RegExp])[] = [
  [null, /\s+|--[^\n]*/y],
  ['text', /[eE]'(?:[^'\\]|\\[^]|'')*'/y],
  ['text', /'(?:[^']|'')*'/y],
  ['text', /(\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$)[^]*?\1/uy],
  ['name', /"(?:[^"]|"")*"/y],
  ['word', /[\p{L}_][\p{L}\p{N}_$]*/uy],
  ['sign', /[^]/y],
]
/** Words that cannot begin a column list. */
const QUERIES = new Set(['select', 'values', 'with', 'table'])

/** Also finds clauses within string literals of the text, such as SQL that a function executes. */
export function conflictClauses(sql: string): readonly ConflictClause[] {
  if (!/conflict/i.test(sql)) return []
  const tokens = tokensOf(sql)
  const found: ConflictClause[] = []
  type Insert = Pick<ConflictClause, 'into' | 'columns'>
  let inserts: (Insert | null)[] = [null]
  for (const [at, token] of tokens.entries()) {
    const here = (ahead: number, word: string): boolean => isWord(tokens[at + ahead], word)
    if (token.is === 'text') found.push(...conflictClauses(token.value))
    else if (isSign(token, '(')) inserts.push(null)
    else if (isSign(token, ')')) inserts = inserts.length > 1 ? inserts.slice(0, -1) : inserts
    else if (isSign(token, ';')) inserts[inserts.length - 1] = null
    else if (here(0, 'insert') && here(1, 'into')) inserts[inserts.length - 1] = insertAt(tokens, at + 2)
    else if (here(0, 'on') && here(1, 'conflict')) {
      const insert = inserts.at(-1) ?? { into: null, columns: null }
      found.push({ ...insert, target: targetAt(tokens, at + 2) })
    }
  }
  return found
}

function insertAt(tokens: readonly Token[], start: number): Pick<ConflictClause, 'into' | 'columns'> {
  const into: string[] = []
  let at = start
  for (; isNamed(tokens[at]); at += 2) {
    into.push(tokens[at]?.value ?? '')
    if (!isSign(tokens[at + 1], '.')) break
  }
  if (into.length === 0) return { into: null, columns: null }
  at += isWord(tokens[at + 1], 'as') ? 3 : 1
  const [first] = isSign(tokens[at], '(') ? listAt(tokens, at) : []
  if (first === undefined || (first[0]?.is === 'word' && QUERIES.has(first[0].value))) return { into, columns: null }
  return { into, columns: listAt(tokens, at).map(([name]) => name?.value ?? '') }
}

function targetAt(tokens: readonly Token[], at: number): ConflictClause['target'] {
  if (isWord(tokens[at], 'on') && isWord(tokens[at + 1], 'constraint'))
    return { constraint: tokens[at + 2]?.value ?? '' }
  if (!isSign(tokens[at], '(')) return null
  // A collation or an operator class may follow a column name. A part with a parenthesis is an expression.
  const columns = listAt(tokens, at).map((part) =>
    isNamed(part[0]) && !part.some((token) => isSign(token, '(')) ? (part[0]?.value ?? null) : null,
  )
  return { columns }
}

/** Items of a list in parentheses. @param open index of its opening parenthesis */
function listAt(tokens: readonly Token[], open: number): readonly (readonly Token[])[] {
  const parts: Token[][] = [[]]
  let depth = 0
  for (const token of tokens.slice(open)) {
    if (isSign(token, '(') && depth++ === 0) continue
    if (isSign(token, ')') && --depth === 0) break
    if (depth === 1 && isSign(token, ',')) parts.push([])
    else parts.at(-1)?.push(token)
  }
  return parts
}

function tokensOf(sql: string): readonly Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < sql.length;) {
    if (sql.startsWith('/*', at)) {
      at = endOfComment(sql, at)
      continue
    }
    for (const [is, pattern] of TOKENS) {
      pattern.lastIndex = at
      const [all] = pattern.exec(sql) ?? []
      if (all === undefined) continue
      at += all.length
      if (is !== null) tokens.push({ is, value: valueOf(is, all) })
      break
    }
  }
  return tokens
}

/** Comments of PostgreSQL nest. */
function endOfComment(sql: string, start: number): number {
  let depth = 0
  for (let at = start; at < sql.length; at++) {
    const pair = sql.slice(at, at + 2)
    if (pair !== '/*' && pair !== '*/') continue
    depth += pair === '/*' ? 1 : -1
    at++
    if (depth === 0) return at + 1
  }
  return sql.length
}

function valueOf(is: Token['is'], all: string): string {
  if (is === 'word') return all.toLowerCase()
  if (is === 'name') return all.slice(1, -1).replaceAll('""', '"')
  if (is === 'sign') return all
  if (all.startsWith('$')) return all.slice(all.indexOf('$', 1) + 1, all.lastIndexOf('$', all.length - 2))
  const text = all.slice(all.indexOf("'") + 1, -1).replaceAll("''", "'")
  return all.startsWith("'") ? text : text.replaceAll(/\\n/g, '\n').replaceAll(/\\(['\\])/g, '$1')
}

function isWord(token: Token | undefined, word: string): boolean {
  return token?.is === 'word' && token.value === word
}

function isSign(token: Token | undefined, sign: string): boolean {
  return token?.is === 'sign' && token.value === sign
}

function isNamed(token: Token | undefined): boolean {
  return token?.is === 'name' || token?.is === 'word'
}
