/**
 * Real Cassandra clusters for tests: one to three nodes, started here, or a cluster that CASSANDRA_CONTACT_POINTS
 * names.
 */
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, policies } from 'cassandra-driver'
import { CassandraNode, NODE_MISSING, type NodeOptions, type NodePlace } from './cassandra-node.ts'

/** `host:port,host2`, or a whole `cassandra://` URL without a keyspace. */
const NAMED = process.env['CASSANDRA_CONTACT_POINTS'] ?? ''
/** The first superuser of a node with users, and its password. */
export const SUPERUSER = 'cassandra'

/** Why no cluster is available; empty if one is. */
export const CASSANDRA_MISSING = NAMED === '' ? NODE_MISSING : ''
/** Also true where `.ci/run` has installed Java, so that the tests fail there if a node cannot start. */
export const CASSANDRA_AVAILABLE = CASSANDRA_MISSING === '' || Boolean(process.env['SLUICE_REQUIRE_CASSANDRA'])
/** Whether nodes are started here and can be killed and configured. */
export const CASSANDRA_OWN = NODE_MISSING === '' || Boolean(process.env['SLUICE_REQUIRE_CASSANDRA'])

if (!CASSANDRA_AVAILABLE) process.stderr.write(`tests of Cassandra are skipped: ${CASSANDRA_MISSING}\n`)

export type CassandraCluster = AsyncDisposable & {
  /** Empty for a named cluster. */
  readonly nodes: readonly CassandraNode[]
  /** `cassandra://` URL of all nodes; with users, of the superuser by default. */
  url(keyspace?: string, user?: string, password?: string): string
  /** Runs statements as the superuser, with consistency level ONE. */
  cql(...statements: readonly string[]): Promise<void>
  /** Waits until every running node sees every other one as up. */
  agree(): Promise<void>
  stop(): Promise<void>
}

/** The named cluster, or a new node. @throws Error if it does not start */
export async function startCassandra(options: NodeOptions = {}): Promise<CassandraCluster> {
  return NAMED === '' ? startOwn(1, options) : namedCluster(NAMED)
}

/** New nodes on 127.0.0.1, 127.0.0.2 …, which tests may kill, freeze and configure. */
export async function startOwn(count: 1 | 2 | 3, options: NodeOptions = {}): Promise<CassandraCluster> {
  if (NODE_MISSING !== '') throw new Error(NODE_MISSING)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-test-cassandra-'))
  const ips = Array.from({ length: count }, (_, i) => `127.0.0.${i + 1}`)
  const [port, storagePort] = await freePorts(ips)
  const seed = ips[0] ?? '127.0.0.1'
  const nodes = ips.map((ip) => {
    const place: NodePlace = { ip, seed, port, storagePort }
    return new CassandraNode(path.join(folder, ip), place, options)
  })
  const cluster = new OwnCluster(folder, nodes, options)
  try {
    // One after the other: two nodes that start at the same time may choose the same tokens.
    for (const node of nodes) await node.start()
    if (options.users === true) await cluster.waitForLogin()
    if (count > 1) await cluster.agree()
    return cluster
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

class OwnCluster implements CassandraCluster {
  readonly nodes: readonly CassandraNode[]
  readonly #folder: string
  readonly #options: NodeOptions

  constructor(folder: string, nodes: readonly CassandraNode[], options: NodeOptions) {
    this.#folder = folder
    this.nodes = nodes
    this.#options = options
  }

  url(keyspace = '', user?: string, password?: string): string {
    const name = user ?? (this.#options.users === true ? SUPERUSER : undefined)
    const hosts = this.nodes.map(({ place }) => `${place.ip}:${place.port}`).join(',')
    const login = name === undefined ? '' : `${encodeURIComponent(name)}:${encodeURIComponent(password ?? SUPERUSER)}@`
    return `cassandra://${login}${hosts}/${encodeURIComponent(keyspace)}`
  }

  async cql(...statements: readonly string[]): Promise<void> {
    await withClient(this.#client(), statements)
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill9()))
    fs.rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Cassandra creates the first superuser some time after the port is open. */
  async waitForLogin(): Promise<void> {
    await until('a first login', () => this.cql('SELECT * FROM system_auth.users'))
  }

  async agree(): Promise<void> {
    // To write and read with level ALL what is on all nodes, each node must see the others.
    const all = `{'class': 'SimpleStrategy', 'replication_factor': ${this.nodes.length}}`
    await until('nodes that know each other', async () => {
      for (const { place } of this.nodes) {
        const client = this.#client([place.ip])
        try {
          await client.connect()
          const { rowLength } = await client.execute('SELECT peer FROM system.peers', [], { consistency: 1 })
          if (rowLength !== this.nodes.length - 1) throw new Error(`${place.ip} knows ${rowLength} others`)
          await client.execute(`CREATE KEYSPACE IF NOT EXISTS everywhere WITH replication = ${all}`)
          await client.execute('CREATE TABLE IF NOT EXISTS everywhere.t (id int PRIMARY KEY)')
          await client.execute('INSERT INTO everywhere.t (id) VALUES (1)', [], { consistency: 5 })
          await client.execute('SELECT * FROM everywhere.t', [], { consistency: 5 })
        } finally {
          await client.shutdown()
        }
      }
    })
  }

  #client(ips = this.nodes.map(({ place }) => place.ip)): Client {
    const { users = false, keystore } = this.#options
    return new Client({
      contactPoints: [...ips],
      protocolOptions: { port: this.nodes[0]?.place.port ?? 0 },
      socketOptions: { readTimeout: 60_000 },
      policies: { loadBalancing: new policies.loadBalancing.RoundRobinPolicy() },
      ...(users ? { credentials: { username: SUPERUSER, password: SUPERUSER } } : {}),
      ...(keystore === undefined ? {} : { sslOptions: { rejectUnauthorized: false } }),
    })
  }
}

function namedCluster(named: string): CassandraCluster {
  const [base = '', query = ''] = (
    named.includes('://') ? named : `cassandra://${named}/?sslmode=${process.env['CASSANDRA_SSLMODE'] ?? 'prefer'}`
  ).split('?')
  const [, scheme = '', login = '', hosts = ''] = /^(\w+:\/\/)(?:(.*)@)?([^/]+)\/?$/.exec(base) ?? []
  const [user = process.env['CASSANDRA_USER'] ?? '', password = process.env['CASSANDRA_PASSWORD'] ?? ''] =
    login === '' ? [] : login.split(':').map(decodeURIComponent)
  const url = (keyspace = '', name = user, secret = password): string => {
    const who = name === '' ? '' : `${encodeURIComponent(name)}:${encodeURIComponent(secret)}@`
    return `${scheme}${who}${hosts}/${encodeURIComponent(keyspace)}${query === '' ? '' : `?${query}`}`
  }
  return {
    nodes: [],
    url,
    cql: async (...statements) => {
      const { connectCassandra } = await import('../../../src/stores/cassandra/connect.ts')
      await using link = await connectCassandra(url())
      for (const statement of statements) await link.client.execute(statement)
    },
    agree: async () => undefined,
    stop: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
}

async function withClient(client: Client, statements: readonly string[]): Promise<void> {
  try {
    await client.connect()
    for (const statement of statements) await client.execute(statement, [], { consistency: 1 })
  } finally {
    await client.shutdown()
  }
}

async function until(what: string, attempt: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + 90_000
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`, { cause: error })
      await sleep(100)
    }
  }
}

/** A native port, and two consecutive ports for the nodes among themselves, all free on every address. */
async function freePorts(ips: readonly string[]): Promise<readonly [native: number, storage: number]> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = await anyPort()
    const storage = await anyPort()
    if (Math.abs(port - storage) < 2 || storage >= 65_535) continue
    const wanted = ips.flatMap((ip) => [port, storage, storage + 1].map((number) => ({ ip, number })))
    const free = await Promise.all(wanted.map(({ ip, number }) => isFree(ip, number)))
    if (free.every(Boolean)) return [port, storage]
  }
  throw new Error('no free ports')
}

async function anyPort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as net.AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function isFree(ip: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer()
    server.once('error', () => resolve(false))
    server.listen(port, ip, () => server.close(() => resolve(true)))
  })
}
