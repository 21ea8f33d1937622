/** Detects a load or a COMMIT in the data that is sent to a database, and acts at that point. */
import type { Proxy, ProxyConnection } from '../support/servers/proxy.ts'

/** The whole text of PostgreSQL's statement, or MariaDB's whole packet. */
const COMMITS = [Buffer.from('COMMIT\0'), Buffer.from('\x03COMMIT')]

export function isCommit(data: Buffer): boolean {
  return COMMITS.some((word) => data.includes(word))
}

/**
 * Acts once, in the middle of the given load, as soon as so many of its bytes were sent to the server.
 * @param load number of the load among those with this statement, from 1
 * @returns whether it has acted, and bytes of each load up to the next COMMIT
 */
export function inLoad(
  proxy: Proxy,
  statement: string,
  at: { readonly load: number; readonly bytes: number } | null,
  act: (connection: ProxyConnection) => void,
): { readonly acted: () => boolean; readonly sizes: readonly number[] } {
  const sizes: number[] = []
  let loading: number | null = null
  let acted = false
  proxy.onClientData((data, connection) => {
    if (data.includes(statement)) {
      loading = connection.id
      sizes.push(0)
      return
    }
    if (connection.id !== loading) return
    if (isCommit(data)) loading = null
    else {
      sizes.push((sizes.pop() ?? 0) + data.length)
      if (acted || at === null || sizes.length !== at.load || (sizes.at(-1) ?? 0) < at.bytes) return
      acted = true
      act(connection)
    }
  })
  return { acted: () => acted, sizes }
}

/** Acts when a client sends a statement with the word, for the first or the given time. */
export function onStatement(
  proxy: Proxy,
  wanted: (data: Buffer) => boolean,
  act: (connection: ProxyConnection) => 'drop' | void,
  nth = 1,
): { readonly seen: () => number } {
  let seen = 0
  proxy.onClientData((data, connection) => {
    if (!wanted(data)) return undefined
    return ++seen === nth ? act(connection) : undefined
  })
  return { seen: () => seen }
}
