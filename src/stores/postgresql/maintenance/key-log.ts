/**
 * Notes of which rows of a table change, by their keys alone, kept by triggers: who follows the table reads these keys and then the rows as they stand. In the
 * order in which notes are numbered they say nothing: one with a lower number may be committed later.
 */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { KnownTable } from '../archiving/locks.ts'
import { quoteName } from '../connect.ts'
import type { CopySession } from '../copy/session.ts'
import { literal, tableSql } from '../copy/sql.ts'

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

export type KeyLog = {
  readonly of: KnownTable
  readonly table: TableName
  readonly note: TableName
  /** Columns that tell rows apart and are never NULL. */
  readonly key: readonly KeyColumn[]
}

/** What of a log one snapshot shows. */
export type Noted = {
  /** Numbers of the notes: exactly these are forgotten once they are followed. */
  readonly ids: readonly string[]
  /** Every row went at once: keys say nothing about that. */
  readonly emptied: boolean
}

/** How the log of a table is called, whether it is there or not. */
export function keyLogOf(of: KnownTable, key: readonly KeyColumn[]): KeyLog {
  const schema = of.name.schema ?? 'public'
  return {
    of,
    key,
    table: { schema, name: `sluice_keys_${of.oid}` },
    note: { schema, name: `sluice_note_${of.oid}` },
  }
}

/**
 * Statements for one transaction that has locked the table against writers. Once it is committed, nothing that a later snapshot shows is missing in the log.
 * @param mark name of a constraint that the log gets
 */
export function keyLogSql({ of, table, note, key }: KeyLog, mark: string): string {
  const [log, source, name] = [tableSql(table), tableSql(of.name), tableSql(note)]
  const [rows, emptied] = NOTING_TRIGGERS
  return [
    `CREATE TABLE ${log} (log_id bigint GENERATED ALWAYS AS IDENTITY, txid bigint NOT NULL DEFAULT pg_catalog.txid_current(), emptied boolean NOT NULL DEFAULT false,
       ${key.map(({ type }, i) => `${keyName(i)} ${type}`).join(', ')}, CONSTRAINT ${quoteName(mark)} CHECK (log_id IS NOT NULL))`,
    noteSql({ of, table, note, key }),
    `REVOKE ALL ON FUNCTION ${name}() FROM PUBLIC`,
    `CREATE TRIGGER ${quoteName(rows)} AFTER INSERT OR UPDATE OR DELETE ON ${source} FOR EACH ROW EXECUTE FUNCTION ${name}()`,
    `CREATE TRIGGER ${quoteName(emptied)} AFTER TRUNCATE ON ${source} FOR EACH STATEMENT EXECUTE FUNCTION ${name}()`,
    // Also for sessions that apply what came from elsewhere.
    `ALTER TABLE ${source} ENABLE ALWAYS TRIGGER ${quoteName(rows)}, ENABLE ALWAYS TRIGGER ${quoteName(emptied)}`,
  ].join(';\n')
}

/**
 * The function that notes, or makes it another one, in a transaction that has locked the table against writers.
 * @param instead statements that follow a change at once, in the transaction that makes it; what they fail of is noted
 */
export function noteSql({ table, note, key }: KeyLog, instead?: string): string {
  const log = tableSql(table)
  const columns = key.map((_, i) => keyName(i)).join(', ')
  const values = (row: 'OLD' | 'NEW'): string => key.map((column) => `${row}.${quoteName(column.name)}`).join(', ')
  const noteRow = (row: 'OLD' | 'NEW'): string => `INSERT INTO ${log} (${columns}) VALUES (${values(row)});`
  // Keys are compared as texts: an operator of a type that somebody made is none that this search path finds.
  const body = `BEGIN
    IF TG_OP = 'TRUNCATE' THEN INSERT INTO ${log} (emptied) VALUES (true); RETURN NULL; END IF;
    ${instead === undefined ? '' : `BEGIN ${instead} RETURN NULL; EXCEPTION WHEN OTHERS THEN NULL; END;`}
    IF TG_OP <> 'INSERT' THEN ${noteRow('OLD')} END IF;
    IF TG_OP = 'INSERT' THEN ${noteRow('NEW')}
    ELSIF TG_OP = 'UPDATE' THEN
      IF ROW(${values('OLD')})::text IS DISTINCT FROM ROW(${values('NEW')})::text THEN ${noteRow('NEW')} END IF;
    END IF;
    RETURN NULL;
  END`
  // Whoever may write to the table need not be one who may read the log.
  return `CREATE OR REPLACE FUNCTION ${tableSql(note)}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp AS ${literal(body)}`
}

/** Takes everything away again. @param on under which name the table stands now; null where it is no more, or its triggers are gone */
export function dropKeyLogSql({ table, note }: Pick<KeyLog, 'table' | 'note'>, on: TableName | null): string {
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

/** All that the snapshot of the transaction shows. */
export async function noted(session: CopySession, { table }: KeyLog): Promise<Noted> {
  const rows = await session.ask(`SELECT log_id, emptied FROM ${tableSql(table)}`)
  return { ids: rows.map(([id]) => id ?? ''), emptied: rows.some(([, emptied]) => emptied === 't') }
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

function keyName(at: number): string {
  return `k${at}`
}

function idList(ids: readonly string[]): string {
  return `${literal(`{${ids.join(',')}}`)}::bigint[]`
}
