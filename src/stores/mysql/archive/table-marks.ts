/** Marks of tables in MySQL and MariaDB, whose numbers of tables take the privilege PROCESS, and change with ALTER. */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import type { Session } from '../session.ts'

/** When each table was created or altered, by `tableText`. One statement for each schema: the server opens the files of one schema alone. */
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
