import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compilePruning } from '../../src/delta/pruning.ts'
import { parseSchema } from '../../src/delta/schema.ts'
import { parsePredicate, renderCondition } from '../../src/model/predicate.ts'
import type { ColumnRef, Condition, Literal } from '../../src/model/predicate.ts'
import { dateText, evaluate, literalFor, statsOf } from '../support/lake-rows.ts'
import type { ColumnKind, Habits, Row, Value } from '../support/lake-rows.ts'

const PARTITIONS = { pyear: 'long', pregion: 'string', pday: 'date' } as const
const DATA = {
  id: 'long',
  price: 'double',
  ratio: 'float',
  amount: 'decimal',
  name: 'string',
  day: 'date',
  at: 'timestamp',
  ok: 'boolean',
} as const
const KINDS: Readonly<Record<string, ColumnKind>> = { ...PARTITIONS, ...DATA }
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
const SCHEMA = parseSchema(
  JSON.stringify({
    type: 'struct',
    fields: Object.entries(KINDS).map(([name, kind]) => ({ name, type: TYPES[kind], nullable: true, metadata: {} })),
  }),
)

const text = fc
  .oneof(
    fc.array(fc.constantFrom('a', 'b', 'ab', '?', 'é', '\ue000', '\uffff', '\u{1F600}', '\u{10ffff}'), {
      maxLength: 5,
    }),
    fc.array(fc.constantFrom('a', 'b'), { maxLength: 3 }),
  )
  .map((parts) => parts.join(''))

/** Few values of each kind, so that files and literals meet at their edges. */
const VALUES: Readonly<Record<ColumnKind, fc.Arbitrary<Exclude<Value, null>>>> = {
  long: fc.oneof(
    fc.bigInt(-5n, 20n),
    fc.constantFrom(9_007_199_254_740_992n, 9_007_199_254_740_993n, 2n ** 63n - 1n, 2n ** 63n - 2n, -(2n ** 63n)),
  ),
  double: fc.constantFrom(NaN, -0, 0, 0.1, 0.30000000000000004, 1.5, -2.25, 1e300, 5),
  float: fc.constantFrom(0.1, 0.2, 1.5, -2.25, 5, 16_777_217, 3.3).map(Math.fround),
  decimal: fc.oneof(
    fc.bigInt(-3000n, 3000n),
    fc.constantFrom(12_345_678_901_234_567_891n, 12_345_678_901_234_567_890n, 99_999_999_999_999_999_999n),
  ),
  string: text,
  date: fc.integer({ min: -3, max: 20 }),
  timestamp: fc.oneof(fc.bigInt(-3000n, 3000n), fc.bigInt(1_704_067_200_000_000n, 1_704_067_200_003_000n)),
  boolean: fc.boolean(),
}

const nullable = (kind: ColumnKind) => fc.option(VALUES[kind], { freq: 6, nil: null })
const recordOf = (kinds: Readonly<Record<string, ColumnKind>>) =>
  fc.record(Object.fromEntries(Object.entries(kinds).map(([name, kind]) => [name, nullable(kind)])))

const habits: fc.Arbitrary<Habits> = fc.record({
  cut: fc.constantFrom(1, 2, 3, 32),
  cutUnits: fc.boolean(),
  mark: fc.constantFrom('', '\ufffd', '\u{10ffff}'),
  keepsNaN: fc.boolean(),
  decimalsAsDoubles: fc.boolean(),
  plural: fc.boolean(),
  wide: fc.boolean(),
  without: fc.constantFrom('nothing', 'nothing', 'nothing', 'nothing', 'max', 'bounds', 'numRecords', 'nullCount'),
})

const file = fc.record({
  partition: recordOf(PARTITIONS),
  rows: fc.array(recordOf(DATA), { minLength: 1, maxLength: 4 }),
  habits,
  deleted: fc.nat(3),
})

const literalOf = (kind: ColumnKind): fc.Arbitrary<Literal> =>
  fc.option(VALUES[kind], { freq: 20, nil: null }).map((value) => {
    if (value === null) return { kind: 'null', at: 0 }
    // NaN cannot be written as a literal.
    return { ...literalFor(kind, Number.isNaN(value) ? 1 : value), at: 0 }
  })

const leaf = fc.constantFrom(...Object.entries(KINDS)).chain(([name, kind]): fc.Arbitrary<Condition> => {
  const column: ColumnRef = { names: [name], at: 0 }
  const literal = literalOf(kind)
  const negated = fc.boolean()
  const compare = fc.record({
    kind: fc.constant('compare' as const),
    column: fc.constant(column),
    op: fc.constantFrom('=', '<>', '<', '<=', '>', '>='),
    value: literal,
  })
  const like = fc.record({
    kind: fc.constant('like' as const),
    column: fc.constant(column),
    pattern: fc
      .tuple(text, fc.constantFrom('%', '', '_', '%b', '\\%'))
      .map(([prefix, rest]): Literal => ({ kind: 'string', text: prefix + rest, at: 0 })),
    negated,
  })
  return fc.oneof(
    { arbitrary: compare, weight: 5 },
    fc.record({
      kind: fc.constant('in' as const),
      column: fc.constant(column),
      values: fc.array(literal, { minLength: 1, maxLength: 3 }),
      negated,
    }),
    fc.record({
      kind: fc.constant('between' as const),
      column: fc.constant(column),
      low: literal,
      high: literal,
      negated,
    }),
    fc.record({ kind: fc.constant('isNull' as const), column: fc.constant(column), negated }),
    ...(kind === 'string' ? [{ arbitrary: like, weight: 3 }] : []),
  )
})

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

/** Without places in the text, and chains flattened as the parser does it. */
function bare(value: Condition): unknown {
  return JSON.parse(JSON.stringify(value, (key, inner: unknown) => (key === 'at' ? undefined : inner)))
}

function partitionText(name: string, value: Value): string | null {
  if (value === null) return null
  return KINDS[name] === 'date' ? dateText(Number(value)) : String(value)
}

describe('conditions', () => {
  it('read back what was rendered', () => {
    fc.assert(
      fc.property(condition, (given) => {
        const once = parsePredicate(renderCondition(given))
        const twice = parsePredicate(renderCondition(once.root))
        expect(bare(twice.root)).toEqual(bare(once.root))
        expect(renderCondition(twice.root)).toBe(renderCondition(once.root))
      }),
      { numRuns: 500 },
    )
  })
})

type MadeFile = typeof file extends fc.Arbitrary<infer F> ? F : never

/** Whether each side keeps the file; throws when one drops it that must not. */
function judge(given: Condition, { partition, rows, habits: writer, deleted }: MadeFile) {
  const shown = renderCondition(given)
  const predicate = parsePredicate(shown)
  const pruning = compilePruning(predicate, SCHEMA, Object.keys(PARTITIONS))
  const stats = statsOf(rows, DATA, writer)
  const left: readonly Row[] = (writer.wide ? rows.slice(deleted) : rows).map((row) => ({
    ...row,
    ...partition,
    // An empty text is null as a partition value.
    pregion: partition['pregion'] === '' ? null : (partition['pregion'] ?? null),
  }))
  const values = Object.fromEntries(
    Object.entries(partition).map(([name, value]) => [name, partitionText(name, value)]),
  )
  const matches = left.some((row) => evaluate(predicate.root, row, KINDS) === true)
  const answers = [pruning.byPartition(values), pruning.byStats(stats), pruning.byFile(values, stats)]
  if (matches && answers.includes(false)) {
    throw new Error(`${shown}\nlost ${stats}\nin ${JSON.stringify(values)}: ${String(answers)}`)
  }
  if (answers[2] === true && answers.includes(false)) throw new Error('byFile keeps what one side drops')
  return { matches, kept: answers[2] === true, isPlain: writer.without === 'nothing' && !writer.wide }
}

describe('pruning', () => {
  it.each([
    ['any condition', condition, 4000],
    ['one column', leaf, 8000],
  ])('keeps every file with a matching row, and drops most of the others: %s', (_, conditions, numRuns) => {
    let dropped = 0
    let droppable = 0
    fc.assert(
      fc.property(conditions, fc.array(file, { minLength: 1, maxLength: 3 }), (given, files) => {
        for (const { matches, kept, isPlain } of files.map((made) => judge(given, made))) {
          if (matches || !isPlain) continue
          droppable++
          if (!kept) dropped++
        }
      }),
      { numRuns },
    )
    expect(droppable).toBeGreaterThan(500)
    expect(dropped / droppable).toBeGreaterThan(0.5)
  })
})
