/**
 * A keyspace with a fixed name, because ledgers identify tables by it. It is dumped as CQL, and restored with the same
 * table ids.
 */
import { readFileSync, writeFileSync, mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { types } from 'cassandra-driver'
import { connectCassandra } from '../../../src/stores/cassandra/connect.ts'
import { sharedCassandra } from '../servers/cassandra-kit.ts'

const NAME = 'sluice_half_done'

export type Keyspace = AsyncDisposable & {
  readonly url: string
  rows(cql: string): Promise<readonly (readonly unknown[])[]>
  cql(...statements: readonly string[]): Promise<void>
  writeDown(fixture: string): Promise<void>
}

/** @param fixture the dump to restore, if any */
export async function openKeyspace(fixture?: string): Promise<Keyspace> {
  const [base = '', query] = (await sharedCassandra()).split('?')
  const url = `${base.replace(/\/?$/, '/')}${NAME}${query === undefined ? '' : `?${query}`}`
  const link = await connectCassandra(url, { readConsistency: 'ONE', writeConsistency: 'ONE', withoutKeyspace: true })
  const { client } = link
  const cql = async (...statements: readonly string[]): Promise<void> => {
    for (const one of statements) await client.execute(one)
  }
  const rows = async (asked: string): Promise<readonly (readonly unknown[])[]> => {
    const found: (readonly unknown[])[] = []
    const result = await client.execute(asked, [], { prepare: true, autoPage: true })
    for await (const row of result) found.push(row.values())
    return found
  }
  await cql(
    `DROP KEYSPACE IF EXISTS ${NAME}`,
    `CREATE KEYSPACE ${NAME} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
    `USE ${NAME}`,
  )
  if (fixture !== undefined) {
    const text = gunzipSync(readFileSync(`${fixture}.cql.gz`)).toString('utf8')
    await cql(...text.split(/;\n/).filter((one) => one.trim() !== ''))
  }
  return {
    url,
    rows,
    cql,
    writeDown: async (to) => {
      mkdirSync(resolve(to, '..'), { recursive: true })
      const statements = await dumpOf(client)
      writeFileSync(`${to}.cql.gz`, gzipSync(statements.map((one) => `${one};\n`).join(''), { level: 9 }))
    },
    [Symbol.asyncDispose]: async () => {
      try {
        await client.execute(`DROP KEYSPACE ${NAME}`)
      } finally {
        await link[Symbol.asyncDispose]()
      }
    },
  }
}

type Client = Awaited<ReturnType<typeof connectCassandra>>['client']

async function dumpOf(client: Client): Promise<readonly string[]> {
  await client.metadata.refreshKeyspace(NAME)
  const listed = await client.execute(
    'SELECT columnfamily_name FROM system.schema_columnfamilies WHERE keyspace_name = ?',
    [NAME],
  )
  const statements: string[] = []
  for (const row of listed.rows) {
    const name = String(row.values()[0])
    const table = await client.metadata.getTable(NAME, name)
    const key = (some: readonly { readonly name: string }[]): string => some.map((one) => `"${one.name}"`).join(', ')
    const columns = table.columns.map((one) => `"${one.name}" ${typeName(one.type.code)}`)
    const clustered = table.clusteringKeys.length === 0 ? '' : `, ${key(table.clusteringKeys)}`
    statements.push(
      `CREATE TABLE ${NAME}."${name}" (${columns.join(', ')}, PRIMARY KEY ((${key(table.partitionKeys)})${clustered}))`,
    )
    const result = await client.execute(`SELECT * FROM ${NAME}."${name}"`, [], { prepare: true, autoPage: true })
    for await (const one of result) {
      const values = one.keys().flatMap((column) => {
        const value: unknown = one.get(column)
        return value == null ? [] : [[`"${column}"`, literal(value)] as const]
      })
      statements.push(
        `INSERT INTO ${NAME}."${name}" (${values.map(([column]) => column).join(', ')}) VALUES (${values.map(([, value]) => value).join(', ')})`,
      )
    }
  }
  return statements
}

/** Simple types, the only ones in these tables. */
const PLAIN = ['bigint', 'blob', 'boolean', 'int', 'text', 'timestamp', 'uuid', 'varchar'] as const

function typeName(code: types.dataTypes): string {
  const name = PLAIN.find((one) => types.dataTypes[one] === code)
  if (name === undefined) throw new Error(`no plain type has the number ${code}`)
  return name
}

function literal(value: unknown): string {
  if (Buffer.isBuffer(value)) return `0x${value.toString('hex')}`
  if (value instanceof Date) return String(value.getTime())
  if (typeof value === 'string') return `'${value.replaceAll("'", "''")}'`
  return `${value as bigint}`
}
