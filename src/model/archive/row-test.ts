/** Which rows are meant, for every engine that may hold some of them: a condition whose values are canonical texts (docs/CANONICAL.md). */
import type { Comparison } from '../lake/condition.ts'

/** SQL's three values: a comparison with NULL is neither true nor false. A row is meant where the whole is true. */
export type RowTest =
  | { readonly kind: 'compare'; readonly column: string; readonly op: Comparison; readonly value: string }
  | { readonly kind: 'null'; readonly column: string }
  /** Of a column that is not there: a comparison with it is neither true nor false, and it has no value. */
  | { readonly kind: 'absent'; readonly isNull: boolean }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly RowTest[] }
  | { readonly kind: 'not'; readonly part: RowTest }

/** Columns that a test looks at, each once. */
export function testedColumns(test: RowTest): readonly string[] {
  switch (test.kind) {
    case 'and':
    case 'or':
      return [...new Set(test.parts.flatMap(testedColumns))]
    case 'not':
      return testedColumns(test.part)
    case 'absent':
      return []
    default:
      return [test.column]
  }
}

/** Values that a test compares with, as canonical texts. */
export function testedValues(test: RowTest): readonly string[] {
  switch (test.kind) {
    case 'and':
    case 'or':
      return test.parts.flatMap(testedValues)
    case 'not':
      return testedValues(test.part)
    case 'compare':
      return [test.value]
    default:
      return []
  }
}

/**
 * A test as SQL.
 * @param write a comparison of one column, or whether it is NULL, in the words of one engine
 */
export function testSql(
  test: RowTest,
  write: (test: RowTest & { readonly kind: 'compare' | 'null' }) => string,
): string {
  switch (test.kind) {
    case 'and':
    case 'or':
      return `(${test.parts.map((part) => testSql(part, write)).join(test.kind === 'and' ? ' AND ' : ' OR ')})`
    case 'not':
      return `(NOT ${testSql(test.part, write)})`
    case 'absent':
      return test.isNull ? '(1 = 1)' : '(1 = NULL)'
    default:
      return write(test)
  }
}

/**
 * The same test where columns have other names.
 * @param named the name there; null where there is no such column. `asked`: its value, or whether it has none
 */
export function renamedTest(test: RowTest, named: (column: string, asked: 'value' | 'null') => string | null): RowTest {
  switch (test.kind) {
    case 'and':
    case 'or':
      return { kind: test.kind, parts: test.parts.map((part) => renamedTest(part, named)) }
    case 'not':
      return { kind: 'not', part: renamedTest(test.part, named) }
    case 'absent':
      return test
    default: {
      const column = named(test.column, test.kind === 'null' ? 'null' : 'value')
      return column === null ? { kind: 'absent', isNull: test.kind === 'null' } : { ...test, column }
    }
  }
}
