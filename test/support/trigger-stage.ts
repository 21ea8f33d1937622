/** A server without logical replication, and a stream out of it by triggers. */
import { copyOf, perform, placeOn, type Ran } from './copy-systems.ts'
import { FOLLOW_NAMES, FOLLOW_TABLES, seedRows } from './follow-writer.ts'
import type { Stage } from './follow-stage.ts'
import type { PostgresServer } from './servers/postgresql.ts'

/** @param statements create the tables in the source */
export async function triggerStage(
  server: PostgresServer,
  statements: readonly string[],
  names: readonly string[],
  chunkRows = 1000,
): Promise<Stage> {
  const [source, target] = [await placeOn('postgresql', server.url()), await placeOn('postgresql', server.url())]
  await source.sql(...statements)
  const one = copyOf(source, target, names[0] ?? '', { chunkRows, workers: 2 })
  return { source, target, names, copy: { ...one, tables: [...names], follow: { cdc: 'trigger' } } }
}

/** The tables of the writer with rows. @param rows rows of the largest table */
export function writerTriggerStage(server: PostgresServer, rows: number): Promise<Stage> {
  return triggerStage(server, [...FOLLOW_TABLES, ...seedRows(rows)], FOLLOW_NAMES, Math.ceil(rows / 6))
}

/** Compares all rows as of one snapshot, repairs them, and ends. */
export function untilEqual({ copy }: Stage): Promise<Ran> {
  return perform({ ...copy, follow: { ...copy.follow, until: 'equal' } })
}

/** Schemas and triggers that streams have left at the source. */
export async function triggersLeft({ source }: Stage): Promise<readonly string[]> {
  const found = await source.rows(
    `SELECT nspname::text FROM pg_namespace WHERE nspname ~ '^sluice_' UNION ALL SELECT tgname::text FROM pg_trigger WHERE tgname ~ 'sluice' AND tgparentid = 0`,
  )
  return found.map(([name]) => name ?? '')
}
