/** Finds rows by key. The keys are in a temporary table, because conditions of many terms are slow in DuckDB. */
import { cellOfText, keyParts } from '../../../model/copy/key-text.ts'
import type { Column, ColumnType, TableSpec } from '../../../model/copy/column-type.ts'
import { breathe } from '../../../shared/abort.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { keyColumns, type SqlCondition } from '../../common/key-ranges.ts'
import type { DuckdbCopySession } from './session.ts'
import { fromTable, keyCellText } from './key-dialect.ts'

const KEYS_PER_PAUSE = 5000

export type KeyList = {
  /** Condition for the rows with one of the keys. */
  readonly condition: SqlCondition
  /** Removes the temporary table. */
  drop(): Promise<void>
}

let made = 0

/**
 * @param keys as DuckDB reads them; bytes as hexadecimal digits
 * @param byBytes compares texts by their bytes, as a unique index of DuckDB does, also where the column's collation
 * treats different texts as equal
 */
export async function keyList(
  session: DuckdbCopySession,
  table: TableSpec,
  keys: Iterable<readonly (string | null)[]>,
  byBytes = false,
): Promise<KeyList> {
  const name = `sluice_keys_${++made}`
  const columns = keyColumns(table)
  const names = columns.map((_, i) => `k${i}`)
  await session.raw(`CREATE TEMP TABLE ${name} (${names.map((listed) => `${listed} VARCHAR`).join(', ')})`)
  await session.append(name, async (appender) => {
    let seen = 0
    for (const key of keys) {
      for (const value of key) {
        if (value === null) appender.appendNull()
        else appender.appendVarchar(value)
      }
      appender.endRow()
      if (++seen % KEYS_PER_PAUSE === 0) await breathe()
    }
  })
  const same = columns.map((column, i) => {
    const listed = `${name}.${names[i]}`
    // Without its table, a name could mean a value of DuckDB ("user"), or a row number of the list ("rowid").
    const own = `${fromTable(table)}.${quotedName(column.name)}`
    if (column.type.kind === 'bytes') return `${own} IS NOT DISTINCT FROM unhex(${listed})`
    // A key that the type cannot hold matches no row, not even one with NULL.
    const value = `TRY_CAST(${listed} AS ${column.native})`
    const bytes = `encode(${own}) IS NOT DISTINCT FROM encode(${listed}) AND `
    const exact = byBytes && column.native === 'VARCHAR' ? bytes : ''
    return `${exact}${own} IS NOT DISTINCT FROM ${value} AND (${listed} IS NULL OR ${value} IS NOT NULL)`
  })
  return {
    condition: { sql: `EXISTS (SELECT 1 FROM ${name} WHERE ${same.join(' AND ')})`, parameters: [] },
    drop: () => session.raw(`DROP TABLE IF EXISTS ${name}`).catch(() => undefined),
  }
}

/** Converts keys from the form of `keyText` to the form that `keyList` takes. */
export function* spelled(keys: Iterable<string>, types: readonly ColumnType[]): Generator<readonly (string | null)[]> {
  for (const key of keys) {
    yield keyParts(key).map((text, i) => {
      const as = types[i] as ColumnType
      return text === null ? null : keyCellText(as, cellOfText(text, as))
    })
  }
}

export function keyTypes(table: TableSpec, asOf: (column: Column) => ColumnType): readonly ColumnType[] {
  return keyColumns(table).map(asOf)
}
