/** Preflight checks of a SQLite target: reasons why it would refuse or alter changes. Only reads. */
import type Database from 'better-sqlite3'
import { inspectedTable, type ApplyRules, type TableState } from '../../../common/apply/examined-table.ts'
import type { ChangeRequest, ChangeTable, FollowRefusal, TargetPreflight } from '../../../../model/follow/port.ts'
import type { SqlRow } from '../../../../model/run/sql-port.ts'
import { quote } from '../../../common/sqlite-dialect/ddl.ts'
import { objectQueries, objectsIn } from '../../../common/sqlite-dialect/object-list.ts'
import { collationsOf } from '../../copy/keys.ts'
import { sqliteColumns } from '../../copy/shape.ts'
import { rowsOf } from '../../reader.ts'

const RULES: ApplyRules = {
  system: 'SQLite',
  foreignKeys: 'unchecked',
  scans: false,
  overwrites: true,
  dropIndex: (_table, index) => `DROP INDEX ${quote(index)}`,
}

export function checkSqliteTarget(connection: Database.Database, request: ChangeRequest): TargetPreflight {
  const refusals: FollowRefusal[] = []
  const notes: string[] = []
  // Opening a file for writing sets the mode. On some file systems the old mode stays, without an error.
  if (connection.pragma('journal_mode', { simple: true }) !== 'wal') {
    refusals.push({
      message: 'the file is not in WAL mode, so other sessions cannot read it while changes are written',
      hint: 'move it to a local disk: network file systems have no shared memory',
    })
  }
  for (const table of request.tables) {
    const reported = inspectedTable(table, inspect(connection, table), request.fireTriggers, RULES)
    refusals.push(...reported.refusals)
    notes.push(...reported.notes)
  }
  return { refusals, notes }
}

function inspect(connection: Database.Database, { table }: ChangeTable): TableState {
  const { name } = table.table
  const all = (sql: string, parameters: readonly string[]): readonly SqlRow[] => rowsOf(connection, sql, parameters)
  const [kind] = all(`SELECT type FROM pragma_table_list WHERE schema = 'main' AND lower(name) = lower(?)`, [name])
  const infos = sqliteColumns(connection, name)
  const collations = collationsOf(
    connection,
    name,
    infos.map((info) => info.name),
  )
  const referred = all(
    `SELECT DISTINCT s.name FROM sqlite_schema AS s JOIN pragma_foreign_key_list(s.name) AS k
     WHERE s.type = 'table' AND lower(k."table") = lower(?) AND lower(s.name) <> lower(?) ORDER BY 1`,
    [name, name],
  )
  return {
    kind: kind === undefined ? null : String(kind[0]),
    columns: infos.map((info) => {
      const collation = collations.get(info.name)
      return {
        name: info.name,
        generated: info.hidden > 1,
        ...(collation === undefined ? {} : { foldedBy: collation ?? 'another collation than BINARY' }),
      }
    }),
    objects: objectsIn(
      table,
      objectQueries(table).map(({ sql, parameters }) => all(sql, parameters)),
    ),
    triggers: all(`SELECT name FROM sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = lower(?) ORDER BY 1`, [
      name,
    ]).map(([trigger]) => String(trigger)),
    referred: referred.map(([from]) => `one of ${String(from)}`),
  }
}
