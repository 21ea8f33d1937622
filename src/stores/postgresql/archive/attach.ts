/** Attaches a table to a partitioned one, so that no session waits while its rows are checked. */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { referringText } from '../../../model/archive/referring-text.ts'
import type { Referrer } from '../../../model/archive/constraints-port.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { quoteName } from '../server/connect.ts'
import { publishedBySql } from '../server/publications.ts'
import { sqlStateOf } from '../server/server-errors.ts'
import type { CopySession } from '../server/session.ts'
import { columnList, literal, tableSql } from '../server/sql.ts'
import { moveLate } from './insert-rows.ts'
import { betweenSql, boundsSql, type PartitionBounds } from '../server/bounds.ts'
import { tableByName, type FoundRelation, type PartitionKey } from '../server/known.ts'
import type { KnownTable } from '../server/locks.ts'
import { suffixed } from './move.ts'
import { withTablesBelow } from '../server/tree.ts'
import { referringNow, postgresReferrers } from './referrers.ts'
import { BOUNDS } from './step-errors.ts'

export type Parent = FoundRelation & { readonly key: PartitionKey }

/** Rows of the default partition within the bounds of a table to attach. */
type LateRows = { readonly parent: Parent; readonly rest: TableName; readonly columns: string; readonly where: string }

/**
 * Attaches a table with a CHECK constraint on its bounds, so that the server scans no rows under the parent's lock.
 * Rows of the range in the default partition are moved into the table.
 * @throws SluiceError TABLE_REFUSED if rows of the range in the default partition cannot be moved; errors of the server
 * if another partition overlaps
 */
export async function attachTable(
  session: CopySession,
  parent: Parent,
  { oid, name }: KnownTable,
  bounds: PartitionBounds,
): Promise<void> {
  const { column, type } = parent.key
  const table = tableSql(name)
  const constraint = quoteName(`${BOUNDS}${oid}`)
  await session.ask(`ALTER TABLE ${table} ADD CONSTRAINT ${constraint} CHECK (${betweenSql(column, type, bounds)})`)
  // Read first: after an error the server refuses every query of this transaction.
  const late = await lateRowsOf(session, parent, bounds)
  if (late !== null) await restoreLate(session, { oid, name }, late)
  try {
    await session.ask(`ALTER TABLE ${tableSql(parent.name)} ATTACH PARTITION ${table} ${boundsSql(bounds)}`)
  } catch (error) {
    const ofBounds = (error as { readonly constraint?: string }).constraint?.startsWith(BOUNDS) === true
    if (sqlStateOf(error) !== '23514' || ofBounds || late === null) throw error
    throw inTheWay(late, error)
  }
  await session.ask(`ALTER TABLE ${table} DROP CONSTRAINT ${constraint}`)
}

async function lateRowsOf(session: CopySession, parent: Parent, bounds: PartitionBounds): Promise<LateRows | null> {
  const rest = await defaultPartition(session, parent)
  if (rest === null) return null
  const { column, type } = parent.key
  return { parent, rest, columns: await columnsOf(session, parent), where: betweenSql(column, type, bounds) }
}

/**
 * Tests whether late rows can be moved; moves none.
 * @throws SluiceError TABLE_REFUSED if a publication or foreign key prevents it
 */
export async function refuseLateRows(session: CopySession, parent: Parent, bounds: PartitionBounds): Promise<void> {
  const late = await lateRowsOf(session, parent, bounds)
  if (late === null || !(await hasLate(session, late))) return
  await refusePublished(session, late)
  await refuseReferred(session, late)
}

async function hasLate(session: CopySession, { rest, where }: LateRows): Promise<boolean> {
  return (await session.ask(`SELECT FROM ${tableSql(rest)} WHERE ${where} LIMIT 1`)).length > 0
}

/** The default partition; null without one. */
export async function defaultPartition(session: CopySession, { oid }: Parent): Promise<TableName | null> {
  const [row] = await session.ask(
    `SELECT n.nspname, c.relname FROM pg_catalog.pg_partitioned_table p JOIN pg_catalog.pg_class c ON c.oid = p.partdefid
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE p.partrelid = ${literal(oid)}::oid`,
  )
  return row === undefined ? null : { schema: row[0] ?? '', name: row[1] ?? '' }
}

/** Moves late rows. Without a unique key duplicates could not be found: then the rows stay, and ATTACH fails. */
async function restoreLate(session: CopySession, table: KnownTable, late: LateRows): Promise<void> {
  if (!(await hasLate(session, late))) return
  await refusePublished(session, late)
  const [unique] = await session.ask(
    `SELECT FROM pg_catalog.pg_index WHERE indrelid = ${literal(table.oid)}::oid AND indisunique AND indisvalid AND indpred IS NULL`,
  )
  if (unique === undefined) return
  await session.ask(`LOCK TABLE ${tableSql(late.rest)} IN ACCESS EXCLUSIVE MODE`)
  await refuseReferred(session, late)
  await moveLate(session, table, late)
}

/**
 * Refuses published late rows: subscribers would receive their DELETE, but not their INSERT into a detached table.
 * @throws SluiceError TABLE_REFUSED
 */
async function refusePublished(session: CopySession, late: LateRows): Promise<void> {
  const { parent, rest } = late
  const table = `${literal(tableSql(rest))}::pg_catalog.regclass`
  const covered = `SELECT relid::oid FROM pg_catalog.pg_partition_ancestors(${table}) relid UNION SELECT relid::oid FROM pg_catalog.pg_partition_tree(${table})`
  const [found] = await session.ask(
    `SELECT pubname FROM (${publishedBySql(session.version, covered)}) AS p
     WHERE pubname !~ '^sluice_'::text AND pubdelete ORDER BY 1 LIMIT 1`,
  )
  if (found === undefined) return
  throw new SluiceError('TABLE_REFUSED', `late rows of the default partition ${tableText(rest)} cannot be moved`, {
    where: tableText(parent.name),
    reason: `the publication ${quoteName(found[0] ?? '')} would send the DELETE of these rows, but not their INSERT into the detached table, so its subscribers would lose them; nothing was changed`,
    hint: `if the publication is for all tables or for a schema, first create ${tableText(lateTable(late))} at the subscribers; then ${moveByHand(late)}`,
  })
}

/**
 * Refuses referenced late rows: they are deleted and inserted elsewhere, and ON DELETE would remove the rows that refer
 * to them.
 * @throws SluiceError TABLE_REFUSED
 */
async function refuseReferred(session: CopySession, { parent, rest, where }: LateRows): Promise<void> {
  for (const { table, referrer } of await referrersBelow(session, rest)) {
    const row = await referringNow(session, table, referrer, where)
    if (row === null) continue
    const [child, key] = [tableSql(referrer.table), quoteName(referrer.name ?? '')]
    const [found] = await session.ask(
      `SELECT pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint
       WHERE conrelid = ${literal(child)}::pg_catalog.regclass::oid AND conname = ${literal(referrer.name ?? '')}`,
    )
    const add = `ALTER TABLE ${child} ADD CONSTRAINT ${key} ${found?.[0] ?? ''}`
    throw new SluiceError(
      'TABLE_REFUSED',
      `${referringText(referrer, row.values)} refers to a late row in the default partition ${tableText(rest)}`,
      {
        where: tableText(parent.name),
        reason: `sluice moves late rows with DELETE and INSERT, and the foreign key ${referrer.name ?? ''} (ON DELETE ${referrer.onDelete}) would refuse the DELETE, or delete or change the referring rows; nothing was changed`,
        hint: `drop the foreign key first: ALTER TABLE ${child} DROP CONSTRAINT ${key}; run the same command again; then ${add}`,
      },
    )
  }
}

type ReferredTable = { readonly table: TableName; readonly referrer: Referrer }

/** Foreign keys to the default partition, to its parents, and to the tables below it. */
async function referrersBelow(session: CopySession, rest: TableName): Promise<readonly ReferredTable[]> {
  const found = new Map<string, ReferredTable>()
  for (const table of await withTablesBelow(session, rest)) {
    for (const referrer of await postgresReferrers(session, table)) {
      const key = JSON.stringify([referrer.table, referrer.name])
      if (!found.has(key)) found.set(key, { table, referrer })
    }
  }
  return [...found.values()]
}

/** Writable columns as a list: the default partition may have another order. */
async function columnsOf(session: CopySession, { oid }: Parent): Promise<string> {
  const rows = await session.ask(
    `SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = ${literal(oid)}::oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`,
  )
  return columnList(rows.map(([name]) => name ?? ''))
}

function inTheWay(late: LateRows, cause: unknown): SluiceError {
  return new SluiceError(
    'TABLE_REFUSED',
    `the partition cannot be attached: the default partition ${tableText(late.rest)} has rows of its range`,
    {
      where: tableText(late.parent.name),
      reason: 'they were written after the partition was detached; nothing was changed',
      hint: moveByHand(late),
      cause,
    },
  )
}

/**
 * Statements that move late rows out of the default partition, and back after the attachment. A single statement
 * deletes rows and stores the deleted ones, so concurrent writes are not lost.
 */
function moveByHand(late: LateRows): string {
  const { parent, rest, columns, where } = late
  const [from, other] = [tableSql(rest), tableSql(lateTable(late))]
  const kept = `WITH gone AS (DELETE FROM ${from} WHERE ${where} RETURNING ${columns}) INSERT INTO ${other} (${columns}) SELECT ${columns} FROM gone`
  const away = `BEGIN; CREATE TABLE ${other} AS SELECT ${columns} FROM ${from} WITH NO DATA; ${kept}; COMMIT`
  return `move the late rows to another table: ${away}; run the same command again; then move them back: INSERT INTO ${tableSql(parent.name)} (${columns}) OVERRIDING SYSTEM VALUE SELECT ${columns} FROM ${other}`
}

/** Table that the user moves late rows to. */
function lateTable({ rest }: LateRows): TableName {
  return { ...rest, name: suffixed(rest.name, 'late') }
}

/** @property unchecked statements that add the NOT VALID constraints, after the load: rows may violate them */
export type LikeParent = KnownTable & { readonly unchecked: readonly string[] }

/**
 * Creates a table to attach. If there is a default partition, the table gets its indexes here, because ATTACH would
 * lock that partition while it creates them. Otherwise ATTACH creates them.
 */
export async function createLike(session: CopySession, parent: Parent, name: TableName): Promise<LikeParent> {
  const [row] = await session.ask(
    `SELECT partdefid <> 0::oid FROM pg_catalog.pg_partitioned_table WHERE partrelid = ${literal(parent.oid)}::oid`,
  )
  const indexes = row?.[0] === 't' ? '' : ' EXCLUDING INDEXES'
  // Only the parent has identity columns.
  const like = `LIKE ${tableSql(parent.name)} INCLUDING ALL EXCLUDING IDENTITY EXCLUDING STATISTICS${indexes}`
  await session.ask(`CREATE TABLE ${tableSql(name)} (${like})`)
  const built = await session.ask(
    `SELECT pg_catalog.quote_ident(k.conname) FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_index i ON i.indexrelid = k.conindid
     WHERE k.conrelid = ${literal(tableSql(name))}::pg_catalog.regclass::oid AND i.indrelid = k.conrelid AND i.indisexclusion`,
  )
  const alter = `ALTER TABLE ${tableSql(name)}`
  // ATTACH builds these constraints itself (`BUILT_BY_ATTACH`).
  await session.askAll(built.map(([constraint]) => `${alter} DROP CONSTRAINT ${constraint}`))
  // LIKE copies NOT VALID constraints as valid ones.
  const unchecked = await session.ask(
    `SELECT pg_catalog.quote_ident(conname), pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint
     WHERE conrelid = ${literal(parent.oid)}::oid AND contype IN ('c', 'n') AND NOT connoinherit AND NOT convalidated ORDER BY 1`,
  )
  await session.askAll(unchecked.map(([constraint]) => `${alter} DROP CONSTRAINT ${constraint}`))
  const [owner] = await session.ask(
    `SELECT pg_catalog.pg_get_userbyid(relowner) FROM pg_catalog.pg_class
     WHERE oid = ${literal(parent.oid)}::oid AND relowner <> (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)`,
  )
  if (owner !== undefined) await session.ask(`ALTER TABLE ${tableSql(name)} OWNER TO ${quoteName(owner[0] ?? '')}`)
  const made = await tableByName(session, name)
  if (made === null) throw new Error('a table that was just created does not exist')
  return { ...made, unchecked: unchecked.map(([constraint, is]) => `${alter} ADD CONSTRAINT ${constraint} ${is}`) }
}
