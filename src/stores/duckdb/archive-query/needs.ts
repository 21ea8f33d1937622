/**
 * Finds the columns and rows of a table that a statement needs: DuckDB plans the statement over an empty table.
 * Parts of the plan that are not fully understood are ignored: then more is read, and the result is the same.
 */
import type { Interval, QueryColumn, QueryNeeds } from '../../../model/archive/query-port.ts'

export type PlanJson = null | boolean | number | string | readonly PlanJson[] | { readonly [key: string]: PlanJson }
type ValueRange = { least: bigint | null; most: bigint | null }

/** Disabled optimizers: they use the contents of the empty table, or would add a second scan of it. */
export const DISABLED_OPTIMIZERS: readonly string[] = [
  'statistics_propagation',
  'empty_result_pullup',
  'compressed_materialization',
  'join_filter_pushdown',
  'late_materialization',
  'row_group_pruner',
  'top_n_window_elimination',
  'window_self_join',
]

/** Types whose constants are integers in the plan (dates in days, timestamps in microseconds), with DuckDB's names. */
const COUNTED: Readonly<Record<string, string>> = {
  byte: 'TINYINT',
  short: 'SMALLINT',
  integer: 'INTEGER',
  long: 'BIGINT',
  date: 'DATE',
  timestamp: 'TIMESTAMP WITH TIME ZONE',
  timestamp_ntz: 'TIMESTAMP',
}

/** Integers of 15 digits or more, which JSON.parse could round, and NaN and Infinity, which are not JSON. */
const UNSAFE = /"value":(-?(?:\d{15,}|NaN|Infinity))(?=[,}])/g

/** Comparisons that need only equality under a collation; all others need its order. */
const EQUAL = /^COMPARE_(?:EQUAL|NOTEQUAL|DISTINCT_FROM|NOT_DISTINCT_FROM|IN|NOT_IN)$/
/** Functions that search for one text in another. */
const FINDS =
  /^(?:!?~~\*?|!?~~~|like_|i?like|not_i?like|contains|prefix|suffix|starts_with|ends_with|regexp_|instr|strpos|position|list_contains|list_has|mode)/
/** Aggregates that pick a value by its order. */
const ORDERS = /^(?:arg_|list_)?(?:min|max|median|quantile)/
/** Keys of the plan for the operands of a comparison. */
const OPERANDS = ['left', 'right', 'children', 'input', 'constant', 'values', 'child_expr']
/** Keys of the plan for expressions that are grouped or made distinct by value. */
const GROUPED = ['groups', 'distinct_targets', 'partitions', 'duplicate_eliminated_columns']

/** Larger values are no bounds: DuckDB stores infinity as such a value, and no calendar has such a time. */
const LARGEST = 9_000_000_000_000_000_000n

/**
 * @param plan as `json_serialize_plan` writes it
 * @param standIn name of the empty table, with the columns of the table in the same order
 * @returns null if the plan cannot be read
 */
export function needsOf(plan: string, standIn: string, columns: readonly QueryColumn[]): QueryNeeds | null {
  const parsed = parsedPlan(plan)
  if (at(parsed, 'error') !== false) return null
  const scans = scansOf(at(parsed, 'plans'), standIn)
  const indexes = new Set<number>()
  for (const scan of scans) {
    const read = listOf(at(scan, 'column_indexes'))
    if (read === null) return null
    for (const item of read) {
      const index = at(item, 'index')
      if (typeof index !== 'number') return null
      // Higher indexes are virtual columns of every table, such as the row number.
      if (index < columns.length) indexes.add(index)
    }
  }
  const [scan] = scans
  const names = new Set(columns.filter((_, i) => indexes.has(i)).map(({ name }) => name))
  const intervals = scan === undefined || scans.length > 1 ? [] : intervalsOf(scan, columns)
  const numbers = new Set(NUMBERS.filter((type) => compares(at(parsed, 'plans'), type)))
  return { columns: names, intervals, texts: textsIn(at(parsed, 'plans')), ...(numbers.size === 0 ? {} : { numbers }) }
}

/**
 * Parses the plan. Numbers that JSON.parse would round or reject are quoted first, so that they stay text. String
 * literals of the statement stay unchanged, because their quotes are escaped.
 */
export function parsedPlan(plan: string): PlanJson {
  return JSON.parse(plan.replaceAll(UNSAFE, '"value":"$1"')) as PlanJson
}

/** Every scan of the empty table, anywhere in the plan. */
function scansOf(plan: PlanJson | undefined, standIn: string): readonly PlanJson[] {
  if (plan === null || typeof plan !== 'object') return []
  if (Array.isArray(plan)) return plan.flatMap((item: PlanJson) => scansOf(item, standIn))
  const inner = Object.values(plan).flatMap((item) => scansOf(item, standIn))
  const isScan = at(plan, 'type') === 'LOGICAL_GET' && at(at(plan, 'function_data'), 'table') === standIn
  return isScan ? [plan, ...inner] : inner
}

const NUMBERS = ['FLOAT', 'SMALLINT', 'INTEGER'] as const

/** True if the plan compares values of a numeric type, anywhere. */
function compares(plan: PlanJson | undefined, type: (typeof NUMBERS)[number]): boolean {
  if (plan === null || typeof plan !== 'object') return false
  if (Array.isArray(plan)) return plan.some((item: PlanJson) => compares(item, type))
  const node = plan as { readonly [key: string]: PlanJson }
  const isOne =
    node['expression_class'] === 'BOUND_BETWEEN' ||
    node['filter_type'] === 'IN_FILTER' ||
    [node['comparison'], node['comparison_type'], node['type']].some(isComparison)
  const own = isOne && OPERANDS.some((key) => isOf(node[key], type))
  return own || Object.values(node).some((part) => compares(part, type))
}

/** How the plan compares texts in any of its parts: by order, only for equality, or not at all. */
function textsIn(plan: PlanJson | undefined): QueryNeeds['texts'] {
  if (plan === null || typeof plan !== 'object') return 'none'
  if (Array.isArray(plan)) return strongest(plan.map((item: PlanJson) => textsIn(item)))
  const node = plan as { readonly [key: string]: PlanJson }
  return strongest([ownTexts(node), ...Object.values(node).map(textsIn)])
}

function ownTexts(node: { readonly [key: string]: PlanJson }): QueryNeeds['texts'] {
  const { name, expression_class: kind } = node
  if (OPERANDS.some((key) => isOf(node[key], 'VARCHAR'))) {
    if (kind === 'BOUND_BETWEEN') return 'order'
    if (kind === 'BOUND_AGGREGATE' && node['aggregate_type'] === 'DISTINCT') return 'equal'
    if (typeof name === 'string' && typeof kind === 'string' && ORDERS.test(name)) return 'order'
    if (typeof name === 'string' && typeof kind === 'string' && FINDS.test(name)) return 'equal'
    const how = [node['comparison'], node['comparison_type'], node['type']].find(isComparison)
    if (how !== undefined) return EQUAL.test(how) ? 'equal' : 'order'
    if (node['filter_type'] === 'IN_FILTER') return 'equal'
  }
  if ((listOf(node['orders']) ?? []).some((one) => isOf(at(one, 'expression'), 'VARCHAR'))) return 'order'
  return GROUPED.some((key) => isOf(node[key], 'VARCHAR')) ? 'equal' : 'none'
}

function isComparison(word: PlanJson | undefined): word is string {
  return typeof word === 'string' && word.startsWith('COMPARE_')
}

function strongest(found: readonly QueryNeeds['texts'][]): QueryNeeds['texts'] {
  return found.includes('order') ? 'order' : found.includes('equal') ? 'equal' : 'none'
}

/** True if an expression, or any of a list of them, has this type, or a list or struct that contains it. */
function isOf(part: PlanJson | undefined, type: string): boolean {
  if (Array.isArray(part)) return part.some((one: PlanJson) => isOf(one, type))
  const found = at(part, 'return_type') ?? at(at(part, 'value'), 'type') ?? at(part, 'type')
  return JSON.stringify(found ?? null).includes(`"${type}"`)
}

function intervalsOf(scan: PlanJson, columns: readonly QueryColumn[]): readonly Interval[] {
  const filters = listOf(at(at(scan, 'table_filters'), 'filters')) ?? []
  return filters.flatMap((filter) => {
    const key = at(filter, 'key')
    const column = typeof key === 'number' ? columns[key] : undefined
    const type = column === undefined ? undefined : COUNTED[column.stored]
    if (column === undefined || type === undefined) return []
    const { least, most } = valueRangeOf(at(filter, 'value'), type)
    return least === null && most === null ? [] : [{ column: column.name, least, most }]
  })
}

const OPEN: ValueRange = { least: null, most: null }

/** A range that includes all values which a filter accepts. */
function valueRangeOf(filter: PlanJson | undefined, type: string): ValueRange {
  switch (at(filter, 'filter_type')) {
    case 'CONSTANT_COMPARISON':
      return compared(at(filter, 'comparison_type'), unitsOf(at(filter, 'constant'), type))
    case 'CONJUNCTION_AND':
      return (listOf(at(filter, 'child_filters')) ?? []).map((part) => valueRangeOf(part, type)).reduce(both, OPEN)
    case 'IN_FILTER': {
      const values = (listOf(at(filter, 'values')) ?? []).map((value) => unitsOf(value, type))
      const known = values.filter((value) => value !== null)
      if (known.length === 0 || known.length < values.length) return OPEN
      return { least: known.reduce((a, b) => (a < b ? a : b)), most: known.reduce((a, b) => (a > b ? a : b)) }
    }
    default:
      return OPEN
  }
}

function compared(how: PlanJson | undefined, value: bigint | null): ValueRange {
  if (value === null) return OPEN
  switch (how) {
    case 'COMPARE_EQUAL':
      return { least: value, most: value }
    case 'COMPARE_GREATERTHANOREQUALTO':
      return { least: value, most: null }
    case 'COMPARE_GREATERTHAN':
      return { least: value + 1n, most: null }
    case 'COMPARE_LESSTHANOREQUALTO':
      return { least: null, most: value }
    case 'COMPARE_LESSTHAN':
      return { least: null, most: value - 1n }
    default:
      return OPEN
  }
}

function both(a: ValueRange, b: ValueRange): ValueRange {
  return {
    least: a.least === null ? b.least : b.least === null || a.least > b.least ? a.least : b.least,
    most: a.most === null ? b.most : b.most === null || a.most < b.most ? a.most : b.most,
  }
}

function unitsOf(constant: PlanJson | undefined, type: string): bigint | null {
  if (at(at(constant, 'type'), 'id') !== type || at(constant, 'is_null') !== false) return null
  const value = at(constant, 'value')
  if (typeof value === 'number' ? !Number.isSafeInteger(value) : typeof value !== 'string' || !/^-?\d+$/.test(value)) {
    return null
  }
  const units = BigInt(value as number | string)
  return units > LARGEST || units < -LARGEST ? null : units
}

function at(value: PlanJson | undefined, key: string): PlanJson | undefined {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined
  return (value as { readonly [key: string]: PlanJson })[key]
}

function listOf(value: PlanJson | undefined): readonly PlanJson[] | null {
  return Array.isArray(value) ? (value as readonly PlanJson[]) : null
}
