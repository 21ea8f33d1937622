/**
 * Facts about a database, from another database of its server: users, obstacles to the DROP, and the login's rights.
 */
import type { DecommissionFinding } from '../../../../model/partition/decommission-port.ts'
import type { DatabaseUse } from '../../../../model/partition/retirement-port.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'
import { countedSince } from '../counters.ts'
import { sessionsOf, type DatabaseSession } from './sessions.ts'

/** @param oid of the database @param own processes of sluice's sessions in it */
export async function findingsOf(
  session: CopySession,
  oid: string,
  own: readonly number[],
): Promise<readonly DecommissionFinding[]> {
  return [
    ...(await size(session, oid)),
    ...(await rights(session, oid)),
    ...(await dropObstacles(session, oid)),
    ...sessionFindings(await sessionsOf(session, oid, own)),
    {
      verdict: 'not known',
      about: 'other databases',
      detail: 'the server does not record whether a foreign server or dblink of another database connects to this one',
      hint: 'search its name in pg_foreign_server of the other databases, and refused connections in the log when it is inactive',
    },
  ]
}

async function size(session: CopySession, oid: string): Promise<readonly DecommissionFinding[]> {
  const [row] = await session.ask(
    `SELECT CASE WHEN pg_catalog.has_database_privilege(${oid}, 'CONNECT') OR pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')
       THEN pg_catalog.pg_size_pretty(pg_catalog.pg_database_size(${oid}::oid)) END, datconnlimit::text FROM pg_catalog.pg_database WHERE oid = ${oid}::oid`,
  )
  const limit = row?.[1] === '-1' ? 'no connection limit' : `connection limit ${row?.[1] ?? 'unknown'}`
  const unknown = 'unknown, because this login has neither CONNECT on the database nor pg_read_all_stats'
  return [{ verdict: 'fine', about: 'size', detail: `${row?.[0] ?? unknown}; ${limit}` }]
}

async function rights(session: CopySession, oid: string): Promise<readonly DecommissionFinding[]> {
  const [row] = await session.ask(
    `SELECT pg_catalog.pg_get_userbyid(datdba), pg_catalog.pg_has_role(datdba, 'USAGE') OR (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER)
     FROM pg_catalog.pg_database WHERE oid = ${oid}::oid`,
  )
  if (row?.[1] === 't') return []
  return [
    {
      verdict: 'refused',
      about: 'rights',
      detail: `this login is not ${row?.[0] ?? 'the owner'}, and may neither refuse connections to the database nor drop it`,
      hint: 'connect as the owner of the database',
    },
  ]
}

/** Objects that make PostgreSQL refuse the DROP. */
async function dropObstacles(session: CopySession, oid: string): Promise<readonly DecommissionFinding[]> {
  const rows = await session.ask(
    `SELECT 'prepared transaction', p.gid, p.owner FROM pg_catalog.pg_prepared_xacts p JOIN pg_catalog.pg_database d ON d.datname = p.database WHERE d.oid = ${oid}::oid
     UNION ALL SELECT 'replication slot', s.slot_name, CASE WHEN s.active THEN 'is in use' ELSE 'is not in use' END FROM pg_catalog.pg_replication_slots s WHERE s.datoid = ${oid}
     UNION ALL SELECT 'subscription', u.subname, NULL FROM pg_catalog.pg_subscription u WHERE u.subdbid = ${oid}
     UNION ALL SELECT 'template', datname, NULL FROM pg_catalog.pg_database WHERE oid = ${oid}::oid AND datistemplate
     ORDER BY 1, 2`,
  )
  return rows.map(([about, object, more]) => ({
    verdict: 'refused',
    about: about ?? '',
    object: object ?? '',
    ...(IN_THE_WAY[about ?? '']?.(object ?? '', more ?? '') ?? { detail: 'the server does not drop the database' }),
  }))
}

type Words = (object: string, more: string) => { readonly detail: string; readonly hint: string }

const IN_THE_WAY: Readonly<Record<string, Words>> = {
  'prepared transaction': (gid, owner) => ({
    detail: `of ${owner}: it holds locks in the database until it ends`,
    hint: `COMMIT PREPARED ${literal(gid)} or ROLLBACK PREPARED ${literal(gid)} in the database`,
  }),
  'replication slot': (name, more) => {
    const run = /^sluice_(\d+)$/.exec(name)?.[1]
    return {
      detail: `it ${more}, and keeps the log of the server for a stream of changes from this database`,
      hint: run === undefined ? `end its stream, then sluice slots --drop ${name}` : `sluice follow ${run} --end`,
    }
  },
  subscription: (name) => ({
    detail: 'it writes into tables of this database',
    hint: `DROP SUBSCRIPTION ${quoteName(name)} in the database`,
  }),
  template: (name) => ({
    detail: 'the server does not drop a template database',
    hint: `ALTER DATABASE ${quoteName(name)} WITH IS_TEMPLATE false`,
  }),
}

/** One finding for all sluice sessions that may be ended, and one for each other session. */
function sessionFindings(sessions: readonly DatabaseSession[]): readonly DecommissionFinding[] {
  const ours = sessions.filter(({ isOurs, mayEnd }) => isOurs && mayEnd)
  const others = sessions.filter((one) => !ours.includes(one)).map(sessionFinding)
  if (ours.length === 0) return others
  const words = [...new Set(ours.map((one) => one.words))].join(', ')
  return [
    ...others,
    {
      verdict: 'look',
      about: 'session',
      object: `process ${ours.map(({ pid }) => pid).join(', ')}`,
      detail: `of another run of sluice (${words}): the first step ends it if it still runs`,
      hint: 'let that run end first',
    },
  ]
}

function sessionFinding({ pid, words, mayEnd }: DatabaseSession): DecommissionFinding {
  const object = `process ${pid}`
  if (mayEnd) {
    const hint = 'find the program of this session: it still uses this database'
    return { verdict: 'look', about: 'session', object, detail: `${words}: the first step ends it`, hint }
  }
  return {
    verdict: 'refused',
    about: 'session',
    object,
    detail: `${words}: this login has no right to end it`,
    hint: 'end it as its user or as a superuser; members of pg_signal_backend may end all sessions but those of superusers',
  }
}

export async function useOf(session: CopySession, oid: string): Promise<DatabaseUse> {
  // Older servers have no column `sessions`. As JSON, the row of the view then has no such key, and the value is NULL.
  const [row] = await session.ask(
    `SELECT pg_catalog.to_jsonb(s) ->> 'sessions'::text, (s.tup_inserted + s.tup_updated + s.tup_deleted)::text, ${countedSince(oid)}
     FROM pg_catalog.pg_stat_database s WHERE s.datid = ${oid}`,
  )
  return { sessions: row?.[0] ?? null, writes: row?.[1] ?? '0', resetAt: row?.[2] ?? null }
}
