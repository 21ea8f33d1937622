/**
 * Closes a table to every writer except its stream, by the trigger of `guard.ts` on the table and on each partition.
 * These triggers call one function with the closing token. Replacing its body opens the table without locking it.
 */
import type { TableName } from '../../../../model/copy/column-type.ts'
import { APPLY } from '../apply/pass.ts'
import { ownFunctionSql } from '../../server/own-function.ts'
import { treeSql } from '../../server/relation.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { guardFunction, guardName, isGuardSql, TRIGGER, triggerSql, unguardSql, type Guarded } from './guard.ts'
import type { CutoverTable } from './sides.ts'

/** First half of the key of an advisory lock; the second half is the table. */
const LOCK = 1_936_487_785n

/** Mark in the function of an open table. */
const OPEN = '/* sluice open */'

/** Longest wait for another session that closes or opens the table, in ms. */
const LOCK_MS = 5000

/** A table and the schema of its function: they stay the same if the table is renamed or moved to another schema. */
export type ClosedTable = Pick<CutoverTable, 'oid' | 'schema'>

/** Statement after which no other session can close or open this table until the transaction ends. */
export function barrierLockSql({ oid }: ClosedTable): string {
  return `SET LOCAL lock_timeout TO ${LOCK_MS}; SELECT pg_catalog.pg_advisory_xact_lock(${(LOCK << 32n) | BigInt(oid)})`
}

/** Token that closed the table; null if it is open. Checks only the table itself, not its partitions. */
export async function tokenOf(session: CopySession, side: ClosedTable): Promise<string | null> {
  return await session.one(
    `SELECT substring(p.prosrc FROM 'sluice closed ([a-z0-9_]+)') FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
     WHERE g.tgrelid = ${side.oid}::oid AND g.tgname = ${literal(TRIGGER)} AND g.tgenabled = 'A' AND p.proname = ${literal(guardFunction(side))}`,
  )
}

/** Finds the table that a token closed, also if renamed since; null if none. @param name preferred if several match */
export async function closedTable(
  session: CopySession,
  { schema = 'public', name }: TableName,
  token: string,
): Promise<ClosedTable | null> {
  const [row] = await session.ask(
    `SELECT c.oid, f.nspname FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid JOIN pg_catalog.pg_namespace f ON f.oid = p.pronamespace
       JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE g.tgname = ${literal(TRIGGER)} AND p.proname = 'sluice_parked_' || c.oid::text AND pg_catalog.strpos(p.prosrc, ${literal(closedMark(token))}) > 0
     ORDER BY n.nspname = ${literal(schema)} AND c.relname = ${literal(name)} DESC, c.oid LIMIT 1`,
  )
  return row === undefined ? null : { oid: row[0] ?? '', schema: row[1] ?? '' }
}

/** Mark in the function of a closed table. */
function closedMark(token: string): string {
  return `/* sluice closed ${token} */`
}

/** True if a trigger of a cutover, within a database or between two, keeps writers out of the table. */
export async function isKeptFromWriters(session: CopySession, { oid }: CutoverTable): Promise<boolean> {
  return await session.isTrue(
    `SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
     WHERE g.tgrelid = ${oid}::oid AND g.tgenabled = 'A' AND ${isGuardSql('g')} AND pg_catalog.strpos(p.prosrc, ${literal(OPEN)}) = 0)`,
  )
}

/** True if the table and each of its partitions have a trigger that always fires and calls the table's function. */
export async function hasWholeBarrier(session: CopySession, side: CutoverTable): Promise<boolean> {
  return (await tablesWithoutTrigger(session, side)).length === 0
}

/** Statements that close a table by a token. The table must be locked against writers. */
export async function closeSql(
  session: CopySession,
  side: CutoverTable,
  { token, says, hint }: { readonly token: string; readonly says: string; readonly hint: string },
): Promise<readonly string[]> {
  if (!/^[a-z0-9_]+$/.test(token)) throw new Error(`this is not a token: ${token}`)
  const body = `BEGIN ${closedMark(token)}
  IF pg_catalog.current_setting(${literal(APPLY)}, true) = 'on' THEN RETURN NULL; END IF;
  RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = ${literal(says)}, HINT = ${literal(hint)};
END`
  return [...functionSql(side, body), ...(await missingTriggersSql(session, side))]
}

/** Statements that add the trigger to the table and partitions that lack it, such as partitions added after closing. */
export async function missingTriggersSql(session: CopySession, side: CutoverTable): Promise<readonly string[]> {
  return (await tablesWithoutTrigger(session, side)).flatMap((table) => triggerSql(guardName(side), table))
}

/** Statements that open the table to all writers: they replace the body of the function. */
export function openSql(side: ClosedTable): readonly string[] {
  return functionSql(side, `BEGIN ${OPEN} RETURN NULL; END`)
}

/** Statements that remove trigger and function of an open table; none if closed. Needs the table exclusively locked. */
export async function removeBarrierSql(session: CopySession, side: CutoverTable): Promise<readonly string[]> {
  return (await tokenOf(session, side)) === null ? await unguardSql(session, side.oid) : []
}

function functionSql(side: ClosedTable, body: string): readonly string[] {
  const name = guardName(side)
  return [
    ...ownFunctionSql(name, side.oid, `RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS ${literal(body)}`),
    `REVOKE ALL ON FUNCTION ${name}() FROM PUBLIC`,
  ]
}

/** Finds which of the table and its partitions lack a trigger that always fires and calls the table's function. */
async function tablesWithoutTrigger(session: CopySession, side: CutoverTable): Promise<readonly Guarded[]> {
  const own = `g.tgrelid = c.oid AND g.tgname = ${literal(TRIGGER)}`
  const rows = await session.ask(
    `SELECT n.nspname, c.relname, EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE ${own})
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND c.oid IN (${treeSql(`${side.oid}::oid`)})
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid WHERE ${own} AND g.tgenabled = 'A' AND p.proname = ${literal(guardFunction(side))})
     ORDER BY c.oid`,
  )
  return rows.map(([schema, name, hasOne]) => ({
    sql: tableSql({ schema: schema ?? '', name: name ?? '' }),
    hasOne: hasOne === 't',
  }))
}
