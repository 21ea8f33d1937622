/** Translates `--where` to a test with the same result in database and Parquet files; refuses other conditions. */
import type { ArchivedTable } from '../ledger/record.ts'
import type { RowTest } from '../../model/archive/row-test.ts'
import { NEGATED, type Comparison, type Condition, type Literal, type Predicate } from '../../model/lake/condition.ts'
import { normalizer } from '../../model/copy/canonical.ts'
import type { Column, ColumnType, TableSpec } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'

/** Types that sort alike in every system; for other types only equality is allowed. */
const SORTED: ReadonlySet<ColumnType['kind']> = new Set(['int', 'decimal', 'date', 'timestamp'])
const EQUAL: ReadonlySet<ColumnType['kind']> = new Set([...SORTED, 'bool', 'text', 'uuid'])

/** Facts for the error about a column that the archive does not have yet. */
export type MissingColumnCauses = {
  /** Columns of the current table. */
  readonly columns: readonly Pick<Column, 'name'>[]
  /** Command that publishes to the archive. */
  readonly run: string
}

/**
 * @param predicate the condition of the user. No message shows its values, because messages are stored
 * @throws SluiceError BAD_PREDICATE if a column does not exist, database and files compare its type differently, or a
 * value does not belong to its type
 */
export function rowTest(
  { root }: Predicate,
  { columns }: Pick<TableSpec, 'columns'>,
  columnsNow?: MissingColumnCauses,
): RowTest {
  const named = ({ names }: { readonly names: readonly string[] }): Column => {
    const name = names.join('.')
    const found = columns.find((column) => column.name === name)
    if (found !== undefined) return found
    if (columnsNow?.columns.some((column) => column.name === name) === true) {
      throw refused(
        `the archive has no column ${name}: the table got it after rows were archived`,
        `archived rows have no value in this column; delete the rows of the table with a DELETE statement, or archive the next due partition, which adds the column to the archive: ${columnsNow.run}`,
      )
    }
    throw refused(`there is no column ${name}`, `its columns are ${columns.map((column) => column.name).join(', ')}`)
  }
  const compare = (column: Column, op: Comparison, value: Literal): RowTest => ({
    kind: 'compare',
    column: column.name,
    op,
    value: canonical(column, op, value),
  })
  const test = (condition: Condition): RowTest => {
    switch (condition.kind) {
      case 'and':
      case 'or':
        return { kind: condition.kind, parts: condition.parts.map(test) }
      case 'not':
        return { kind: 'not', part: test(condition.part) }
      case 'compare':
        return compare(named(condition.column), condition.op, condition.value)
      case 'isNull': {
        const found: RowTest = { kind: 'null', column: named(condition.column).name }
        return condition.negated ? { kind: 'not', part: found } : found
      }
      case 'in': {
        const column = named(condition.column)
        const op = condition.negated ? '<>' : '='
        return { kind: op === '=' ? 'or' : 'and', parts: condition.values.map((value) => compare(column, op, value)) }
      }
      case 'between': {
        const column = named(condition.column)
        const { negated, low, high } = condition
        const sides = [
          compare(column, negated ? NEGATED['>='] : '>=', low),
          compare(column, negated ? '>' : '<=', high),
        ]
        return { kind: negated ? 'or' : 'and', parts: sides }
      }
      case 'like':
        throw refused(
          `LIKE on ${condition.column.names.join('.')} does not mean the same in every system`,
          'compare the whole value with = or IN',
        )
    }
  }
  return test(root)
}

/** Columns of an archive with their archived types, in which database and files compare values. */
export function archivedColumns({ stored }: Pick<ArchivedTable, 'stored'>): readonly Column[] {
  return stored.columns.map(({ column, as, name }) => ({ ...column, name, type: as }))
}

function canonical({ name, type, native }: Column, op: Comparison, value: Literal): string {
  if (!EQUAL.has(type.kind)) {
    throw refused(
      `${name} is ${native}, which a database and Parquet files compare differently`,
      'use other columns in the condition',
    )
  }
  if (op !== '=' && op !== '<>' && !SORTED.has(type.kind)) {
    throw refused(`${name} is ${native}, which systems sort differently`, 'use =, <> or IN for this column')
  }
  if (value.kind === 'null') throw refused(`${name} ${op} NULL is never true`, `write ${name} IS NULL`)
  const raw = value.kind === 'boolean' ? value.value : value.text
  const isText = value.kind !== 'number' && value.kind !== 'boolean'
  const fits =
    type.kind === 'int' || type.kind === 'decimal'
      ? value.kind === 'number'
      : type.kind === 'bool'
        ? value.kind === 'boolean'
        : isText
  if (fits) {
    try {
      const found = String(normalizer(type)(raw))
      if (isPlainValue(type, found)) return found
    } catch {
      // The error below reports this, without the value.
    }
  }
  const shape = type.kind === 'text' || type.kind === 'uuid' ? ': it needs a text in single quotes' : ''
  throw refused(
    `${name} is compared with a value that is not a valid ${native}${shape}`,
    'write the value as the column stores it',
  )
}

/**
 * False for numbers out of range, infinity, NaN, years BC and times finer than a microsecond: archives never have them
 * as values of these types, and systems convert them differently. PostgreSQL rounds such a time, and DuckDB truncates
 * it.
 */
function isPlainValue(type: ColumnType, text: string): boolean {
  switch (type.kind) {
    case 'int': {
      const bits = BigInt(type.bits)
      const [least, most] = type.unsigned === true ? [0n, 1n << bits] : [-(1n << (bits - 1n)), 1n << (bits - 1n)]
      return BigInt(text) >= least && BigInt(text) < most
    }
    case 'decimal': {
      const { precision = 0, scale = 0 } = type
      const [whole = '', fraction = ''] = text.replace('-', '').split('.')
      return /^\d/.test(whole) && whole.replace(/^0$/, '').length <= precision - scale && fraction.length <= scale
    }
    case 'date':
    case 'timestamp':
      return /^\d{4}-/.test(text) && !text.endsWith(' BC') && !/\.\d{7}/.test(text)
    default:
      return true
  }
}

function refused(message: string, hint: string): SluiceError {
  return new SluiceError('BAD_PREDICATE', message, { hint })
}
