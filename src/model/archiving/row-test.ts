/** Which rows are meant, for every engine that may hold some of them: a condition whose values are canonical texts (docs/CANONICAL.md). */
import type { Comparison } from '../condition.ts'

/** SQL's three values: a comparison with NULL is neither true nor false. A row is meant where the whole is true. */
export type RowTest =
  | { readonly kind: 'compare'; readonly column: string; readonly op: Comparison; readonly value: string }
  | { readonly kind: 'null'; readonly column: string }
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
    default:
      return [test.column]
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
    default:
      return write(test)
  }
}
