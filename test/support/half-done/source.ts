/**
 * The source of copies that were left half-done: a database of D1, which is known by its name alone, on whatever machine it lies.
 * What stands here is what fixtures were made from, and stays.
 */
import { inject } from 'vitest'
import type { Answer } from '../../setup/servers.ts'
import { d1Account, type D1Account } from '../servers/d1-account.ts'
import type { Place } from '../copy-systems.ts'

const ACCOUNT = 'abcdef0123456789abcdef0123456789'
const DATABASE = '00000000-0000-4000-8000-0000000000aa'

/** Tables, and how many rows each has. */
export const TABLES = { done: 40, divided: 200, broken: 120, ours: 120 } as const
export type Table = keyof typeof TABLES
/** A row of `broken` that no target holds before it is mended. */
export const REFUSED = { id: 17, as: 'abc', mended: 119 } as const
export const CHUNK = 20

export type Source = AsyncDisposable & {
  readonly place: Place
  readonly account: D1Account
  /** Makes the row of `broken` one that a target can hold. */
  repair(): Promise<void>
}

export async function d1Answer(): Promise<Answer> {
  const response = await fetch(`${inject('serverBroker')}/d1`)
  return (await response.json()) as Answer
}

/** Makes it, and puts what a program needs to reach it into the environment. */
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
