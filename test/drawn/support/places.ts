/** Databases that a draw has made are gone when it is judged: a run draws thousands. */
import type { Place } from '../../support/copy-systems.ts'
import { postgresAt } from '../../support/copy-systems.ts'

/** Drops a database of a server; of a system that is files, its folder goes with the draw. */
export async function dropPlace({ system, url, sql }: Place): Promise<void> {
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
