/**
 * Objects that a stream with triggers has at the source, all in one schema. Each table has a log of keys, and a
 * function that fills the log. One row holds the position up to which notes were deleted. A guard prevents deletes by
 * other programs.
 */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import type { FollowedTable, StreamStart } from '../../../../model/follow/port.ts'
import { arrayText } from '../../server/array-text.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { postgresLogKeyColumn, makeKeyLog, type KeyColumn } from '../../partition/maintenance/key-log.ts'
import { revokeOthers } from '../../partition/maintenance/rights.ts'

/** Names of a stream's triggers on a table. A blank sorts before letters, so they fire before the user's triggers. */
function triggersOf(schema: string): readonly [rows: string, emptied: string] {
  return [` ${schema}_rows`, ` ${schema}_emptied`]
}

/** Setting that permits a session to delete notes. */
const DELETES_NOTES = 'sluice.forgets'
/**
 * Number of dead notes after which the log is vacuumed. Not a share of the log, because the log is empty most of the
 * time.
 */
const VACUUM_ROWS = 10_000

/** The log of one table as it was created; stored as JSON. */
export type PostgresTableLog = {
  readonly table: TableName
  readonly key: readonly KeyColumn[]
  readonly oid: string
  /** OID of the sequence of its notes. */
  readonly counter: string
  /** The function that fills the log: its OID, and the transaction that wrote it. */
  readonly note: string
  /** The trigger that guards the log: its OID, and the transaction that wrote it. */
  readonly guard: string
  /** SQL condition: the log and the columns of the key are unchanged. */
  readonly unchanged: string
}

/** Name of a table's log among the facts of a stream. */
export function postgresLogFact(table: TableName): string {
  return `log of ${tableText(table)}`
}

/** @throws Error if the stream has no log of the table */
export function postgresLogOf({ facts, slot }: StreamStart, { table }: FollowedTable): PostgresTableLog {
  const text = facts[postgresLogFact(table.table)]
  if (text === undefined) throw new Error(`stream ${slot} has no log of ${tableText(table.table)}`)
  return JSON.parse(text) as PostgresTableLog
}

/** The row with the position up to which notes were deleted. */
export function progressSql(name: string): string {
  return tableSql({ schema: name, name: 'progress' })
}

/** Locks the progress row, so that only one program at a time deletes notes; for use in a transaction. */
export function progressLock(name: string): string {
  return `SELECT one FROM ${progressSql(name)} FOR UPDATE`
}

/** Creates the schema, its guard, and the progress row; for use in a transaction. */
export async function makeSchema(session: CopySession, name: string): Promise<void> {
  const schema = quoteName(name)
  const guard = `BEGIN
    IF TG_OP = 'DELETE' AND pg_catalog.current_setting(${literal(DELETES_NOTES)}, true) = ${literal(name)} THEN RETURN NULL; END IF;
    RAISE EXCEPTION USING MESSAGE = pg_catalog.format('%I.%I is the log of stream ${name} of sluice: what is taken out of it is lost', TG_TABLE_SCHEMA, TG_TABLE_NAME),
      HINT = 'sluice follow RUN --end removes the stream with its logs';
  END`
  const progress = progressSql(name)
  await session.ask(
    [
      `CREATE SCHEMA ${schema}`,
      `CREATE FUNCTION ${schema}.guard() RETURNS trigger LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp AS ${literal(guard)}`,
      `CREATE TABLE ${progress} (one boolean PRIMARY KEY DEFAULT true CHECK (one), forgotten pg_lsn)`,
      `INSERT INTO ${progress} DEFAULT VALUES`,
    ].join(';\n'),
  )
  const [made] = await session.ask(
    `SELECT ${literal(schema)}::pg_catalog.regnamespace::oid, ${literal(`${schema}.guard()`)}::pg_catalog.regprocedure::oid, ${literal(progress)}::pg_catalog.regclass::oid`,
  )
  const [oid, guardOid, progressOid] = (made ?? []).map((one) => one ?? '')
  await revokeOthers(session, 'SCHEMA', oid ?? '')
  await revokeOthers(session, 'FUNCTION', guardOid ?? '')
  await revokeOthers(session, 'TABLE', progressOid ?? '')
}

/** Name of a table's log, whether it exists or not. */
export async function ownLog(session: CopySession, schema: string, { table }: FollowedTable): Promise<TableName> {
  const [row] = await session.ask(`SELECT ${literal(tableSql(table.table))}::pg_catalog.regclass::oid`)
  return { schema, name: `keys_${row?.[0] ?? ''}` }
}

/**
 * Creates log, function and triggers of a table that is locked against writers.
 * @throws SluiceError; Changed; errors of the server
 */
export async function makePostgresLog(
  session: CopySession,
  schema: string,
  { table, identity }: FollowedTable,
): Promise<PostgresTableLog> {
  const [found] = await session.ask(
    `SELECT c.oid, c.relkind FROM pg_catalog.pg_class c WHERE c.oid = ${literal(tableSql(table.table))}::pg_catalog.regclass::oid`,
  )
  const [of = '', kind = ''] = (found ?? []).map((one) => one ?? '')
  const key = await keyColumns(session, of, identity)
  const log = await makeKeyLog(session, {
    table: { schema, name: `keys_${of}` },
    note: { schema, name: `note_${of}` },
    of: { oid: of, name: table.table },
    key,
    lock: null,
    isTree: kind === 'p',
    triggers: triggersOf(schema),
    mark: null,
    owner: schema,
  })
  await session.ask(
    [
      `ALTER TABLE ${tableSql(log.table)} SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = ${VACUUM_ROWS})`,
      `CREATE TRIGGER guard BEFORE DELETE OR TRUNCATE ON ${tableSql(log.table)} FOR EACH STATEMENT EXECUTE FUNCTION ${quoteName(schema)}.guard()`,
      `ALTER TABLE ${tableSql(log.table)} ENABLE ALWAYS TRIGGER guard`,
    ].join(';\n'),
  )
  if (kind === 'p') await enableInPartitions(session, log.function)
  return { table: log.table, key, oid: log.oid, counter: log.counter, note: '', guard: '', unchanged: log.unchanged }
}

/** Sets ENABLE ALWAYS for the triggers of partitions, because some server versions do not pass it on to them. */
async function enableInPartitions(session: CopySession, note: string): Promise<void> {
  const rows = await session.ask(
    `SELECT n.nspname, c.relname, g.tgname FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE g.tgfoid = ${literal(note)}::oid AND g.tgenabled <> 'A' ORDER BY c.oid`,
  )
  for (const [schema, name, trigger] of rows)
    await session.ask(
      `ALTER TABLE ${tableSql({ schema: schema ?? '', name: name ?? '' })} ENABLE ALWAYS TRIGGER ${quoteName(trigger ?? '')}`,
    )
}

async function keyColumns(
  session: CopySession,
  of: string,
  identity: readonly string[],
): Promise<readonly KeyColumn[]> {
  const rows = await session.ask(
    `SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attcollation = 0::oid THEN ''
         ELSE (SELECT pg_catalog.format(' COLLATE %I.%I', n.nspname, c.collname) FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace WHERE c.oid = a.attcollation) END
     FROM pg_catalog.unnest(${literal(arrayText(identity))}::text[]) WITH ORDINALITY AS w (name, place) JOIN pg_catalog.pg_attribute a ON a.attname = w.name AND NOT a.attisdropped
     WHERE a.attrelid = ${literal(of)}::oid ORDER BY w.place`,
  )
  return rows.map(([name, type]) => ({ name: name ?? '', type: type ?? '' }))
}

/** Current function and guard of each log, each with the transaction that last wrote it; empty if it does not exist. */
export async function writtenNow(
  session: CopySession,
  logs: readonly PostgresTableLog[],
): Promise<readonly Pick<PostgresTableLog, 'note' | 'guard'>[]> {
  if (logs.length === 0) return []
  const wanted = logs.map(({ oid, table }, at) => `(${at}, ${oid}, ${literal(noteOf(table))})`)
  const rows = await session.ask(
    `SELECT p.oid::text || ' ' || p.xmin::text, (SELECT string_agg(g.oid::text || ' ' || g.xmin::text, ', ') FROM pg_catalog.pg_trigger g WHERE g.tgrelid = w.log::oid AND NOT g.tgisinternal)
     FROM (VALUES ${wanted.join(', ')}) AS w (place, log, note) LEFT JOIN pg_catalog.pg_proc p ON p.oid = pg_catalog.to_regprocedure(w.note)::oid ORDER BY w.place`,
  )
  return rows.map(([note, guard]) => ({ note: note ?? '', guard: guard ?? '' }))
}

/** Signature of the function that fills a log. */
export function noteOf({ schema, name }: TableName): string {
  return `${tableSql({ ...(schema === undefined ? {} : { schema }), name: name.replace('keys_', 'note_') })}()`
}

/** The key columns of a log, under their names in the table. */
export function keysAs({ key }: PostgresTableLog): string {
  return key.map(({ name }, i) => `${postgresLogKeyColumn(i)} AS ${quoteName(name)}`).join(', ')
}

/** Deletes exactly the notes in a snapshot, and records the position. @param snapshot text of `pg_current_snapshot` */
export function deleteNotesSql(
  name: string,
  logs: readonly PostgresTableLog[],
  snapshot: string,
  upTo: string,
): string {
  const seen = `pg_catalog.txid_visible_in_snapshot(txid, ${literal(snapshot)}::pg_catalog.txid_snapshot)`
  return [
    `SET LOCAL synchronous_commit = 'local'`,
    `SELECT pg_catalog.set_config(${literal(DELETES_NOTES)}, ${literal(name)}, true)`,
    ...logs.map(({ table }) => `DELETE FROM ${tableSql(table)} WHERE ${seen}`),
    `UPDATE ${progressSql(name)} SET forgotten = ${literal(upTo)} WHERE forgotten IS NULL OR forgotten < ${literal(upTo)}`,
  ].join(';\n')
}
