/**
 * Objects that are handled together with the table that is dropped: sequences of its columns move to the new table, and
 * its guard function is dropped.
 */
import type { TableName } from '../../../../model/copy/column-type.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { isGuardFunctionSql } from '../../follow/switch/guard.ts'

/**
 * @property heir true if the new table can own the sequence: it has a column of this name, and the same schema and
 * owner
 */
export type OwnedSequence = { readonly name: TableName; readonly column: string; readonly heir: boolean }

/** Sequences that columns of the table own, except sequences of identity columns. */
export async function ownedSequences(
  session: CopySession,
  oid: string,
  heir: string | null,
): Promise<readonly OwnedSequence[]> {
  const rows = await session.ask(
    `SELECT n.nspname, s.relname, a.attname, EXISTS (
       SELECT FROM pg_catalog.pg_class h JOIN pg_catalog.pg_attribute b ON b.attrelid = h.oid AND b.attname = a.attname AND b.attnum > 0 AND NOT b.attisdropped
       WHERE h.oid = ${heir === null ? 'NULL' : literal(heir)}::oid AND h.relowner = s.relowner AND h.relnamespace = s.relnamespace)
     FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
       JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid
       AND d.refobjid = ${literal(oid)}::oid AND d.deptype = 'a' ORDER BY 1, 2`,
  )
  return rows.map(([schema, name, column, fits]) => ({
    name: { schema: schema ?? '', name: name ?? '' },
    column: column ?? '',
    heir: fits === 't',
  }))
}

/** Makes the new table own a sequence, which keeps its value. If the table cannot own it, no table owns it. */
export async function moveSequence(
  session: CopySession,
  { name, column, heir }: OwnedSequence,
  table: TableName,
): Promise<void> {
  const owner = heir ? `${tableSql(table)}.${quoteName(column)}` : 'NONE'
  await session.ask(`ALTER SEQUENCE ${tableSql(name)} OWNED BY ${owner}`)
}

/** @property sql quoted name of the function, with its arguments */
export type GuardFunction = { readonly oid: string; readonly sql: string }

/** Functions of sluice that only triggers of this table use. */
export async function guardFunctions(session: CopySession, oid: string): Promise<readonly GuardFunction[]> {
  const rows = await session.ask(
    `SELECT DISTINCT p.oid, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(p.proname) || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')'
     FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
     WHERE t.tgrelid = ${literal(oid)}::oid AND NOT t.tgisinternal AND ${isGuardFunctionSql('p.proname')} AND NOT EXISTS (
       SELECT FROM pg_catalog.pg_depend d WHERE d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass::oid AND d.refobjid = p.oid
         AND NOT (d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass::oid AND d.objid IN (SELECT o.oid FROM pg_catalog.pg_trigger o WHERE o.tgrelid = ${literal(oid)}::oid)))
     ORDER BY 2`,
  )
  return rows.map(([number, sql]) => ({ oid: number ?? '', sql: sql ?? '' }))
}
