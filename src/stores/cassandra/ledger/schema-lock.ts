/**
 * Lets one program at a time create tables of one name. Old servers check whether a table exists only before they
 * create it: two programs at the same time create two tables, and the server loses one of them at its next start.
 *
 * Every lock would need a table. So each program first creates a table with a unique name, and continues only while
 * there is no other such table; if two programs see each other, one drops its table again.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleepFor } from 'node:timers/promises'
import { types } from 'cassandra-driver'
import type { CassandraLink } from '../connect.ts'
import { quotedName } from '../../../shared/sql-text.ts'

const PREFIX = 'sluice_making_'
/** A table with a unique name that exists for longer than this is dropped: its program is treated as ended. In ms. */
const DEAD_MS = 30_000

/**
 * @param names tables that must exist at the end
 * @param change runs a statement that changes the schema
 * @param make creates the tables; runs only if one of them is missing, and never in two programs at once
 */
export async function makeExclusively(
  link: CassandraLink,
  keyspace: string,
  names: readonly string[],
  change: (sql: string) => Promise<void>,
  make: () => Promise<void>,
): Promise<void> {
  const mine = `${PREFIX}${randomUUID().replaceAll('-', '')}`
  const table = (name: string): string => `${quotedName(keyspace)}."${name}"`
  const seen = new Map<string, number>()
  let isMade = false
  try {
    for (;;) {
      const there = await tablesIn(link, keyspace)
      if (names.every((name) => there.has(name))) return
      const others = [...there].filter((name) => name.startsWith(PREFIX) && name !== mine)
      for (const name of others) {
        const since = seen.get(name) ?? performance.now()
        seen.set(name, since)
        if (performance.now() - since > DEAD_MS) await change(`DROP TABLE IF EXISTS ${table(name)}`)
      }
      if (others.length === 0 && isMade) return await make()
      if (others.length === 0) {
        await change(`CREATE TABLE ${table(mine)} (a int PRIMARY KEY)`)
        isMade = true
        continue
      }
      if (isMade && others.some((name) => name < mine)) {
        await change(`DROP TABLE ${table(mine)}`)
        isMade = false
      }
      await sleepFor(50 + Math.random() * 150)
    }
  } finally {
    if (isMade) await change(`DROP TABLE IF EXISTS ${table(mine)}`).catch(() => undefined)
  }
}

async function tablesIn(link: CassandraLink, keyspace: string): Promise<ReadonlySet<string>> {
  const isOld = Number(link.release.split('.', 1)[0]) < 3
  const listed = await link.client.execute(
    isOld
      ? 'SELECT columnfamily_name AS name FROM system.schema_columnfamilies WHERE keyspace_name = ?'
      : 'SELECT table_name AS name FROM system_schema.tables WHERE keyspace_name = ?',
    [keyspace],
    { prepare: true, consistency: types.consistencies.one, autoPage: true },
  )
  const names = new Set<string>()
  for await (const row of listed) names.add(String(row.get('name')))
  return names
}
