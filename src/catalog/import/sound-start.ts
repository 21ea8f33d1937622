/** Where an import begins, with a base checkpoint that was read through first: a corrupt one gives way to the next, before anything is written. */
import type { ActionKind, MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import { proveCheckpoint, readCheckpoint } from '../../delta/checkpoint.ts'
import type { CheckpointFiles, LogListing } from '../../delta/listing.ts'
import { historyOf, type History } from '../../delta/segment.ts'
import type { LogStore } from '../../model/log-store.ts'
import type { ParquetRows } from '../../model/parquet-rows.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { SqlReader } from '../../stores/port.ts'
import { readHead, wholeness, type Head } from './head.ts'
import { baseOf, startOf, type Start } from './start.ts'

/** What a base checkpoint says of the table, and how many rows it has. */
export type Declarations = {
  readonly protocol: ProtocolAction | null
  readonly metadata: MetadataAction | null
  readonly rows: number
}

export type SoundStart = {
  readonly start: Start
  readonly base: CheckpointFiles | null
  readonly declared: Declarations | null
}

type At = {
  readonly log: LogStore
  readonly parquet: () => Promise<ParquetRows>
  readonly database: SqlReader
  readonly tableId: string
  readonly signal: AbortSignal
  readonly onNote: (message: string) => void
}

/**
 * @throws SluiceError TABLE_ID_TAKEN, LOG_GAP, LOG_REWRITTEN; BAD_CHECKPOINT when no other checkpoint can stand in
 */
export async function soundStart(listing: LogListing, at: At): Promise<SoundStart> {
  const head = await ownHead(at)
  const state = head === null ? null : await wholeness(at.database, head)
  const corrupt = new Set<CheckpointFiles>()
  let failure: SluiceError | null = null
  for (;;) {
    let history: History
    try {
      history = historyOf(listing, corrupt)
    } catch (error) {
      throw failure ?? error
    }
    const start = await startOf({ ...at, head, wholeness: state, history })
    const base = start.kind === 'current' ? null : baseOf(start)
    if (base === null) return { start, base, declared: null }
    try {
      await proveCheckpoint(at.log, at.parquet, base, { signal: at.signal })
      return { start, base, declared: await declarations(base, at) }
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code !== 'BAD_CHECKPOINT') throw error
      failure ??= error
      corrupt.add(base)
      at.onNote(`checkpoint ${base.version} is unreadable (${error.message}); history may begin later for it`)
    }
  }
}

/** The head row of this very table; an id or a location that belongs to another is refused. */
async function ownHead({ database, tableId, log }: At): Promise<Head | null> {
  const byId = await readHead(database, { tableId })
  const byLocation = await readHead(database, { location: log.root })
  if (byId !== null && byId.location !== log.root) {
    throw new SluiceError('TABLE_ID_TAKEN', `the id ${tableId} belongs to another table`, {
      where: byId.location,
      hint: 'give this table another --table-id',
    })
  }
  if (byLocation !== null && byLocation.tableId !== tableId) {
    throw new SluiceError('TABLE_ID_TAKEN', `this table is in the catalog already, as ${byLocation.tableId}`, {
      where: byLocation.location,
      hint: `leave --table-id out, or say --table-id ${byLocation.tableId}`,
    })
  }
  return byId
}

async function declarations(checkpoint: CheckpointFiles, { log, parquet, signal }: At): Promise<Declarations> {
  let protocol: ProtocolAction | null = null
  let metadata: MetadataAction | null = null
  let rows = 0
  for await (const block of readCheckpoint(log, parquet, checkpoint, {
    signal,
    kinds: new Set<ActionKind>(['protocol', 'metaData']),
  })) {
    for (const { action } of block) {
      if (action.kind === 'protocol') protocol = action.protocol
      else if (action.kind === 'metaData') metadata = action.metaData
    }
  }
  if (checkpoint.format === 'parquet') {
    for (const { name } of checkpoint.files) {
      await using local = await log.localFile(`_delta_log/${name}`, signal)
      rows += (await (await parquet()).facts(local.file, signal)).rows
    }
  }
  return { protocol, metadata, rows }
}
