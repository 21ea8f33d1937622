/** Databases of draws. Each is dropped after its comparison, because a run draws thousands of tables. */
import { makePlace, missing, placeOn, postgresAt } from '../../support/copy-systems.ts'
import { startMariadb, type MariadbServer } from '../../support/servers/mariadb.ts'
import { startFollowServer } from '../../support/follow-stage.ts'
import type { PostgresServer } from '../../support/servers/postgresql.ts'
import { CASSANDRA_MISSING } from '../../support/servers/cassandra.ts'
import type { DrawnSystem, DrawnType, Place, System } from './shape.ts'
import { dropRing, newRing } from './systems/cassandra.ts'

/**
 * Servers for the databases of a suite. MariaDB has these settings only for a whole server, so the suite starts its
 * own; also a PostgreSQL with logical replication.
 */
export class Servers implements AsyncDisposable {
  readonly reports: boolean
  #mariadb: Promise<MariadbServer> | null = null
  #postgres: Promise<PostgresServer> | null = null

  /** @param options `tells`: use a PostgreSQL with logical replication */
  constructor(options: { readonly tells?: true } = {}) {
    this.reports = options.tells === true
  }

  /** @param folder for systems whose databases are files */
  async make(system: System, folder: string): Promise<Place> {
    if (system === 'cassandra') return await newRing()
    if (system === 'mysql') {
      this.#mariadb ??= startMariadb()
      return await placeOn('mysql', (await this.#mariadb).url())
    }
    if (system !== 'postgresql' || !this.reports) return await makePlace(system, folder)
    this.#postgres ??= startFollowServer()
    return await placeOn('postgresql', (await this.#postgres).url())
  }

  /** Types of the systems whose servers are available. */
  async typesOf(
    systems: readonly DrawnSystem[],
    folder: string,
  ): Promise<ReadonlyMap<DrawnSystem, readonly DrawnType[]>> {
    const types = new Map<DrawnSystem, readonly DrawnType[]>()
    for (const one of systems) {
      const why = one.system === 'cassandra' ? CASSANDRA_MISSING : await missing(one.system)
      if (why === '') {
        const place = await this.make(one.system, folder)
        types.set(one, await one.types(place))
        await dropPlace(place)
      } else process.stderr.write(`nothing is drawn of ${one.system}: ${why}\n`)
    }
    return types
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#mariadb)?.stop()
    await (await this.#postgres)?.[Symbol.asyncDispose]()
  }
}

/** Resets global settings of a server. */
export async function takeBack({ sql }: Place, settings: readonly string[]): Promise<void> {
  const names = settings.flatMap((one) => /^SET GLOBAL (\w+)/.exec(one)?.[1] ?? [])
  // A name that is no global variable was refused by SET GLOBAL before, too.
  for (const name of names) await sql(`SET GLOBAL ${name} = DEFAULT`).catch(() => undefined)
}

/** Drops a database of a server; databases that are files are removed with their folder. */
export async function dropPlace(place: Place): Promise<void> {
  const { system, url, sql } = place
  if (system === 'cassandra') return await dropRing(place)
  if (system === 'd1') return await dropD1(new URL(url))
  const name = decodeURIComponent(new URL(url).pathname.slice(1))
  if (system === 'mysql') await sql(`DROP DATABASE \`${name}\``)
  if (system !== 'postgresql') return
  await sql(
    'SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots WHERE database = current_database()',
  )
  const other = new URL(url)
  other.pathname = '/postgres'
  await postgresAt(other.href).sql(`DROP DATABASE "${name}" WITH (FORCE)`)
}

async function dropD1({ hostname, pathname }: URL): Promise<void> {
  const { CLOUDFLARE_API_BASE_URL: base, CLOUDFLARE_API_TOKEN: token } = process.env
  const headers = { authorization: `Bearer ${token}` }
  const response = await fetch(`${base}/accounts/${hostname}/d1/database${pathname}`, { method: 'DELETE', headers })
  if (!response.ok) throw new Error(`D1 does not drop a database: ${await response.text()}`)
}
