/**
 * Notes of which rows of a table change, by their keys alone, kept by triggers: who follows the table reads these keys and then the rows as they stand. In the
 * order in which notes are numbered they say nothing: one with a lower number may be committed later.
 */
import type { TableName } from '../../../../model/copy/column-type.ts'
import type { KnownTable } from '../../server/locks.ts'
import { arrayText } from '../../server/array-text.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { followerKey } from './host-lock.ts'
import { markOf } from './names.ts'
import { Changed } from './not-now.ts'
import { revokeOthers } from './rights.ts'

/**
 * Triggers that note; nobody takes them for a table's own. They fire in the order of their names, and a blank comes before all letters: what somebody else's trigger
 * changes again is noted behind what it was fired by.
 */
export const NOTING_TRIGGERS = [' sluice_note_rows', ' sluice_note_emptied'] as const

export type KeyColumn = {
  readonly name: string
  /** As the server declares it, with its collation. */
  readonly type: string
}

/** How the log of a table is called, whether it is there or not. */
export type LogNames = {
  readonly table: TableName
  readonly note: TableName
}

/** What is to be noted, where, and for how long. */
type LogWish = LogNames & {
  readonly of: KnownTable
  /** Columns that tell rows apart and are never NULL. */
  readonly key: readonly KeyColumn[]
  /** Key of the lock that the session holds which follows it: without one nothing is noted any more. Null notes as long as the triggers are there. */
  readonly lock: bigint | null
  /** Its partitions are noted, too. */
  readonly isTree: boolean
  /** Names of the triggers: of rows, and of TRUNCATE. */
  readonly triggers: readonly [rows: string, emptied: string]
  /** Name of a constraint that the log is known by; null for none. */
  readonly mark: string | null
  /** What the triggers tell their function: whose they are. */
  readonly owner: string
}

export type KeyLog = LogWish & {
  readonly oid: string
  /** Number of the sequence of its notes. */
  readonly counter: string
  /** Number of the function that notes. */
  readonly function: string
  /** A condition of SQL: the log and the columns of the key are as they were. */
  readonly unchanged: string
  /** A condition of SQL: the columns of the key are those of their names. Reads the catalog. */
  readonly sameNames: string
}

/** What of a log one snapshot shows. */
export type Noted = {
  /** Numbers of the notes: exactly these are forgotten once they are followed. */
  readonly ids: readonly string[]
  /** Every row went at once, or a change could not be noted by its key: all rows have to be read again. */
  readonly emptied: boolean
}

/** Far behind all numbers of notes: a change that could not be noted at all puts the sequence there, outside of all transactions. */
const LOST = 2n ** 62n

export function logNames({ oid, name }: KnownTable): LogNames {
  const schema = name.schema ?? 'public'
  return { table: { schema, name: `sluice_keys_${oid}` }, note: { schema, name: `sluice_note_${oid}` } }
}

/** Of a log, the number of the table whose changes it holds; null where it has another name. */
export function loggedTable(name: string): string | null {
  return /^sluice_keys_(\d+)$/.exec(name)?.[1] ?? null
}

/** Of a function that notes, the number of the table whose changes it was made for; null where it has another name. */
export function notedTable(name: string): string | null {
  return /^sluice_note_(\d+)$/.exec(name)?.[1] ?? null
}

/**
 * In a transaction that has locked the table against writers. Once it is committed, nothing that a later snapshot shows is missing in the log, as long as this
 * session lives; from then on nothing is noted any more.
 * @param parent number of the partitioned table
 */
export async function beginKeyLog(
  session: CopySession,
  of: KnownTable,
  key: readonly KeyColumn[],
  parent: string,
): Promise<KeyLog> {
  const lock = followerKey(parent)
  await session.ask(`SELECT pg_catalog.pg_advisory_lock(${lock})`)
  return await makeKeyLog(session, {
    ...logNames(of),
    of,
    key,
    lock,
    isTree: false,
    triggers: NOTING_TRIGGERS,
    mark: markOf(parent),
    owner: parent,
  })
}

/**
 * Log, function and triggers, in a transaction that has locked the table against writers: whoever wrote before has ended, and every snapshot that is taken once
 * this is committed shows what he wrote; whoever writes later is noted.
 */
export async function makeKeyLog(session: CopySession, wish: LogWish): Promise<KeyLog> {
  const { table, note, key, of, mark, triggers, owner } = wish
  const marked = mark === null ? '' : `, CONSTRAINT ${quoteName(mark)} CHECK (log_id IS NOT NULL)`
  await session.ask(
    `CREATE TABLE ${tableSql(table)} (log_id bigint GENERATED ALWAYS AS IDENTITY, txid bigint NOT NULL DEFAULT pg_catalog.txid_current(), emptied boolean NOT NULL DEFAULT false,
       ${key.map(({ type }, i) => `${keyName(i)} ${type}`).join(', ')}${marked})`,
  )
  const [row] = await session.ask(
    `SELECT c.oid, pg_catalog.pg_get_serial_sequence(${literal(tableSql(table))}, 'log_id')::pg_catalog.regclass::oid, c.relnamespace
     FROM pg_catalog.pg_class c WHERE c.oid = ${literal(tableSql(table))}::pg_catalog.regclass::oid`,
  )
  const [oid = '', counter = '', schema = ''] = (row ?? []).map((one) => one ?? '')
  // Asked for each row: these functions look at nothing but caches.
  const unchanged = `pg_catalog.to_regclass(${literal(tableSql(table))})::pg_catalog.oid = ${oid}::pg_catalog.oid AND pg_catalog.has_schema_privilege(${schema}::pg_catalog.oid, 'USAGE')
    AND pg_catalog.has_table_privilege(${oid}::pg_catalog.oid, 'INSERT') AND ${await sameKeySql(session, wish)}`
  const log = { ...wish, oid, counter, unchanged, sameNames: await sameNamesSql(session, wish) }
  const [source, name] = [tableSql(of.name), tableSql(note)]
  const [rows, emptied] = triggers
  const calls = `EXECUTE FUNCTION ${name}(${literal(owner)})`
  await session.ask(
    [
      noteSql(log),
      `CREATE TRIGGER ${quoteName(rows)} AFTER INSERT OR UPDATE OR DELETE ON ${source} FOR EACH ROW ${calls}`,
      `CREATE TRIGGER ${quoteName(emptied)} AFTER TRUNCATE ON ${source} FOR EACH STATEMENT ${calls}`,
      // Also for sessions that apply what came from elsewhere.
      `ALTER TABLE ${source} ENABLE ALWAYS TRIGGER ${quoteName(rows)}, ENABLE ALWAYS TRIGGER ${quoteName(emptied)}`,
    ].join(';\n'),
  )
  const [made] = await session.ask(`SELECT ${literal(`${name}()`)}::pg_catalog.regprocedure::oid`)
  await revokeOthers(session, 'TABLE', oid)
  await revokeOthers(session, 'SEQUENCE', counter)
  await revokeOthers(session, 'FUNCTION', made?.[0] ?? '')
  return { ...log, function: made?.[0] ?? '' }
}

/**
 * A condition that the columns of a key have the same names and types: with another type their index is another one. A log that lasts asks for the constraint
 * where there is one, because REINDEX CONCURRENTLY makes another index for it.
 * @throws Changed
 */
async function sameKeySql(session: CopySession, { of, key, lock }: LogWish): Promise<string> {
  const [row] = await session.ask(
    `SELECT CASE WHEN ${lock === null} AND k.oid IS NOT NULL
         THEN pg_catalog.format('pg_catalog.pg_get_constraintdef(%s) = %L', k.oid, pg_catalog.pg_get_constraintdef(k.oid))
         ELSE (SELECT string_agg(pg_catalog.format('pg_catalog.pg_get_indexdef(%s, %s, false) = %L', i.indexrelid, n.place, pg_catalog.pg_get_indexdef(i.indexrelid, n.place, false)), ' AND ')
           FROM generate_series(1, i.indnkeyatts) AS n (place)) END
     FROM pg_catalog.pg_index i LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u') AND k.conrelid = i.indrelid
     WHERE i.indrelid = ${literal(of.oid)}::oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
       AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text) FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
         = (SELECT array_agg(one ORDER BY one) FROM unnest(${literal(arrayText(key.map(({ name }) => name)))}::text[]) AS one)
     ORDER BY NOT i.indisprimary, i.indexrelid LIMIT 1`,
  )
  if (row === undefined) throw new Changed('the key of the table is gone')
  return row[0] ?? 'false'
}

/** A condition that each name of the key is that of the same column as now: one that another column has taken would be noted with its values. */
async function sameNamesSql(session: CopySession, { of, key }: LogWish): Promise<string> {
  const rows = await session.ask(
    `SELECT pg_catalog.format('(a.attnum = %s AND a.attname = %L)', a.attnum, a.attname) FROM pg_catalog.pg_attribute a
     WHERE a.attrelid = ${literal(of.oid)}::oid AND a.attname::text = ANY (${literal(arrayText(key.map(({ name }) => name)))}::text[])`,
  )
  return `(SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = ${of.oid}::pg_catalog.oid AND (${rows.map(([one]) => one ?? '').join(' OR ')})) = ${key.length}`
}

/**
 * The function that notes, or makes it another one, in a transaction that has locked the table against writers. No statement of others fails of it, whatever was
 * renamed, altered or dropped meanwhile: then it notes that all has to be read again, and where not even that can be, the sequence says so.
 * @param instead statements that follow a change at once, in the transaction that makes it; what they fail of is noted
 */
export function noteSql(
  { of, table, note, key, oid, counter, lock, unchanged, sameNames, isTree }: Omit<KeyLog, 'function'>,
  instead?: string,
): string {
  const log = tableSql(table)
  const columns = key.map((_, i) => keyName(i)).join(', ')
  const values = (row: 'OLD' | 'NEW'): string => key.map((column) => `${row}.${quoteName(column.name)}`).join(', ')
  const noteRow = (row: 'OLD' | 'NEW'): string => `INSERT INTO ${log} (${columns}) VALUES (${values(row)});`
  // Keys are compared as texts: an operator of a type that somebody made is none that this search path finds.
  const notes = `IF TG_OP = 'TRUNCATE' THEN INSERT INTO ${log} (emptied) VALUES (true); RETURN NULL; END IF;
    IF TG_OP <> 'INSERT' THEN ${noteRow('OLD')} END IF;
    IF TG_OP = 'INSERT' THEN ${noteRow('NEW')}
    ELSIF TG_OP = 'UPDATE' THEN
      IF ROW(${values('OLD')})::text IS DISTINCT FROM ROW(${values('NEW')})::text THEN ${noteRow('NEW')} END IF;
    END IF;
    RETURN NULL;`
  const other = `TG_RELID <> ${of.oid}::pg_catalog.oid${
    isTree ? ` AND pg_catalog.pg_partition_root(TG_RELID) IS DISTINCT FROM ${of.oid}::pg_catalog.regclass` : ''
  }`
  const unless =
    lock === null
      ? ''
      : `-- Nobody follows any more.
    IF pg_catalog.pg_try_advisory_xact_lock_shared(${lock}) THEN RETURN NULL; END IF;`
  // A block with an exception costs a number of a transaction: while nothing has changed there is none.
  const body = `BEGIN
    -- Of another table, whose values nobody may have looked at with the rights of this function.
    IF ${other} THEN RETURN NULL; END IF;
    ${unless}
    ${instead ?? ''}
    IF ${unchanged} THEN
      ${notes}
    END IF;
    BEGIN
      IF ${sameNames} THEN
        ${notes}
      END IF;
    EXCEPTION WHEN OTHERS THEN NULL; END;
    BEGIN
      EXECUTE pg_catalog.format('INSERT INTO %s (emptied) VALUES (true)', ${oid}::pg_catalog.regclass); RETURN NULL;
    EXCEPTION WHEN OTHERS THEN NULL; END;
    BEGIN
      PERFORM pg_catalog.setval(${counter}::pg_catalog.regclass, ${LOST});
    EXCEPTION WHEN OTHERS THEN NULL; END;
    RETURN NULL;
  END`
  // Whoever may write to the table need not be one who may read the log.
  return `CREATE OR REPLACE FUNCTION ${tableSql(note)}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp AS ${literal(body)}`
}

/** Takes everything away again. @param on under which name the table stands now; null where it is no more, or its triggers are gone */
export function dropKeyLogSql({ table, note }: LogNames, on: TableName | null): string {
  const triggers =
    on === null ? [] : NOTING_TRIGGERS.map((name) => `DROP TRIGGER IF EXISTS ${quoteName(name)} ON ${tableSql(on)}`)
  return [...triggers, `DROP FUNCTION IF EXISTS ${tableSql(note)}()`, `DROP TABLE IF EXISTS ${tableSql(table)}`].join(
    ';\n',
  )
}

/** What a transaction begins with that reads the table beside its log: it is not emptied behind its view. */
export function lockedSql({ of }: KeyLog): string {
  return `LOCK TABLE ONLY ${tableSql(of.name)} IN ACCESS SHARE MODE`
}

/** All that the snapshot of the transaction shows. @param most no more are read @throws Changed where a change could not be noted */
export async function noted(session: CopySession, log: KeyLog, most?: number): Promise<Noted> {
  await refuseLost(session, log)
  const limit = most === undefined ? '' : ` LIMIT ${most}`
  const rows = await session.ask(`SELECT log_id, emptied FROM ${tableSql(log.table)}${limit}`)
  return { ids: rows.map(([id]) => id ?? ''), emptied: rows.some(([, emptied]) => emptied === 't') }
}

/** Whether anything is noted. @throws Changed where a change could not be noted */
export async function isNoted(session: CopySession, log: KeyLog): Promise<boolean> {
  await refuseLost(session, log)
  return (await session.ask(`SELECT FROM ${tableSql(log.table)} LIMIT 1`)).length > 0
}

/** A condition that a change could not be noted at all. @param counter number of the sequence of the notes */
export function lostSql(counter: string): string {
  return `coalesce(pg_catalog.pg_sequence_last_value(${literal(counter)}::oid::pg_catalog.regclass) >= ${LOST}, false)`
}

async function refuseLost(session: CopySession, { counter }: KeyLog): Promise<void> {
  const [last] = await session.ask(`SELECT ${lostSql(counter)}`)
  if (last?.[0] === 't') throw new Changed('a change of the default partition could not be noted')
}

/** A query of the keys of some notes, each once, in columns `k0`, `k1` … */
export function keysSql({ table, key }: KeyLog, ids: readonly string[]): string {
  return `SELECT DISTINCT ${key.map((_, i) => keyName(i)).join(', ')} FROM ${tableSql(table)} WHERE NOT emptied AND log_id = ANY (${idList(ids)})`
}

/** A condition that the row of one table has the key of another row. @param row name of the first @param keys name of the other, with columns as of `keysSql` */
export function sameKey({ key }: KeyLog, row: string, keys: string): string {
  return key.map(({ name }, i) => `${row}.${quoteName(name)} = ${keys}.${keyName(i)}`).join(' AND ')
}

/** Exactly these. */
export async function forget(session: CopySession, { table }: KeyLog, ids: readonly string[]): Promise<void> {
  await session.ask(`DELETE FROM ${tableSql(table)} WHERE log_id = ANY (${idList(ids)})`)
}

/** Column of a log that holds a part of the key. */
export function keyName(at: number): string {
  return `k${at}`
}

function idList(ids: readonly string[]): string {
  return `${literal(`{${ids.join(',')}}`)}::bigint[]`
}
