/** Plans of tables in statements that fill a ledger. */
import { createHash } from 'node:crypto'

const PLAN = /'[0-9a-f]{16}', '(\{"source":(?:[^']|'')*\})'/g

/** What a literal of SQL means. */
export const meant = (text: string): string => text.replaceAll("''", "'")
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** Gives plans whose text was changed the hashes that their program would have noted. */
export function rehashed(statements: string): string {
  return statements.replace(PLAN, (_, plan: string) => {
    const hash = createHash('sha256').update(meant(plan)).digest('hex').slice(0, 16)
    return `'${hash}', '${plan}'`
  })
}
