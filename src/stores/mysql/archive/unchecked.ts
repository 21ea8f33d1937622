/** Constraints of MySQL that stored rows may violate: these rows were written while the checks were disabled. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { UncheckedConstraint } from '../../../model/archive/constraints-port.ts'
import { danglingSql } from '../../common/referring-sql.ts'
import { mysqlDefinitions, plainExpression } from '../copy/definitions.ts'
import { listMysqlObjects } from '../copy/object-list.ts'
import { mysqlTableSql, quoted } from '../copy/names.ts'
import type { MysqlSession } from '../session.ts'

/**
 * Foreign keys; in MariaDB also CHECK constraints. MySQL always enforces CHECK constraints.
 * @throws errors of the server
 */
export async function mysqlUnchecked(session: MysqlSession, table: TableName): Promise<readonly UncheckedConstraint[]> {
  const [objects = []] = await listMysqlObjects(session, [table])
  const keys = objects.flatMap((object): readonly UncheckedConstraint[] => {
    if (object.kind !== 'foreign key') return []
    const { name, from: columns, to } = object
    const violated = danglingSql({ columns, to: to.columns }, mysqlTableSql(to.table), quoted)
    return [{ constraint: `foreign key ${name}`, violated }]
  })
  if (session.facts.flavour !== 'mariadb') return keys
  const { checks, columns } = await mysqlDefinitions(session, table)
  const all = new Map([
    ...[...columns].flatMap(([name, { check }]) => (check === null ? [] : [[name, check] as const])),
    ...checks,
  ])
  return [...[...all].map(([name, check]) => unchecked(name, check)), ...keys]
}

function unchecked(name: string, check: string): UncheckedConstraint {
  const expression = plainExpression(check.replace(/^CHECK\b/, ''), 'mariadb')
  return { constraint: `CHECK ${name}`, violated: expression === null ? null : `NOT ${expression}` }
}
