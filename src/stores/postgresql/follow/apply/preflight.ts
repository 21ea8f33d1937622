/** Preflight check of a target: finds what would prevent changes or alter their effect. Changes nothing. */
import { tableText, type Column } from '../../../../model/copy/column-type.ts'
import { textEquality } from '../../../../model/copy/text-equality.ts'
import type { ChangeRequest, ChangeTable, FollowRefusal, TargetPreflight } from '../../../../model/follow/port.ts'
import { droppedHint, fitsColumns, FOLDED_HINT, foldedText } from '../../../common/apply/examined-table.ts'
import { arrayText } from '../../server/array-text.ts'
import { unsynced } from '../../server/commit.ts'
import { quoteName } from '../../server/connect.ts'
import { isUsersTriggerSql, missingTable } from '../../server/relation.ts'
import { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'
import { mayBeReplica } from '../../copy/replica-role.ts'
import type { PostgresSettings } from '../../server/settings.ts'
import { isGuardSql } from '../switch/guard.ts'
import { originRefusal } from './session.ts'
import { indexHint, readPostgresApplyShape, unindexedText, type PostgresApplyShape } from './shape.ts'

/** Facts that are found once for all tables. */
type CheckContext = {
  readonly session: CopySession
  readonly request: ChangeRequest
  /** True if triggers and foreign keys do not fire for changes. */
  readonly isReplica: boolean
  /** OIDs of the tables that receive changes, and of their partitions. */
  readonly followed: ReadonlySet<string>
}

type Findings = { readonly refusals: FollowRefusal[]; readonly notes: string[] }

/** @throws SluiceError TARGET_DENIED if the server does not write its commits to disk; errors of the server */
export async function checkPostgresTarget(
  request: ChangeRequest,
  settings: PostgresSettings,
): Promise<TargetPreflight> {
  await using session = await CopySession.open(settings, 'read')
  const findings: Findings = { refusals: [], notes: [] }
  const error = await unsynced(session, settings.label)
  if (error !== null) throw error
  await inspectServer(session, request, findings)
  const shapes: (PostgresApplyShape | null)[] = []
  for (const table of request.tables) shapes.push(await readPostgresApplyShape(table, session))
  const followed = new Set(shapes.flatMap((shape) => shape?.members.map(({ oid }) => oid) ?? []))
  const isReplica = !request.fireTriggers && (await mayBeReplica(session))
  const ground: CheckContext = { session, request, isReplica, followed }
  for (const [i, table] of request.tables.entries()) {
    await inspectTable(table, shapes[i] ?? null, ground, findings)
  }
  return isReplica ? findings : { ...findings, checksKeys: true }
}

async function inspectServer(session: CopySession, { origin }: ChangeRequest, { refusals }: Findings): Promise<void> {
  const [row] = await session.ask(
    `SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMP')`,
  )
  if (row?.[0] === 't') {
    refusals.push({ message: 'the target is a standby, which refuses writes', hint: 'use the primary server' })
  }
  if (row?.[1] !== 't') {
    const message = 'the role may not create temporary tables in this database, which large changes need'
    refusals.push({ message, hint: 'GRANT TEMPORARY ON DATABASE to the role' })
  }
  if (origin === undefined) return
  const reason = await originRefusal(session, origin)
  if (reason === null) return
  refusals.push({
    message: `changes cannot be marked with the origin ${origin}: ${reason}`,
    hint: 'GRANT EXECUTE on pg_replication_origin_oid, pg_replication_origin_create and pg_replication_origin_session_setup to the role, or connect as a superuser',
  })
}

async function inspectTable(
  request: ChangeTable,
  shape: PostgresApplyShape | null,
  ground: CheckContext,
  findings: Findings,
): Promise<void> {
  const { table } = request.table
  const refuse = (message: string, hint: string): void => void findings.refusals.push({ table, message, hint })
  if (shape === null) {
    return refuse(missingTable(table), 'create the table first: a copy creates it if it is missing')
  }
  const name = tableText(table)
  const foreign = shape.members.filter(({ kind }) => kind !== 'r' && kind !== 'p')
  if (foreign.length > 0) {
    const names = foreign.map((one) => one.name).join(', ')
    return refuse(
      `${names} is not an ordinary table: changes can be applied only to tables and their partitions`,
      'copy into a table',
    )
  }
  if (!inspectColumns(request, shape, refuse)) return
  if (shape.unindexed.length > 0) refuse(unindexedText(request, shape), indexHint(request))
  await inspectRights(request, shape, ground, findings)
  await inspectRules(shape, ground, refuse)
  await inspectTriggers(shape, ground, findings, name, refuse)
  await inspectForeignKeys(request, shape, ground, findings, refuse)
  await inspectSecondary(request, shape, ground, findings, refuse)
}

type Refuse = (message: string, hint: string) => void

function inspectColumns(request: ChangeTable, shape: PostgresApplyShape, refuse: Refuse): boolean {
  const { table, columns, comparedApart = [] } = request
  const found = new Map(columns.map(({ name }, at) => [name, shape.columns[at] ?? undefined]))
  const fits = fitsColumns(request, (name) => found.get(name), refuse)
  for (const { name: key, column } of columns) {
    const by = comparedApart.includes(key) ? foldedBy(column) : null
    if (by !== null) refuse(foldedText(key, tableText(table.table), by), FOLDED_HINT)
  }
  return fits
}

/** Type or collation that treats different texts as equal; null if texts are compared by bytes. */
function foldedBy(column: Column): string | null {
  if (textEquality(column) === 'bytes') return null
  const { native, collation, sortsOnly } = column
  return collation === undefined || sortsOnly === true ? native : `collation ${collation}`
}

/** Checks rights and row security of the table, not of its partitions: rows are written through the table. */
async function inspectRights(
  { table, columns }: ChangeTable,
  { relation }: PostgresApplyShape,
  { session }: CheckContext,
  { refusals, notes }: Findings,
): Promise<void> {
  const written = columns.filter(({ column }) => column.generated !== true).map((one) => literal(one.name))
  const ofColumns = (right: string): string =>
    `(SELECT coalesce(pg_catalog.bool_and(pg_catalog.has_column_privilege(c.oid, a.attnum, '${right}')), true) FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = c.oid AND a.attname IN (${written.join(', ')}))`
  const [row] = await session.ask(
    `SELECT pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE'), ${['SELECT', 'INSERT', 'UPDATE'].map(ofColumns).join(', ')},
       pg_catalog.has_table_privilege(c.oid, 'DELETE'), pg_catalog.has_table_privilege(c.oid, 'TRUNCATE'),
       c.relrowsecurity AND NOT (SELECT r.rolsuper OR r.rolbypassrls FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)
         AND (c.relforcerowsecurity OR NOT pg_catalog.pg_has_role(c.relowner, 'USAGE'))
     FROM pg_catalog.pg_class c WHERE c.oid = ${relation.oid}::oid`,
  )
  const name = tableText(table.table)
  const [usage, select, insert, update, remove, truncate, secured] = row ?? []
  const rights = { USAGE: usage, SELECT: select, INSERT: insert, UPDATE: update, DELETE: remove }
  const missing = Object.entries(rights).flatMap(([right, has]) => (has === 't' ? [] : [right]))
  if (missing.length > 0) {
    refusals.push({
      table: table.table,
      message: `the role has no ${missing.join(', ')} on ${name}`,
      hint: `GRANT ${missing.filter((right) => right !== 'USAGE').join(', ') || 'SELECT, INSERT, UPDATE, DELETE'} on the table, and USAGE on its schema`,
    })
  }
  if (truncate !== 't')
    notes.push(`${name}: the role may not TRUNCATE it; if the source does, its rows are deleted one by one`)
  if (secured === 't') {
    refusals.push({
      table: table.table,
      message: `row security of ${name} applies to the role: changes would find only some of its rows`,
      hint: 'connect as a role with BYPASSRLS, or as the owner of the table, unless its row security is forced',
    })
  }
}

async function inspectRules(
  { relation }: PostgresApplyShape,
  { session }: CheckContext,
  refuse: Refuse,
): Promise<void> {
  const rules = await session.ask(
    `SELECT rulename FROM pg_catalog.pg_rewrite WHERE ev_class = ${relation.oid}::oid AND ev_enabled <> 'D' ORDER BY 1`,
  )
  if (rules.length === 0) return
  const names = rules.map(([rule]) => rule).join(', ')
  refuse(`rules of ${tableText(relation.name)} would change the writes: ${names}`, 'drop or disable them')
}

async function inspectTriggers(
  { members }: PostgresApplyShape,
  { session, request, isReplica }: CheckContext,
  { notes }: Findings,
  name: string,
  refuse: Refuse,
): Promise<void> {
  const rows = await session.ask(
    `SELECT DISTINCT t.tgname, t.tgenabled FROM pg_catalog.pg_trigger t
     WHERE t.tgrelid IN (${members.map(({ oid }) => `${oid}::oid`).join(',')}) AND ${isUsersTriggerSql('t')} AND t.tgenabled <> 'D' AND NOT ${isGuardSql('t')} ORDER BY 1`,
  )
  const named = (enabled: string): string[] => [
    ...new Set(rows.flatMap(([trigger, how]) => (enabled.includes(how ?? '') ? [trigger ?? ''] : []))),
  ]
  if (isReplica) {
    const firing = named('AR')
    if (firing.length > 0) {
      notes.push(`${name}: triggers that are enabled ALWAYS or as REPLICA fire for changes: ${firing.join(', ')}`)
    }
    return
  }
  const firing = named('OA')
  if (firing.length === 0) return
  if (request.fireTriggers) {
    notes.push(`${name}: triggers fire for changes, as requested: ${firing.join(', ')}`)
    return
  }
  refuse(
    `triggers of ${name} would fire a second time for changes of the source: ${firing.join(', ')}`,
    'GRANT SET ON PARAMETER session_replication_role to the role (15 and newer) or connect as a superuser; or disable them; or let them fire with --fire-triggers',
  )
}

async function inspectForeignKeys(
  { table, catchingUp }: ChangeTable,
  { members }: PostgresApplyShape,
  { session, request, isReplica, followed }: CheckContext,
  { notes }: Findings,
  refuse: Refuse,
): Promise<void> {
  const name = tableText(table.table)
  const oids = members.map(({ oid }) => `${oid}::oid`).join(',')
  const rows = await session.ask(
    `SELECT k.conname, k.conrelid::pg_catalog.regclass, k.confdeltype IN ('c', 'n', 'd'), k.conrelid IN (${oids}), k.conrelid
     FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0::oid AND (k.conrelid IN (${oids}) OR k.confrelid IN (${oids})) ORDER BY 1, 2`,
  )
  if (rows.length === 0) return
  const texts = (chosen: typeof rows): string => chosen.map(([key, of]) => `${key} of ${of}`).join(', ')
  const own = rows.filter(([, , , isOwn]) => isOwn === 't')
  const outside = rows.filter(([, , , , oid]) => !followed.has(oid ?? ''))
  const dropped = (chosen: typeof rows): string[] =>
    chosen.map(([key, of]) => `ALTER TABLE ${of} DROP CONSTRAINT ${quoteName(key ?? '')}`)
  if (catchingUp === true && own.length > 0) {
    refuse(
      `foreign keys of ${name} may refuse rows until the table has caught up: ${texts(own)}`,
      isReplica ? droppedHint(dropped(own)) : leftOutHint(dropped(own)),
    )
  } else if (isReplica) {
    notes.push(
      `${name}: foreign keys are not checked for changes; a sign-off counts rows without a parent: ${texts(rows)}`,
    )
  } else if (request.fireTriggers) {
    const following = rows.filter(([, , follows]) => follows === 't')
    if (following.length > 0) {
      refuse(
        `rows of other tables would be deleted or changed with those of ${name}, because changes delete rows and write them again: ${texts(following)}`,
        `leave out --fire-triggers, or ${leftOutHint(dropped(following))}`,
      )
    }
    notes.push(`${name}: foreign keys are checked for changes: ${texts(rows)}`)
  } else {
    refuse(
      `foreign keys would refuse changes of ${name} that are applied in another order, or would cascade twice: ${texts(rows)}`,
      `GRANT SET ON PARAMETER session_replication_role to the role (15 and newer) or connect as a superuser, or ${leftOutHint(dropped(rows))}`,
    )
  }
  if (outside.length > 0) {
    notes.push(
      `${name}: tables outside of the stream refer to it; if the source truncates it, its rows are deleted one by one: ${texts(outside)}`,
    )
  }
}

/** Hint for foreign keys that would act on changes. @param dropped statements that drop the keys */
function leftOutHint(dropped: readonly string[]): string {
  return `drop them: ${dropped.join('; ')}; and create them again when the stream has ended, because the stream leaves them out; a cutover is refused without them`
}

async function inspectSecondary(
  { table, catchingUp, identity }: ChangeTable,
  { secondary, way }: PostgresApplyShape,
  { isReplica, session }: CheckContext,
  { notes }: Findings,
  refuse: Refuse,
): Promise<void> {
  const name = tableText(table.table)
  const names = secondary.map((index) => index.name).join(', ')
  if (secondary.length > 0 && catchingUp === true) {
    // Indexes of partitions are dropped with the indexes of the root.
    const dropped = await session.ask(
      `SELECT CASE WHEN k.oid IS NULL THEN 'DROP INDEX ' || i.name ELSE pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', k.conrelid::pg_catalog.regclass, k.conname) END
       FROM pg_catalog.unnest(${literal(arrayText(secondary.map((index) => index.name)))}::text[]) AS i (name) LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = pg_catalog.to_regclass(i.name)::oid AND k.contype IN ('u', 'p', 'x')
       WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = pg_catalog.to_regclass(i.name)::oid) ORDER BY 1`,
    )
    refuse(
      `unique indexes or exclusion constraints of ${name} may refuse rows until it has caught up, because an older change can have a value of a row that was copied later: ${names}`,
      droppedHint(dropped.map(([sql]) => sql ?? '')),
    )
    return
  }
  if (secondary.length > 0 && way === 'merge') {
    notes.push(`${name}: rows are deleted and inserted if a value in ${names} changes`)
  } else if (secondary.length > 0) notes.push(`${name}: each changed row is deleted and inserted, because of ${names}`)
  else if (way === 'replace') {
    notes.push(
      `${name}: each changed row is deleted and inserted, because no unique index has exactly the columns (${identity.join(', ')}), or the server is older than 15`,
    )
  }
  const deferred = secondary.filter(({ immediate }) => !immediate)
  if (isReplica && deferred.length > 0) {
    notes.push(
      `${name}: the server does not check deferrable constraints for changes, because the source has checked them: ${deferred.map((one) => one.name).join(', ')}`,
    )
  }
}
