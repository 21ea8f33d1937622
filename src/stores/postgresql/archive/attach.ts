/** Putting a table under a partitioned one, so that nobody waits while its rows are looked at. */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { referringText } from '../../../model/archive/referring-text.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { quoteName } from '../server/connect.ts'
import { sqlStateOf } from '../server/server-errors.ts'
import type { CopySession } from '../server/session.ts'
import { columnList, literal, tableSql } from '../server/sql.ts'
import { moveLate } from './beside.ts'
import { betweenSql, boundsSql, type Bounds } from '../server/bounds.ts'
import { tableByName, type FoundTable, type PartitionKey } from '../server/known.ts'
import type { KnownTable } from '../server/locks.ts'
import { suffixed } from './move.ts'
import { referringNow, referrersOf } from './referrers.ts'
import { BOUNDS } from './step-errors.ts'

export type Parent = FoundTable & { readonly key: PartitionKey }

/**
 * The constraint says what the server would look for in all rows with the parent locked.
 * Rows of the range in the default partition come into it.
 * @throws SluiceError TABLE_REFUSED where the default partition holds rows of the range, and they cannot be told from those of the table; what the server says, where others hold a part of it
 */
export async function attachTable(
  session: CopySession,
  parent: Parent,
  { oid, name }: KnownTable,
  bounds: Bounds,
): Promise<void> {
  const { column, type } = parent.key
  const table = tableSql(name)
  const constraint = quoteName(`${BOUNDS}${oid}`)
  await session.ask(`ALTER TABLE ${table} ADD CONSTRAINT ${constraint} CHECK (${betweenSql(column, type, bounds)})`)
  // Once the server has refused, it answers no question of this transaction.
  const rest = await defaultOf(session, parent)
  const columns = rest === null ? '' : await columnsOf(session, parent)
  const where = betweenSql(column, type, bounds)
  if (rest !== null) await bringLate(session, { oid, name }, { parent, rest, columns, where })
  try {
    await session.ask(`ALTER TABLE ${tableSql(parent.name)} ATTACH PARTITION ${table} ${boundsSql(bounds)}`)
  } catch (error) {
    const ofBounds = (error as { readonly constraint?: string }).constraint?.startsWith(BOUNDS) === true
    if (sqlStateOf(error) !== '23514' || ofBounds || rest === null) throw error
    throw inTheWay(parent, { rest, columns, where: betweenSql(column, type, bounds) }, error)
  }
  await session.ask(`ALTER TABLE ${table} DROP CONSTRAINT ${constraint}`)
}

/** The default partition; null without one. */
export async function defaultOf(session: CopySession, { oid }: Parent): Promise<TableName | null> {
  const [row] = await session.ask(
    `SELECT n.nspname, c.relname FROM pg_catalog.pg_partitioned_table p JOIN pg_catalog.pg_class c ON c.oid = p.partdefid
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE p.partrelid = ${literal(oid)}::oid`,
  )
  return row === undefined ? null : { schema: row[0] ?? '', name: row[1] ?? '' }
}

/** Rows that came when the partition had left come into it. Without a unique key nobody can tell whether they are in it already: then they stay, and are in the way. */
async function bringLate(
  session: CopySession,
  table: KnownTable,
  late: { readonly parent: Parent; readonly rest: TableName; readonly columns: string; readonly where: string },
): Promise<void> {
  const [some] = await session.ask(`SELECT FROM ${tableSql(late.rest)} WHERE ${late.where} LIMIT 1`)
  if (some === undefined) return
  const [unique] = await session.ask(
    `SELECT FROM pg_catalog.pg_index WHERE indrelid = ${literal(table.oid)}::oid AND indisunique AND indisvalid AND indpred IS NULL`,
  )
  if (unique === undefined) return
  await session.ask(`LOCK TABLE ${tableSql(late.rest)} IN ACCESS EXCLUSIVE MODE`)
  await refuseReferred(session, late)
  await moveLate(session, table, late)
}

/**
 * Late rows are deleted where they stand and written where they belong: a foreign key that says so would take the rows along that refer to them.
 * @throws SluiceError TABLE_REFUSED
 */
async function refuseReferred(
  session: CopySession,
  { parent, rest, where }: { readonly parent: Parent; readonly rest: TableName; readonly where: string },
): Promise<void> {
  for (const referrer of await referrersOf(session, parent.name)) {
    const row = await referringNow(session, rest, referrer, where)
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
        reason: `the late row would be deleted there on its way, which the foreign key ${referrer.name ?? ''} refuses or answers with ON DELETE ${referrer.onDelete}; nothing was changed`,
        hint: `take the key away meanwhile: ALTER TABLE ${child} DROP CONSTRAINT ${key}; run the same command again; then ${add}`,
      },
    )
  }
}

/** Those that can be written, as a list: the default partition may have them in another order. */
async function columnsOf(session: CopySession, { oid }: Parent): Promise<string> {
  const rows = await session.ask(
    `SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = ${literal(oid)}::oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`,
  )
  return columnList(rows.map(([name]) => name ?? ''))
}

/**
 * Rows that came when the partition had left: the statements take them aside, and back once it stands there again. One statement deletes and keeps the same rows,
 * whatever others write meanwhile.
 */
function inTheWay(
  { name }: Parent,
  { rest, columns, where }: { readonly rest: TableName; readonly columns: string; readonly where: string },
  cause: unknown,
): SluiceError {
  const [from, aside] = [tableSql(rest), tableSql({ ...rest, name: suffixed(rest.name, 'late') })]
  const kept = `WITH gone AS (DELETE FROM ${from} WHERE ${where} RETURNING ${columns}) INSERT INTO ${aside} (${columns}) SELECT ${columns} FROM gone`
  const away = `BEGIN; CREATE TABLE ${aside} AS SELECT ${columns} FROM ${from} WITH NO DATA; ${kept}; COMMIT`
  return new SluiceError('TABLE_REFUSED', `the default partition ${tableText(rest)} holds rows between its bounds`, {
    where: tableText(name),
    reason: 'they came when the partition had left, and nothing was changed',
    hint: `take them aside: ${away}; run the same command again; then bring them back: INSERT INTO ${tableSql(name)} (${columns}) OVERRIDING SYSTEM VALUE SELECT ${columns} FROM ${aside}`,
    cause,
  })
}

/** A table that can be attached; its indexes are made when it is, unless the default partition would be locked meanwhile. */
export async function createLike(session: CopySession, parent: Parent, name: TableName): Promise<KnownTable> {
  const [row] = await session.ask(
    `SELECT partdefid <> 0::oid FROM pg_catalog.pg_partitioned_table WHERE partrelid = ${literal(parent.oid)}::oid`,
  )
  const indexes = row?.[0] === 't' ? '' : ' EXCLUDING INDEXES'
  // Only the parent numbers its rows.
  const like = `LIKE ${tableSql(parent.name)} INCLUDING ALL EXCLUDING IDENTITY EXCLUDING STATISTICS${indexes}`
  await session.ask(`CREATE TABLE ${tableSql(name)} (${like})`)
  const [owner] = await session.ask(
    `SELECT pg_catalog.pg_get_userbyid(relowner) FROM pg_catalog.pg_class
     WHERE oid = ${literal(parent.oid)}::oid AND relowner <> (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)`,
  )
  if (owner !== undefined) await session.ask(`ALTER TABLE ${tableSql(name)} OWNER TO ${quoteName(owner[0] ?? '')}`)
  const made = await tableByName(session, name)
  if (made === null) throw new Error('a table that was just made is not there')
  return made
}
