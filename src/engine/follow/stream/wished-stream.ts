/**
 * The stream that a command goes on with, before anything is planned: what it follows is what stands in the ledger, whatever the patterns of the command name by
 * now. A table that was dropped or renamed at the source is looked for where it was, and halts the stream; one that is new there is not followed.
 */
import type { CopyStore, LedgerDatabase } from '../../../model/copy/port.ts'
import type { Cdc } from '../../../model/follow/port.ts'
import type { WishedStream } from '../../copy/companion.ts'
import { prepareLedger } from '../../copy/ledger/schema.ts'
import { onSide } from '../../copy/sides.ts'
import type { CopyOperation } from '../../copy/operations/copy/declaration.ts'
import { STREAM_COLUMNS, streamOf } from '../../copy/ledger/stream-row.ts'
import { hasStreams } from '../../copy/ledger/streams.ts'

/**
 * @param source its identity
 * @returns null where no stream that has not ended was begun with the same tables, or several were
 */
export async function wishedStream(
  operation: CopyOperation,
  source: string,
  to: CopyStore,
): Promise<WishedStream | null> {
  await using database = await onSide('target', () => to.ledger())
  if (!(await hasStreams(database))) return null
  await prepareLedger(database)
  const rows = await database.all(
    `SELECT ${STREAM_COLUMNS} FROM migration_streams WHERE status <> 'ended' AND source_identity = ?`,
    [source],
  )
  const wanted = placesOf(operation)
  const fitting = rows.map(streamOf).filter(({ wishes }) => placesOf(JSON.parse(wishes) as CopyOperation) === wanted)
  const [row] = fitting
  if (row === undefined || fitting.length > 1) return null
  return { row, tables: await followedTables(row.id, database) }
}

/** Names of the source's tables, `tableText`. */
export async function followedTables(stream: string, database: LedgerDatabase): Promise<ReadonlySet<string>> {
  const sql = 'SELECT source_table FROM migration_stream_tables WHERE stream_id = ?'
  return new Set((await database.all(sql, [stream])).map(([name]) => String(name)))
}

/** Which tables a command names, and where they go. */
function placesOf({ tables, toSchema, toTable }: Pick<CopyOperation, 'tables' | 'toSchema' | 'toTable'>): string {
  return JSON.stringify([tables.toSorted(), toSchema ?? null, toTable ?? null])
}

/**
 * What a stream was asked for, as its ledger has it: `follow RUN` does the same again.
 * @returns JSON without URLs, which may hold passwords
 */
export function wishesOf(operation: CopyOperation, cdc: Cdc): string {
  const { from: _from, to: _to, span: _span, follow, ...rest } = operation
  // A command of an alert may hold a secret.
  const {
    until: _until,
    alert: _alert,
    resync: _resync,
    lanes: _lanes,
    changesOnly: _changesOnly,
    moved: _moved,
    ...lasting
  } = follow ?? {}
  return JSON.stringify({ ...rest, follow: { ...lasting, cdc }, restart: false })
}

/** The same of a stream whose triggers are to fire from now on. */
export function withFiring(wishes: string): string {
  const { follow, ...rest } = JSON.parse(wishes) as Partial<CopyOperation>
  return JSON.stringify({ ...rest, follow: { ...follow, fireTriggers: true } })
}
