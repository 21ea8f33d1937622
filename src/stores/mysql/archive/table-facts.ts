/** Facts about a table of MySQL or MariaDB that is archived. */
import type { TableMark } from '../../../model/archive/port.ts'
import { tableText, type TableName, type TableSpec } from '../../../model/copy/column-type.ts'
import type { CrashRisk } from '../../../model/copy/durability-port.ts'
import type { MysqlSession } from '../session.ts'

/** Engines without a log. Aria logs a table only if its row format is PAGE and TRANSACTIONAL is not 0. */
const LOSING_ENGINES = `SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ?
  AND (ENGINE IN ('MyISAM', 'MRG_MyISAM', 'MEMORY', 'CSV', 'ARCHIVE', 'BLACKHOLE')
    OR ENGINE = 'Aria' AND (ROW_FORMAT <> 'Page' OR LOWER(CREATE_OPTIONS) LIKE '%transactional=0%'))`

/** Comments of the columns of a table, by column name; columns without a comment are left out. */
export async function commentsOf(
  session: MysqlSession,
  { table: { schema, name } }: TableSpec,
): Promise<Readonly<Record<string, string>>> {
  const rows = await session.rows(
    `SELECT COLUMN_NAME, COLUMN_COMMENT FROM information_schema.COLUMNS
     WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ? AND COLUMN_COMMENT <> ''`,
    [schema ?? null, name],
  )
  return Object.fromEntries(rows.map(([column, comment]) => [String(column), String(comment)]))
}

/** Tables whose engine may lose rows in a crash of the server. */
export async function mysqlLosableTables(
  session: MysqlSession,
  tables: readonly TableName[],
): Promise<readonly CrashRisk[]> {
  const found: CrashRisk[] = []
  for (const table of tables) {
    const [row] = await session.rows(LOSING_ENGINES, [table.schema ?? null, table.name])
    if (row === undefined) continue
    const name = tableText(table)
    found.push({ what: `${name} is a table of ${String(row[0])}`, remedy: `ALTER TABLE ${name} ENGINE = InnoDB` })
  }
  return found
}

/**
 * Creation time of tables, by `tableText`; ALTER changes it, too. InnoDB's table ids also change with ALTER, and
 * reading them needs the privilege PROCESS. One statement per schema, so that the server opens the files of one schema
 * only.
 */
export async function mysqlTableMarks(
  session: MysqlSession,
  tables: readonly TableName[],
): Promise<ReadonlyMap<string, TableMark>> {
  const found = new Map<string, TableMark>()
  for (const schema of new Set(tables.map((table) => table.schema))) {
    const some = tables.filter((table) => table.schema === schema)
    const rows = await session.rows(
      `SELECT TABLE_NAME, CAST(CREATE_TIME AS CHAR), CREATE_TIME >= NOW() - INTERVAL 1 SECOND FROM information_schema.TABLES
       WHERE TABLE_SCHEMA = ${schema === undefined ? 'DATABASE()' : '?'} AND TABLE_NAME IN (${some.map(() => '?').join(', ')})`,
      [...(schema === undefined ? [] : [schema]), ...some.map(({ name }) => name)],
    )
    const created = new Map(rows.map(([name, ...mark]) => [String(name), mark]))
    for (const table of some) {
      const [time, isRecent] = created.get(table.name) ?? []
      if (time != null) found.set(tableText(table), { text: String(time), isRecent: Number(isRecent) === 1 })
    }
  }
  return found
}
