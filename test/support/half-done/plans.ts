/** Plans of tables inside statements that fill a ledger. */
import { createHash } from 'node:crypto'

const PLAN = /'[0-9a-f]{16}', '(\{"source":(?:[^']|'')*\})'/g

/** The value of an SQL literal. */
export const meant = (text: string): string => text.replaceAll("''", "'")
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** Replaces the hashes of plans whose text was changed by the correct ones. */
export function rehashed(statements: string): string {
  return statements.replace(PLAN, (_, plan: string) => {
    const hash = createHash('sha256').update(meant(plan)).digest('hex').slice(0, 16)
    return `'${hash}', '${plan}'`
  })
}
