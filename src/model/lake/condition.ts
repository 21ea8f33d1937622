/** A condition on rows as data. What a column's type makes of a literal is decided by whoever evaluates it. */

/** Names from the outside in; more than one for a field of a struct. `at` is its place in the text. */
export type ColumnRef = { readonly names: readonly string[]; readonly at: number }

export type LiteralValue =
  /** Digits as written, with sign; any size, maybe with a point and an exponent. */
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'null' }
  /** `yyyy-MM-dd`, checked to be a day. */
  | { readonly kind: 'date'; readonly text: string }
  /** As `parseTimestamp` takes it, checked. */
  | { readonly kind: 'timestamp'; readonly text: string }

export type Literal = LiteralValue & { readonly at: number }

export type Comparison = '=' | '<>' | '<' | '<=' | '>' | '>='

/** The comparison that is true of two values where this one is false; null answers neither. */
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
  /** `%` any text, `_` one character, a backslash takes the next one literally. */
  | { readonly kind: 'like'; readonly column: ColumnRef; readonly pattern: Literal; readonly negated: boolean }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Condition[] }
  | { readonly kind: 'not'; readonly part: Condition }

/** A condition with the text it came from, so that a later error can still point into it. */
export type Predicate = { readonly text: string; readonly root: Condition }
