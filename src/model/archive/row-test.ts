/** Condition on rows, independent of the engine; values are canonical texts (docs/reference/CANONICAL.md). */
import type { Comparison } from '../lake/condition.ts'

/** Three-valued as in SQL: a comparison with NULL is neither true nor false. A row matches if the test is true. */
export type RowTest =
  | { readonly kind: 'compare'; readonly column: string; readonly op: Comparison; readonly value: string }
  | { readonly kind: 'null'; readonly column: string }
  /** Test of a column that does not exist: it is treated as NULL. */
  | { readonly kind: 'absent'; readonly isNull: boolean }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly RowTest[] }
  | { readonly kind: 'not'; readonly part: RowTest }

/** Columns that a test reads, each once. */
export function testedRowColumns(test: RowTest): readonly string[] {
  switch (test.kind) {
    case 'and':
    case 'or':
      return [...new Set(test.parts.flatMap(testedRowColumns))]
    case 'not':
      return testedRowColumns(test.part)
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
 * Returns a test as SQL.
 * @param write returns the SQL of one comparison or NULL test in the dialect of one engine
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
 * The same test for other column names.
 * @param named returns the new name, or null if there is no such column; `asked` is the type of test
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
