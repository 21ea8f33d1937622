/** Preflight checks of a target of changes: causes for which it would refuse or alter changes. Reads only. */
import { tableText, type Column } from '../../../../model/copy/column-type.ts'
import type { IndexObject } from '../../../../model/copy/schema-object.ts'
import {
  droppedHint,
  inspectedTable,
  type ApplyRules,
  type InspectedColumn,
  type TableState,
} from '../../../common/apply/examined-table.ts'
import type { ChangeRequest, ChangeTable, FollowRefusal, TargetPreflight } from '../../../../model/follow/port.ts'
import { isSortable } from '../../copy/ranges.ts'
import { baseTypeName, isByBytes, isText } from '../../copy/types.ts'
import { backquotedTable } from '../../copy/names.ts'
import { backquotedName } from '../../../../shared/sql-text.ts'
import type { MysqlSession } from '../../session.ts'
import { mayStage, missingRights, seesTriggers } from './rights.ts'
import {
  ENGINE_HINT,
  engineText,
  lackingColumns,
  readMysqlApplyShape,
  type ApplyShape,
  type IndexFacts,
} from './shape.ts'

const RULES: ApplyRules = {
  system: 'MySQL',
  foreignKeys: 'unchecked',
  scans: false,
  overwrites: true,
  dropIndex: (table, index) => `ALTER TABLE ${backquotedTable(table)} DROP INDEX ${backquotedName(index)}`,
}

type Findings = { readonly refusals: FollowRefusal[]; readonly notes: string[] }
type Refuse = (message: string, hint: string) => void

export async function checkMysqlTarget(request: ChangeRequest, session: MysqlSession): Promise<TargetPreflight> {
  const findings: Findings = { refusals: [], notes: [] }
  await inspectServer(session, request, findings)
  for (const table of request.tables) await inspectTable(table, request, session, findings)
  return findings
}

async function inspectServer(
  session: MysqlSession,
  { origin }: ChangeRequest,
  { refusals, notes }: Findings,
): Promise<void> {
  const rows = await session.command(
    "SHOW VARIABLES WHERE Variable_name IN ('log_bin', 'binlog_format', 'innodb_flush_log_at_trx_commit')",
  )
  const words = new Map(rows.map(([name, word]) => [String(name).toLowerCase(), String(word).toUpperCase()]))
  if (words.get('log_bin') === 'ON' && words.get('binlog_format') === 'STATEMENT') {
    refusals.push({
      message:
        'the server logs statements (binlog_format), and refuses changes at the isolation level that sluice needs',
      hint: 'set binlog_format to MIXED or ROW on the server',
    })
  }
  const flush = words.get('innodb_flush_log_at_trx_commit') ?? '1'
  if (flush !== '1') {
    notes.push(
      `innodb_flush_log_at_trx_commit of the target is ${flush}: after a crash of the server it may lack changes that the source no longer has, and the stream must be restarted`,
    )
  }
  if (!(await mayStage(session))) {
    const message = 'the user may not create temporary tables in this database, which applying changes needs'
    refusals.push({ message, hint: 'GRANT CREATE TEMPORARY TABLES on the database to the user' })
  }
  if (origin !== undefined) {
    refusals.push({
      message: `changes cannot be marked with the origin ${origin}: this server does not record origins of transactions`,
      hint: 'replicate in one direction only',
    })
  }
}

async function inspectTable(
  request: ChangeTable,
  { fireTriggers }: ChangeRequest,
  session: MysqlSession,
  { refusals, notes }: Findings,
): Promise<void> {
  const { table } = request.table
  const name = tableText(table)
  const refuse: Refuse = (message, hint) => void refusals.push({ table, message, hint })
  const shape = await readMysqlApplyShape(request, session)
  if (shape !== null && shape.kind !== 'VIEW' && shape.engine !== 'InnoDB')
    return refuse(engineText(request, shape), ENGINE_HINT)
  const triggers = await triggersOf(request, session)
  const keys = await foreignKeysOf(request, session)
  const state: TableState = {
    kind: shape === null ? null : shape.kind === 'VIEW' ? 'view' : 'table',
    columns: shape === null ? [] : columnsOf(shape),
    objects: (shape?.indexes ?? []).map(objectOf),
    triggers,
    referred: keys.map(({ key, of }) => `${key} of ${of}`),
  }
  const reported = inspectedTable(request, state, fireTriggers, RULES)
  refusals.push(...reported.refusals)
  notes.push(...reported.notes)
  if (shape === null || state.kind !== 'table' || lackingColumns(request, shape).length > 0) return
  inspectColumns(request, shape, refuse)
  const missing = await missingRights(request, session)
  if (missing.length > 0)
    refuse(`the user has no ${missing.join(', ')} on ${name}`, `GRANT ${missing.join(', ')} on the table`)
  if (!fireTriggers && triggers.length === 0 && !(await seesTriggers(request.table, session))) {
    refuse(
      `it is unknown whether triggers of ${name} would fire: the user may not see them`,
      'GRANT TRIGGER on the table to the user, or let them fire with --fire-triggers',
    )
  }
  // Sessions that copy rows check foreign keys, unlike sessions that apply changes.
  const own = keys.filter(({ of }) => of === table.name).map(({ key }) => key)
  if (request.catchingUp === true && own.length > 0) {
    refuse(
      `foreign keys of ${name} may refuse rows until the table has caught up: ${own.join(', ')}`,
      droppedHint(own.map((key) => `ALTER TABLE ${backquotedTable(table)} DROP FOREIGN KEY ${backquotedName(key)}`)),
    )
  }
}

/** Refuses columns that the target computes, and row key columns whose type the target cannot compare exactly. */
function inspectColumns({ table, columns, identity }: ChangeTable, shape: ApplyShape, refuse: Refuse): void {
  const name = tableText(table.table)
  for (const [at, { name: column, column: planned }] of columns.entries()) {
    const found = shape.columns[at]
    if (found == null || planned.generated === true) continue
    const isKey = identity.includes(column)
    if (found.generated && !isKey) refuse(`${name} computes ${column} itself`, 'leave it out with --columns')
    if (isKey && !isSortable({ ...planned, native: found.native }))
      refuse(`${column} of ${name} (${found.native}) cannot be compared exactly`, 'give the column another type')
  }
}

function columnsOf({ columns }: ApplyShape): readonly InspectedColumn[] {
  return columns.flatMap((column) => {
    if (column === null) return []
    const { name, generated, native, collation } = column
    return [
      { name, generated, ...(collation !== null && foldsTexts({ native, collation }) ? { foldedBy: collation } : {}) },
    ]
  })
}

/** True if the column may treat different texts as equal. */
export function foldsTexts({ native, collation }: Pick<Column, 'native' | 'collation'>): boolean {
  return isText(baseTypeName(native)) && collation !== undefined && !isByBytes(collation)
}

function objectOf({ name, unique, usable, columns }: IndexFacts): IndexObject {
  return {
    kind: 'index',
    own: '',
    columns: columns.flatMap((column) => column ?? []),
    name,
    unique,
    method: 'btree',
    include: [],
    // An index that a statement cannot name in FORCE INDEX is not used to find rows.
    parts: columns.map((column) => ({ column, ...(usable ? {} : { special: 'unusable' }) })),
  }
}

async function triggersOf({ table }: ChangeTable, session: MysqlSession): Promise<readonly string[]> {
  const rows = await session.rows(
    `SELECT TRIGGER_NAME FROM information_schema.TRIGGERS
     WHERE EVENT_OBJECT_SCHEMA = COALESCE(?, DATABASE()) AND EVENT_OBJECT_TABLE = ? ORDER BY 1`,
    [table.table.schema ?? null, table.table.name],
  )
  return rows.map(([trigger]) => String(trigger))
}

/** Foreign keys of the table, and those that refer to it. */
async function foreignKeysOf(
  { table }: ChangeTable,
  session: MysqlSession,
): Promise<readonly { readonly key: string; readonly of: string }[]> {
  const rows = await session.rows(
    `SELECT CONSTRAINT_NAME, TABLE_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS
     WHERE CONSTRAINT_SCHEMA = COALESCE(?, DATABASE()) AND (TABLE_NAME = ? OR REFERENCED_TABLE_NAME = ?) ORDER BY 1, 2`,
    [table.table.schema ?? null, table.table.name, table.table.name],
  )
  return rows.map(([key, of]) => ({ key: String(key), of: String(of) }))
}
