/** Finds streams in a ledger, for readers without the lease of the stream. */
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { tableOfKey, type TableKey } from './owner.ts'
import { hasTable } from './statement.ts'
import { STREAM_COLUMNS, streamOf, type StreamRow } from './stream-row.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { ledgersForTable } from './other-ledgers.ts'

/** @property isReverse true if a cutover began the stream: no other command can begin it again */
export type NamedStream = StreamRow & { readonly isReverse: boolean }

/** A stream by its id, or by the id of the run that worked on it last; null if there is none. */
export async function streamNamed(database: LedgerDatabase, id: string): Promise<NamedStream | null> {
  if (!/^\d{1,19}$/.test(id) || !(await hasStreams(database))) return null
  const rows = await database.all(
    `SELECT ${STREAM_COLUMNS} FROM migration_streams WHERE stream_id = ? OR run_id = ? ORDER BY created_ms DESC`,
    [id, BigInt(id)],
  )
  const streams = rows.map(streamOf)
  const found = streams.find((row) => row.id === id) ?? streams[0]
  return found === undefined ? null : { ...found, isReverse: await isOfCutover(database, found.id) }
}

/** True if a cutover began the stream. */
async function isOfCutover(database: LedgerDatabase, id: string): Promise<boolean> {
  const cutover = `SELECT 1 FROM migration_switches WHERE reverse_stream_id = ? AND status <> 'given up'`
  if ((await hasTable(database, 'migration_switches')) && (await database.all(cutover, [id])).length > 0) return true
  // The ledger of another database may have the cutover. This one has the run that began any other stream.
  const begun = 'SELECT command FROM migration_runs WHERE run_id = ?'
  const [run] = (await hasTable(database, 'migration_runs')) ? await database.all(begun, [BigInt(id)]) : []
  return run === undefined || String(run[0]).split(' ')[1] === 'cutover'
}

/** True if any stream was ever started into this database. */
export function hasStreams(database: LedgerDatabase): Promise<boolean> {
  return hasTable(database, 'migration_streams')
}

/** Streams that have not ended and write into any of these tables, newest first. */
export async function streamsIntoTables(
  database: LedgerDatabase,
  keys: readonly TableKey[],
): Promise<readonly StreamRow[]> {
  if (keys.length === 0 || !(await hasStreams(database))) return []
  const columns = STREAM_COLUMNS.split(', ').map((name) => `s.${name}`)
  const rows = await database.all(
    `SELECT DISTINCT ${columns.join(', ')}, s.created_ms FROM migration_streams s JOIN migration_stream_tables t ON t.stream_id = s.stream_id
     WHERE s.status <> 'ended' AND (${keys.map(() => '(t.schema_name = ? AND t.table_name = ?)').join(' OR ')}) ORDER BY s.created_ms DESC`,
    keys.flatMap(({ schema, name }) => [schema, name]),
  )
  return rows.map((row) => streamOf(row.slice(0, -1)))
}

/**
 * Streams that have not ended and write into these tables. They are read from the login's own ledger, or, if
 * it has no such stream, from the first other ledger that has one and is valid for the table (see `OtherLedgers.list`).
 */
export async function streamsInto(
  store: CopyStore,
  { database, signal }: { readonly database: LedgerDatabase; readonly signal: AbortSignal },
  keys: readonly TableKey[],
): Promise<readonly StreamRow[]> {
  const own = await streamsIntoTables(database, keys)
  if (own.length > 0) return own
  for (const key of keys) {
    const table = tableOfKey(key)
    await using others = await ledgersForTable(store, database, table, signal)
    for (const other of others.places) {
      const found = await streamsIntoTables(other.database, [key])
      if (found.length > 0) return found
    }
  }
  return []
}
