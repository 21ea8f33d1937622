/** Translates the catalog's common SQL to MySQL: only types in CAST have other names. */
import { segmentsOf } from './lex.ts'

const CAST_TYPES: Readonly<Record<string, string>> = { TEXT: 'CHAR', BIGINT: 'SIGNED', INTEGER: 'SIGNED' }
const CAST = /\bCAST\b/i
/** Limits of the cache, in statements and characters: long texts contain lists of values, and are seldom repeated. */
const KEPT = 1_000
const LONGEST_KEPT = 20_000

const translated = new Map<string, string>()

/** The statement in the SQL of MySQL and MariaDB; literals, quoted names and comments stay unchanged. */
export function translateSql(sql: string): string {
  if (!CAST.test(sql)) return sql
  const known = translated.get(sql)
  if (known !== undefined) return known
  const text = translateCasts(sql)
  if (translated.size < KEPT && sql.length <= LONGEST_KEPT) translated.set(sql, text)
  return text
}

/**
 * Renames the types in CASTs. Tracks brackets: only the word at the end of a CAST is a type; `(SELECT a AS text)` names
 * a column.
 */
function translateCasts(sql: string): string {
  const casts: boolean[] = []
  let out = ''
  for (const { isCode, text } of segmentsOf(sql)) {
    if (!isCode) {
      out += text
      continue
    }
    for (const piece of text.split(/(?<=[()])|(?=[()])/)) {
      if (piece === '(') casts.push(/\bCAST\s*$/i.test(out))
      else if (piece === ')' && casts.pop() === true) out = renameType(out)
      out += piece
    }
  }
  return out
}

function renameType(beforeBracket: string): string {
  return beforeBracket.replace(/(\bAS\s+)(\w+)(\s*)$/i, (all, as: string, type: string, space: string) => {
    const name = CAST_TYPES[type.toUpperCase()]
    return name === undefined ? all : `${as}${name}${space}`
  })
}
