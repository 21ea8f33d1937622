/** A server with logical replication, and a stream between two of its databases. */
import { expect } from 'vitest'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import { copyOf, perform, placeOn, type Place, type Ran } from './copy-systems.ts'
import { FOLLOW_NAMES, FOLLOW_TABLES, followedRows, seedRows } from './follow-writer.ts'
import { startPostgres, type PostgresServer } from './servers/postgresql.ts'

/** @param dataParent as `PostgresOptions` has it */
export function startFollowServer(
  more: readonly string[] = [],
  dataParent?: string,
  cluster?: string,
): Promise<PostgresServer> {
  return startPostgres({
    extraSettings: ['wal_level=logical', 'max_replication_slots=40', 'max_wal_senders=40', ...more],
    ...(dataParent === undefined ? {} : { dataParent }),
    ...(cluster === undefined ? {} : { cluster }),
  })
}

export type Stage = {
  readonly source: Place
  readonly target: Place
  readonly copy: CopyOperation
  /** Names of the replicated tables, the same on both sides. */
  readonly names: readonly string[]
}

/**
 * The tables of the writer with rows.
 * @param rows rows of the largest table @param target default: another database of the server
 */
export async function writerStage(server: PostgresServer, rows: number, target?: Place): Promise<Stage> {
  return await stageOf(server, [...FOLLOW_TABLES, ...seedRows(rows)], FOLLOW_NAMES, Math.ceil(rows / 6), target)
}

/** @param statements create the tables in the source */
export async function stageOf(
  server: PostgresServer,
  statements: readonly string[],
  names: readonly string[],
  chunkRows = 1000,
  to?: Place,
): Promise<Stage> {
  const source = await placeOn('postgresql', server.url())
  const target = to ?? (await placeOn('postgresql', server.url()))
  await source.sql(...statements)
  const one = copyOf(source, target, names[0] ?? '', { chunkRows, workers: 2 })
  return { source, target, names, copy: { ...one, tables: [...names], follow: {} } }
}

/** Runs the stream until all current changes of the source are applied. */
export function caughtUp({ copy }: Stage): Promise<Ran> {
  return perform({ ...copy, follow: { ...copy.follow, until: 'caught-up' } })
}

/** Every row of both sides, read with a plain driver, is the same. @param where for messages */
export async function expectEqual({ source, target, names }: Stage, where = ''): Promise<void> {
  const [left, right] = [await followedRows(source.rows, names), await followedRows(target.rows, names)]
  for (const name of names) {
    const there = new Set(right[name])
    const here = new Set(left[name])
    expect(left[name]?.filter((row) => !there.has(row)).slice(0, 3), `${where}: missing in ${name}`).toEqual([])
    expect(right[name]?.filter((row) => !here.has(row)).slice(0, 3), `${where}: surplus in ${name}`).toEqual([])
    expect(right[name]?.length, `${where}: rows of ${name}`).toBe(left[name]?.length)
  }
}

/** Slots and publications that streams have left at the source. */
export async function leftAtSource({ source }: Stage): Promise<readonly string[]> {
  const found = await source.rows(
    `SELECT slot_name::text FROM pg_replication_slots WHERE database = current_database() UNION ALL SELECT pubname::text FROM pg_publication`,
  )
  return found.map(([name]) => name ?? '')
}
