/** Converts `?` placeholders to PostgreSQL's numbered ones. */

/** Text where `?` is no placeholder: line comments, quoted names and string literals. */
const LITERAL =
  /--[^\n]*|"(?:[^"]|"")*"|(?<![\w$])[eE]'(?:[^'\\]|\\[^]|'')*'|'(?:[^']|'')*'|(?<![\w$])(\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)[^]*?\1/y

/** Replaces each `?` outside of strings, quoted names and comments by `$1`, `$2` …; returns text and count. */
export function numberPlaceholders(sql: string): { readonly text: string; readonly count: number } {
  if (!sql.includes('?')) return { text: sql, count: 0 }
  let text = ''
  let count = 0
  let copied = 0
  for (let at = 0; at < sql.length;) {
    const char = sql[at] as string
    if (char === '?') {
      text += `${sql.slice(copied, at)}$${++count}`
      copied = ++at
    } else if (char === '/' && sql[at + 1] === '*') {
      at = endOfComment(sql, at)
    } else if (char === "'" || char === '"' || char === '-' || char === '$' || char === 'e' || char === 'E') {
      LITERAL.lastIndex = at
      const literal = LITERAL.exec(sql)
      at += literal === null ? 1 : literal[0].length
    } else {
      at++
    }
  }
  return { text: text + sql.slice(copied), count }
}

/** Position after a block comment; comments nest in PostgreSQL. */
function endOfComment(sql: string, start: number): number {
  let depth = 0
  for (let at = start; at < sql.length; at++) {
    if (sql.startsWith('/*', at)) {
      depth++
      at++
    } else if (sql.startsWith('*/', at)) {
      at++
      if (--depth === 0) return at + 1
    }
  }
  return sql.length
}
