/** Databases that a draw has made are gone when it is judged: a run draws thousands. */
import type { Place } from '../../support/copy-systems.ts'
import { postgresAt } from '../../support/copy-systems.ts'

/** Drops a database of a server; of a system that is files, its folder goes with the draw. */
export async function dropPlace({ system, url, sql }: Place): Promise<void> {
  const name = decodeURIComponent(new URL(url).pathname.slice(1))
  if (system === 'mysql') await sql(`DROP DATABASE \`${name}\``)
  if (system !== 'postgresql') return
  const other = new URL(url)
  other.pathname = '/postgres'
  await postgresAt(other.href).sql(`DROP DATABASE "${name}" WITH (FORCE)`)
}
