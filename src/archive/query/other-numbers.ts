/** Numbers that DuckDB compares in another way than the database that they are from. */
import type { QueryColumn, QueryNeeds } from '../../model/archive/query-port.ts'

/**
 * A number with a decimal point is compared with a column of four bytes as one of eight by the databases, and as one of four by DuckDB. A number of two digits is a year to
 * MySQL and MariaDB.
 * @returns one sentence for each column that the statement reads, where it compares numbers of its type
 */
export function otherNumbers(
  columns: readonly QueryColumn[],
  { columns: read, numbers = new Set() }: QueryNeeds,
): readonly string[] {
  return columns.flatMap(({ name, stored, column: { native } }) => {
    if (!read.has(name)) return []
    if (stored === 'float' && numbers.has('FLOAT'))
      return [
        `${name} (${native}) is compared with numbers of four bytes, where the database may take 0.1 for one of eight: CAST(${name} AS DOUBLE) compares as that`,
      ]
    const isYear = /^year\b/i.test(native) && (numbers.has('SMALLINT') || numbers.has('INTEGER'))
    return isYear
      ? [`${name} (${native}) is compared with all digits of the year, where the database takes 20 for 2020`]
      : []
  })
}
