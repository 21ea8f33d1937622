import { namePattern } from '../../../shared/name-pattern.ts'

/**
 * Tables by name, as SQLite and D1 tell them apart.
 * @param pattern `name` or `main.name`, with `*` for any characters; A and a are one, É and é are two
 */
export function tableNamed(pattern: string): (name: string) => boolean {
  // A name may hold a point itself.
  const tests = [namePattern(pattern, 'ascii')]
  if (pattern.toLowerCase().startsWith('main.')) tests.push(namePattern(pattern.slice(5), 'ascii'))
  return (name) => tests.some((fits) => fits(name))
}
