/**
 * Decides whether a file may have a row that meets a condition, from partition values and stats alone. Excludes a file
 * only if this is certain: missing, cut or doubtful facts keep the file (PROTOCOL.md, "Per-file Statistics").
 *
 * Conditions follow SQL's three-valued logic, so a comparison with null is never true. NaN sorts above all numbers.
 * Text is compared by code points, case-sensitively. A timestamp without a zone is UTC.
 */
import { NEGATED, predicateError, renderColumn } from '../model/lake/predicate.ts'
import type { ColumnRef, Comparison, Condition, Literal, Predicate } from '../model/lake/predicate.ts'
import { resolveColumn } from './columns.ts'
import { parsePartitionValue, type PartitionValue } from './values/partition-values.ts'
import { typeText, type LeafColumn, type StructType } from './schema.ts'
import { statsReader, type StatsPieces } from './stats.ts'
import { columnChecks, likeCheck, type ValueCheck, type ColumnChecks } from './values/checks.ts'

/** `partitionValues` of an add, keyed by physical names. */
export type DeltaPartitionValues = Readonly<Record<string, string | null>>

export type Pruning = {
  /**
   * `partitionColumns`: partition columns in the condition. `dataColumns`: its other columns. Each column is listed
   * once.
   */
  readonly partitionColumns: readonly LeafColumn[]
  readonly dataColumns: readonly LeafColumn[]
  /** True if a file of this partition may match, whatever its content. */
  byPartition(partitionValues: DeltaPartitionValues | null | undefined): boolean
  /** True if a file with these stats may match, whatever its partition. */
  byStats(stats: string | null | undefined): boolean
  /**
   * Tests the partition and the stats together. Excludes more files than the two single tests if OR joins both kinds of
   * columns.
   */
  byFile(partitionValues: DeltaPartitionValues | null | undefined, stats: string | null | undefined): boolean
}

/** Facts about a file; null for facts that are not tested. */
type Facts = { readonly partition: DeltaPartitionValues | null; readonly stats: StatsPieces | null }
type Test = (facts: Facts) => boolean

/** A column of the condition; nulls are tested separately from values. */
type Column = LeafColumn & { readonly isPartition: boolean; readonly slot: number }

const NEVER: Test = () => false
const ALWAYS: Test = () => true

function partitionValue(values: DeltaPartitionValues, column: Column): PartitionValue {
  const key = column.field.physicalName
  return parsePartitionValue(Object.hasOwn(values, key) ? values[key] : undefined, column.type)
}

/**
 * True if all rows have null in the column. Null counts are exact only with tight bounds: deletion vectors remove rows
 * but keep the counts.
 */
function isAllNull(stats: StatsPieces, slot: number): boolean {
  const nulls = stats.nulls[slot]
  return stats.tightBounds && nulls !== undefined && nulls === stats.numRecords
}

/** Test for a condition that is never true for null. */
function valueTest(column: Column, check: ValueCheck): Test {
  if (column.isPartition) {
    return ({ partition }) => {
      if (!partition) return true
      const value = partitionValue(partition, column)
      if (value.kind === 'null') return false
      return value.kind === 'any' || check.partition(value)
    }
  }
  const { slot } = column
  return ({ stats }) => {
    if (!stats) return true
    if (isAllNull(stats, slot)) return false
    const min = stats.min[slot]
    const max = stats.max[slot]
    return (min === undefined && max === undefined) || check.stats(min, max)
  }
}

function nullTest(column: Column, negated: boolean): Test {
  if (column.isPartition) {
    return ({ partition }) => {
      const value = partition && partitionValue(partition, column)
      if (!value || value.kind === 'any') return true
      return (value.kind === 'null') !== negated
    }
  }
  // Variants store their stats in another form.
  if (column.type.kind === 'primitive' && column.type.name === 'variant') return ALWAYS
  const { slot } = column
  return ({ stats }) => {
    if (!stats) return true
    return negated ? !isAllNull(stats, slot) : !(stats.tightBounds && stats.nulls[slot] === '0')
  }
}

function joined(kind: 'and' | 'or', tests: readonly Test[]): Test {
  return kind === 'and' ? (facts) => tests.every((test) => test(facts)) : (facts) => tests.some((test) => test(facts))
}

type Compiler = { readonly text: string; readonly columnOf: (column: ColumnRef) => Column }

/** The checks of a column with an order. @throws SluiceError BAD_PREDICATE for structs, arrays, maps and variants */
function comparable(compiler: Compiler, ref: ColumnRef, column: Column): ColumnChecks | 'any' {
  const checks = columnChecks(column.field)
  if (checks !== 'never') return checks
  const message = `column ${renderColumn({ names: column.path })} is ${typeText(column.type)} and has no order`
  throw predicateError(compiler.text, ref.at, message, 'Such a column can be used only with IS NULL and IS NOT NULL')
}

function mismatch(compiler: Compiler, column: Column, value: Literal): Error {
  const type = typeText(column.type)
  const shown = value.kind === 'boolean' ? String(value.value).toUpperCase() : 'text' in value ? value.text : 'NULL'
  const examples: Readonly<Record<string, string>> = {
    string: "Write text in single quotes: 'abc'",
    date: "A date is written '2024-01-31'",
    timestamp: "A timestamp is written '2024-01-31 10:00:00' (UTC) or '2024-01-31T10:00:00+02:00'",
    timestamp_ntz: "This column has no time zone: write '2024-01-31 10:00:00'",
    boolean: 'A boolean is TRUE or FALSE',
  }
  const message = `column ${renderColumn({ names: column.path })} is ${type} and cannot be compared with ${shown}`
  return predicateError(compiler.text, value.at, message, examples[type] ?? 'A number is written 42 or 1.50')
}

function compareTest(compiler: Compiler, ref: ColumnRef, op: Comparison, value: Literal): Test {
  const column = compiler.columnOf(ref)
  const checks = comparable(compiler, ref, column)
  if (value.kind === 'null') return NEVER
  if (checks === 'any') return ALWAYS
  const check = checks.compare(op, value)
  if (!check) throw mismatch(compiler, column, value)
  return valueTest(column, check)
}

function betweenTest(compiler: Compiler, condition: Extract<Condition, { kind: 'between' }>): Test {
  const { column: ref, low, high } = condition
  const column = compiler.columnOf(ref)
  const checks = comparable(compiler, ref, column)
  // Check the two bounds one by one first, so that an error names the bound that does not fit.
  const parts = [compareTest(compiler, ref, '>=', low), compareTest(compiler, ref, '<=', high)]
  const check = checks === 'any' || parts.includes(NEVER) ? null : checks.between(low, high)
  return check ? valueTest(column, check) : joined('and', parts)
}

function likeTest(compiler: Compiler, condition: Extract<Condition, { kind: 'like' }>, negated: boolean): Test {
  const column = compiler.columnOf(condition.column)
  if (column.type.kind === 'unknown') return ALWAYS
  if (column.type.kind !== 'primitive' || column.type.name !== 'string') {
    const name = renderColumn({ names: column.path })
    throw predicateError(compiler.text, condition.column.at, `LIKE needs text, and ${name} is ${typeText(column.type)}`)
  }
  const isCollated = '__COLLATIONS' in column.field.metadata
  const pattern = 'text' in condition.pattern ? condition.pattern.text : ''
  return valueTest(column, likeCheck(pattern, negated, isCollated))
}

/** NOT is pushed down to the columns, where its meaning is exact for nulls too. */
function compile(compiler: Compiler, condition: Condition, isNegated: boolean): Test {
  switch (condition.kind) {
    case 'and':
    case 'or': {
      const kind = (condition.kind === 'and') === isNegated ? 'or' : 'and'
      const parts = condition.parts.map((part) => compile(compiler, part, isNegated))
      return joined(kind, parts)
    }
    case 'not':
      return compile(compiler, condition.part, !isNegated)
    case 'compare': {
      const op = isNegated ? NEGATED[condition.op] : condition.op
      return compareTest(compiler, condition.column, op, condition.value)
    }
    case 'isNull':
      return nullTest(compiler.columnOf(condition.column), condition.negated !== isNegated)
    case 'like':
      return likeTest(compiler, condition, condition.negated !== isNegated)
    case 'in': {
      const negated = condition.negated !== isNegated
      const op = negated ? '<>' : '='
      const tests = condition.values.map((value) => compareTest(compiler, condition.column, op, value))
      return joined(negated ? 'and' : 'or', tests)
    }
    default: {
      const { column, low, high } = condition
      if (condition.negated === isNegated) return betweenTest(compiler, condition)
      return joined('or', [compareTest(compiler, column, '<', low), compareTest(compiler, column, '>', high)])
    }
  }
}

/**
 * Binds a condition to a table.
 * @param partitionColumns logical names, as in metaData
 * @throws SluiceError BAD_PREDICATE for an unknown column (with similar names) or a literal that cannot be compared
 * with its type
 */
export function compilePruning(
  predicate: Predicate,
  schema: StructType,
  partitionColumns: readonly string[] | null | undefined,
): Pruning {
  const partitioned = new Set((partitionColumns ?? []).map((name) => name.toLowerCase()))
  const columns = new Map<string, Column>()
  let slots = 0
  const columnOf = (ref: ColumnRef): Column => {
    const leaf = resolveColumn(predicate.text, ref, schema)
    const key = JSON.stringify(leaf.physicalPath)
    const known = columns.get(key)
    if (known) return known
    const isPartition = leaf.path.length === 1 && partitioned.has(leaf.field.name.toLowerCase())
    const column = { ...leaf, isPartition, slot: isPartition ? -1 : slots++ }
    columns.set(key, column)
    return column
  }
  const test = compile({ text: predicate.text, columnOf }, predicate.root, false)
  const all = [...columns.values()]
  const dataColumns = all.filter((column) => !column.isPartition)
  const reader = statsReader(dataColumns.map((column) => column.physicalPath))
  const pieces = (stats: string | null | undefined): StatsPieces | null => {
    return dataColumns.length === 0 || stats === null || stats === undefined ? null : reader.read(stats)
  }
  return {
    partitionColumns: all.filter((column) => column.isPartition),
    dataColumns,
    byPartition: (values) => test({ partition: values ?? null, stats: null }),
    byStats: (stats) => test({ partition: null, stats: pieces(stats) }),
    byFile: (values, stats) => test({ partition: values ?? null, stats: pieces(stats) }),
  }
}
