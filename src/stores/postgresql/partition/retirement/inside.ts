/** Contents of a database, from a session in it: tables, large objects, outgoing streams, and other objects. */
import { throwIfAborted } from '../../../../shared/abort.ts'
import type { DecommissionFinding } from '../../../../model/partition/decommission-port.ts'
import type { ContainedTable, Contents, DatabaseInside } from '../../../../model/partition/retirement-port.ts'
import { tableText } from '../../../../model/copy/column-type.ts'
import { stepError } from '../../archive/step-errors.ts'
import { databaseIdentity } from '../../copy/identity.ts'
import { treeSql } from '../../server/relation.ts'
import { CopySession } from '../../server/session.ts'
import { tableFromSql, literal, tableSql } from '../../server/sql.ts'
import { underSignal } from '../../server/under-signal.ts'
import { sqlStateOf } from '../../server/server-errors.ts'
import type { PostgresSettings } from '../../server/settings.ts'

/** SQLSTATE of a missing right. Also the SQLSTATE for a table with rows that a policy would hide. */
const NO_RIGHT = '42501'
/** Maximum number of names in one finding. */
const MOST_NAMES = 20

const OF_USERS = `n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'::text`
const OF_EXTENSION = (catalog: string, oid: string): string =>
  `EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.${catalog}'::pg_catalog.regclass::oid AND x.objid = ${oid}::oid AND x.deptype = 'e')`

export class PostgresInside implements DatabaseInside {
  readonly #settings: PostgresSettings
  readonly #session: CopySession
  readonly #identity: string

  private constructor(settings: PostgresSettings, session: CopySession, identity: string) {
    this.#settings = settings
    this.#session = session
    this.#identity = identity
  }

  /** @throws SluiceError CONNECT_FAILED if the database refuses connections */
  static async open(settings: PostgresSettings, signal: AbortSignal): Promise<PostgresInside> {
    throwIfAborted(signal)
    const session = await CopySession.open(settings, 'read')
    return new PostgresInside(settings, session, await databaseIdentity(session, settings))
  }

  get pid(): number {
    return this.#session.backend.pid
  }

  async inspect(signal: AbortSignal): Promise<Contents> {
    const session = this.#session
    return await underSignal(session, signal, async () => {
      await session.begin('ISOLATION LEVEL REPEATABLE READ READ ONLY')
      await session.ask(`SET LOCAL search_path TO ''`)
      const [objects] = await session.ask('SELECT count(*) FROM pg_catalog.pg_largeobject_metadata')
      const contents = {
        tables: await tablesIn(session, this.#identity),
        largeObjects: objects?.[0] ?? '0',
        findings: [...(await streamsOut(session)), ...(await publications(session)), ...(await others(session))],
      }
      await session.rollBack()
      return contents
    })
  }

  async count({ table }: ContainedTable, signal: AbortSignal): Promise<bigint | null> {
    const session = this.#session
    return await underSignal(session, signal, async () => {
      await session.begin('ISOLATION LEVEL REPEATABLE READ READ ONLY')
      try {
        const [kind] = await session.ask(
          `SELECT relkind FROM pg_catalog.pg_class WHERE oid = ${literal(tableSql(table))}::pg_catalog.regclass::oid`,
        )
        const from = tableFromSql({ name: table, only: kind?.[0] !== 'p' })
        return BigInt((await session.one(`SELECT pg_catalog.count(*) FROM ${from}`)) ?? 0)
      } catch (error) {
        if (sqlStateOf(error) === NO_RIGHT) return null
        throw stepError(error, { settings: this.#settings, table: tableText(table) })
      } finally {
        await session.rollBack()
      }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.close()
  }
}

async function tablesIn(session: CopySession, identity: string): Promise<readonly ContainedTable[]> {
  const rows = await session.ask(
    `SELECT n.nspname, c.relname, c.oid, t.rows, t.bytes,
       (SELECT coalesce(pg_catalog.json_agg(a.attname ORDER BY a.attnum), '[]') FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '')
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
       LATERAL (SELECT CASE WHEN pg_catalog.bool_and(l.reltuples < 0::real) THEN NULL ELSE pg_catalog.sum(greatest(l.reltuples, 0))::bigint END AS rows, coalesce(pg_catalog.sum(pg_catalog.pg_total_relation_size(l.oid)), 0)::bigint AS bytes
         FROM pg_catalog.pg_class l WHERE l.relkind <> 'p' AND l.oid IN (${treeSql('c.oid')})) t
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND ${OF_USERS} AND NOT ${OF_EXTENSION('pg_class', 'c.oid')} ORDER BY 1, 2`,
  )
  return rows.map(([schema, name, oid, count, bytes, columns]) => ({
    table: { schema: schema ?? '', name: name ?? '' },
    identity: `${identity}/${oid ?? ''}`,
    rows: count ?? null,
    bytes: bytes ?? '0',
    columns: JSON.parse(columns ?? '[]') as readonly string[],
  }))
}

/** Streams of sluice that use triggers. `outside.ts` finds the streams with a replication slot. */
async function streamsOut(session: CopySession): Promise<readonly DecommissionFinding[]> {
  const rows = await session.ask(
    `SELECT DISTINCT n.nspname FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
     WHERE p.proname ~ '^note_\\d+$'::text AND n.nspname ~ '^sluice_[a-z0-9_]+$'::text ORDER BY 1`,
  )
  return rows.map(([name]) => ({
    verdict: 'refused',
    about: 'stream',
    object: name ?? '',
    detail: 'its triggers record changes of tables in this database',
    hint: `sluice follow ${(name ?? '').slice((name ?? '').lastIndexOf('_') + 1)} --end`,
  }))
}

async function publications(session: CopySession): Promise<readonly DecommissionFinding[]> {
  const rows = await session.ask('SELECT pubname FROM pg_catalog.pg_publication ORDER BY 1')
  return rows.map(([name]) => ({
    verdict: 'look',
    about: 'publication',
    object: name ?? '',
    detail: 'its subscribers get no more changes',
  }))
}

/** Finds objects that a copy does not transfer, or transfers only in part. */
async function others(session: CopySession): Promise<readonly DecommissionFinding[]> {
  const kinds: readonly (readonly [about: string, detail: string, sql: string])[] = [
    ['views', 'they are dropped with the database', relations(`c.relkind IN ('v', 'm')`)],
    [
      'foreign tables',
      'they are dropped with the database; their rows are stored elsewhere',
      relations(`c.relkind = 'f'`),
    ],
    [
      'tables of extensions',
      'they are dropped with the database, including rows that users inserted into them',
      `SELECT n.nspname::text || '.' || c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind IN ('r', 'p') AND ${OF_USERS} AND ${OF_EXTENSION('pg_class', 'c.oid')}`,
    ],
    [
      'functions',
      'they are dropped with the database',
      `SELECT n.nspname::text || '.' || p.proname::text FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
       WHERE ${OF_USERS} AND NOT ${OF_EXTENSION('pg_proc', 'p.oid')}`,
    ],
    [
      'sequences of no column',
      'they are dropped with the database, and so are their positions',
      `${relations(`c.relkind = 'S'`)} AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND x.objid = c.oid
         AND x.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND x.refobjsubid > 0 AND x.deptype IN ('a', 'i'))`,
    ],
  ]
  const findings: DecommissionFinding[] = []
  for (const [about, detail, sql] of kinds) {
    const names = (await session.ask(`${sql} ORDER BY 1`)).map(([name]) => name ?? '')
    if (names.length === 0) continue
    const more = names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : ''
    findings.push({
      verdict: 'look',
      about,
      object: names.slice(0, MOST_NAMES).join(', ') + more,
      detail,
      hint: 'check that the other database has all of them that you still need',
    })
  }
  return findings
}

function relations(condition: string): string {
  return `SELECT n.nspname::text || '.' || c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE ${condition} AND ${OF_USERS} AND NOT ${OF_EXTENSION('pg_class', 'c.oid')}`
}
