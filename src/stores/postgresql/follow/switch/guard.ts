/** Guards an old table and its partitions by triggers that accept only sluice's apply sessions, not other replicas. */
import { tableText } from '../../../../model/copy/column-type.ts'
import { APPLY } from '../apply/pass.ts'
import { quoteName } from '../../server/connect.ts'
import { ownFunctionSql } from '../../server/own-function.ts'
import { treeSql } from '../../server/relation.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import type { CutoverTable, CutoverTables } from './sides.ts'

/** Triggers of one kind fire in order of their names: the blank makes this trigger fire before users' triggers. */
export const TRIGGER = ' sluice_parked'

/** SQL condition: a function has the name of a guard's function. @param name column `proname` */
export function isGuardFunctionSql(name: string): string {
  return `${name} ~ '^sluice_parked_[0-9]+$'::text`
}

/** First half of the key of an advisory lock; the second half is the guarded table. */
const NESTED_LOCK = 1_936_487_786n

/** Second line of PG_CONTEXT within a foreign key action: the server's own statement, which begins with a parameter. */
const FOREIGN_KEY_ACTION = ' WHERE [$][0-9]+[^ ]* OPERATOR[(]'

/**
 * Statements to run after the tables have exchanged their names. The guard also accepts foreign key actions: they
 * change the rows of the public table in the same way. It accepts and counts writes of other triggers, because an error
 * would abort transactions of users (`nestedWrites`).
 */
export function guardSql(
  { from, oldTable, oldTableName }: CutoverTables,
  leaves: readonly string[],
): readonly string[] {
  const name = tableText(from)
  // A partition that came from another old table already has a guard, with another function.
  const tables = [oldTable, ...leaves].map((sql) => ({ sql, hasOne: true }))
  return guardedSql(from, tables, {
    says: `${tableText({ schema: from.schema, name: oldTableName })} is the old table: its rows follow those of ${name}, and only the stream may write into it`,
    hint: `Write to ${name}. To get this table back under that name: sluice cutover STREAM --revert --to URL.`,
  })
}

/** Statements to run before the tables exchange their names; none if each table already has its guard. */
export async function guardBeforeSql({ session, from, to }: CutoverTables): Promise<readonly string[]> {
  const rows = await session.ask(
    `SELECT n.nspname, c.relname, c.oid = ${to.oid}::oid, EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid AND g.tgenabled = 'A' AND ${isGuardSql('g')}),
       EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid AND g.tgname = ${literal(TRIGGER)})
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND c.oid IN (${treeSql(`${to.oid}::oid`)}) ORDER BY 3 DESC, c.oid`,
  )
  // A guard of an earlier version does not count writes of other triggers.
  const counts = rows.length > 0 && (await hasCounter(session, to))
  const bare = rows.filter(([, , isTable, has]) => has !== 't' || (isTable === 't' && !counts))
  if (bare.length === 0) return []
  const tables = bare.map(([schema, name, , , hasOne]) => ({
    sql: tableSql({ schema: schema ?? '', name: name ?? '' }),
    hasOne: hasOne === 't',
  }))
  // If the table itself has its guard, the unguarded tables are newer partitions, which get the same guard.
  if (counts && rows[0]?.[3] === 't') return tables.flatMap((table) => triggerSql(guardName(to), table))
  const [name, other] = [tableText(from), tableText(to)]
  return guardedSql(to, tables, {
    says: `${other} is about to get the name ${name}: its rows follow those of ${name}, and only the stream may write into it`,
    hint: `Write to ${name}. To finish or give up a killed switch, run the same cutover again.`,
  })
}

/** @property sql name of a table to guard @property hasOne true if it may have a guard, which is then replaced */
export type Guarded = { readonly sql: string; readonly hasOne: boolean }

/** Name of the function that blocks writers of a table, in its schema. */
export function guardFunction({ oid }: Pick<CutoverTable, 'oid'>): string {
  return `sluice_parked_${oid}`
}

/** Name of the same function, qualified and quoted for SQL. */
export function guardName(table: Pick<CutoverTable, 'oid' | 'schema'>): string {
  return tableSql({ schema: table.schema, name: guardFunction(table) })
}

/** The guard stays when the stream ends, and refuses TRUNCATE, too. */
const IF_GIVEN_UP = 'If the move was given up and the stream was ended, this table can be dropped.'

/** @param of table after which the function is named */
function guardedSql(
  of: CutoverTable,
  tables: readonly Guarded[],
  { says, hint }: { readonly says: string; readonly hint: string },
): readonly string[] {
  const guard = guardName(of)
  // The lock is taken before nextval: `nestedWrites` reads both in the opposite order.
  const body = `DECLARE context text;
BEGIN
  IF pg_catalog.current_setting(${literal(APPLY)}, true) = 'on' THEN RETURN NULL; END IF;
  IF pg_catalog.pg_trigger_depth() > 1 THEN
    GET DIAGNOSTICS context = PG_CONTEXT;
    IF pg_catalog.split_part(context, pg_catalog.chr(10), 2) !~ ${literal(FOREIGN_KEY_ACTION)} THEN
      PERFORM pg_catalog.pg_advisory_xact_lock_shared(${nestedKey(of)});
      PERFORM pg_catalog.nextval(${literal(guard)}::pg_catalog.regclass);
    END IF;
    RETURN NULL;
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = ${literal(says)}, HINT = ${literal(`${hint} ${IF_GIVEN_UP}`)};
END`
  return [
    `CREATE SEQUENCE IF NOT EXISTS ${guard}`,
    ...ownFunctionSql(
      guard,
      of.oid,
      `RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS ${literal(body)}`,
    ),
    `REVOKE ALL ON FUNCTION ${guard}() FROM PUBLIC`,
    ...tables.flatMap((table) => triggerSql(guard, table)),
  ]
}

/** Statements that create the trigger of a guard function on a table. */
export function triggerSql(guard: string, { sql, hasOne }: Guarded): readonly string[] {
  return [
    // DROP TRIGGER locks out readers, too.
    ...(hasOne ? [`DROP TRIGGER IF EXISTS ${quoteName(TRIGGER)} ON ${sql}`] : []),
    `CREATE TRIGGER ${quoteName(TRIGGER)} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON ${sql} FOR EACH STATEMENT EXECUTE FUNCTION ${guard}()`,
    `ALTER TABLE ONLY ${sql} ENABLE ALWAYS TRIGGER ${quoteName(TRIGGER)}`,
  ]
}

function nestedKey({ oid }: CutoverTable): string {
  return `${(NESTED_LOCK << 32n) | BigInt(oid)}`
}

async function hasCounter(session: CopySession, table: CutoverTable): Promise<boolean> {
  return await session.isTrue(`SELECT pg_catalog.to_regclass(${literal(guardName(table))}) IS NOT NULL`)
}

/**
 * Statements that the guard of a table accepted, other than changes of the stream and foreign key actions.
 * @property count changes with each such statement, even if it is rolled back; empty if there was none
 * @property isOpen a transaction with such a statement has not ended
 */
export async function nestedWrites(
  session: CopySession,
  table: CutoverTable,
): Promise<{ readonly count: string; readonly isOpen: boolean }> {
  const [counted] = await session.ask(
    `SELECT pg_catalog.pg_sequence_last_value(pg_catalog.to_regclass(${literal(guardName(table))}))`,
  )
  const [open] = await session.ask(
    `SELECT EXISTS (SELECT FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d ON d.oid = l.database
     WHERE d.datname = pg_catalog.current_database() AND l.locktype = 'advisory' AND l.objsubid = 1 AND l.classid = ${NESTED_LOCK}::oid AND l.objid = ${table.oid}::oid)`,
  )
  return { count: counted?.[0] ?? '', isOpen: open?.[0] === 't' }
}

/** SQL condition: a trigger is one of these guards. @param trigger alias of `pg_trigger` */
export function isGuardSql(trigger: string): string {
  return `(${trigger}.tgname = ${literal(TRIGGER)} AND EXISTS (SELECT FROM pg_catalog.pg_proc f WHERE f.oid = ${trigger}.tgfoid AND ${isGuardFunctionSql('f.proname')}))`
}

/** True for a guarded (old) table: only its stream writes into it. @param oid of the table */
export async function isGuarded(session: CopySession, oid: string): Promise<boolean> {
  return await session.isTrue(
    `SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = ${literal(oid)}::oid AND g.tgname = ${literal(TRIGGER)})`,
  )
}

/**
 * Statements that remove the guard of a table, its partitions, and later detached partitions; none if unguarded.
 * @param oid of the table
 */
export async function unguardSql(session: CopySession, oid: string): Promise<readonly string[]> {
  const rows = await session.ask(
    `WITH gone AS (
       SELECT g.* FROM pg_catalog.pg_trigger g WHERE ${isGuardSql('g')} AND (
         g.tgrelid IN (${treeSql(`${oid}::oid`)})
         OR g.tgfoid IN (SELECT o.tgfoid FROM pg_catalog.pg_trigger o WHERE o.tgrelid = ${oid}::oid AND ${isGuardSql('o')})))
     SELECT n.nspname, c.relname, f.nspname, p.proname, EXISTS (SELECT FROM pg_catalog.pg_trigger k WHERE k.tgfoid = p.oid AND k.oid NOT IN (SELECT x.oid FROM gone x))
     FROM gone g JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid JOIN pg_catalog.pg_namespace f ON f.oid = p.pronamespace
       JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace`,
  )
  const functions = new Set(
    rows.flatMap(([, , schema, name, isKept]) =>
      isKept === 't' ? [] : [tableSql({ schema: schema ?? '', name: name ?? '' })],
    ),
  )
  return [
    ...rows.map(
      ([schema, name]) =>
        `DROP TRIGGER IF EXISTS ${quoteName(TRIGGER)} ON ${tableSql({ schema: schema ?? '', name: name ?? '' })}`,
    ),
    ...[...functions].flatMap((name) => [`DROP FUNCTION IF EXISTS ${name}()`, `DROP SEQUENCE IF EXISTS ${name}`]),
  ]
}

/** Partitions of a table, at any depth, as names in SQL. */
export async function leavesOf(session: CopySession, oid: string): Promise<readonly string[]> {
  const rows = await session.ask(
    `SELECT n.nspname, c.relname FROM pg_catalog.pg_partition_tree(${oid}::oid::pg_catalog.regclass) t JOIN pg_catalog.pg_class c ON c.oid = t.relid::oid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE t.level > 0 AND c.relkind IN ('r', 'p')`,
  )
  return rows.map(([schema, name]) => tableSql({ schema: schema ?? '', name: name ?? '' }))
}
