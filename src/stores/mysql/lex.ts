/** Splits SQL text into code and literals, quoted names or comments, as our sessions parse it. */

/** Our sessions have ANSI_QUOTES and NO_BACKSLASH_ESCAPES: quotes are doubled, and a backslash is plain. */
const NO_CODE =
  /'[^']*(?:''[^']*)*'|"[^"]*(?:""[^"]*)*"|`[^`]*(?:``[^`]*)*`|--(?=\s|$)[^\n]*|#[^\n]*|\/\*(?:[^*]|\*(?!\/))*\*\//g

/** @property isCode false for a literal, a quoted name or a comment */
export type SqlSegment = { readonly isCode: boolean; readonly text: string }

/** Segments of the text, in order. Joined, they are the whole text. */
export function* segmentsOf(sql: string): Generator<SqlSegment> {
  let end = 0
  for (const match of sql.matchAll(NO_CODE)) {
    if (match.index > end) yield { isCode: true, text: sql.slice(end, match.index) }
    yield { isCode: false, text: match[0] }
    end = match.index + match[0].length
  }
  if (end < sql.length) yield { isCode: true, text: sql.slice(end) }
}

/** Statements of a script, without their semicolons; empty ones are left out. */
export function statementsOf(script: string): readonly string[] {
  const statements: string[] = []
  let statement = ''
  for (const { isCode, text } of segmentsOf(script)) {
    if (!isCode) {
      statement += text
      continue
    }
    const [first = '', ...rest] = text.split(';')
    statement += first
    for (const next of rest) {
      statements.push(statement)
      statement = next
    }
  }
  statements.push(statement)
  return statements.map((text) => text.trim()).filter((text) => !isEmpty(text))
}

function isEmpty(statement: string): boolean {
  for (const { isCode, text } of segmentsOf(statement)) {
    if (text.trim() !== '' && (isCode || !/^(?:--|#|\/\*(?!!))/.test(text))) return false
  }
  return true
}
