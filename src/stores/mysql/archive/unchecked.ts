/** Constraints of MySQL that stored rows may violate: these rows were written while the checks were disabled. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { UncheckedConstraint } from '../../../model/archive/port.ts'
import { danglingSql } from '../../common/referring-sql.ts'
import { listMysqlObjects } from '../copy/object-list.ts'
import { mysqlTableSql, quoted } from '../copy/names.ts'
import type { MysqlSession } from '../session.ts'

/**
 * Foreign keys; in MariaDB also CHECK constraints. MySQL always enforces CHECK constraints.
 * @throws errors of the server
 */
export async function mysqlUnchecked(session: MysqlSession, table: TableName): Promise<readonly UncheckedConstraint[]> {
  const keys = (await listMysqlObjects(session, table)).flatMap((object): readonly UncheckedConstraint[] => {
    if (object.kind !== 'foreign key') return []
    const { name, from: columns, to } = object
    const violated = danglingSql({ columns, to: to.columns }, mysqlTableSql(to.table), quoted)
    return [{ constraint: `foreign key ${name}`, violated }]
  })
  if (session.facts.flavour !== 'mariadb') return keys
  const checks = await session.rows(
    `SELECT CONSTRAINT_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS
     WHERE CONSTRAINT_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ? ORDER BY LEVEL, CONSTRAINT_NAME`,
    [table.schema ?? null, table.name],
  )
  return [
    ...checks.map(([name, clause]) => ({ constraint: `CHECK ${String(name)}`, violated: `NOT (${String(clause)})` })),
    ...keys,
  ]
}
