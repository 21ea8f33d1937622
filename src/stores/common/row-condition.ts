/** Row tests of archives as conditions in the SQL of a system. */
import { testSql, type RowTest } from '../../model/archive/row-test.ts'
import type { Comparison } from '../../model/lake/condition.ts'
import type { Column } from '../../model/copy/column-type.ts'

export type ComparisonWords = {
  readonly quote: (name: string) => string
  /** Condition that is true for NULL only; default `IS NULL`. @param name quoted */
  readonly isNull?: (name: string) => string
  /**
   * A comparison with the same result as on canonical texts, byte by byte or number by number.
   * @param name quoted
   * @returns null if this system compares values of the column differently
   */
  readonly compare: (name: string, column: Column, op: Comparison, value: string) => string | null
}

/** As `RowValues.condition`. */
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

/** Joins two conditions: a comparison by the system's own rule, which may use an index, and one byte by byte. */
export function sameBytes(op: '=' | '<>', byRule: string | null, byBytes: string): string {
  const same = byRule === null ? byBytes : `${byRule} AND ${byBytes}`
  return op === '=' ? same : `NOT (${same})`
}
