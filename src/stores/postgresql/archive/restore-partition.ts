/**
 * Restores a partition: attaches the detached table, loads a new table, or inserts its rows among newer rows. A
 * detached table is first adapted to later changes of its parent's columns.
 */
import type { InsertRequest, OwnProperties, PartitionRequest, ColumnChanges } from '../../../model/archive/port.ts'
import { AS_REPLICA } from '../copy/replica-role.ts'
import type { TableName } from '../../../model/copy/column-type.ts'
import type { CopySession } from '../server/session.ts'
import { literal, tableSql } from '../server/sql.ts'
import { lockDetachedTable, hasRows, tableHolds, partitionParent } from './step-state.ts'
import { attachTable, createLike, defaultPartition } from './attach.ts'
import { RESTORED_ROWS, restoreInto, createRestoredRows } from './insert-rows.ts'
import type { PartitionBounds } from '../server/bounds.ts'
import { loadCsv } from './csv-in.ts'
import { moveTable, requireFree } from './move.ts'
import { schemaNow } from './noted-schemas.ts'
import { reshapeTable } from './reshape.ts'
import { PropertyRestorer, type NotRestored } from './own.ts'
import { postgresRowTriggers } from './row-triggers.ts'
import type { StepBodyEnd, WithinStep } from './steps.ts'
import { moveBelowBack } from '../server/tree.ts'

export type ReturnRequest = PartitionRequest & OwnProperties & PartitionBounds

/** Attaches the detached table to its parent again. @param missing receives properties that could not be restored */
export async function attach(
  { session, locks }: WithinStep,
  request: ReturnRequest & { readonly reshape?: ColumnChanges },
  missing: NotRestored[],
): Promise<StepBodyEnd> {
  const table = await lockDetachedTable(session, locks, request.identity)
  if (table === null) return 'gone'
  if (!(await tableHolds(session, table, request))) return 'differs'
  const parent = await partitionParent(session, request.parent)
  locks.involve(parent.oid)
  const given = request.own === undefined ? null : new PropertyRestorer(session, request.own)
  if (request.reshape !== undefined) await reshapeTable(session, table, parent, request.reshape, given)
  const back = { ...table, name: await schemaNow(session, request.partition, parent.name) }
  await moveTable(session, table, back.name)
  if (table.kind === 'p') await moveBelowBack(session, back, given?.division ?? null)
  await attachTable(session, parent, back, request)
  await given?.restore('cloned', back)
  missing.push(...(given?.missing ?? []))
  return 'done'
}

/** Loads archived rows into a new partition. @param missing receives properties that could not be restored */
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
  const given = request.own === undefined ? null : new PropertyRestorer(session, request.own)
  await given?.restore('computed', table)
  await given?.restore('empty', table)
  // FREEZE: rows of a new table need no later visibility check.
  await unsent(session, name, () => loadCsv(session, name, request.columns, csv, ', FREEZE'))
  await session.askAll(table.unchecked)
  // Compares the archived columns only: the parent may have newer ones.
  if (!(await hasRows(session, table, request))) return 'differs'
  // Indexes first: the attachment locks the parent.
  await given?.restore('filled', table)
  await attachTable(session, parent, table, request)
  await given?.restore('attached', table)
  await given?.restore('cloned', table)
  missing.push(...(given?.missing ?? []), ...(given?.lostPartitioning ?? []))
  return 'done'
}

/**
 * Fills a new table without sending its rows to subscribers, which never received their deletion. Publications of all
 * tables, or of the schema, would send the rows. They send no rows of an UNLOGGED table or of a table rewrite, so a
 * table with such a publication is UNLOGGED while it is filled.
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

/** Inserts archived rows into a range that has newer rows. @param csv null: the rows are in the detached table */
export async function insertAmongOthers(
  { session, locks }: WithinStep,
  request: InsertRequest,
  csv: AsyncIterable<Buffer> | null,
): Promise<StepBodyEnd> {
  const parent = await partitionParent(session, request.parent)
  locks.involve(parent.oid)
  const rest = await defaultPartition(session, parent)
  if ((await postgresRowTriggers(session, request.parent)).quiet) await session.ask(AS_REPLICA)
  if (csv !== null) {
    await createRestoredRows(session, request.parent)
    await loadCsv(session, RESTORED_ROWS, request.columns, csv)
    if (!(await hasRows(session, { oid: '', name: RESTORED_ROWS }, request))) return 'differs'
    const columns = request.came.map(({ name }) => name)
    return restoreInto(session, request.parent, { table: RESTORED_ROWS, columns }, request, rest)
  }
  const table = await lockDetachedTable(session, locks, request.identity)
  if (table === null) return 'gone'
  if (!(await tableHolds(session, table, request))) return 'differs'
  const source = { table: table.name, columns: request.sources }
  const end = await restoreInto(session, request.parent, source, request, rest)
  if (end === 'done') await session.ask(`DROP TABLE ${tableSql(table.name)}`)
  return end
}
