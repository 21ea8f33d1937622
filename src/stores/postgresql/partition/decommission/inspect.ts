/** Inspects an old table: sessions that use it now, its dependents, and what its removal would drop or change. */
import { countedSince } from '../counters.ts'
import type {
  CutoverTables,
  DecommissionFinding,
  OldTableState,
  RecordedTable,
  TableUse,
} from '../../../../model/partition/decommission-port.ts'
import { isOf, tableByName } from '../../server/known.ts'
import type { KnownTable } from '../../server/locks.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { guardFunctions, ownedSequences } from './owned-objects.ts'
import { dropDependents, functionsNaming, silentLosses } from './dependents.ts'

/** The search path must be empty. @param database identity of this database @returns as `DecommissionStore.inspect` */
export async function inspectOldTable(
  session: CopySession,
  { oldTable, heir }: CutoverTables,
  database: string,
): Promise<OldTableState | 'gone' | 'other'> {
  const table = oldTable.name
  const found = await tableByName(session, table)
  if (found === null) return 'gone'
  const { oid } = found
  if (!isOf(oldTable.identity, database, oid)) return 'other'
  const above = await tableByName(session, heir.name)
  const [now] = await session.ask(
    'SELECT pg_catalog.floor(extract(epoch FROM pg_catalog.clock_timestamp())::numeric * 1000::numeric)::text',
  )
  const findings = [
    ...(await size(session, oid)),
    ...(await publicTableRefusals(session, found, heir, database)),
    ...(found.kind === 'r' ? [] : [otherKind(found.kind)]),
    ...(await owner(session, oid)),
    ...(await currentUsers(session, oid, table.name)),
    ...(await refusals(session, oid)),
    ...(await functionsNaming(session, oid, table.name)).map((object): DecommissionFinding => ({
      verdict: 'look',
      about: 'function',
      object,
      detail: 'its text contains the name of the table: the server does not record whether it uses the table',
    })),
    ...(await ownedSequences(session, oid, above?.oid ?? null)).map(
      ({ name, column, heir: fits }): DecommissionFinding => ({
        verdict: 'changes',
        about: 'sequence',
        object: `${name.schema ?? ''}.${name.name}`,
        detail: fits
          ? `the removal assigns it to column ${column} of the public table`
          : 'it stays without a table: the public table has another owner, another schema, or no such column',
      }),
    ),
    ...(await referenced(session, oid)),
    ...(await guards(session, oid)),
  ]
  return { table, identity: oid, use: await useOf(session, oid), nowMs: Number(now?.[0]), findings }
}

/** Reads and writes of a table as the server counts them; activity of the last second may be missing. */
async function useOf(session: CopySession, oid: string): Promise<TableUse> {
  // Older servers lack a column of this row: JSON then has no such key.
  const [row] = await session.ask(
    `SELECT (coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0))::text, (s.n_tup_ins + s.n_tup_upd + s.n_tup_del)::text,
       ${countedSince('(SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())')},
       pg_catalog.to_jsonb(s) ? 'last_seq_scan'::text,
       pg_catalog.floor(extract(epoch FROM greatest((pg_catalog.to_jsonb(s) ->> 'last_seq_scan'::text)::timestamptz, (pg_catalog.to_jsonb(s) ->> 'last_idx_scan'::text)::timestamptz))::numeric * 1000::numeric)::text
     FROM pg_catalog.pg_stat_user_tables s WHERE s.relid = ${literal(oid)}::oid`,
  )
  const [reads, writes, resetAt, dated, last] = row ?? []
  return {
    reads: reads ?? '0',
    writes: writes ?? '0',
    resetAt: resetAt ?? null,
    ...(dated === 't' ? { lastReadMs: last == null ? null : Number(last) } : {}),
  }
}

/** Reasons why the server or sluice does not drop the table; empty if there are none. */
export async function refusals(session: CopySession, oid: string): Promise<readonly DecommissionFinding[]> {
  const dependents = (await dropDependents(session, oid)).map((object): DecommissionFinding => ({
    verdict: 'refused',
    about: 'depends on it',
    object,
    detail: 'the server does not drop the table while this exists',
    hint: 'change it to use the public table, or drop it',
  }))
  return [...dependents, ...(await silentLosses(session, oid))]
}

async function size(session: CopySession, oid: string): Promise<readonly DecommissionFinding[]> {
  const [row] = await session.ask(
    `SELECT pg_catalog.pg_size_pretty(pg_catalog.pg_total_relation_size(oid)), reltuples::bigint::text FROM pg_catalog.pg_class WHERE oid = ${literal(oid)}::oid`,
  )
  const rows = row?.[1] == null || row[1] === '-1' ? 'its rows were not counted' : `about ${row[1]} rows`
  return [{ verdict: 'fine', about: 'size', detail: `${row?.[0] ?? ''} with its indexes, ${rows}` }]
}

/**
 * Reasons not to drop the old table, because it may have the only copy of its rows. The query locks the public table,
 * so that it cannot be dropped, emptied or renamed until the transaction ends.
 */
export async function publicTableRefusals(
  session: CopySession,
  oldTable: KnownTable,
  { name, identity }: RecordedTable,
  database: string,
): Promise<readonly DecommissionFinding[]> {
  const object = tableSql(name)
  const refused = (detail: string, hint: string): readonly DecommissionFinding[] => [
    {
      verdict: 'refused',
      about: 'public table',
      object,
      detail: `${detail}: the old table may have the only copy of these rows`,
      hint,
    },
  ]
  const away = 'give the table of the cutover its public name again'
  if ((await tableByName(session, name)) === null) return refused('it does not exist', away)
  const lacks = await session.isTrue(
    `SELECT NOT EXISTS (SELECT FROM ${object}) AND EXISTS (SELECT FROM ${tableSql(oldTable.name)})`,
  )
  const above = await tableByName(session, name)
  if (above === null || !isOf(identity, database, above.oid))
    return refused('it is not the table that got this name in the cutover', away)
  return lacks ? refused('it has no rows', `copy the rows back into ${object}, or drop the old table by hand`) : []
}

function otherKind(kind: string): DecommissionFinding {
  return {
    verdict: 'refused',
    about: 'kind of the table',
    detail:
      kind === 'p'
        ? 'it is partitioned, and each of its partitions has separate rights and dependents'
        : 'it is no longer a table',
    hint: 'remove it by hand; sluice removes only plain tables',
  }
}

/** Refuses a login without the rights of the owner, and reports logins whose rights REVOKE cannot remove. */
async function owner(session: CopySession, oid: string): Promise<readonly DecommissionFinding[]> {
  const [row] = await session.ask(
    `SELECT pg_catalog.pg_get_userbyid(c.relowner), pg_catalog.pg_has_role(c.relowner, 'USAGE'),
       (SELECT pg_catalog.string_agg(r.rolname, ', ' ORDER BY r.rolname) FROM pg_catalog.pg_roles r WHERE r.rolcanlogin AND r.oid <> c.relowner AND (r.rolsuper
          OR pg_catalog.pg_has_role(r.oid, c.relowner, 'USAGE')
          OR EXISTS (SELECT FROM pg_catalog.pg_roles p WHERE p.rolname IN ('pg_read_all_data', 'pg_write_all_data') AND pg_catalog.pg_has_role(r.oid, p.oid, 'USAGE'))))
     FROM pg_catalog.pg_class c WHERE c.oid = ${literal(oid)}::oid`,
  )
  const [role, mine, others] = row ?? []
  const denied: readonly DecommissionFinding[] =
    mine === 't'
      ? []
      : [
          {
            verdict: 'refused',
            about: 'rights',
            detail: `this login is not ${role ?? 'the owner'}, and may neither revoke rights on the table nor drop it`,
            hint: 'connect as the owner of the table',
          },
        ]
  return [
    ...denied,
    {
      verdict: 'look',
      about: 'owner',
      object: role ?? '',
      detail: `can also use the inactive table${others == null ? '' : `; so can ${others}`}`,
    },
  ]
}

/** Tables that the removal locks briefly, because a foreign key of the old table refers to them. */
async function referenced(session: CopySession, oid: string): Promise<readonly DecommissionFinding[]> {
  const rows = await session.ask(
    `SELECT DISTINCT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) FROM pg_catalog.pg_constraint k
       JOIN pg_catalog.pg_class c ON c.oid = k.confrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE k.contype = 'f' AND k.conrelid = ${literal(oid)}::oid AND k.confrelid <> k.conrelid ORDER BY 1`,
  )
  return rows.map(([object]) => ({
    verdict: 'changes',
    about: 'foreign key',
    object: object ?? '',
    detail: 'it refers to this table, which the removal locks for all sessions for a short time',
  }))
}

async function guards(session: CopySession, oid: string): Promise<readonly DecommissionFinding[]> {
  const functions = await guardFunctions(session, oid)
  if (functions.length > 0) {
    return functions.map(({ sql }) => ({
      verdict: 'changes',
      about: 'guard',
      object: sql,
      detail: 'it blocks writers of the table, and is dropped with it',
    }))
  }
  return [
    {
      verdict: 'look',
      about: 'guard',
      detail: 'writers of the table are not blocked by a trigger of sluice',
      hint: 'check for writes since the cutover: they are only in this table',
    },
  ]
}

/** Sessions that hold or wait for locks of the table, or run a statement that names it; also prepared transactions. */
async function currentUsers(session: CopySession, oid: string, name: string): Promise<readonly DecommissionFinding[]> {
  const here = '(SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())'
  const rows = await session.ask(
    `WITH l AS (SELECT pid, virtualtransaction, pg_catalog.string_agg(DISTINCT mode || CASE WHEN granted THEN '' ELSE ' (waits)' END, ', ') AS modes
                FROM pg_catalog.pg_locks WHERE relation = ${literal(oid)}::oid AND database = ${here} AND pid IS DISTINCT FROM pg_catalog.pg_backend_pid() GROUP BY 1, 2)
     SELECT a.pid::text, coalesce(nullif(a.application_name, ''), a.backend_type, 'a session'), a.usename, coalesce(a.state, 'unknown'), l.modes, NULL
     FROM pg_catalog.pg_stat_activity a LEFT JOIN l ON l.pid = a.pid
     WHERE a.pid <> pg_catalog.pg_backend_pid() AND a.datid = ${here}
       AND (l.pid IS NOT NULL OR (a.state <> 'idle' AND pg_catalog.strpos(a.query, ${literal(name)}) > 0))
     UNION ALL
     SELECT NULL, NULL, NULL, NULL, l.modes, p.gid FROM l JOIN pg_catalog.pg_locks x ON x.pid IS NULL AND x.locktype = 'transactionid' AND x.granted
       AND x.virtualtransaction = l.virtualtransaction JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = x.transactionid
     WHERE l.pid IS NULL
     ORDER BY 6, 1`,
  )
  const found = rows.map(([pid, program, user, state, modes, gid]): DecommissionFinding => ({
    verdict: 'look',
    about: gid == null ? 'session' : 'prepared transaction',
    object: gid ?? `process ${pid ?? ''}`,
    detail:
      gid == null
        ? `${program ?? ''}${user == null ? '' : ` of ${user}`} (${state ?? ''}) ${modes == null ? 'runs a statement with the name of the table' : `has locks of the table: ${modes}`}`
        : `has locks of the table: ${modes ?? ''}`,
    hint: 'find the program of this session: it still uses the old table',
  }))
  return [...found, ...(await hiddenStatements(session))]
}

/** Statements of other roles that this login may not read. */
async function hiddenStatements(session: CopySession): Promise<readonly DecommissionFinding[]> {
  const [row] = await session.ask(
    `SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database() AND query = '<insufficient privilege>'`,
  )
  if (row?.[0] == null || row[0] === '0') return []
  return [
    {
      verdict: 'not known',
      about: 'session',
      detail: `this login may not see the statements of ${row[0]} sessions of other roles: only their locks were inspected`,
      hint: 'GRANT pg_read_all_stats to this login',
    },
  ]
}
