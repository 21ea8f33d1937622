/** The transaction in which the table becomes the first partition of a new table that takes its name. */
import { tableText } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { InPlaceRequest } from '../../../../model/partition/in-place-port.ts'
import type { PlanFinding } from '../../../../model/partition/plan-port.ts'
import { boundsSql } from '../../server/bounds.ts'
import { suffixed } from '../../archive/move.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { aboutTable, type About } from '../plan/about.ts'
import { newIndexNames, newTableParts, type NewTableParts } from '../plan/new-table.ts'
import type { LockLimit } from '../../follow/switch/lock-limit.ts'
import { cutoverTables, type CutoverTables, type CutoverStep } from '../../follow/switch/sides.ts'
import { dependentsWithRules, lockAll, lockDependent } from '../../follow/switch/take.ts'
import { boundsState, dropBoundsSql } from './bounds.ts'
import { exchangeKeys, soundIndexes, wantedIndexes, type IndexToBuild } from './indexes.ts'
import { planFinding, stripped, takeoverSteps } from './inspections.ts'

/** The parts of the new table that can be created before tables in use are locked. */
export type PreparedNewTable = {
  readonly about: About
  readonly parts: NewTableParts
  readonly wanted: readonly IndexToBuild[]
}

/**
 * Creates the new table in the caller's transaction. Other sessions see it only after the commit, under the public
 * name.
 */
export async function makeNewParts(session: CopySession, request: InPlaceRequest): Promise<PreparedNewTable> {
  const about = await aboutTable(session, request.planned, false)
  const wanted = await wantedIndexes(about)
  const parts = await newTableParts(about, request.sideName, request.partitions)
  await session.askAll(parts.made)
  return { about, parts, wanted }
}

/** Locks the table exclusively. @throws errors of the server, such as a lock timeout; SluiceError PLAN_CHANGED */
export async function takeTable(
  session: CopySession,
  { about }: PreparedNewTable,
  held: LockLimit,
  lockTimeoutMs: number,
): Promise<void> {
  const side = { ...about, isPartitioned: false, kind: 'r' }
  const dependents = await dependentsWithRules(session, side)
  held.begin()
  const left = (): number => lockTimeoutMs - held.waitedMs()
  for (const one of dependents) await lockDependent(session, one, left())
  await lockAll(session, side, left())
  const [row] = await session.ask(`SELECT ${literal(about.sql)}::pg_catalog.regclass::oid = ${about.oid}::oid`)
  if (row?.[0] !== 't') throw changed(about, 'another table now has its name')
}

/**
 * Attaches the table to the new table, which gets the table's name and dependencies. All other sessions wait for this.
 * @throws SluiceError TABLE_REFUSED, PLAN_CHANGED
 */
export async function attachPast(
  session: CopySession,
  newParts: PreparedNewTable,
  request: InPlaceRequest,
): Promise<readonly PlanFinding[]> {
  const { about, parts, wanted } = newParts
  if ((await boundsState(about, request)) !== 'valid') throw changed(about, 'its constraint no longer exists')
  const sound = await soundIndexes(session, about.oid)
  const now = await wantedIndexes(about)
  const missing = now.find(({ name }) => sound.get(name) !== true)
  if (missing !== undefined || now.length !== wanted.length) throw changed(about, 'its unique indexes have changed')
  await session.askAll([...parts.references, ...parts.rest])
  const sides = await sidesIn(session, request)
  const steps = await takeoverSteps(sides, false)
  const refused = steps.filter(({ verdict }) => verdict === 'refused')
  if (refused.length > 0) throw inPlaceRefusal(about, refused.map(planFinding))
  await session.askAll(await switchStatements(newParts, request, sides, steps))
  return steps.filter(({ verdict }) => verdict === 'made').map(planFinding)
}

/** The table and the new table, in the form that the cutover functions use. */
export function sidesIn(
  session: CopySession,
  { planned: { table }, sideName: newParts, past }: InPlaceRequest,
): Promise<CutoverTables> {
  const { schema = 'public', name } = table.table
  return cutoverTables(session, { from: { schema, name }, to: { schema, name: newParts }, oldTable: past })
}

/** Statements to run after those that create the new table. */
export async function switchStatements(
  { about, wanted }: PreparedNewTable,
  request: InPlaceRequest,
  { from, to, oldTable: past, public: table }: CutoverTables,
  steps: readonly CutoverStep[],
): Promise<readonly string[]> {
  const names = await newIndexNames(about, [request.sideName, ...request.partitions.map(({ name }) => name)])
  const taken = new Set((await about.session.ask(takenSql(about.schema))).map(([name]) => name ?? ''))
  return [
    ...steps.flatMap(({ before = [] }) => before),
    `ALTER TABLE ${from.sql} RENAME TO ${quoteName(request.past)}`,
    `ALTER TABLE ${to.sql} RENAME TO ${quoteName(from.name)}`,
    ...(await stripped(about, past)),
    ...exchangeKeys(past, about.schema, wanted, {
      now: (index) => names.get(index) ?? index,
      free: (index) => freeName(index, taken),
    }),
    `ALTER TABLE ${table} ATTACH PARTITION ${past} ${boundsSql({ from: null, to: request.bound })}`,
    dropBoundsSql(past, about.oid),
    ...renameDefault(about, request, taken),
    ...steps.flatMap(({ after = [] }) => after),
  ]
}

/** Statement that names the default partition after the table; none if another relation has that name. */
function renameDefault(
  { schema, name }: About,
  { sideName: newParts }: InPlaceRequest,
  taken: ReadonlySet<string>,
): readonly string[] {
  const asked = suffixed(name, 'default')
  if (taken.has(asked)) return []
  return [`ALTER TABLE ${tableSql({ schema, name: suffixed(newParts, 'default') })} RENAME TO ${quoteName(asked)}`]
}

function freeName(index: string, taken: Set<string>): string {
  let name = suffixed(index, 'past')
  for (let n = 2; taken.has(name); n++) name = suffixed(index, `past${n}`)
  taken.add(name)
  return name
}

function takenSql(schema: string): string {
  return `SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ${literal(schema)}`
}

function changed({ schema, name }: About, reason: string): SluiceError {
  const table = tableText({ schema, name })
  return new SluiceError('PLAN_CHANGED', `${table} was changed after it was prepared`, {
    where: table,
    reason,
    hint: 'run the same command again: it prepares what is missing, and continues',
  })
}

/** One error with all refused findings. */
export function inPlaceRefusal(
  { schema, name }: Pick<About, 'schema' | 'name'>,
  refused: readonly PlanFinding[],
): SluiceError {
  const table = tableText({ schema, name })
  const said = refused.map(
    ({ about, object, detail }) => `${about}${object === undefined ? '' : ` ${object}`}: ${detail}`,
  )
  return new SluiceError('PARTITION_REFUSED', `${table} cannot be partitioned in place`, {
    where: tableSql({ schema, name }),
    reason: said.join('; '),
    hint: refused[0]?.hint ?? 'remove the causes, then run the same command again',
  })
}
