/** Statements of a new table that were left out while rows were copied, and were not executed later. */
import type { TableName } from '../../../../model/copy/column-type.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'

/**
 * Name of the index or constraint that a statement creates. A statement that creates none, such as COMMENT, belongs to
 * the object that the nearest earlier statement creates.
 */
const MAKES = /^(?:CREATE (?:UNIQUE )?INDEX|ALTER TABLE .+? ADD CONSTRAINT) "((?:[^"]|"")+)"/s
const REFERS = / REFERENCES ((?:"(?:[^"]|"")+"|[^"\s(])+)/

/**
 * Returns the statements of `late` whose index or constraint, compared by name, is missing in `table`. Leaves out
 * foreign keys to tables that this database does not have.
 */
export async function lackingStatements(
  session: CopySession,
  table: TableName,
  late: readonly string[],
): Promise<readonly string[]> {
  const oid = `pg_catalog.to_regclass(${literal(tableSql(table))})::oid`
  const names = new Set(
    await session.texts(
      `SELECT k.conname FROM pg_catalog.pg_constraint k WHERE k.conrelid = ${oid}
       UNION SELECT x.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = ${oid}`,
    ),
  )
  const lacking: string[] = []
  let isLacking = false
  for (const statement of late) {
    const made = MAKES.exec(statement)?.[1]?.replaceAll('""', '"')
    if (made !== undefined) isLacking = !names.has(made) && (await refersToTable(session, statement))
    if (isLacking) lacking.push(statement)
  }
  return lacking
}

async function refersToTable(session: CopySession, statement: string): Promise<boolean> {
  const other = REFERS.exec(statement)?.[1]
  return other === undefined || (await session.isTrue(`SELECT pg_catalog.to_regclass(${literal(other)}) IS NOT NULL`))
}
