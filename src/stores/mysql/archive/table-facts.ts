/** What MySQL and MariaDB say of a table that is archived. */
import { tableText, type TableName, type TableSpec } from '../../../model/copy/column-type.ts'
import type { Losable } from '../../../model/copy/port.ts'
import type { Session } from '../session.ts'

/**
 * Engines without a log of their changes. A table of Aria has one where its pages are its own (ROW_FORMAT = PAGE) and
 * TRANSACTIONAL is not 0.
 */
const LOSING_ENGINES = `SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ?
  AND (ENGINE IN ('MyISAM', 'MRG_MyISAM', 'MEMORY', 'CSV', 'ARCHIVE', 'BLACKHOLE')
    OR ENGINE = 'Aria' AND (ROW_FORMAT <> 'Page' OR LOWER(CREATE_OPTIONS) LIKE '%transactional=0%'))`

/**
 * What people have written about the columns of a table. By the name of the column; only those that somebody wrote
 * something about.
 */
export async function commentsOf(
  session: Session,
  { table: { schema, name } }: TableSpec,
): Promise<Readonly<Record<string, string>>> {
  const rows = await session.rows(
    `SELECT COLUMN_NAME, COLUMN_COMMENT FROM information_schema.COLUMNS
     WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ? AND COLUMN_COMMENT <> ''`,
    [schema ?? null, name],
  )
  return Object.fromEntries(rows.map(([column, comment]) => [String(column), String(comment)]))
}

/** Tables of MySQL and MariaDB whose engine may lose rows at a crash of the server. */
export async function losableTables(session: Session, tables: readonly TableName[]): Promise<readonly Losable[]> {
  const found: Losable[] = []
  for (const table of tables) {
    const [row] = await session.rows(LOSING_ENGINES, [table.schema ?? null, table.name])
    if (row === undefined) continue
    const name = tableText(table)
    found.push({ what: `${name} is a table of ${String(row[0])}`, remedy: `ALTER TABLE ${name} ENGINE = InnoDB` })
  }
  return found
}

/**
 * Marks of tables in MySQL and MariaDB, whose numbers of tables take the privilege PROCESS, and change with ALTER. When
 * each table was created or altered, by `tableText`. One statement for each schema: the server opens the files of one
 * schema alone.
 */
export async function tableMarks(session: Session, tables: readonly TableName[]): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  for (const schema of new Set(tables.map((table) => table.schema))) {
    const some = tables.filter((table) => table.schema === schema)
    const rows = await session.rows(
      `SELECT TABLE_NAME, CAST(CREATE_TIME AS CHAR) FROM information_schema.TABLES
       WHERE TABLE_SCHEMA = ${schema === undefined ? 'DATABASE()' : '?'} AND TABLE_NAME IN (${some.map(() => '?').join(', ')})`,
      [...(schema === undefined ? [] : [schema]), ...some.map(({ name }) => name)],
    )
    const created = new Map(rows.map(([name, time]) => [String(name), time]))
    for (const table of some) {
      const time = created.get(table.name)
      if (time != null) found.set(tableText(table), String(time))
    }
  }
  return found
}
