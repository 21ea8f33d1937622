/** Reads facts about a cluster for doctor: nodes, schema, replication, rights, clocks. Changes nothing. */
import { types } from 'cassandra-driver'
import type { Clock } from '../../shared/clock.ts'
import { quotedName } from '../../shared/sql-text.ts'
import type { CassandraLink } from './connect.ts'
import { isBefore } from './copy/cql-type.ts'
import { plainMap } from './copy/names.ts'

/** Level ONE: the facts of a node about itself are read from that node alone. */
const HERE = { consistency: types.consistencies.one } as const

/** A short query, to measure the round trip. */
export async function ping({ client }: CassandraLink): Promise<void> {
  await client.execute('SELECT key FROM system.local', [], HERE)
}

export type NodeState = { readonly address: string; readonly datacenter: string; readonly isUp: boolean }

/** The nodes, with their state according to the driver's connections. */
export function nodesOf({ client }: CassandraLink): readonly NodeState[] {
  return client.hosts.values().map((host) => ({
    address: withoutPort(host.address),
    datacenter: host.datacenter,
    isUp: host.isUp(),
  }))
}

/** Number of schema versions and of nodes; several versions during a change, or if a node missed a change. */
export async function schemaVersions({ client }: CassandraLink): Promise<{ versions: number; nodes: number }> {
  const [own, others] = await Promise.all([
    client.execute('SELECT schema_version FROM system.local', [], HERE),
    client.execute('SELECT schema_version FROM system.peers', [], HERE),
  ])
  const said = [...own.rows, ...others.rows].map((row) => String(row.get('schema_version')))
  return { versions: new Set(said.filter((version) => version !== 'null')).size, nodes: said.length }
}

export type Replication = {
  /** Name of the strategy's class, such as SimpleStrategy. */
  readonly strategy: string
  /** Number of copies as text. Keys: data centers; with some strategies only `replication_factor`. */
  readonly copies: ReadonlyMap<string, string>
}

/**
 * Replication of a keyspace, read with a query; null if it does not exist. From 3.0 on, servers return it as a map. The
 * metadata of the driver cannot parse this map, because sluice makes the driver read maps as `Map`.
 */
export async function replicationOf({ client, release }: CassandraLink, keyspace: string): Promise<Replication | null> {
  const isOld = isBefore(release, 3, 0)
  const { rows } = await client.execute(
    isOld
      ? 'SELECT strategy_class, strategy_options FROM system.schema_keyspaces WHERE keyspace_name = ?'
      : 'SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?',
    [keyspace],
    { ...HERE, prepare: true },
  )
  const [row] = rows
  if (row === undefined) return null
  const said = isOld
    ? {
        class: String(row.get('strategy_class')),
        ...(JSON.parse(String(row.get('strategy_options'))) as Readonly<Record<string, string>>),
      }
    : plainMap(row.get('replication'))
  const { class: strategy = '', ...copies } = said
  return { strategy: strategy.split('.').at(-1) ?? '', copies: new Map(Object.entries(copies)) }
}

export function keyspaceCount({ client }: CassandraLink): number {
  return Object.keys(client.metadata.keyspaces).length
}

/** `everything` if the cluster has no access rights or no logins, or if this user is a superuser. */
export type CassandraRights =
  | { readonly kind: 'everything'; readonly why: 'no rights' | 'no login' | 'superuser' }
  | { readonly kind: 'some'; readonly rights: readonly string[]; readonly on: string }

/** Rights of this login on the keyspace of the URL, or on all keyspaces. Rights on single tables are not included. */
export async function cassandraRights({ client, settings }: CassandraLink): Promise<CassandraRights> {
  const { keyspace, user } = settings
  const on = keyspace === null ? 'ALL KEYSPACES' : `KEYSPACE ${quotedName(keyspace)}`
  const name = user === null ? '' : `'${user.replaceAll("'", "''")}'`
  let rights: readonly string[]
  try {
    const listed = await client.execute(`LIST ALL PERMISSIONS ON ${on}${user === null ? '' : ` OF ${name}`}`, [], HERE)
    rights = rowsOf(listed).map((row) => String(row.get('permission')))
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (/AllowAllAuthorizer|not supported/i.test(message)) return { kind: 'everything', why: 'no rights' }
    if (/anonymous|not logged in|login/i.test(message)) return { kind: 'everything', why: 'no login' }
    throw error
  }
  if (user !== null && (await isSuperuser(client, user, name))) return { kind: 'everything', why: 'superuser' }
  return { kind: 'some', rights, on }
}

/** True for a superuser, whose rights are not listed. Releases before 2.2 have users, later ones roles. */
async function isSuperuser(client: CassandraLink['client'], user: string, quoted: string): Promise<boolean> {
  try {
    const roles = await client.execute(`LIST ROLES OF ${quoted}`, [], HERE)
    return rowsOf(roles).some((row) => row.get('super') === true)
  } catch {
    const users = await client.execute('LIST USERS', [], HERE)
    return rowsOf(users).some((row) => row.get('name') === user && row.get('super') === true)
  }
}

/**
 * Largest clock difference between a node and this machine, ms; positive if the node is ahead. 0 if the clock of each
 * node was between the start and the end of its query.
 */
export async function clockSkew(
  { client }: CassandraLink,
  clock: Pick<Clock, 'now'>,
): Promise<{ readonly ms: number; readonly address: string }> {
  let worst = { ms: 0, address: '' }
  for (const host of client.hosts.values().filter((one) => one.isUp())) {
    const before = clock.now()
    const { rows } = await client.execute('SELECT now() FROM system.local', [], { ...HERE, host })
    const after = clock.now()
    const said: unknown = rows[0]?.values()[0]
    if (!(said instanceof types.TimeUuid)) continue
    const there = said.getDate().getTime()
    const ms = there < before ? there - before : there > after ? there - after : 0
    if (Math.abs(ms) > Math.abs(worst.ms)) worst = { ms, address: withoutPort(host.address) }
  }
  return worst
}

/** Rows of a result; for an empty result, the driver returns no array. */
function rowsOf({ rows }: { readonly rows?: readonly types.Row[] }): readonly types.Row[] {
  return rows ?? []
}

function withoutPort(endpoint: string): string {
  return endpoint.replace(/:\d+$/, '')
}
