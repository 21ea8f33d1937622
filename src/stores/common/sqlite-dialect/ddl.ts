/** Statements in SQLite's SQL, for all systems that use it. */
import type { Column, TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { refuseUnmakeable, sqlNameError, type NewTableLimits } from '../new-table.ts'

/** @throws SluiceError TABLE_REFUSED for a name that SQL cannot contain */
export function quote(name: string): string {
  if (name.includes('\0')) {
    throw new SluiceError('TABLE_REFUSED', 'a name with the character U+0000 cannot be written in SQL', {
      where: name.replaceAll('\0', '␀'),
      hint: 'rename the table or column in the source',
    })
  }
  return quotedName(name)
}

const LIMITS: NewTableLimits = {
  title: 'SQLite',
  columns: 2000,
  nameError: (name) => (name.includes('\0') ? sqlNameError(name) : null),
}

/**
 * CREATE TABLE of a table with its key. A single whole-number key becomes the rowid, which needs no index.
 * @throws SluiceError TABLE_REFUSED for names that SQLite reserves
 */
export function createSqliteDialectTable(table: TableSpec): string {
  refuseUnmakeable(table, LIMITS)
  const { name } = table.table
  if (/^sqlite_/i.test(name)) {
    throw new SluiceError(
      'TABLE_REFUSED',
      `${name} cannot be created: names that begin with sqlite_ belong to SQLite`,
      {
        where: name,
        hint: 'give the table another name with --to-table',
      },
    )
  }
  if ((table.table.schema ?? 'main') !== 'main') {
    throw new SluiceError('TABLE_REFUSED', `${table.table.schema}.${name} cannot be created: SQLite has no schemas`, {
      where: name,
      hint: 'remove --to-schema',
    })
  }
  const alias = rowidKey(table)
  const columns = table.columns.map((column) => {
    const declared = `${quote(column.name)} ${column.native}`.trimEnd() + collateSql(column.collation)
    if (column.name === alias) return `${declared} PRIMARY KEY${isNumbered(table, column) ? ' AUTOINCREMENT' : ''}`
    const { expression } = column
    const made =
      expression === undefined
        ? declared
        : `${declared} GENERATED ALWAYS AS (${expression.sql}) ${expression.stored ? 'STORED' : 'VIRTUAL'}`
    return column.nullable ? made : `${made} NOT NULL`
  })
  if (alias === null && table.key.length > 0) {
    columns.push(`${isPrimary(table) ? 'PRIMARY KEY' : 'UNIQUE'} (${table.key.map(quote).join(', ')})`)
  }
  return `CREATE TABLE ${quote(name)} (\n  ${columns.join(',\n  ')}\n)${optionsSql(table)}`
}

/** False also for a key INTEGER that may be NULL: as a primary key it would be the rowid, which SQLite numbers itself. */
function isPrimary({ primary, key, columns }: TableSpec): boolean {
  const [only] = key
  const column = key.length === 1 ? columns.find(({ name }) => name === only) : undefined
  return primary && !(column?.nullable === true && column.native.toUpperCase() === 'INTEGER')
}

/** True if the source never reuses the number of a deleted row: by AUTOINCREMENT, or by a sequence with step 1. */
function isNumbered({ options = [] }: TableSpec, { sequence }: Column): boolean {
  if (options.includes('WITHOUT ROWID')) return false
  return options.includes('AUTOINCREMENT') || (sequence !== undefined && (sequence.options?.increment ?? 1n) === 1n)
}

const STRICT_TYPES = /^(?:INT|INTEGER|REAL|TEXT|BLOB|ANY)$/i

function optionsSql({ options = [], columns, key, primary }: TableSpec): string {
  const kept = [
    ...(options.includes('WITHOUT ROWID') && primary && key.length > 0 ? ['WITHOUT ROWID'] : []),
    ...(options.includes('STRICT') && columns.every(({ native }) => STRICT_TYPES.test(native)) ? ['STRICT'] : []),
  ]
  return kept.length === 0 ? '' : ` ${kept.join(', ')}`
}

/** The column of a new table that is its rowid; null if there is none. */
export function rowidKey(table: TableSpec): string | null {
  const [name, ...more] = table.key
  if (name === undefined || more.length > 0 || !table.primary) return null
  const column = table.columns.find((one) => one.name === name)
  return column !== undefined && !column.nullable && column.native.toUpperCase() === 'INTEGER' ? name : null
}

export type OnConflict = 'fail' | 'skip' | 'overwrite'

/**
 * Start and end of an INSERT, around rows or a SELECT. `skip` and `overwrite` apply to the key only. Any other violated
 * constraint is an error, even one declared with ON CONFLICT REPLACE or IGNORE, which would silently remove or skip
 * rows. OR ABORT stands only where such a constraint is declared: it also overrides OR IGNORE in the table's triggers.
 */
export function insertEnds(
  table: TableSpec,
  columns: readonly string[],
  onConflict: OnConflict,
): { readonly head: string; readonly tail: string } {
  const head = `INSERT ${table.declaresConflicts === true ? 'OR ABORT ' : ''}INTO ${quote(table.table.name)} (${columns.map(quote).join(', ')}) `
  if (onConflict === 'fail' || table.key.length === 0) return { head, tail: '' }
  const on = ` ON CONFLICT (${table.key.map(quote).join(', ')}) DO `
  if (onConflict === 'skip') return { head, tail: `${on}NOTHING` }
  return {
    head,
    tail: `${on}UPDATE SET ${columns.map((name) => `${quote(name)} = excluded.${quote(name)}`).join(', ')}`,
  }
}

/** `COLLATE` of a column of a new table; empty if it is compared by its bytes. */
export function collateSql(collation: string | undefined): string {
  if (collation === undefined || collation === 'unknown') return ''
  return ` COLLATE ${/^\w+$/.test(collation) ? collation : quotedName(collation)}`
}
