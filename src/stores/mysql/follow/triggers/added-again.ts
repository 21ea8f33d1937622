/**
 * Finds columns that were dropped and added again with the same type: InnoDB may do both without a new id of the table,
 * no trigger fires, and each row that was not written since has the default.
 */
import type { TableName } from '../../../../model/copy/column-type.ts'
import { quoted, mysqlTableSql } from '../../copy/names.ts'
import type { MysqlSession } from '../../session.ts'
import { FIRST_NOTE, mysqlLogKeyColumn, type MysqlTableLog } from './log.ts'

/** Rows that are looked at, and the fewest of them that show that a column was added again. */
const [SAMPLE, FEWEST] = [300, 10]

/** Of some rows: their number, and how many have the default, by column outside the key. */
type Defaults = { readonly rows: number; readonly columns: ReadonlyMap<string, number> }

/** Columns outside the key that have another value than their default in at least two thirds of some rows. */
export async function filledColumns(
  session: MysqlSession,
  table: TableName,
  key: readonly string[],
): Promise<readonly string[]> {
  const { rows, columns } = await defaultsIn(session, table, key)
  return [...columns].flatMap(([name, count]) => (rows > 0 && count * 3 <= rows ? [name] : []))
}

/**
 * @param filled `filledColumns` before the table was altered
 * @returns one of them that has its default in all rows without a note; null if none
 */
export async function addedAgain(
  session: MysqlSession,
  table: TableName,
  { table: log, key }: Pick<MysqlTableLog, 'table' | 'key'>,
  filled: readonly string[],
): Promise<string | null> {
  if (filled.length === 0) return null
  const keys = key.map((_, at) => quoted(mysqlLogKeyColumn(at)))
  const noted = `SELECT ${keys.join(', ')} FROM ${mysqlTableSql(log)} WHERE id > ${FIRST_NOTE} AND ${keys.map((one) => `${one} IS NOT NULL`).join(' AND ')}`
  const but = `WHERE (${key.map(quoted).join(', ')}) NOT IN (${noted})`
  const { rows, columns } = await defaultsIn(session, table, key, but)
  return rows < FEWEST ? null : (filled.find((name) => columns.get(name) === rows) ?? null)
}

/** @param but condition for the rows to look at */
async function defaultsIn(
  session: MysqlSession,
  table: TableName,
  key: readonly string[],
  but = '',
): Promise<Defaults> {
  // Columns with a computed default are rebuilt when they are added; MariaDB writes the default NULL as a text.
  const found = await session.rows(
    `SELECT COLUMN_NAME, COLUMN_DEFAULT IS NULL OR COLUMN_DEFAULT = 'NULL' FROM information_schema.COLUMNS
     WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ? AND COALESCE(GENERATION_EXPRESSION, '') = '' AND EXTRA NOT LIKE '%DEFAULT_GENERATED%'
       AND (IS_NULLABLE = 'YES' OR COLUMN_DEFAULT IS NOT NULL) ORDER BY ORDINAL_POSITION`,
    [table.schema ?? null, table.name],
  )
  const columns = found.filter(([name]) => !key.includes(String(name)))
  const values = columns.map(([name, isNull], at) => {
    const column = quoted(String(name))
    return `${Number(isNull) === 1 ? `${column} IS NULL` : `${column} <=> DEFAULT(${column})`} AS v${at}`
  })
  const sums = columns.map((_, at) => `, SUM(v${at})`).join('')
  const [[rows, ...counts] = []] = await session.rows(
    `SELECT COUNT(*)${sums} FROM (SELECT ${['1', ...values].join(', ')} FROM ${mysqlTableSql(table)} ${but} LIMIT ${SAMPLE}) AS some`,
  )
  return { rows: Number(rows), columns: new Map(columns.map(([name], at) => [String(name), Number(counts[at] ?? 0)])) }
}
