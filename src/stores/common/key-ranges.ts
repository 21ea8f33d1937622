/** Key ranges as SQL, for every SQL store: conditions, order, smallest and largest key, and where to cut. */
import { tableText, type Column, type TableSpec } from '../../model/copy/column-type.ts'
import type { KeyBound, Range } from '../../model/copy/range.ts'
import type { RowKey } from '../../model/copy/row-key.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { SqlRow, SqlValue } from '../../model/run/sql-port.ts'
import type { BoundSide } from './type-limits.ts'

/** How keys are written in the SQL of a system. */
export type KeyDialect = {
  quote(name: string): string
  /** The table's qualified, quoted name. */
  from(table: TableSpec): string
  /** SQL of a bound, such as `CAST(? AS bigint)`. */
  bound(column: Column): string
  /** Parameter for the SQL of `bound`. */
  value(column: Column, text: string): SqlValue
  /** SQL expression of a key column as text, in the form that `value` takes. */
  text(column: Column): string
  /**
   * If no column of this system can store the text: the largest storable text that sorts before it; otherwise null. No
   * row has such a key, so a range that ends there can end at the smaller text.
   */
  below?(text: string): string | null
  /**
   * For a value outside of the limits of the column's type: whether it sorts below or above all storable values. SQL
   * that compares with such a value would fail. Null for every other value.
   */
  beyond?(column: Column, text: string): BoundSide | null
  /**
   * True if a composite key is compared column by column instead of by a row value. DuckDB joins two comparisons of one
   * row value into a BETWEEN of structs, which its readers of row groups refuse.
   */
  readonly byColumns?: true
  /** Condition that is true for NULL only; default `IS NULL`. @param name quoted */
  isNull?(name: string): string
  /** How `op` is written between these columns and their bounds; default unchanged. */
  operator?(op: '=' | '>' | '<=', columns: readonly Column[]): string
}

export type SqlCondition = { readonly sql: string; readonly parameters: SqlRow }

type KeyRange = Range & { readonly by: 'key' }
type Ask = (sql: string, parameters: SqlRow) => Promise<readonly SqlRow[]>

/** The columns of a table's key. */
export function keyColumns(table: TableSpec): readonly Column[] {
  return table.key.map((name) => {
    const column = table.columns.find((one) => one.name === name)
    if (column === undefined) throw new Error(`${table.table.name} has a key without the column ${name}`)
    return column
  })
}

/** Condition for the rows that are in a key range and meet the user's condition; `1 = 1` for all rows. */
export function rangeCondition(
  table: TableSpec,
  range: Range,
  where: string | null,
  dialect: KeyDialect,
): SqlCondition {
  const parts: string[] = []
  const parameters: SqlValue[] = []
  const columns = keyColumns(table)
  if (range.by === 'nullKey') parts.push(`(${columns.map((column) => isNull(column, dialect)).join(' OR ')})`)
  if (range.by === 'key') {
    for (const column of columns) if (column.nullable) parts.push(`${dialect.quote(column.name)} IS NOT NULL`)
    for (const [bound, op] of [
      [range.after, '>'],
      [range.through, '<='],
    ] as const) {
      if (bound === null) continue
      const one = comparison(columns, bound, op, dialect)
      parts.push(one.sql)
      parameters.push(...one.parameters)
    }
  }
  if (range.by === 'keys') {
    const some = range.keys.map((key) => equality(columns, key, dialect))
    parts.push(some.length === 0 ? '1 = 0' : `(${some.map(({ sql }) => sql).join(' OR ')})`)
    for (const { parameters: values } of some) parameters.push(...values)
  }
  // The line break ends a comment at the end of the user's text: otherwise the comment would hide the bracket.
  if (where !== null) parts.push(`(${where}\n)`)
  return { sql: parts.length === 0 ? '1 = 1' : parts.join(' AND '), parameters }
}

/** Key columns as a list for ORDER BY: `"a", "b"`. */
export function keyOrder(table: TableSpec, dialect: KeyDialect, direction: '' | ' DESC' = ''): string {
  return table.key.map((name) => `${dialect.quote(name)}${direction}`).join(', ')
}

/** The largest key of a range; null if the range is empty. */
export async function lastKey(
  table: TableSpec,
  range: Range,
  where: string | null,
  dialect: KeyDialect,
  ask: Ask,
): Promise<KeyBound | null> {
  const condition = rangeCondition(table, range, where, dialect)
  const [row] = await ask(
    `SELECT ${keyTexts(table, dialect)} FROM ${dialect.from(table)} WHERE ${condition.sql} ORDER BY ${keyOrder(table, dialect, ' DESC')} LIMIT 1`,
    condition.parameters,
  )
  return row === undefined ? null : row.map(String)
}

/** Smallest and largest value of a one-column key; null if there are no rows. */
export async function keyBounds(
  table: TableSpec,
  range: Range,
  where: string | null,
  dialect: KeyDialect,
  ask: Ask,
): Promise<{ readonly low: string; readonly high: string } | null> {
  const [column] = keyColumns(table)
  if (column === undefined) return null
  const condition = rangeCondition(table, range, where, dialect)
  // Two subqueries: SQLite uses the index for MIN or MAX only if it is the only aggregate of its query.
  const ends = ['MIN', 'MAX'].map(
    (end) =>
      `(SELECT ${end}(${dialect.quote(column.name)}) AS ${dialect.quote(end)} FROM ${dialect.from(table)} WHERE ${condition.sql}) AS of_${end}`,
  )
  const [row] = await ask(
    `SELECT ${['MIN', 'MAX'].map((name) => dialect.text({ ...column, name })).join(', ')} FROM ${ends.join(', ')}`,
    [...condition.parameters, ...condition.parameters],
  )
  const [low, high] = row ?? []
  return low == null || high == null ? null : { low: String(low), high: String(high) }
}

/**
 * Refuses floating point columns in a key, because systems compare such numbers differently.
 * @throws SluiceError UNSUPPORTED_KEY
 */
export function refuseFloatKey(table: TableSpec): void {
  const float = keyColumns(table).find(({ type }) => type.kind === 'float')
  if (float === undefined) return
  throw new SluiceError('UNSUPPORTED_KEY', `${float.name} is a floating point number, which is not a safe key`, {
    where: tableText(table.table),
    hint: 'name another unique column with --key',
  })
}

/**
 * Ranges of about `rows` rows. Dense whole numbers are cut by arithmetic. Other keys are cut after every `rows` rows:
 * this reads the index once, as far as the caller iterates.
 * @param estimate rows of the table; 0 if unknown
 */
export async function* cutByKey(
  table: TableSpec,
  within: KeyRange,
  where: string | null,
  rows: number,
  estimate: bigint,
  dialect: KeyDialect,
  ask: Ask,
): AsyncGenerator<Range> {
  const columns = keyColumns(table)
  if (columns.length === 0) throw new Error(`${table.table.name} has no key`)
  refuseFloatKey(table)
  if (columns.length === 1 && columns[0]?.type.kind === 'int') {
    const span = await keyBounds(table, within, where, dialect, ask)
    if (span === null) {
      yield within
      return
    }
    const [low, high] = [wholeKey(table, span.low), wholeKey(table, span.high)]
    if (isDense(low, high, estimate)) {
      yield* byArithmetic(within, low, high, BigInt(rows))
      return
    }
  }
  yield* cutByBounds(table, within, async (rest) => {
    const condition = rangeCondition(table, rest, where, dialect)
    const [row] = await ask(
      `SELECT ${keyTexts(table, dialect)} FROM ${dialect.from(table)} WHERE ${condition.sql} ` +
        `ORDER BY ${keyOrder(table, dialect)} LIMIT 1 OFFSET ${rows - 1}`,
      condition.parameters,
    )
    return row === undefined ? null : row.map(String)
  })
}

/**
 * Divides a range at the bounds that `next` finds.
 * @param next returns the last key of the next range; null if `rest` has fewer rows than a range should have
 * @throws SluiceError UNSUPPORTED_KEY as `Ascent`
 */
export async function* cutByBounds(
  table: TableSpec,
  within: KeyRange,
  next: (rest: KeyRange) => Promise<KeyBound | null>,
): AsyncGenerator<Range> {
  const ascent = new Ascent(table)
  let { after } = within
  for (;;) {
    const rest: KeyRange = { by: 'key', after, through: within.through }
    const through = await next(rest)
    if (through === null) {
      yield rest
      return
    }
    yield { by: 'key', after, through }
    // Checked after the yield: a caller may stop before, and copy all remaining rows as one range.
    ascent.add(through)
    after = through
  }
}

/**
 * Checks that bounds of ranges grow strictly. A repeated bound, even after many others, shows that the system compares
 * this key differently from its sort order: the division of such a table would never end.
 */
export class Ascent {
  readonly #table: TableSpec
  /**
   * An earlier bound. It is replaced after 1, 2, 4, … further bounds, so that any cycle is found with one stored bound.
   */
  #earlier = ''
  #since = 0
  #wait = 1

  constructor(table: TableSpec) {
    this.#table = table
  }

  /** @throws SluiceError UNSUPPORTED_KEY if the bound has repeated */
  add(bound: KeyBound): void {
    const text = JSON.stringify(bound)
    if (text === this.#earlier) {
      throw new SluiceError(
        'UNSUPPORTED_KEY',
        `${tableText(this.#table.table)} cannot be divided into ranges of its key`,
        {
          where: this.#table.key.join(', '),
          reason: `two ranges end at ${bound.join(', ').slice(0, 100)}: the system sorts these values differently from how it compares them`,
          hint: 'name other unique columns with --key',
        },
      )
    }
    this.#since += 1
    if (this.#since < this.#wait) return
    this.#earlier = text
    this.#since = 0
    this.#wait *= 2
  }
}

/**
 * Parses the text of a key as an integer. SQLite does not enforce column types, so an integer column may hold text.
 * @throws SluiceError VALUE_REFUSED
 */
export function wholeKey(table: TableSpec, text: string): bigint {
  if (/^-?\d+$/.test(text)) return BigInt(text)
  throw new SluiceError('VALUE_REFUSED', `a key of ${table.table.name} is not a whole number: ${text.slice(0, 60)}`, {
    where: table.table.name,
    hint: 'correct the row at the source, or name other unique columns with --key',
  })
}

/**
 * True if whole numbers from `low` to `high` are divided by arithmetic.
 * @param estimate rows of the table; 0 if unknown
 */
export function isDense(low: bigint, high: bigint, estimate: bigint): boolean {
  return estimate > 0n && high - low + 1n <= estimate * 2n
}

/** Number of ranges of `byArithmetic`. */
export function wholeSteps(low: bigint, high: bigint, step: bigint): bigint {
  return (high - low) / step + 1n
}

/** Ranges of `step` whole numbers from `low` to `high`; the first and the last range keep the bounds of `within`. */
export function* byArithmetic(within: KeyRange, low: bigint, high: bigint, step: bigint): Generator<Range> {
  let after = within.after
  for (let last = low + step - 1n; last < high; last += step) {
    const through = [last.toString()]
    yield { by: 'key', after, through }
    after = through
  }
  yield { by: 'key', after, through: within.through }
}

function isNull(column: Column, dialect: KeyDialect): string {
  const name = dialect.quote(column.name)
  return dialect.isNull?.(name) ?? `${name} IS NULL`
}

const NONE: SqlCondition = { sql: '1 = 0', parameters: [] }
const ALL: SqlCondition = { sql: '1 = 1', parameters: [] }

/** NULL needs a separate test, because no value equals it. */
function equality(columns: readonly Column[], key: RowKey, dialect: KeyDialect): SqlCondition {
  const isHeld = (column: Column, text: string | null): boolean =>
    text === null || (!isUnstorable(text, dialect) && (dialect.beyond?.(column, text) ?? null) === null)
  if (!columns.every((column, i) => isHeld(column, key[i] ?? null))) return NONE
  const parameters = columns.flatMap((column, i) => {
    const text = key[i] ?? null
    return text === null ? [] : [dialect.value(column, text)]
  })
  const terms = columns.map((column, i) => {
    const name = dialect.quote(column.name)
    return (key[i] ?? null) === null
      ? isNull(column, dialect)
      : `${name} ${operator('=', [column], dialect)} ${dialect.bound(column)}`
  })
  return { sql: `(${terms.join(' AND ')})`, parameters }
}

function keyTexts(table: TableSpec, dialect: KeyDialect): string {
  return keyColumns(table)
    .map((column) => dialect.text(column))
    .join(', ')
}

function isUnstorable(text: string, dialect: KeyDialect): boolean {
  return typeof dialect.below?.(text) === 'string'
}

function operator(op: '=' | '>' | '<=', columns: readonly Column[], dialect: KeyDialect): string {
  return dialect.operator?.(op, columns) ?? op
}

/** @param given values of the first key columns, or of all key columns */
function comparison(all: readonly Column[], given: KeyBound, op: '>' | '<=', dialect: KeyDialect): SqlCondition {
  const at = given.findIndex((text, i) => all[i] !== undefined && (dialect.beyond?.(all[i], text) ?? null) !== null)
  const far = all[at]
  if (far !== undefined)
    return comparedBefore(
      all.slice(0, at),
      given.slice(0, at),
      dialect.beyond?.(far, given[at] ?? '') ?? 'above',
      op,
      dialect,
    )
  // No row has a value that the column cannot hold, so later columns of the key do not matter.
  const end = given.findIndex((text) => isUnstorable(text, dialect))
  const columns = all.slice(0, end === -1 ? given.length : end + 1)
  const bound = end === -1 ? given : given.map((text) => dialect.below?.(text) ?? text)
  const names = columns.map((column) => dialect.quote(column.name))
  const marks = columns.map((column) => dialect.bound(column))
  const values = columns.map((column, i) => {
    const text = bound[i]
    if (text === undefined) throw new Error(`a bound lacks the value of ${column.name}`)
    return dialect.value(column, text)
  })
  const written = operator(op, columns, dialect)
  if (columns.length === 1) return { sql: `${names[0]} ${written} ${marks[0]}`, parameters: values }
  if (dialect.byColumns === true) return columnByColumn(names, marks, values, op)
  return { sql: `(${names.join(', ')}) ${written} (${marks.join(', ')})`, parameters: values }
}

/**
 * `comparison` for a bound with a value outside of its column's limits: compares only the key columns before this one.
 * @param side whether the value is below or above the limits
 */
function comparedBefore(
  columns: readonly Column[],
  bound: KeyBound,
  side: BoundSide,
  op: '>' | '<=',
  dialect: KeyDialect,
): SqlCondition {
  if (columns.length === 0) return (op === '>') === (side === 'below') ? ALL : NONE
  const apart = comparison(columns, bound, op, dialect)
  if (side === 'above') return apart
  const equal = equality(columns, bound, dialect)
  const sql = op === '>' ? `(${apart.sql} OR ${equal.sql})` : `(${apart.sql} AND NOT ${equal.sql})`
  return { sql, parameters: [...apart.parameters, ...equal.parameters] }
}

/** `a >= ? AND (a > ? OR (a = ? AND b > ?))`; because of the first term, the system can skip row groups. */
function columnByColumn(
  names: readonly string[],
  marks: readonly string[],
  values: readonly SqlValue[],
  op: '>' | '<=',
): SqlCondition {
  const beyond = op === '>' ? '>' : '<'
  const last = names.length - 1
  let sql = `${names[last]} ${op} ${marks[last]}`
  let parameters: readonly SqlValue[] = values.slice(last)
  for (let i = last - 1; i >= 0; i--) {
    const value = values[i] ?? null
    sql = `(${names[i]} ${beyond} ${marks[i]} OR (${names[i]} = ${marks[i]} AND ${sql}))`
    parameters = [value, value, ...parameters]
  }
  return { sql: `(${names[0]} ${beyond}= ${marks[0]} AND ${sql})`, parameters: [values[0] ?? null, ...parameters] }
}
