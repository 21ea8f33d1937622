/**
 * Inserts archived rows into a range in use, and moves late rows of the default partition into a restored partition.
 */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { equalDigests } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { InsertRequest } from '../../../model/archive/port.ts'
import { quoteName } from '../server/connect.ts'
import { digestPostgresRows } from '../copy/row-digest.ts'
import type { CopySession, TextRow } from '../server/session.ts'
import { isUsersTriggerSql, treeSql } from '../server/relation.ts'
import { columnList, CONSTRAINTS_NOW, tableFromSql, literal, tableSql } from '../server/sql.ts'
import { sqlStateOf } from '../server/server-errors.ts'
import { boundsOf, type PartitionBounds } from '../server/bounds.ts'
import type { PartitionKey } from '../server/known.ts'
import type { KnownTable } from '../server/locks.ts'

/** Temporary table for restored rows, for one transaction. */
export const RESTORED_ROWS: TableName = { schema: 'pg_temp', name: 'sluice_back' }

/** Names of partitions that overlap a range, without the default one. */
export async function partitionsBetween(
  session: CopySession,
  parent: string,
  { type, collation }: PartitionKey,
  { from, to }: PartitionBounds,
): Promise<readonly TableName[]> {
  const rows = await session.ask(
    `SELECT n.nspname, c.relname, pg_catalog.pg_get_expr(c.relpartbound, c.oid) FROM pg_catalog.pg_inherits i
       JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE i.inhparent = ${literal(parent)}::oid AND c.relispartition ORDER BY 1, 2`,
  )
  const bound = rows.flatMap(([schema, name, text]) => {
    const bounds = boundsOf(text ?? '')
    return bounds === null ? [] : [{ table: { schema: schema ?? '', name: name ?? '' }, bounds }]
  })
  if (bound.length === 0) return []
  const value = (text: string): string =>
    `CAST(${literal(text)} AS ${type})${collation === null ? '' : ` COLLATE ${collation}`}`
  const before = (low: string | null, high: string | null): string =>
    low === null || high === null ? 'true' : `${value(low)} < ${value(high)}`
  const tests = bound.map(({ bounds }) => `${before(bounds.from, to)} AND ${before(from, bounds.to)}`)
  const [found] = await session.ask(`SELECT ${tests.join(', ')}`)
  return bound.flatMap(({ table }, i) => (found?.[i] === 't' ? [table] : []))
}

/** Creates the temporary table, which the end of the transaction drops. */
export async function createRestoredRows(session: CopySession, parent: TableName): Promise<void> {
  await session.ask(
    `CREATE TEMPORARY TABLE ${quoteName(RESTORED_ROWS.name)} (LIKE ${tableSql(parent)} INCLUDING GENERATED) ON COMMIT DROP`,
  )
}

/**
 * Inserts rows of a table into the partitioned one, and compares the stored rows with `expectCame`.
 * @param source the table, and its columns in the order of `came`
 * @param rest the default partition; null without one
 * @returns `differs` if the stored rows are not those that were sent
 * @throws SluiceError PARTITION_CHANGED if a key exists already, TABLE_REFUSED if a row has no partition
 */
export async function restoreInto(
  session: CopySession,
  parent: TableName,
  source: { readonly table: TableName; readonly columns: readonly string[] },
  { came, expectCame, key, label }: InsertRequest,
  rest: TableName | null,
): Promise<'done' | 'differs'> {
  const pairs = came.flatMap(({ name, column }, i) =>
    column.generated === true ? [] : [{ to: name, from: source.columns[i] ?? name }],
  )
  const into = columnList(pairs.map(({ to }) => to))
  const values = columnList(pairs.map(({ from }) => from))
  await session.ask(CONSTRAINTS_NOW)
  try {
    await session.ask(
      `INSERT INTO ${tableSql(parent)} (${into}) OVERRIDING SYSTEM VALUE SELECT ${values} FROM ${tableSql(source.table)}`,
    )
  } catch (error) {
    throw refusedAmongOthers(error, parent, label)
  }
  const keyOf = key.map((name) => source.columns[came.findIndex((one) => one.name === name)] ?? name)
  const condition = `(${columnList(key)}) IN (SELECT ${columnList(keyOf)} FROM ${tableSql(source.table)})`
  if (rest !== null) {
    const [astray] = await session.ask(`SELECT FROM ${tableSql(rest)} WHERE ${condition} LIMIT 1`)
    if (astray !== undefined) throw noPartition(parent, label, `they would be inserted into ${tableText(rest)}`)
  }
  const from = tableFromSql({ name: parent, only: false })
  const found = await digestPostgresRows(session, { columns: came, from, condition, table: tableText(parent) })
  return equalDigests(found, expectCame) ? 'done' : 'differs'
}

function refusedAmongOthers(error: unknown, parent: TableName, label: string): unknown {
  const { detail, message, constraint } = error as {
    readonly detail?: string
    readonly message?: string
    readonly constraint?: string
  }
  const where = tableText(parent)
  const state = sqlStateOf(error)
  if (state === '23505') {
    return new SluiceError('PARTITION_CHANGED', `a key of ${label} already exists in ${where}: ${detail ?? ''}`, {
      where,
      reason: 'nothing was changed: queries still read these rows from the archive',
      hint: `change the key of that row in ${where}, or remove the row, then run the same command again`,
      cause: error,
    })
  }
  if (state === '23514' && constraint === undefined) {
    return noPartition(parent, label, message ?? '', error)
  }
  return error
}

function noPartition(parent: TableName, label: string, why: string, cause?: unknown): SluiceError {
  const where = tableText(parent)
  return new SluiceError('TABLE_REFUSED', `${where} has no partition for some rows of ${label}: ${why}`, {
    where,
    reason: `another partition covers a part of the range of ${label}; nothing was changed`,
    hint: `create partitions for the rest of the range of ${label}, or detach that other partition, then run the same command again`,
    ...(cause === undefined ? {} : { cause }),
  })
}

/** Clause of ALTER TABLE that restores a trigger's state, by `pg_trigger.tgenabled`. */
const ENABLED = { O: 'ENABLE', A: 'ENABLE ALWAYS' } as const

/** Bit of `pg_trigger.tgtype` for the statement that fires a trigger. */
const FIRED_BY = { INSERT: 4, DELETE: 8 } as const

/**
 * Runs `move` without the DELETE triggers of `from` and the INSERT triggers of `to`, and of the tables below them: rows
 * that move are neither deleted nor new. The tables are locked exclusively; the triggers are enabled again in the same
 * transaction.
 */
async function withoutTriggers<T>(
  session: CopySession,
  { from, to }: { readonly from: TableName; readonly to: TableName },
  move: () => Promise<T>,
): Promise<T> {
  const fired = (table: TableName, by: keyof typeof FIRED_BY): string =>
    `t.tgtype & ${FIRED_BY[by]}::int2 <> 0::int2 AND t.tgrelid IN (${treeSql(`${literal(tableSql(table))}::pg_catalog.regclass::oid`)})`
  const triggers = await session.ask(
    `SELECT n.nspname, c.relname, t.tgname, t.tgenabled FROM pg_catalog.pg_trigger t
       JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE (${fired(from, 'DELETE')} OR ${fired(to, 'INSERT')}) AND ${isUsersTriggerSql('t')} AND t.tgenabled IN ('O', 'A')`,
  )
  const change = async (wanted: (state: string) => string): Promise<void> => {
    for (const [schema, of, name, state] of triggers) {
      const one = tableSql({ schema: schema ?? '', name: of ?? '' })
      await session.ask(`ALTER TABLE ONLY ${one} ${wanted(state ?? '')} TRIGGER ${quoteName(name ?? '')}`)
    }
  }
  await change(() => 'DISABLE')
  const moved = await move()
  await change((state) => ENABLED[state as keyof typeof ENABLED])
  return moved
}

/**
 * Moves rows of the default partition into the table of their bounds, so that it can be attached. Both tables are
 * locked exclusively. Values do not change.
 * @param table has a unique key, which refuses duplicates
 * @returns the number of moved rows
 * @throws SluiceError PARTITION_CHANGED if the table already has a key of these rows
 */
export async function moveLate(
  session: CopySession,
  { name }: KnownTable,
  late: { readonly rest: TableName; readonly columns: string; readonly where: string },
): Promise<bigint> {
  const { rest, columns, where } = late
  try {
    // One statement: each row that leaves also comes. Texts of values are compared: some types have no equality.
    const sumOf = (rows: string): string =>
      `SELECT count(*), pg_catalog.sum(('x' || pg_catalog.substr(pg_catalog.md5(ROW(${columns})::text), 17))::bit(64)::bigint) FROM ${rows}`
    const move = (): Promise<readonly TextRow[]> =>
      session.ask(
        `WITH gone AS (DELETE FROM ${tableSql(rest)} WHERE ${where} RETURNING ${columns}),
         came AS (INSERT INTO ${tableSql(name)} (${columns}) OVERRIDING SYSTEM VALUE SELECT ${columns} FROM gone RETURNING ${columns})
       SELECT * FROM (${sumOf('gone')}) AS g, (${sumOf('came')}) AS c`,
      )
    await session.ask(CONSTRAINTS_NOW)
    const [row] = await withoutTriggers(session, { from: rest, to: name }, move)
    const [gone, goneSum, came, cameSum] = row ?? []
    if (gone === came && goneSum === cameSum) return BigInt(came ?? 0)
    const how = gone === came ? 'with other values' : `as ${came}`
    throw new SluiceError(
      'TABLE_REFUSED',
      `rows of ${tableText(rest)} cannot be moved: ${tableText(name)} stores ${gone} rows ${how}`,
      {
        where: tableText(rest),
        reason: 'a rule of the table changes or refuses rows; nothing was changed',
        hint: 'disable that rule, then run the same command again',
      },
    )
  } catch (error) {
    if (sqlStateOf(error) !== '23505') throw error
    const { detail } = error as { readonly detail?: string }
    throw new SluiceError(
      'PARTITION_CHANGED',
      `rows of ${tableText(rest)} cannot be moved: a row has a key that also exists in the archive: ${detail ?? ''}`,
      {
        where: tableText(rest),
        reason: 'nothing was changed: queries still read these rows from the archive',
        hint: `change the key of that row in ${tableText(rest)}, or remove the row, then run the same command again`,
        cause: error,
      },
    )
  }
}
