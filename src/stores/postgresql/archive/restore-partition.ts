/**
 * Restores a partition: attaches the detached table, loads a new table, or inserts its rows among newer rows. A
 * detached table is first adapted to later changes of its parent's columns.
 */
import type { InsertRequest, OwnProperties, PartitionRequest, ColumnChanges } from '../../../model/archive/port.ts'
import { AS_REPLICA } from '../copy/replica-role.ts'
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopySession } from '../server/session.ts'
import { literal, tableSql } from '../server/sql.ts'
import { lockDetachedTable, hasRows, tableHolds, partitionParent } from './step-state.ts'
import { attachTable, createLike, defaultPartition } from './attach.ts'
import { RESTORED_ROWS, restoreInto, createRestoredRows } from './insert-rows.ts'
import type { PartitionBounds } from '../server/bounds.ts'
import { loadCsv } from './csv-in.ts'
import { moveTable, requireFree } from './move.ts'
import { schemaNow } from './noted-schemas.ts'
import { PropertyRestorer, type NotRestored } from './own.ts'
import { postgresRowTriggers } from './row-triggers.ts'
import type { StepBodyEnd, WithinStep } from './steps.ts'
import { moveBelowBack } from '../server/tree.ts'
import { quoteName } from '../server/connect.ts'
import type { KnownTable } from '../server/locks.ts'

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
  if (request.reshape !== undefined) await reshapeTable(session, table, parent, request.reshape)
  const back = { ...table, name: await schemaNow(session, request.partition, parent.name) }
  const given = request.own === undefined ? null : new PropertyRestorer(session, request.own)
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

/**
 * Adapts an exclusively locked table to later changes of its parent's columns.
 * @throws SluiceError VALUE_REFUSED; errors of the server, such as for a value that does not fit the new type
 */
async function reshapeTable(
  session: CopySession,
  table: KnownTable,
  parent: KnownTable,
  { dropped, renamed }: ColumnChanges,
): Promise<void> {
  const alter = (what: string): Promise<unknown> => session.ask(`ALTER TABLE ${tableSql(table.name)} ${what}`)
  for (const name of dropped) await alter(`DROP COLUMN ${quoteName(name)}`)
  // Two columns may have swapped names.
  const away = (i: number): string => quoteName(`sluice_renamed_${i}`)
  for (const [i, { from }] of renamed.entries()) await alter(`RENAME COLUMN ${quoteName(from)} TO ${away(i)}`)
  for (const [i, { to }] of renamed.entries()) await alter(`RENAME COLUMN ${away(i)} TO ${quoteName(to)}`)
  for (const one of await columnsOf(session, table, parent)) {
    const name = quoteName(one.name)
    if (one.isNew) await alter(`ADD COLUMN ${name} ${one.type}${one.collation}${one.value}${one.needed}`)
    else {
      if (one.isText) await refuseCutTexts(session, table, one)
      await alter(`ALTER COLUMN ${name} TYPE ${one.type}${one.collation}`)
    }
  }
  for (const sql of await checksOf(session, table, parent)) await alter(sql)
}

/** Refuses texts whose trailing blanks the server would cut without an error. @throws SluiceError VALUE_REFUSED */
async function refuseCutTexts(session: CopySession, table: KnownTable, { name, type }: ParentColumn): Promise<void> {
  const text = `${quoteName(name)}::text COLLATE "C"`
  const cut = await session.one(
    `SELECT pg_catalog.count(*) FROM ${tableSql(table.name)} WHERE ${text} <> CAST(${quoteName(name)} AS ${type})::text`,
  )
  if (cut === '0') return
  throw new SluiceError(
    'VALUE_REFUSED',
    `${cut} values of column ${name} of ${tableText(table.name)} do not fit its present type ${type}`,
    {
      where: tableText(table.name),
      hint: `give the column a longer type and restore the partition again, or change these values in ${tableText(table.name)} first`,
    },
  )
}

type ParentColumn = {
  readonly name: string
  readonly type: string
  /** Clauses of the column definition, each with a leading blank; an empty text for a clause that is not needed. */
  readonly collation: string
  readonly value: string
  readonly needed: string
  readonly isNew: boolean
  /** True if both types are texts. */
  readonly isText: boolean
}

/** Columns of the parent that the table lacks, or has in another type. */
async function columnsOf(
  session: CopySession,
  { oid }: KnownTable,
  parent: KnownTable,
): Promise<readonly ParentColumn[]> {
  const rows = await session.ask(
    `SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
       CASE WHEN a.attcollation <> t.typcollation THEN
         (SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.collname) FROM pg_catalog.pg_collation c
          JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace WHERE c.oid = a.attcollation) END,
       a.attnotnull, a.attgenerated <> '', pg_catalog.pg_get_expr(d.adbin, d.adrelid), o.attnum IS NULL,
       t.typcategory = 'S' AND (SELECT f.typcategory FROM pg_catalog.pg_type f WHERE f.oid = o.atttypid) = 'S'
     FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
       LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
       LEFT JOIN pg_catalog.pg_attribute o ON o.attrelid = ${literal(oid)}::oid AND o.attname = a.attname AND NOT o.attisdropped
     WHERE a.attrelid = ${literal(parent.oid)}::oid AND a.attnum > 0 AND NOT a.attisdropped
       AND (o.attnum IS NULL OR o.atttypid <> a.atttypid OR o.atttypmod <> a.atttypmod OR o.attcollation <> a.attcollation)
     ORDER BY a.attnum`,
  )
  return rows.map(([name, type, collation, notNull, generated, expression, isNew, isText]) => ({
    name: name ?? '',
    type: type ?? '',
    collation: collation == null ? '' : ` COLLATE ${collation}`,
    value:
      expression == null
        ? ''
        : generated === 't'
          ? ` GENERATED ALWAYS AS (${expression}) STORED`
          : ` DEFAULT ${expression}`,
    needed: notNull === 't' ? ' NOT NULL' : '',
    isNew: isNew === 't',
    isText: isText === 't',
  }))
}

/** Clauses that add CHECK constraints of the parent, which a partition needs. */
async function checksOf(session: CopySession, { oid }: KnownTable, parent: KnownTable): Promise<readonly string[]> {
  const rows = await session.ask(
    `SELECT p.conname, pg_catalog.pg_get_constraintdef(p.oid) FROM pg_catalog.pg_constraint p
     WHERE p.conrelid = ${literal(parent.oid)}::oid AND p.contype = 'c' AND NOT p.connoinherit
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint o WHERE o.conrelid = ${literal(oid)}::oid AND o.conname = p.conname)`,
  )
  return rows.map(([name, definition]) => `ADD CONSTRAINT ${quoteName(name ?? '')} ${definition}`)
}
