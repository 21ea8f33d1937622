/** What would keep changes out of a target, or make them mean something else there. Looks, and changes nothing. */
import { tableText } from '../../../model/copy/column-type.ts'
import type { ChangeRequest, ChangeTable, FollowRefusal, TargetExam } from '../../follow-port.ts'
import { isSortable } from '../copy/ranges.ts'
import { baseOf, isByBytes, isText } from '../copy/types.ts'
import type { Session } from '../session.ts'
import { mayStage, missingRights, seesTriggers } from './rights.ts'
import {
  ENGINE_HINT,
  engineText,
  indexHint,
  lackingColumns,
  readShape,
  unindexedText,
  type ApplyShape,
} from './shape.ts'

type Findings = { readonly refusals: FollowRefusal[]; readonly notes: string[] }
type Refuse = (message: string, hint: string) => void

export async function examineTarget(request: ChangeRequest, session: Session): Promise<TargetExam> {
  const findings: Findings = { refusals: [], notes: [] }
  await examineServer(session, request, findings)
  for (const table of request.tables) await examineTable(table, request, session, findings)
  return findings
}

async function examineServer(session: Session, { origin }: ChangeRequest, { refusals }: Findings): Promise<void> {
  const rows = await session.command("SHOW VARIABLES WHERE Variable_name IN ('log_bin', 'binlog_format')")
  const words = new Map(rows.map(([name, word]) => [String(name).toLowerCase(), String(word).toUpperCase()]))
  if (words.get('log_bin') === 'ON' && words.get('binlog_format') === 'STATEMENT') {
    refusals.push({
      message: 'the server logs statements, and takes no changes of transactions that see what others commit meanwhile',
      hint: 'set binlog_format to MIXED or ROW on the server',
    })
  }
  if (!(await mayStage(session))) {
    const message = 'the user may not create temporary tables in this database, which changes go through'
    refusals.push({ message, hint: 'GRANT CREATE TEMPORARY TABLES on the database to the user' })
  }
  if (origin !== undefined) {
    refusals.push({
      message: `changes cannot be marked with the origin ${origin}: transactions of this server have none`,
      hint: 'follow in one direction only',
    })
  }
}

async function examineTable(
  request: ChangeTable,
  { fireTriggers }: ChangeRequest,
  session: Session,
  findings: Findings,
): Promise<void> {
  const { table } = request.table
  const name = tableText(table)
  const refuse: Refuse = (message, hint) => void findings.refusals.push({ table, message, hint })
  const shape = await readShape(request, session)
  if (shape === null) {
    return refuse(`the target has no table ${name}`, 'create the table first: a copy does so where it is missing')
  }
  if (shape.engine !== 'InnoDB') return refuse(engineText(request, shape), ENGINE_HINT)
  if (!examineColumns(request, shape, refuse)) return
  examineIdentity(request, shape, refuse)
  if (shape.finder === null) refuse(unindexedText(request), indexHint(request))
  const missing = await missingRights(request, session)
  if (missing.length > 0)
    refuse(`the user has no ${missing.join(', ')} on ${name}`, `GRANT ${missing.join(', ')} on the table`)
  await examineTriggers(request, fireTriggers, session, findings, refuse)
  await examineForeignKeys(request, session, findings, refuse)
  examineSecondary(request, shape, findings, refuse)
}

function examineColumns(request: ChangeTable, shape: ApplyShape, refuse: Refuse): boolean {
  const { table, columns, identity } = request
  const name = tableText(table.table)
  const lacking = lackingColumns(request, shape)
  if (lacking.length > 0) {
    refuse(`${name} has no column ${lacking.join(', ')}`, 'add it, with a type that holds what the source has')
  }
  if (identity.length === 0) {
    refuse(`no columns tell the rows of ${name} apart`, 'give the source table a primary key, or a replica identity')
  }
  const computed = (at: number): boolean =>
    columns[at]?.column.generated === true || shape.columns[at]?.generated === true
  const unusable = identity.filter((key) => {
    const at = columns.findIndex((one) => one.name === key)
    return at === -1 || computed(at)
  })
  if (unusable.length > 0) {
    const message = `the identity of ${name} needs ${unusable.join(', ')}, which is not copied or is computed by the target`
    refuse(message, 'copy these columns, as plain columns')
  }
  const made = columns.flatMap((one, at) =>
    one.column.generated !== true && shape.columns[at]?.generated === true ? [one.name] : [],
  )
  if (made.length > 0) refuse(`${name} computes ${made.join(', ')} by itself`, 'leave it out with --columns')
  return lacking.length === 0 && identity.length > 0 && unusable.length === 0 && made.length === 0
}

/** Two identities of the source have to be two in the target. */
function examineIdentity({ table, columns, identity }: ChangeTable, shape: ApplyShape, refuse: Refuse): void {
  const name = tableText(table.table)
  for (const key of identity) {
    const at = columns.findIndex((one) => one.name === key)
    const [column, found] = [columns[at]?.column, shape.columns[at]]
    if (column === undefined || found == null) continue
    if (isText(baseOf(found.native)) && found.collation !== null && !isByBytes(found.collation)) {
      refuse(
        `${key} of ${name} takes texts for one that the source tells apart: its collation is ${found.collation}`,
        `give the column a collation that compares bytes, as those tables have that sluice makes`,
      )
    }
    if (!isSortable({ ...column, native: found.native })) {
      refuse(`${key} of ${name} (${found.native}) cannot be compared exactly`, 'give the column another type')
    }
  }
}

async function examineTriggers(
  { table }: ChangeTable,
  fireTriggers: boolean,
  session: Session,
  { notes }: Findings,
  refuse: Refuse,
): Promise<void> {
  const name = tableText(table.table)
  const rows = await session.rows(
    `SELECT TRIGGER_NAME FROM information_schema.TRIGGERS
     WHERE EVENT_OBJECT_SCHEMA = COALESCE(?, DATABASE()) AND EVENT_OBJECT_TABLE = ? ORDER BY 1`,
    [table.table.schema ?? null, table.table.name],
  )
  const triggers = rows.map(([trigger]) => String(trigger)).join(', ')
  if (fireTriggers) {
    if (triggers !== '') notes.push(`${name}: triggers fire for changes, as asked: ${triggers}`)
    return
  }
  if (triggers !== '') {
    refuse(
      `triggers of ${name} would fire a second time for what the source has done: ${triggers}`,
      'no session can keep them from it: drop them until the stream has ended, or let them fire with --fire-triggers',
    )
  } else if (!(await seesTriggers(table, session))) {
    refuse(
      `nobody can tell whether triggers of ${name} would fire: the user may not see them`,
      'GRANT TRIGGER on the table to the user, or let them fire with --fire-triggers',
    )
  }
}

async function examineForeignKeys(
  { table, catchingUp }: ChangeTable,
  session: Session,
  { notes }: Findings,
  refuse: Refuse,
): Promise<void> {
  const name = tableText(table.table)
  const rows = await session.rows(
    `SELECT CONSTRAINT_NAME, TABLE_NAME, REFERENCED_TABLE_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS
     WHERE CONSTRAINT_SCHEMA = COALESCE(?, DATABASE()) AND (TABLE_NAME = ? OR REFERENCED_TABLE_NAME = ?) ORDER BY 1, 2`,
    [table.table.schema ?? null, table.table.name, table.table.name],
  )
  if (rows.length === 0) return
  const texts = (chosen: typeof rows): string => chosen.map(([key, of]) => `${String(key)} of ${String(of)}`).join(', ')
  const own = rows.filter(([, of]) => of === table.table.name)
  if (catchingUp === true && own.length > 0) {
    refuse(
      `foreign keys of ${name} may refuse rows until it has caught up: ${texts(own)}`,
      'drop them, and build them after it with --with indexes,constraints',
    )
  } else {
    notes.push(`${name}: foreign keys are not checked for changes, which the source has checked: ${texts(rows)}`)
  }
}

function examineSecondary(
  { table, catchingUp, identity }: ChangeTable,
  { secondary, way }: ApplyShape,
  { notes }: Findings,
  refuse: Refuse,
): void {
  const name = tableText(table.table)
  const names = secondary.join(', ')
  if (secondary.length > 0 && catchingUp === true) {
    refuse(
      `unique indexes of ${name} may refuse rows until it has caught up: a row copied late can hold a value that an older change brings again: ${names}`,
      'drop them, and build them after it with --with indexes,constraints',
    )
  } else if (secondary.length > 0) {
    notes.push(`${name}: each changed row is deleted and inserted, for the sake of ${names}`)
  } else if (way === 'replace') {
    notes.push(
      `${name}: each changed row is deleted and inserted, because no unique index stands exactly on (${identity.join(', ')})`,
    )
  }
}
