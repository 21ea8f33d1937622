/**
 * Log of keys of changed rows, written by triggers. A reader takes the keys, then reads the rows themselves. The order
 * of note numbers means nothing: a lower number may commit later.
 */
import type { TableName } from '../../../../model/copy/column-type.ts'
import type { KnownTable } from '../../server/locks.ts'
import { arrayText } from '../../server/array-text.ts'
import { quoteName } from '../../server/connect.ts'
import { ownFunctionSql } from '../../server/own-function.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { followerKey } from './host-lock.ts'
import { attachMark } from './names.ts'
import { Changed } from './not-now.ts'
import { revokeOthers } from './rights.ts'

/**
 * Names of noting triggers, distinct from a table's own. Triggers fire in name order, and a blank sorts first. So if a
 * user's trigger changes rows again, this change is noted after the change that fired the trigger.
 */
export const NOTING_TRIGGERS = [' sluice_note_rows', ' sluice_note_emptied'] as const

export type KeyColumn = {
  readonly name: string
  /** Type as the server declares it, with its collation. */
  readonly type: string
}

/** Names of a table's log, whether it exists or not. */
export type LogNames = {
  readonly table: TableName
  /** The noting function. */
  readonly note: TableName
}

/** Table and key of a log, and when it notes changes. */
type LogOptions = LogNames & {
  readonly of: KnownTable
  /** Columns that identify rows and are never NULL. */
  readonly key: readonly KeyColumn[]
  /** Advisory lock of the session that reads the notes; without it nothing is noted. Null: changes are always noted. */
  readonly lock: bigint | null
  /** True if changes of the table's partitions are noted, too. */
  readonly isTree: boolean
  /** Names of the triggers: for rows, and for TRUNCATE. */
  readonly triggers: readonly [rows: string, emptied: string]
  /** Name of the constraint that marks the log; null for none. */
  readonly mark: string | null
  /** Argument of the triggers, which identifies their stream or partitioned table. */
  readonly owner: string
}

export type KeyLog = LogOptions & {
  readonly oid: string
  /** OID of the sequence that numbers the notes. */
  readonly counter: string
  /** OID of the noting function. */
  readonly function: string
  /** SQL condition: the log and the key columns are unchanged. */
  readonly unchanged: string
  /** SQL condition: the key's names still belong to the same columns. Reads the catalog. */
  readonly sameNames: string
}

/** Notes of a log in one snapshot. */
export type LogNotes = {
  /** Numbers of the notes: exactly these are deleted once they are applied. */
  readonly ids: readonly string[]
  /** True if all rows must be read again: the table was truncated, or a change could not be noted by its key. */
  readonly emptied: boolean
}

/**
 * Far above all note numbers. A change that cannot be noted sets the sequence to this; a rollback does not undo that.
 */
const LOST = 2n ** 62n

export function logNames({ oid, name }: KnownTable): LogNames {
  const schema = name.schema ?? 'public'
  return { table: { schema, name: `sluice_keys_${oid}` }, note: { schema, name: `sluice_note_${oid}` } }
}

/** OID of the table whose changes a log contains; null if this is not the name of a log. */
export function loggedTable(name: string): string | null {
  return /^sluice_keys_(\d+)$/.exec(name)?.[1] ?? null
}

/** OID of the table whose changes a function notes; null if the name is not a name of a noting function. */
export function notedTable(name: string): string | null {
  return /^sluice_note_(\d+)$/.exec(name)?.[1] ?? null
}

/**
 * Begins a log, in the caller's transaction, which has locked the table against writers. From the commit on, the log
 * misses no change as long as this session lasts; after the session nothing is noted.
 * @param parent OID of the partitioned table
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
    mark: attachMark(parent),
    owner: parent,
  })
}

/**
 * Creates log, function and triggers, in a transaction that has locked the table against writers. Earlier writers have
 * ended, and every snapshot after the commit shows their rows; later writers are noted.
 */
export async function makeKeyLog(session: CopySession, options: LogOptions): Promise<KeyLog> {
  const { table, note, key, of, mark, triggers, owner } = options
  const marked = mark === null ? '' : `, CONSTRAINT ${quoteName(mark)} CHECK (log_id IS NOT NULL)`
  await session.ask(
    `CREATE TABLE ${tableSql(table)} (log_id bigint GENERATED ALWAYS AS IDENTITY, txid bigint NOT NULL DEFAULT pg_catalog.txid_current(), emptied boolean NOT NULL DEFAULT false,
       ${key.map(({ type }, i) => `${postgresLogKeyColumn(i)} ${type}`).join(', ')}${marked})`,
  )
  const [row] = await session.ask(
    `SELECT c.oid, pg_catalog.pg_get_serial_sequence(${literal(tableSql(table))}, 'log_id')::pg_catalog.regclass::oid, c.relnamespace
     FROM pg_catalog.pg_class c WHERE c.oid = ${literal(tableSql(table))}::pg_catalog.regclass::oid`,
  )
  const [oid = '', counter = '', schema = ''] = (row ?? []).map((one) => one ?? '')
  // The condition is evaluated for each row, so its functions read only caches.
  const unchanged = `pg_catalog.to_regclass(${literal(tableSql(table))})::pg_catalog.oid = ${oid}::pg_catalog.oid AND pg_catalog.has_schema_privilege(${schema}::pg_catalog.oid, 'USAGE')
    AND pg_catalog.has_table_privilege(${oid}::pg_catalog.oid, 'INSERT') AND ${await sameKeySql(session, options)}`
  const log = { ...options, oid, counter, unchanged, sameNames: await sameNamesSql(session, options) }
  const [source, name] = [tableSql(of.name), tableSql(note)]
  const [rows, emptied] = triggers
  const calls = `EXECUTE FUNCTION ${name}(${literal(owner)})`
  await session.ask(
    [
      noteSql(log),
      `CREATE TRIGGER ${quoteName(rows)} AFTER INSERT OR UPDATE OR DELETE ON ${source} FOR EACH ROW ${calls}`,
      `CREATE TRIGGER ${quoteName(emptied)} AFTER TRUNCATE ON ${source} FOR EACH STATEMENT ${calls}`,
      // ALWAYS: also for sessions that apply replicated changes.
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
 * SQL condition: the key columns have the same names and types as now. It reads the columns of the key's index by the
 * OID of the index; a change of a column's type creates a new index. A permanent log (`lock` null) compares the
 * definition of the key's constraint, if there is one, because REINDEX CONCURRENTLY replaces the index.
 * @throws Changed
 */
async function sameKeySql(session: CopySession, { of, key, lock }: LogOptions): Promise<string> {
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

/** SQL condition: each key name belongs to the same column as now. Otherwise another column's values would be noted. */
async function sameNamesSql(session: CopySession, { of, key }: LogOptions): Promise<string> {
  const rows = await session.ask(
    `SELECT pg_catalog.format('(a.attnum = %s AND a.attname = %L)', a.attnum, a.attname) FROM pg_catalog.pg_attribute a
     WHERE a.attrelid = ${literal(of.oid)}::oid AND a.attname::text = ANY (${literal(arrayText(key.map(({ name }) => name)))}::text[])`,
  )
  return `(SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = ${of.oid}::pg_catalog.oid AND (${rows.map(([one]) => one ?? '').join(' OR ')})) = ${key.length}`
}

/**
 * Creates or replaces the noting function, in a transaction that has locked the table against writers. It never makes a
 * statement of another session fail, whatever was renamed, altered or dropped. If it cannot note a key, it notes that
 * all rows must be read again; if that fails, too, it sets the sequence to `LOST`.
 * @param instead statements that apply a change at once, in its transaction; failures are noted
 */
export function noteSql(
  { of, table, note, key, oid, counter, lock, unchanged, sameNames, isTree }: Omit<KeyLog, 'function'>,
  instead?: string,
): string {
  const log = tableSql(table)
  const columns = key.map((_, i) => postgresLogKeyColumn(i)).join(', ')
  const values = (row: 'OLD' | 'NEW'): string => key.map((column) => `${row}.${quoteName(column.name)}`).join(', ')
  const noteRow = (row: 'OLD' | 'NEW'): string => `INSERT INTO ${log} (${columns}) VALUES (${values(row)});`
  // The keys are compared as text: this search path finds no operator of a user-defined type.
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
  // Changes are first noted in a block without an exception handler, because a block with one uses a transaction id of
  // its own.
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
  // SECURITY DEFINER: a role that writes to the table may lack rights on the log.
  const declared = `RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp AS ${literal(body)}`
  return ownFunctionSql(tableSql(note), of.oid, declared).join(';\n')
}

/** Drops log, function and triggers. @param on current name of the table; null if the table or its triggers are gone */
export function dropKeyLogSql({ table, note }: LogNames, on: TableName | null): string {
  const triggers =
    on === null ? [] : NOTING_TRIGGERS.map((name) => `DROP TRIGGER IF EXISTS ${quoteName(name)} ON ${tableSql(on)}`)
  return [...triggers, `DROP FUNCTION IF EXISTS ${tableSql(note)}()`, `DROP TABLE IF EXISTS ${tableSql(table)}`].join(
    ';\n',
  )
}

/** First statement of a transaction that reads table and log. Its lock prevents a TRUNCATE after the snapshot. */
export function lockedSql({ of }: KeyLog): string {
  return `LOCK TABLE ONLY ${tableSql(of.name)} IN ACCESS SHARE MODE`
}

/** Reads notes in the transaction's snapshot: all, or at most `most`. @throws Changed if a change could not be noted */
export async function readLogNotes(session: CopySession, log: KeyLog, most?: number): Promise<LogNotes> {
  await refuseLost(session, log)
  const limit = most === undefined ? '' : ` LIMIT ${most}`
  const rows = await session.ask(`SELECT log_id, emptied FROM ${tableSql(log.table)}${limit}`)
  return { ids: rows.map(([id]) => id ?? ''), emptied: rows.some(([, emptied]) => emptied === 't') }
}

/** True if the log has notes. @throws Changed if a change could not be noted */
export async function hasLogNotes(session: CopySession, log: KeyLog): Promise<boolean> {
  await refuseLost(session, log)
  return (await session.ask(`SELECT FROM ${tableSql(log.table)} LIMIT 1`)).length > 0
}

/** SQL condition: a change could not be noted. @param counter OID of the sequence that numbers the notes */
export function lostSql(counter: string): string {
  return `coalesce(pg_catalog.pg_sequence_last_value(${literal(counter)}::oid::pg_catalog.regclass) >= ${LOST}, false)`
}

async function refuseLost(session: CopySession, { counter }: KeyLog): Promise<void> {
  if (await session.isTrue(`SELECT ${lostSql(counter)}`))
    throw new Changed('a change of the default partition could not be recorded')
}

/**
 * Query for the keys of some notes, in columns `k0`, `k1` … Keys may be repeated: DISTINCT would merge equal keys with
 * different texts.
 */
export function keysSql({ table, key }: KeyLog, ids: readonly string[]): string {
  return `SELECT ${key.map((_, i) => postgresLogKeyColumn(i)).join(', ')} FROM ${tableSql(table)} WHERE NOT emptied AND log_id = ANY (${idList(ids)})`
}

/**
 * SQL condition: a table row has the key of another row.
 * @param row name of the table row
 * @param keys name of the other row, with the columns of `keysSql`
 */
export function sameKey({ key }: KeyLog, row: string, keys: string): string {
  return key.map(({ name }, i) => `${row}.${quoteName(name)} = ${keys}.${postgresLogKeyColumn(i)}`).join(' AND ')
}

/** Deletes exactly these notes. */
export async function deleteNotes(session: CopySession, { table }: KeyLog, ids: readonly string[]): Promise<void> {
  await session.ask(`DELETE FROM ${tableSql(table)} WHERE log_id = ANY (${idList(ids)})`)
}

/** Name of the log's column for a column of the key. @param at index of that column in the key */
export function postgresLogKeyColumn(at: number): string {
  return `k${at}`
}

function idList(ids: readonly string[]): string {
  return `${literal(`{${ids.join(',')}}`)}::bigint[]`
}
