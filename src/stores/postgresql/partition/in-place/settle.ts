/** What is done once the new table has the name, while others use it. */
import type { TableName } from '../../../../model/copy/column-type.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { tableSql } from '../../server/sql.ts'
import { sideOf } from '../../follow/switch/sides.ts'

/** Nobody waits for these, and they wait for nobody for long: an autovacuum may take hours. */
const LOCK_MS = 5000

/** @returns what is left, in words, each with the statement that does it */
export async function settleTable(session: CopySession, table: TableName): Promise<readonly string[]> {
  const side = await sideOf(session, table)
  if (side === null) return []
  const rows = await session.ask(
    `SELECT n.nspname, c.relname, k.conname FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE k.contype = 'f' AND k.confrelid = ${side.oid}::oid AND k.conparentid = 0::oid AND NOT k.convalidated ORDER BY 1, 2, 3`,
  )
  const statements = [
    ...rows.map(
      ([schema, name, key]) =>
        `ALTER TABLE ${tableSql({ schema: schema ?? '', name: name ?? '' })} VALIDATE CONSTRAINT ${quoteName(key ?? '')}`,
    ),
    // The server does that for partitions by itself, and not for the table above them.
    `ANALYZE ${tableSql(table)}`,
  ]
  await session.ask(`SET lock_timeout TO ${LOCK_MS}`)
  const left: string[] = []
  for (const sql of statements) {
    try {
      await session.ask(sql)
    } catch (error) {
      if (!session.alive) throw error
      left.push(`${sql}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return left
}
