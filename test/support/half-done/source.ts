/**
 * The source of half-done copies: a D1 database, whose identity is its name alone, on any machine. Fixtures were made
 * from these rows, so they must not change.
 */
import { inject } from 'vitest'
import type { Answer } from '../../setup/servers.ts'
import { d1Account, type D1Account } from '../servers/d1-account.ts'
import type { Place } from '../copy-systems.ts'

const ACCOUNT = 'abcdef0123456789abcdef0123456789'
const DATABASE = '00000000-0000-4000-8000-0000000000aa'

/** Tables and their numbers of rows. */
export const TABLES = { done: 40, divided: 200, broken: 120, ours: 120 } as const
export type Table = keyof typeof TABLES
/** A row of `broken` that no target accepts until `repair`. */
export const REFUSED = { id: 17, as: 'abc', mended: 119 } as const
export const CHUNK = 20

export type Source = AsyncDisposable & {
  readonly place: Place
  readonly account: D1Account
  /** Changes the row of `broken` to one that a target accepts. */
  repair(): Promise<void>
}

export async function d1Answer(): Promise<Answer> {
  const response = await fetch(`${inject('serverBroker')}/d1`)
  return (await response.json()) as Answer
}

/** Creates the source, and sets the environment variables that a program needs to reach it. */
export async function openSource(base: string): Promise<Source> {
  const account = d1Account(base, ACCOUNT)
  Object.assign(process.env, account.environment)
  const { url, sql } = await account.database('half-done', DATABASE)
  for (const [table, rows] of Object.entries(TABLES)) {
    await sql(
      `CREATE TABLE "${table}" (id INTEGER PRIMARY KEY, n INTEGER, name TEXT)`,
      `WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < ${rows})
       INSERT INTO "${table}" SELECT n, n * 7, CASE WHEN n % 11 = 0 THEN NULL ELSE 'row ' || n || ' — é' END FROM i`,
    )
  }
  await sql(`UPDATE broken SET n = '${REFUSED.as}' WHERE id = ${REFUSED.id}`)
  return {
    account,
    place: {
      system: 'd1',
      url,
      sql: async (...statements) => void (await sql(...statements)),
      rows: async (query) =>
        (await sql(query)).map((row) => row.map((value) => (value == null ? null : String(value as string | number)))),
    },
    repair: async () => void (await sql(`UPDATE broken SET n = ${REFUSED.mended} WHERE id = ${REFUSED.id}`)),
    [Symbol.asyncDispose]: () => account[Symbol.asyncDispose](),
  }
}
