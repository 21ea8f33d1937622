/** A new account at the D1 server of the tests: its databases, the faults of its requests, and counts of requests. */
import { randomBytes } from 'node:crypto'
import type { D1Fault } from './d1-faults.ts'
import { D1_TOKEN, type D1Counts, type D1Limit, type D1State } from './d1.ts'

export type D1Database = {
  readonly id: string
  readonly name: string
  /** `d1://ACCOUNT/DATABASE` */
  readonly url: string
  /** Runs statements without faults and without counting them. */
  sql(...statements: readonly string[]): Promise<readonly (readonly unknown[])[]>
}

export type D1Account = AsyncDisposable & {
  readonly id: string
  /** Environment variables for a program. */
  readonly environment: Readonly<Record<string, string>>
  /** @param uuid set it to recreate a database with its former id */
  database(name?: string, uuid?: string): Promise<D1Database>
  /** Faults from now on; if several match, the first one applies. */
  faults(...faults: readonly D1Fault[]): Promise<void>
  limit(limit: D1Limit | null): Promise<void>
  counts(): Promise<D1Counts>
  reset(): Promise<void>
}

/** @param base the result of `startD1` @param id default: a random one */
export function d1Account(base: string, id: string = randomBytes(16).toString('hex')): D1Account {
  const made: string[] = []
  const api = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(`${base}${path}`, {
      method,
      headers: { authorization: `Bearer ${D1_TOKEN}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const answer = (await response.json()) as {
      readonly success: boolean
      readonly result: unknown
      readonly errors: unknown
    }
    if (!answer.success) throw new Error(`${method} ${path}: ${JSON.stringify(answer.errors)}`)
    return answer.result
  }
  const state = async (change: D1State): Promise<D1Counts> => {
    const response = await fetch(`${new URL(base).origin}/test/${id}`, { method: 'POST', body: JSON.stringify(change) })
    return (await response.json()) as D1Counts
  }
  const path = `/accounts/${id}/d1/database`
  return {
    id,
    environment: { CLOUDFLARE_API_TOKEN: D1_TOKEN, CLOUDFLARE_API_BASE_URL: base },
    database: async (name = `db-${made.length}`, wanted?: string) => {
      const { uuid } = (await api('POST', path, { name, uuid: wanted })) as { readonly uuid: string }
      made.push(uuid)
      return {
        id: uuid,
        name,
        url: `d1://${id}/${uuid}`,
        sql: async (...statements) => {
          const batch = statements.map((sql) => ({ sql, params: [] }))
          const results = (await api('POST', `${path}/${uuid}/raw?quiet`, { batch })) as readonly {
            readonly results: { readonly rows: readonly (readonly unknown[])[] }
          }[]
          return results.at(-1)?.results.rows ?? []
        },
      }
    },
    faults: async (...faults) => void (await state({ faults })),
    limit: async (limit) => void (await state({ limit })),
    counts: () => state({}),
    reset: async () => void (await state({ reset: true })),
    [Symbol.asyncDispose]: async () => {
      await state({ faults: [], limit: null })
      for (const uuid of made) await api('DELETE', `${path}/${uuid}`)
    },
  }
}
