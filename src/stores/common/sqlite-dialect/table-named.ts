import { namePattern } from '../../../shared/name-pattern.ts'

/**
 * Matches tables by name with the rules of SQLite and D1.
 * @param pattern `name` or `main.name`, with `*` for any characters; A equals a, É does not equal é
 */
export function matchesTableName(pattern: string): (name: string) => boolean {
  // A name may itself contain a point.
  const tests = [namePattern(pattern, 'ascii')]
  if (pattern.toLowerCase().startsWith('main.')) tests.push(namePattern(pattern.slice(5), 'ascii'))
  return (name) => tests.some((fits) => fits(name))
}
