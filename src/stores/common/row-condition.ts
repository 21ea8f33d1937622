/** Tests of rows in the SQL of a system. */
import { testSql, type RowTest } from '../../model/archive/row-test.ts'
import type { Comparison } from '../../model/lake/condition.ts'
import type { Column } from '../../model/copy/column-type.ts'

export type ComparisonWords = {
  readonly quote: (name: string) => string
  /** What is true of NULL alone; `IS NULL` where this is absent. @param name quoted */
  readonly isNull?: (name: string) => string
  /**
   * A comparison that is true exactly where it is true of canonical texts, byte by byte or number by number.
   * @param name quoted
   * @returns null where this system compares values of the column in another way
   */
  readonly compare: (name: string, column: Column, op: Comparison, value: string) => string | null
}

/** As `CopyStore.rowCondition`. */
export function conditionSql(columns: readonly Column[], test: RowTest, words: ComparisonWords): string | null {
  let isKnown = true
  const sql = testSql(test, (one) => {
    const column = columns.find(({ name }) => name === one.column)
    const name = words.quote(one.column)
    if (one.kind === 'null' && column !== undefined) return words.isNull?.(name) ?? `(${name} IS NULL)`
    const found = one.kind === 'null' || column === undefined ? null : words.compare(name, column, one.op, one.value)
    if (found !== null) return `(${found})`
    isKnown = false
    return '(1 = 0)'
  })
  return isKnown ? sql : null
}

/** Equal by the system's own rule, which an index may answer, and by every byte. */
export function sameBytes(op: '=' | '<>', byRule: string, byBytes: string): string {
  return op === '=' ? `${byRule} AND ${byBytes}` : `NOT (${byRule} AND ${byBytes})`
}
