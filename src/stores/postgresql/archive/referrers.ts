/** Foreign keys that refer to a PostgreSQL table, and rows of other tables that refer to its rows. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { CountedKey, Orphans, Referrer, ReferringRow, TableKey } from '../../../model/archive/constraints-port.ts'
import { orphansSql, referringSql } from '../../common/referring-sql.ts'
import { quoteName } from '../server/connect.ts'
import type { CopySession } from '../server/session.ts'
import { tableFromSql, literal, tableSql } from '../server/sql.ts'
import { isConnectionLoss, sqlStateOf } from '../server/server-errors.ts'
import { tableByName } from '../server/known.ts'
import { treeSql } from '../server/relation.ts'

/** Actions by `pg_constraint.confdeltype`. */
const ON_DELETE: Readonly<Record<string, string>> = {
  a: 'NO ACTION',
  r: 'RESTRICT',
  c: 'CASCADE',
  n: 'SET NULL',
  d: 'SET DEFAULT',
}

/** SQL of column names by attribute numbers, as JSON in this order. @param relation SQL of the table's OID */
export function columnNamesSql(numbers: string, relation: string): string {
  return `(SELECT pg_catalog.json_agg(a.attname ORDER BY u.n) FROM pg_catalog.unnest(${numbers}) WITH ORDINALITY AS u (number, n)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = ${relation} AND a.attnum = u.number)`
}

/** SQL of operators that compare a referenced column with a referring column, as JSON. @param oids SQL of an array */
export function operatorsSql(oids: string): string {
  return `(SELECT pg_catalog.json_agg(pg_catalog.format('OPERATOR(%I.%s)', s.nspname, o.oprname) ORDER BY u.n) FROM pg_catalog.unnest(${oids}) WITH ORDINALITY AS u (oid, n)
        JOIN pg_catalog.pg_operator o ON o.oid = u.oid JOIN pg_catalog.pg_namespace s ON s.oid = o.oprnamespace)`
}

/** Names as `columnNamesSql` and `operatorsSql` return them; empty for NULL. */
export function namesIn(json: string | null | undefined): readonly string[] {
  return JSON.parse(json ?? '[]') as string[]
}

/** Foreign keys to a table and to its parents, except the keys that the server adds for every partition. */
export async function postgresReferrers(session: CopySession, table: TableName): Promise<readonly Referrer[]> {
  const found = await tableByName(session, table)
  if (found === null) return []
  return (await keysOf(session, 'false', `k.confrelid = ${literal(found.oid)}::oid`)).map(({ key }) => key)
}

/** See `ReferrerStore.keys`. */
export async function postgresKeys(session: CopySession, table: TableName): Promise<readonly TableKey[]> {
  const found = await tableByName(session, table)
  if (found === null) return []
  const members = `(${treeSql(`${literal(found.oid)}::oid`)})`
  return await keysOf(session, `k.conrelid IN ${members}`, `k.confrelid IN ${members}`)
}

/**
 * For each partition the server adds keys; only the keys that were declared are returned.
 * @param leaves SQL condition for keys `k` of a table @param arrives the same for keys that refer to it
 */
async function keysOf(session: CopySession, leaves: string, arrives: string): Promise<readonly TableKey[]> {
  const rows = await session.ask(
    `WITH RECURSIVE made AS (
       SELECT k.oid, k.conparentid, ${leaves} AS leaves, ${arrives} AS arrives FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND (${leaves} OR ${arrives})
       UNION SELECT p.oid, p.conparentid, m.leaves, m.arrives FROM made m JOIN pg_catalog.pg_constraint p ON p.oid = m.conparentid),
     declared AS (SELECT oid, pg_catalog.bool_or(leaves) AS leaves, pg_catalog.bool_or(arrives) AS arrives FROM made WHERE conparentid = 0::oid GROUP BY oid)
     SELECT k.conname, n.nspname, c.relname, ${columnNamesSql('k.conkey', 'k.conrelid')}, ${columnNamesSql('k.confkey', 'k.confrelid')}, k.confdeltype,
       k.conrelid = k.confrelid, ${operatorsSql('k.conpfeqop')}, k.confmatchtype,
       coalesce((pg_catalog.to_jsonb(k) ->> 'conperiod'::text)::boolean, false), pn.nspname, pc.relname, m.leaves, m.arrives
     FROM declared m JOIN pg_catalog.pg_constraint k ON k.oid = m.oid JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_class pc ON pc.oid = k.confrelid
       JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace ORDER BY 2, 3, 1`,
  )
  return rows.map(
    ([name, schema, child, columns, to, action, own, equal, match, period, place, parent, from, into]): TableKey => {
      const onDelete = ON_DELETE[action ?? ''] ?? ''
      const key = {
        name: name ?? '',
        table: { schema: schema ?? '', name: child ?? '' },
        columns: namesIn(columns),
        to: namesIn(to),
        equal: namesIn(equal),
        onDelete,
        stopsRemoval: onDelete === 'CASCADE' || onDelete.startsWith('SET'),
        own: own === 't',
        full: match === 'f',
        period: period === 't',
      }
      return { key, parent: { schema: place ?? '', name: parent ?? '' }, leaves: from === 't', arrives: into === 't' }
    },
  )
}

/**
 * Values of a row that refers to a row of the table within the condition. Runs in its own transaction; `unknown` if
 * that takes longer than `timeLimitMs`.
 */
export async function postgresReferringRow(
  session: CopySession,
  table: TableName,
  referrer: Referrer,
  condition: string | null,
  timeLimitMs: number,
): Promise<ReferringRow> {
  return await within(session, timeLimitMs, 'no such row was found', () =>
    referringNow(session, table, referrer, condition),
  )
}

/**
 * Number of rows that refer to a missing row. Runs in its own transaction; `unknown` if that takes longer than
 * `timeLimitMs`.
 */
export async function postgresOrphans(
  session: CopySession,
  counted: CountedKey,
  timeLimitMs: number,
): Promise<Orphans> {
  const { key, parent } = counted
  if (key.period === true) return { unknown: 'several rows of the parent may cover its PERIOD' }
  try {
    return await within(session, timeLimitMs, 'not counted', async () => {
      const oids = [parent, key.table].map((name) => `pg_catalog.to_regclass(${literal(tableSql(name))})::oid`)
      const divided = await session.ask(
        `SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'p' AND c.oid IN (${oids.join(', ')})`,
      )
      // A foreign key does not cover inheriting tables; a partitioned table has its rows in its partitions.
      const from = (name: TableName): string => {
        const isDivided = divided.some(([schema, own]) => own === name.name && schema === (name.schema ?? schema))
        return tableFromSql({ name, only: !isDivided })
      }
      const [row] = await session.ask(orphansSql(counted, { quote: quoteName, table: from }))
      return { rows: BigInt(row?.[0] ?? 0) }
    })
  } catch (error) {
    if (session.alive && sqlStateOf(error) !== null && !isConnectionLoss(error))
      return { unknown: (error as Error).message }
    throw error
  }
}

async function within<T>(
  session: CopySession,
  timeLimitMs: number,
  late: string,
  body: () => Promise<T>,
): Promise<T | { readonly unknown: string }> {
  await session.begin('READ ONLY', `SET LOCAL statement_timeout = ${Math.max(1, Math.ceil(timeLimitMs))}`)
  try {
    return await body()
  } catch (error) {
    const state = session.alive ? sqlStateOf(error) : null
    // 57014: the statement timed out. 42501: a right is missing, or rows are hidden.
    if (state === '57014') return { unknown: `${late} within ${Math.ceil(timeLimitMs)} ms` }
    if (state === '42501') return { unknown: (error as Error).message }
    throw error
  } finally {
    if (session.alive) await session.rollBack()
  }
}

/** Values of a referring row; null if there is none. Runs in the caller's transaction. */
export async function referringNow(
  session: CopySession,
  table: TableName,
  referrer: Referrer,
  condition: string | null,
): Promise<{ readonly values: readonly string[] } | null> {
  const dialect = { quote: quoteName, table: tableSql, text: (expression: string) => `${expression}::text` }
  const [row] = await session.ask(referringSql(table, referrer, condition, dialect))
  return row === undefined ? null : { values: row.map((value) => value ?? '') }
}
