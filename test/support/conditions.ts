/**
 * Random tables and conditions on them for fast-check: columns of every kind, few values of each, statistics in the
 * styles of several writers.
 */
import fc from 'fast-check'
import type { ColumnRef, Condition, Literal } from '../../src/model/lake/predicate.ts'
import { literalFor, type ColumnKind, type Habits, type Value } from './lake-rows.ts'

export type Kinds = Readonly<Record<string, ColumnKind>>

/** Columns that have statistics, one of each kind. */
export const DATA = {
  id: 'long',
  price: 'double',
  ratio: 'float',
  amount: 'decimal',
  name: 'string',
  day: 'date',
  at: 'timestamp',
  ok: 'boolean',
} as const

const TYPES: Readonly<Record<ColumnKind, string>> = {
  long: 'long',
  double: 'double',
  float: 'float',
  decimal: 'decimal(20,3)',
  string: 'string',
  date: 'date',
  timestamp: 'timestamp',
  boolean: 'boolean',
}

/** Text of a Delta schema with these columns. */
export function schemaOf(kinds: Kinds): string {
  const fields = Object.entries(kinds).map(([name, kind]) => ({
    name,
    type: TYPES[kind],
    nullable: true,
    metadata: {},
  }))
  return JSON.stringify({ type: 'struct', fields })
}

const text = fc
  .oneof(
    fc.array(fc.constantFrom('a', 'b', 'ab', '?', 'é', '\ue000', '\uffff', '\u{1F600}', '\u{10ffff}'), {
      maxLength: 5,
    }),
    fc.array(fc.constantFrom('a', 'b'), { maxLength: 3 }),
    // Lengths around the limit at which keys are truncated.
    fc
      .tuple(fc.constantFrom(62, 63, 64, 65, 70), fc.constantFrom('a', 'é', '\u{1F600}', 'b'))
      .map(([n, end]) => ['a'.repeat(n), end]),
  )
  .map((parts) => parts.join(''))

/** Few values of each kind, so that boundaries of files and literals are often equal. */
const VALUES: Readonly<Record<ColumnKind, fc.Arbitrary<Exclude<Value, null>>>> = {
  long: fc.oneof(
    fc.bigInt(-5n, 20n),
    fc.constantFrom(9_007_199_254_740_992n, 9_007_199_254_740_993n, 2n ** 63n - 1n, 2n ** 63n - 2n, -(2n ** 63n)),
  ),
  double: fc.constantFrom(
    NaN,
    -0,
    0,
    0.1,
    0.30000000000000004,
    1.5,
    -2.25,
    1e300,
    -1e300,
    5,
    5e-324,
    1e-50,
    -1e-50,
    1.7976931348623157e308,
  ),
  float: fc.constantFrom(0.1, 0.2, 1.5, -2.25, 5, 16_777_217, 3.3, 1e-45, 3.4e38).map(Math.fround),
  decimal: fc.oneof(
    fc.bigInt(-3000n, 3000n),
    fc.constantFrom(12_345_678_901_234_567_891n, 12_345_678_901_234_567_890n, 99_999_999_999_999_999_999n),
  ),
  string: text,
  date: fc.integer({ min: -3, max: 20 }),
  timestamp: fc.oneof(fc.bigInt(-3000n, 3000n), fc.bigInt(1_704_067_200_000_000n, 1_704_067_200_003_000n)),
  boolean: fc.boolean(),
}

/** Rows of these columns, sometimes with NULL. */
export function rowOf(kinds: Kinds): fc.Arbitrary<Record<string, Value>> {
  const nullable = (kind: ColumnKind): fc.Arbitrary<Value> => fc.option(VALUES[kind], { freq: 6, nil: null })
  return fc.record(Object.fromEntries(Object.entries(kinds).map(([name, kind]) => [name, nullable(kind)])))
}

/** How writers truncate, round and omit statistics. */
export const habits: fc.Arbitrary<Habits> = fc.record({
  cut: fc.constantFrom(1, 2, 3, 32, 100),
  cutUnits: fc.boolean(),
  mark: fc.constantFrom('', '\ufffd', '\u{10ffff}'),
  keepsNaN: fc.boolean(),
  decimalsAsDoubles: fc.boolean(),
  plural: fc.boolean(),
  wide: fc.boolean(),
  without: fc.constantFrom('nothing', 'nothing', 'nothing', 'nothing', 'max', 'bounds', 'numRecords', 'nullCount'),
})

function literalOf(kind: ColumnKind): fc.Arbitrary<Literal> {
  return fc.option(VALUES[kind], { freq: 20, nil: null }).map((value) => {
    if (value === null) return { kind: 'null', at: 0 }
    // NaN cannot be written as a literal.
    return { ...literalFor(kind, Number.isNaN(value) ? 1 : value), at: 0 }
  })
}

/** Conditions on one of these columns, without AND, OR and NOT. */
export function leafOver(kinds: Kinds): fc.Arbitrary<Condition> {
  return fc.constantFrom(...Object.entries(kinds)).chain(([name, kind]): fc.Arbitrary<Condition> => {
    const names: ColumnRef = { names: [name], at: 0 }
    const column = fc.constant(names)
    const literal = literalOf(kind)
    const negated = fc.boolean()
    const compare = fc.record({
      kind: fc.constant('compare' as const),
      column,
      op: fc.constantFrom('=', '<>', '<', '<=', '>', '>='),
      value: literal,
    })
    const like = fc.record({
      kind: fc.constant('like' as const),
      column,
      pattern: fc
        .tuple(text, fc.constantFrom('%', '', '_', '%b', '\\%', '\\'))
        .map(([prefix, rest]): Literal => ({ kind: 'string', text: prefix + rest, at: 0 })),
      negated,
    })
    return fc.oneof(
      { arbitrary: compare, weight: 5 },
      fc.record({
        kind: fc.constant('in' as const),
        column,
        values: fc.oneof(
          { arbitrary: fc.array(literal, { minLength: 1, maxLength: 3 }), weight: 3 },
          fc.array(literal, { minLength: 17, maxLength: 20 }),
        ),
        negated,
      }),
      fc.record({ kind: fc.constant('between' as const), column, low: literal, high: literal, negated }),
      fc.record({ kind: fc.constant('isNull' as const), column, negated }),
      ...(kind === 'string' ? [{ arbitrary: like, weight: 3 }] : []),
    )
  })
}

/** Conditions on these columns, joined and negated up to three levels deep. */
export function conditionOver(kinds: Kinds): fc.Arbitrary<Condition> {
  const leaf = leafOver(kinds)
  const { condition } = fc.letrec<{ condition: Condition }>((tie) => ({
    condition: fc.oneof(
      { maxDepth: 3, depthIdentifier: 'condition' },
      { arbitrary: leaf, weight: 4 },
      fc.record({
        kind: fc.constantFrom('and', 'or'),
        parts: fc.array(tie('condition'), { minLength: 2, maxLength: 3 }),
      }),
      fc.record({ kind: fc.constant('not' as const), part: tie('condition') }),
    ),
  }))
  return condition
}
