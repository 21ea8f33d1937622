/** Rights in the database of a queue: its owners, the rights of a role, and statements that grant the missing ones. */
import { SluiceError } from '../../../shared/errors.ts'
import { nameForSql } from '../../../shared/name-for-sql.ts'
import type { QueueGrants, QueueRights, QueueRole } from '../../../model/share/queue-rights-port.ts'
import { QueuePool, SEPARATE_OWNER } from './pool.ts'
import { QUEUE_SCHEMA } from './schema.ts'

/**
 * Schema of graphile-worker. Its tables have row security: jobs are visible only to the owner and to members of the
 * owner.
 */
const JOBS_SCHEMA = 'graphile_worker'
const SCHEMA = quoted(QUEUE_SCHEMA)

type Owner = {
  readonly name: string
  readonly superuser: boolean
  /**
   * True if the role owns the schema of sluice or a table in it. False if it only owns the schema of graphile-worker or
   * its tables.
   */
  readonly of_queue: boolean
  /** True if the role that gets the rights already has the rights of this owner. */
  readonly held: boolean
  /** True if this session has the rights of the owner. */
  readonly mine: boolean
  /** True if this session may grant membership of this owner. */
  readonly administered: boolean
}

type Place = {
  readonly database: string
  /** True if the role inherits the rights of the roles of which it is a member; null if the server has no such role. */
  readonly inherits: boolean | null
  readonly may_connect: boolean | null
}

/** @throws SluiceError CONNECT_FAILED, TLS_FAILED, TARGET_DENIED, BAD_CONFIG */
export async function openPostgresQueueRights(url: string): Promise<QueueRights> {
  return new PostgresQueueRights(await QueuePool.open(url, 1))
}

class PostgresQueueRights implements QueueRights {
  readonly #pool: QueuePool

  constructor(pool: QueuePool) {
    this.#pool = pool
  }

  get label(): string {
    return this.#pool.settings.label
  }

  async plan(role: QueueRole, to: string): Promise<QueueGrants> {
    const place = await this.#place(to)
    const owners = await this.#owners(to)
    if (!owners.some((owner) => owner.of_queue)) throw this.#noQueue(place)
    return role === 'observer' ? observerGrants(place, owners, to) : workerGrants(place, owners, to, this.label)
  }

  async run(statements: readonly string[]): Promise<void> {
    await this.#pool.administer(async (client) => {
      for (const sql of statements) await client.query(sql)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]()
  }

  /** @throws SluiceError BAD_FLAG */
  async #place(to: string): Promise<Place> {
    const role = quoted(to)
    const { rows } = await this.#pool.ask<Place>(
      `SELECT current_database()::text AS database, r.rolinherit AS inherits,
         pg_catalog.has_database_privilege(r.oid, current_database(), 'CONNECT') AS may_connect
       FROM (SELECT) one LEFT JOIN pg_catalog.pg_roles r ON r.rolname = $1`,
      [to],
    )
    const [place] = rows
    if (place !== undefined && place.inherits !== null) return place
    throw new SluiceError('BAD_FLAG', `this server has no role ${to}`, {
      where: this.label,
      hint: `create it first: CREATE ROLE ${role} LOGIN PASSWORD '…';`,
    })
  }

  /** Owners of both schemas and of their tables. Before PostgreSQL 16 CREATEROLE is enough to grant membership. */
  async #owners(to: string): Promise<readonly Owner[]> {
    const { rows } = await this.#pool.ask<Owner>(
      `WITH owned AS (
         SELECT n.nspowner AS owner, n.nspname FROM pg_catalog.pg_namespace n
         WHERE n.nspname = $3 OR EXISTS (SELECT FROM pg_catalog.pg_class v WHERE v.relnamespace = n.oid AND v.relname = 'sluice_queue_version')
         UNION
         SELECT c.relowner, n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p'))
       SELECT r.rolname::text AS name, r.rolsuper AS superuser, bool_or(o.nspname = $2) AS of_queue,
         pg_catalog.pg_has_role($1::name, r.oid, 'USAGE') AS held, pg_catalog.pg_has_role(r.oid, 'USAGE') AS mine,
         me.rolsuper OR pg_catalog.pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION')
           OR (me.rolcreaterole AND NOT r.rolsuper AND pg_catalog.current_setting('server_version_num')::int < 160000) AS administered
       FROM owned o JOIN pg_catalog.pg_roles r ON r.oid = o.owner CROSS JOIN (SELECT * FROM pg_catalog.pg_roles WHERE rolname = current_user) me
       WHERE o.nspname IN ($2, $3) GROUP BY r.oid, r.rolname, r.rolsuper, me.rolsuper, me.rolcreaterole ORDER BY r.rolname`,
      [to, QUEUE_SCHEMA, JOBS_SCHEMA],
    )
    return rows
  }

  #noQueue({ database }: Place): SluiceError {
    return new SluiceError('NO_SUCH_PATH', `the database ${database} has no queue`, {
      where: this.label,
      hint: `create it first: start sluice worker, or a run with --distributed, as the role that will own the queue (it needs GRANT CREATE ON DATABASE ${quoted(database)})`,
    })
  }
}

/** Rights to read the tables of sluice. An observer needs no rights on the tables of graphile-worker. */
function observerGrants(place: Place, all: readonly Owner[], to: string): QueueGrants {
  const owners = all.filter((owner) => owner.of_queue)
  const role = quoted(to)
  return {
    statements: [
      ...connectGrant(place, role),
      `GRANT USAGE ON SCHEMA ${SCHEMA} TO ${role}`,
      `GRANT SELECT ON ALL TABLES IN SCHEMA ${SCHEMA} TO ${role}`,
      ...owners.map(
        ({ name }) =>
          `ALTER DEFAULT PRIVILEGES FOR ROLE ${quoted(name)} IN SCHEMA ${SCHEMA} GRANT SELECT ON TABLES TO ${role}`,
      ),
    ],
    notes: [],
    by: `${namesOf(owners)}, who owns the queue, or a superuser`,
    mayRun: owners.every((owner) => owner.mine),
  }
}

/** @throws SluiceError TARGET_DENIED, BAD_FLAG */
function workerGrants(place: Place, owners: readonly Owner[], to: string, where: string): QueueGrants {
  const lacked = owners.filter((owner) => !owner.held)
  const superuser = lacked.find((owner) => owner.superuser)
  if (superuser !== undefined) {
    throw new SluiceError('TARGET_DENIED', `the queue belongs to ${superuser.name}, a superuser`, {
      where,
      reason: `workers must be members of the role that owns the queue, and sluice does not grant membership in a superuser`,
      hint: SEPARATE_OWNER,
    })
  }
  const role = quoted(to)
  if (lacked.length > 0 && place.inherits === false) {
    throw new SluiceError('BAD_FLAG', `the role ${to} does not inherit the rights of its roles`, {
      where,
      hint: `ALTER ROLE ${role} INHERIT; then run the same command again`,
    })
  }
  return {
    statements: [...connectGrant(place, role), ...lacked.map(({ name }) => `GRANT ${quoted(name)} TO ${role}`)],
    notes: [
      lacked.length === 0
        ? `${to} already has the rights of ${namesOf(owners)}, who owns the queue`
        : `${to} becomes a member of ${namesOf(lacked)}, with all of that role's rights: give the queue to a separate owner, which owns nothing else`,
    ],
    by: `a superuser, or a role that may administer ${namesOf(lacked.length === 0 ? owners : lacked)}`,
    mayRun: lacked.every((owner) => owner.administered),
  }
}

function connectGrant({ database, may_connect }: Place, role: string): readonly string[] {
  return may_connect === true ? [] : [`GRANT CONNECT ON DATABASE ${quoted(database)} TO ${role}`]
}

function namesOf(owners: readonly Owner[]): string {
  return owners.map(({ name }) => name).join(' and ')
}

/** @throws SluiceError BAD_FLAG for control characters */
function quoted(name: string): string {
  return nameForSql(name, '"')
}
