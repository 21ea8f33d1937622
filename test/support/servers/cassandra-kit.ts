/** The cluster that all suites of a run share, and a new keyspace for each test. */
import { inject } from 'vitest'
import type { types } from 'cassandra-driver'
import { connectCassandra, type CassandraLink, type ConnectOptions } from '../../../src/stores/cassandra/connect.ts'
import type { Answer } from '../../setup/servers.ts'

export type TestKeyspace = AsyncDisposable & {
  readonly name: string
  /** `cassandra://` URL with the keyspace. */
  readonly url: string
  /** Connected to the cluster of the keyspace with consistency level ONE. */
  readonly link: CassandraLink
  /** Runs statements one after the other; unquoted table names refer to this keyspace. */
  cql(...statements: readonly string[]): Promise<void>
  /** Rows of a query, in the driver's format. */
  rows(cql: string, parameters?: readonly unknown[]): Promise<readonly types.Row[]>
}

let number = 0

/** URL of the shared cluster, without a keyspace. @throws Error if there is none */
export async function sharedCassandra(): Promise<string> {
  const response = await fetch(`${inject('serverBroker')}/cassandra`)
  if (!response.ok) throw new Error(`no cassandra server: ${await response.text()}`)
  const answer = (await response.json()) as Answer
  if ('url' in answer) return answer.url
  throw new Error(`no cassandra server: ${answer.missing}`)
}

/**
 * @param cluster URL of another cluster, without a keyspace; default: the shared one
 * @param replication default: SimpleStrategy of 1
 */
export async function newKeyspace(
  options: { readonly cluster?: string; readonly replication?: string; readonly connect?: ConnectOptions } = {},
): Promise<TestKeyspace> {
  const cluster = options.cluster ?? (await sharedCassandra())
  const name = `t${process.pid}_${Date.now().toString(36)}_${number++}`
  const [base = '', query] = cluster.split('?')
  const url = `${base.replace(/\/?$/, '/')}${name}${query === undefined ? '' : `?${query}`}`
  const replication = options.replication ?? "{'class': 'SimpleStrategy', 'replication_factor': 1}"
  const link = await connectCassandra(url, {
    readConsistency: 'ONE',
    writeConsistency: 'ONE',
    ...options.connect,
    withoutKeyspace: true,
  })
  const { client } = link
  try {
    await client.execute(`CREATE KEYSPACE ${name} WITH replication = ${replication}`)
    await client.execute(`USE ${name}`)
  } catch (error) {
    await link[Symbol.asyncDispose]()
    throw error
  }
  return {
    name,
    url,
    link,
    cql: async (...statements) => {
      for (const statement of statements) await client.execute(statement)
    },
    rows: async (cql, parameters = []) => {
      const found: types.Row[] = []
      const result = await client.execute(cql, [...parameters], { prepare: true, autoPage: true })
      for await (const row of result) found.push(row)
      return found
    },
    [Symbol.asyncDispose]: async () => {
      try {
        await client.execute(`DROP KEYSPACE ${name}`)
      } finally {
        await link[Symbol.asyncDispose]()
      }
    },
  }
}
