/** Whether the service keeps what copies rest on: tried, since nobody but the service could say. */
import { randomBytes } from 'node:crypto'
import type { D1Client } from '../client.ts'
import { D1Failure } from '../failure.ts'

export type D1Probe = {
  /** A request whose last statement fails leaves nothing of the others behind. */
  readonly atomic: boolean
  /** SQLite takes JSON and hexadecimal digits apart, as rows are sent. */
  readonly functions: boolean
}

/** @throws D1Failure where the database cannot be asked, or may not be written */
export async function probe(client: D1Client, signal: AbortSignal): Promise<D1Probe> {
  const name = `sluice_probe_${randomBytes(8).toString('hex')}`
  try {
    await client.once(
      [
        { sql: `CREATE TABLE ${name} (x)`, params: [] },
        { sql: "SELECT json('fenced')", params: [] },
      ],
      { signal },
    )
  } catch (error) {
    if (!(error instanceof D1Failure) || !/malformed JSON/i.test(error.message)) throw error
  }
  const [left] = await client.read([{ sql: 'SELECT 1 FROM sqlite_schema WHERE name = ?', params: [name] }], { signal })
  const atomic = left?.rows.length === 0
  if (!atomic) await client.read([{ sql: `DROP TABLE IF EXISTS ${name}`, params: [] }], { signal })
  const taken = { sql: 'SELECT value->>0, hex(unhex(value->>1)) FROM json_each(?)', params: ['[["7", "00ff"]]'] }
  try {
    const [result] = await client.read([taken], { signal })
    return { atomic, functions: JSON.stringify(result?.rows) === '[["7","00FF"]]' }
  } catch (error) {
    if (error instanceof D1Failure && error.kind === 'sql') return { atomic, functions: false }
    throw error
  }
}
