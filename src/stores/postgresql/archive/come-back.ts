/** Restores a partition: attaches the detached table, loads a new table, or inserts its rows among newer rows. */
import type { AmongOthersRequest, Giving, PartitionRequest, Reshape } from '../../../model/archive/port.ts'
import { AS_REPLICA } from '../copy/replica-role.ts'
import type { TableName } from '../../../model/copy/column-type.ts'
import type { CopySession } from '../server/session.ts'
import { literal, tableSql } from '../server/sql.ts'
import { lockDetachedTable, hasRows, tableHolds, partitionParent } from './as-found.ts'
import { attachTable, createLike, defaultPartition } from './attach.ts'
import { BACK, bringInto, createBack } from './beside.ts'
import type { PartitionBounds } from '../server/bounds.ts'
import { loadCsv } from './csv-in.ts'
import { moveTable, requireFree } from './move.ts'
import { schemaNow } from './noted-schemas.ts'
import { GivenBack, type NotRestored } from './own.ts'
import { reshapeTable } from './reshape.ts'
import { postgresRowTriggers } from './row-triggers.ts'
import type { StepBodyEnd, WithinStep } from './steps.ts'
import { moveBelowBack } from '../server/tree.ts'

export type ReturnRequest = PartitionRequest & Giving & PartitionBounds

export async function attach(
  { session, locks }: WithinStep,
  request: ReturnRequest & { readonly reshape?: Reshape },
  missing: NotRestored[],
): Promise<StepBodyEnd> {
  const table = await lockDetachedTable(session, locks, request.identity)
  if (table === null) return 'gone'
  if (!(await tableHolds(session, table, request))) return 'differs'
  const parent = await partitionParent(session, request.parent)
  locks.involve(parent.oid)
  if (request.reshape !== undefined) await reshapeTable(session, table, parent, request.reshape)
  const back = { ...table, name: await schemaNow(session, request.partition, parent.name) }
  const given = request.own === undefined ? null : new GivenBack(session, request.own)
  await moveTable(session, table, back.name)
  if (table.kind === 'p') await moveBelowBack(session, back, given?.division ?? null)
  await attachTable(session, parent, back, request)
  await given?.give('cloned', back)
  missing.push(...(given?.missing ?? []))
  return 'done'
}

export async function recreate(
  { session, locks }: WithinStep,
  request: ReturnRequest,
  csv: AsyncIterable<Buffer>,
  missing: NotRestored[],
): Promise<StepBodyEnd> {
  const parent = await partitionParent(session, request.parent)
  locks.involve(parent.oid)
  const name = await schemaNow(session, request.partition, parent.name)
  await requireFree(session, name)
  const table = await createLike(session, parent, name)
  const given = request.own === undefined ? null : new GivenBack(session, request.own)
  await given?.give('computed', table)
  await given?.give('empty', table)
  // FREEZE: rows of a new table need no later visibility check.
  await unsent(session, name, () => loadCsv(session, name, request.columns, csv, ', FREEZE'))
  await session.askAll(table.unchecked)
  // Compares the archived columns only: the parent may have newer ones.
  if (!(await hasRows(session, table, request))) return 'differs'
  // Indexes first: the attachment locks the parent.
  await given?.give('filled', table)
  await attachTable(session, parent, table, request)
  await given?.give('attached', table)
  await given?.give('cloned', table)
  missing.push(...(given?.missing ?? []), ...(given?.undivided ?? []))
  return 'done'
}

/**
 * Fills a new table without sending its rows to subscribers, which never received their deletion. Publications of all
 * tables or of the schema would send the rows, but not the rows of an UNLOGGED table or of a table rewrite.
 */
async function unsent(
  session: CopySession,
  { schema = 'public', name }: TableName,
  fill: () => Promise<unknown>,
): Promise<void> {
  const [published] = await session.ask(
    `SELECT FROM pg_catalog.pg_publication_tables WHERE schemaname = ${literal(schema)} AND tablename = ${literal(name)}`,
  )
  const set = async (how: string): Promise<unknown> =>
    published && session.ask(`ALTER TABLE ${tableSql({ schema, name })} SET ${how}`)
  await set('UNLOGGED')
  await fill()
  await set('LOGGED')
}

export async function bringAmongOthers(
  { session, locks }: WithinStep,
  request: AmongOthersRequest,
  csv: AsyncIterable<Buffer> | null,
): Promise<StepBodyEnd> {
  const parent = await partitionParent(session, request.parent)
  locks.involve(parent.oid)
  const rest = await defaultPartition(session, parent)
  if ((await postgresRowTriggers(session, request.parent)).quiet) await session.ask(AS_REPLICA)
  if (csv !== null) {
    await createBack(session, request.parent)
    await loadCsv(session, BACK, request.columns, csv)
    if (!(await hasRows(session, { oid: '', name: BACK }, request))) return 'differs'
    const columns = request.came.map(({ name }) => name)
    return bringInto(session, request.parent, { table: BACK, columns }, request, rest)
  }
  const table = await lockDetachedTable(session, locks, request.identity)
  if (table === null) return 'gone'
  if (!(await tableHolds(session, table, request))) return 'differs'
  const source = { table: table.name, columns: request.sources }
  const end = await bringInto(session, request.parent, source, request, rest)
  if (end === 'done') await session.ask(`DROP TABLE ${tableSql(table.name)}`)
  return end
}
