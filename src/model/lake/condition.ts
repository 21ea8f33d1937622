/** A condition on rows as data. The evaluator interprets literals by the column's type. */

/** Names from the outside in; several for a field of a struct. `at` is the position in the text. */
export type ColumnRef = { readonly names: readonly string[]; readonly at: number }

export type LiteralValue =
  /** Digits as written, with sign; any size, possibly with a point and an exponent. */
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'null' }
  /** `yyyy-MM-dd`, checked to be a valid day. */
  | { readonly kind: 'date'; readonly text: string }
  /** Checked with `parseTimestamp`. */
  | { readonly kind: 'timestamp'; readonly text: string }

export type Literal = LiteralValue & { readonly at: number }

export type Comparison = '=' | '<>' | '<' | '<=' | '>' | '>='

/** The comparison that is true exactly if this one is false; with NULL both are unknown. */
export const NEGATED: Readonly<Record<Comparison, Comparison>> = {
  '=': '<>',
  '<>': '=',
  '<': '>=',
  '<=': '>',
  '>': '<=',
  '>=': '<',
}

export type Condition =
  | { readonly kind: 'compare'; readonly column: ColumnRef; readonly op: Comparison; readonly value: Literal }
  | { readonly kind: 'in'; readonly column: ColumnRef; readonly values: readonly Literal[]; readonly negated: boolean }
  | {
      readonly kind: 'between'
      readonly column: ColumnRef
      readonly low: Literal
      readonly high: Literal
      readonly negated: boolean
    }
  | { readonly kind: 'isNull'; readonly column: ColumnRef; readonly negated: boolean }
  /** `%` any text, `_` one character, a backslash escapes the next one. */
  | { readonly kind: 'like'; readonly column: ColumnRef; readonly pattern: Literal; readonly negated: boolean }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Condition[] }
  | { readonly kind: 'not'; readonly part: Condition }

/** A condition with its text, so that a later error can point into it. */
export type Predicate = { readonly text: string; readonly root: Condition }
