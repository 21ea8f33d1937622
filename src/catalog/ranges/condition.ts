/**
 * Reduces a condition to a test that stored ranges can decide. It selects every file that src/delta/pruning.ts selects,
 * and usually only a few more. In an AND, parts on columns without ranges are dropped; an OR with such a part selects
 * every file.
 */
import { resolveColumn } from '../../delta/columns.ts'
import type { LeafColumn, StructType } from '../../delta/schema.ts'
import {
  NEGATED,
  type ColumnRef,
  type Comparison,
  type Condition,
  type Literal,
  type Predicate,
} from '../../model/lake/predicate.ts'
import { answersFor, rangeClassOf } from './classes.ts'
import { columnOf, type RangeColumn } from './columns.ts'
import { wantedBetween, wantedBy, wantedByPrefix, type LiteralReach } from './literals.ts'

export type RangeTest =
  /** Every file may match. */
  | { readonly kind: 'all' }
  /** No file can match. */
  | { readonly kind: 'none' }
  | { readonly kind: 'values'; readonly column: RangeColumn; readonly wanted: LiteralReach }
  | { readonly kind: 'nulls'; readonly column: RangeColumn; readonly negated: boolean }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly RangeTest[] }

/** A condition and its table. */
export type BoundCondition = {
  readonly predicate: Predicate
  readonly schema: StructType
  /** Logical names. */
  readonly partitionColumns: readonly string[]
}

const ALL: RangeTest = { kind: 'all' }
const NONE: RangeTest = { kind: 'none' }
/** An IN with more values than this is treated as one range from the smallest to the largest. */
const MOST_VALUES = 16

/** The test for a condition. Call `compilePruning` before: it refuses values of the wrong type. */
export function rangeTest(bound: BoundCondition, columns: readonly RangeColumn[]): RangeTest {
  return testOf({ ...bound, columns }, bound.predicate.root, false)
}

/** The columns in a test, each once. */
export function testedRangeColumns(test: RangeTest): readonly RangeColumn[] {
  if ('parts' in test) return [...new Set(test.parts.flatMap(testedRangeColumns))]
  return 'column' in test ? [test.column] : []
}

type Binding = BoundCondition & { readonly columns: readonly RangeColumn[] }

function testOf(binding: Binding, condition: Condition, isNegated: boolean): RangeTest {
  switch (condition.kind) {
    case 'and':
    case 'or': {
      const parts = condition.parts.map((part) => testOf(binding, part, isNegated))
      return joined((condition.kind === 'and') === isNegated ? 'or' : 'and', parts)
    }
    case 'not':
      return testOf(binding, condition.part, !isNegated)
    case 'compare':
      return compared(binding, condition.column, isNegated ? NEGATED[condition.op] : condition.op, condition.value)
    case 'in':
      return inTest(binding, condition.column, condition.values, condition.negated !== isNegated)
    case 'between': {
      const { column, low, high } = condition
      if (condition.negated !== isNegated)
        return joined('or', [compared(binding, column, '<', low), compared(binding, column, '>', high)])
      if (low.kind === 'null' || high.kind === 'null') return NONE
      return valuesOf(binding, column, ({ field }) => wantedBetween(field, low, high))
    }
    case 'isNull': {
      const found = rangesOf(binding, condition.column)
      return found === null ? ALL : { kind: 'nulls', column: found.ranges, negated: condition.negated !== isNegated }
    }
    case 'like': {
      const { pattern } = condition
      const prefix = condition.negated !== isNegated || pattern.kind !== 'string' ? '' : prefixOf(pattern.text)
      return valuesOf(binding, condition.column, () => wantedByPrefix(prefix))
    }
  }
}

function compared(binding: Binding, column: ColumnRef, op: Comparison, value: Literal): RangeTest {
  if (value.kind === 'null') return NONE
  return valuesOf(binding, column, ({ field }) => wantedBy(field, op, value))
}

function inTest(binding: Binding, column: ColumnRef, values: readonly Literal[], isNegated: boolean): RangeTest {
  const op = isNegated ? '<>' : '='
  const tests = values.map((value) => compared(binding, column, op, value))
  if (isNegated || tests.length <= MOST_VALUES) return joined(isNegated ? 'and' : 'or', tests)
  const found = rangesOf(binding, column)
  if (found === null) return ALL
  const wanted = tests.flatMap((test) => (test.kind === 'values' ? [test.wanted] : []))
  const edge = (keys: readonly (Buffer | null)[], sign: 1 | -1): Buffer | null => {
    if (keys.includes(null)) return null
    return (keys as readonly Buffer[]).reduce((a, b) => (Buffer.compare(a, b) * sign <= 0 ? a : b))
  }
  if (wanted.length === 0) return NONE
  const hull = {
    reach: edge(
      wanted.map(({ reach }) => reach),
      1,
    ),
    start: edge(
      wanted.map(({ start }) => start),
      -1,
    ),
  }
  return { kind: 'values', column: found.ranges, wanted: hull }
}

function valuesOf(binding: Binding, ref: ColumnRef, wantedOf: (column: LeafColumn) => LiteralReach): RangeTest {
  const found = rangesOf(binding, ref)
  return found === null ? ALL : { kind: 'values', column: found.ranges, wanted: wantedOf(found.leaf) }
}

function rangesOf(
  { predicate, schema, partitionColumns, columns }: Binding,
  ref: ColumnRef,
): { readonly leaf: LeafColumn; readonly ranges: RangeColumn } | null {
  const leaf = resolveColumn(predicate.text, ref, schema)
  const name = leaf.field.name.toLowerCase()
  if (leaf.path.length === 1 && partitionColumns.some((column) => column.toLowerCase() === name)) return null
  const ranges = columnOf(columns, leaf.physicalPath)
  if (ranges === null || !answersFor(ranges.kind, rangeClassOf(leaf.field))) return null
  return { leaf, ranges }
}

function joined(kind: 'and' | 'or', given: readonly RangeTest[]): RangeTest {
  const [absorbing, neutral] = kind === 'and' ? (['none', 'all'] as const) : (['all', 'none'] as const)
  if (given.some((part) => part.kind === absorbing)) return { kind: absorbing }
  const parts = given.filter((part) => part.kind !== neutral)
  if (parts.length === 0) return { kind: neutral }
  return parts.length === 1 ? (parts[0] as RangeTest) : { kind, parts }
}

/** Text before the first wildcard; a backslash makes the next character literal. */
function prefixOf(pattern: string): string {
  let prefix = ''
  for (let i = 0; i < pattern.length; i++) {
    let char = pattern.charAt(i)
    if (char === '%' || char === '_') break
    if (char === '\\' && i + 1 < pattern.length) char = pattern.charAt(++i)
    prefix += char
  }
  return prefix
}
