/** Chunks of a ledger as the program would record them, millions per statement. */

/** Decimal digits of the numbers that one statement generates. */
const DIGITS = 6
const MOST = 10 ** DIGITS

/**
 * Statements that insert pending chunks `from`…`to`, each of 1,000 keys.
 * @param {string} table @param {number} from @param {number} to @param {string} text the type that numbers are cast to
 * @returns {string[]}
 */
export function pendingChunks(table, from, to, text) {
  const digits = Array.from({ length: 10 }, (_, digit) => `SELECT ${digit} AS d`).join(' UNION ALL ')
  const places = Array.from({ length: DIGITS }, (_, place) => `p${place}.d * ${10 ** place}`).join(' + ')
  const joined = Array.from({ length: DIGITS }, (_, place) => `(${digits}) AS p${place}`).join(' CROSS JOIN ')
  const statements = []
  for (let first = from; first <= to; first += MOST) {
    const last = Math.min(to, first + MOST - 1)
    statements.push(
      `INSERT INTO migration_checkpoints (table_name, schema_name, start_id, end_id, status, records_processed, run_id, chunk_no, kind, lo, hi)
       SELECT '${table}', '', no, no + 1, 'pending', 0, 1, no, 'key', CONCAT('["', CAST(no - 1 AS ${text}), '000"]'), CONCAT('["', CAST(no AS ${text}), '000"]')
       FROM (SELECT ${first} + ${places} AS no FROM ${joined}) AS numbers WHERE no <= ${last} ORDER BY no`,
    )
  }
  return statements
}
