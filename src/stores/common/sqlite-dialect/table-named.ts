import { calledExactly, quotedTable } from '../../../model/copy/column-type.ts'
import { foldedText, namePattern } from '../../../shared/name-pattern.ts'

/**
 * Tables of a name, with the rules of SQLite and D1; sorted by name.
 * @param pattern `name` or `main.name`, with `*` for any characters, or the name in double quotes; A equals a, É does
 * not equal é
 */
export function tablesNamed<T extends { readonly name: string }>(all: readonly T[], pattern: string): readonly T[] {
  // A name may itself contain a point.
  const tests = [namePattern(pattern, 'ascii')]
  if (pattern.toLowerCase().startsWith('main.')) tests.push(namePattern(pattern.slice(5), 'ascii'))
  const { schema = 'main', name: quoted = null } = quotedTable(pattern) ?? {}
  if (quoted !== null && foldedText(schema, 'ascii') === 'main')
    tests.push((name) => foldedText(name, 'ascii') === foldedText(quoted, 'ascii'))
  const found = all.filter(({ name }) => tests.some((fits) => fits(name)))
  return calledExactly(found, pattern, (table) => table).toSorted((a, b) => (a.name < b.name ? -1 : 1))
}
