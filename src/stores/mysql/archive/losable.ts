/** Tables of MySQL and MariaDB whose engine may lose rows at a crash of the server. */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import type { Losable } from '../../../model/copy/port.ts'
import type { Session } from '../session.ts'

/** Engines without a log of their changes. A table of Aria has one where its pages are its own (ROW_FORMAT = PAGE) and TRANSACTIONAL is not 0. */
const SQL = `SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ?
  AND (ENGINE IN ('MyISAM', 'MRG_MyISAM', 'MEMORY', 'CSV', 'ARCHIVE', 'BLACKHOLE')
    OR ENGINE = 'Aria' AND (ROW_FORMAT <> 'Page' OR LOWER(CREATE_OPTIONS) LIKE '%transactional=0%'))`

export async function losableTables(session: Session, tables: readonly TableName[]): Promise<readonly Losable[]> {
  const found: Losable[] = []
  for (const table of tables) {
    const [row] = await session.rows(SQL, [table.schema ?? null, table.name])
    if (row === undefined) continue
    const name = tableText(table)
    found.push({ what: `${name} is a table of ${String(row[0])}`, remedy: `ALTER TABLE ${name} ENGINE = InnoDB` })
  }
  return found
}
