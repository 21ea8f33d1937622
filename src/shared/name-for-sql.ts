/** Quotes names that are not sluice's own, for statements that are shown or run. */
import { SluiceError } from './errors.ts'
import { backquotedName, quotedName } from './sql-text.ts'

/**
 * The quoted name.
 * @throws SluiceError BAD_FLAG for control characters: a terminal would obey them, and a copied line would break
 */
export function nameForSql(name: string, quote: '"' | '`'): string {
  if (/\p{Cc}|[\u2028\u2029]/u.test(name)) {
    throw new SluiceError('BAD_FLAG', 'a name with control characters cannot be written into a statement', {
      where: JSON.stringify(name),
      hint: 'rename the role, schema or database',
    })
  }
  return quote === '"' ? quotedName(name) : backquotedName(name)
}
