/**
 * Finds the stream that a command resumes, before anything is planned. Its tables are those in the ledger, whatever the
 * command's patterns match now. A table dropped or renamed at the source halts the stream; a new one is not
 * replicated.
 */
import type { CopyStore } from '../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { Cdc } from '../../../model/follow/port.ts'
import type { WantedStream } from '../../copy/companion.ts'
import { prepareLedger } from '../../copy/ledger/schema.ts'
import { onSide } from '../../copy/sides.ts'
import type { CopyOperation } from '../../copy/operations/copy/declaration.ts'
import { STREAM_COLUMNS, streamOf } from '../../copy/ledger/stream-row.ts'
import { hasStreams } from '../../copy/ledger/stream-lookup.ts'

/** @param source identity of the source @returns null unless exactly one active stream began with the same tables */
export async function requestedStream(
  operation: CopyOperation,
  source: string,
  to: CopyStore,
): Promise<WantedStream | null> {
  await using database = await onSide('target', () => to.ledger())
  if (!(await hasStreams(database))) return null
  await prepareLedger(database)
  const rows = await database.all(
    `SELECT ${STREAM_COLUMNS} FROM migration_streams WHERE status <> 'ended' AND source_identity = ?`,
    [source],
  )
  const wanted = tableNamesText(operation)
  const fitting = rows
    .map(streamOf)
    .filter(({ wishes }) => tableNamesText(JSON.parse(wishes) as CopyOperation) === wanted)
  const [row] = fitting
  if (row === undefined || fitting.length > 1) return null
  return { row, tables: await streamTableNames(row.id, database) }
}

/** Names of the source's tables, `tableText`. */
export async function streamTableNames(stream: string, database: LedgerDatabase): Promise<ReadonlySet<string>> {
  const sql = 'SELECT source_table FROM migration_stream_tables WHERE stream_id = ?'
  return new Set((await database.all(sql, [stream])).map(([name]) => String(name)))
}

/** The tables that a command names, and their names in the target, as text to compare. */
function tableNamesText({ tables, exclude, toSchema, toTable }: CopyOperation): string {
  return JSON.stringify([tables.toSorted(), exclude?.toSorted() ?? null, toSchema ?? null, toTable ?? null])
}

/** Options of a stream that `follow RUN` applies again. @returns JSON without URLs, which may hold passwords */
export function streamOptions(operation: CopyOperation, cdc: Cdc): string {
  const { from: _from, to: _to, span: _span, follow, ...rest } = operation
  // The command of an alert may contain a secret.
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

/** The options, changed so that triggers fire from now on. */
export function withTriggers(options: string): string {
  const { follow, ...rest } = JSON.parse(options) as Partial<CopyOperation>
  return JSON.stringify({ ...rest, follow: { ...follow, fireTriggers: true } })
}
