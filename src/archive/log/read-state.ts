/** Reads the state of an archive's log, and decides whether sluice may write to it. */
import type { AddAction, MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import { featureNames } from '../../delta/features.ts'
import { LOG_FOLDER, parseLogName } from '../../delta/log-path.ts'
import { schemaOf } from '../../delta/schema.ts'
import type { Snapshot } from '../../delta/snapshot.ts'
import { numRecordsOf } from '../../delta/stats.ts'
import { DeltaTable } from '../../delta/table.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import type { ParquetRows } from '../../model/lake/parquet-rows.ts'
import { nullOn, SluiceError } from '../../shared/errors.ts'
import type { LoggedFile, ArchiveLogState } from '../steps/log.ts'
import { TOKEN_APP, TOKEN_FEATURE, type TokenStore } from './ownership-token.ts'
import { type CheckpointWriter } from '../../model/lake/checkpoint-writer.ts'
import { type LogWriter } from '../../model/lake/log-writer.ts'
import { type ArchiveProperties } from './properties.ts'

export type ActiveArchiveFile = LoggedFile & {
  readonly add: AddAction
}

export type ArchiveTableState = Omit<ArchiveLogState, 'files'> & {
  /** Version of the newest checkpoint that was read; null without one. */
  readonly checkpoint: number | null
  readonly schemaText: string
  /** Name of the partition column in the log's partition values. */
  readonly partitionKey: string
  /** Active files by the value of the partition column; files without a value under ''. */
  readonly files: ReadonlyMap<string, readonly ActiveArchiveFile[]>
}

export type LogSource = { readonly store: LogStore; readonly parquet: () => Promise<ParquetRows> }

/** What an archive's log is opened with. */
export type ArchiveTableParts = LogSource & {
  /** Has the same root as `store`. */
  readonly writer: LogWriter
  readonly checkpoints: CheckpointWriter
  /** Ownership tokens in the ledger that the archive belongs to. */
  readonly heads: TokenStore
  /** Facts for the table's properties, from the current ledger; null if the ledger does not have the table. */
  readonly properties?: () => Promise<ArchiveProperties | null>
  /** Name of the archived table, for commands in messages. */
  readonly table?: string
  /** ms since the epoch. */
  readonly now: () => number
  /** Version of sluice. */
  readonly tool: string
  /** Called for harmless failures: a checkpoint that could not be written. */
  readonly note?: (text: string) => void
}

/** Features that need nothing from a writer that only adds and removes whole files. */
const WRITABLE: ReadonlySet<string> = new Set([
  'columnMapping',
  'timestampNtz',
  'timestampWithoutTimezone',
  'appendOnly',
  'invariants',
  'typeWidening',
  TOKEN_FEATURE,
])
const NEWEST_WRITER = 7

/**
 * The newest version; null if there is no log yet.
 * @throws SluiceError ARCHIVE_CONFLICT for a log that is not an archive; TABLE_FEATURE, PROTOCOL_VERSION if it cannot
 * be written; LOG_GAP …
 */
export async function readArchiveState(source: LogSource, signal: AbortSignal): Promise<ArchiveTableState | null> {
  const table = await openTable(source, signal)
  if (table === null) return null
  try {
    return await stateOf(source, await table.snapshot(), signal)
  } catch (error) {
    throw isLogGap(error) ? missingCommit(source.store, error) : error
  }
}

/** True if a commit of the log is missing. */
export function isLogGap(error: unknown): error is SluiceError {
  return error instanceof SluiceError && error.code === 'LOG_GAP'
}

function missingCommit({ label }: LogStore, gap: SluiceError): SluiceError {
  return new SluiceError('LOG_GAP', gap.message, {
    where: `${label}/${LOG_FOLDER}`,
    hint: 'nothing was changed; restore the missing commit from a backup of the archive, and run the same command again; until then, query, restore --into and archive verify work without it',
    cause: gap,
  })
}

/** Opens the table; null if there is no log yet. @throws SluiceError ARCHIVE_CONFLICT if the log lacks its beginning */
export async function openTable(source: LogSource, signal: AbortSignal): Promise<DeltaTable | null> {
  const table = await openedTable(source, signal)
  if (table !== null) return table
  const name = await firstName(source, signal)
  if (name === null) return null
  // Another program may have written the first commit between the two reads.
  const now = await openedTable(source, signal)
  if (now !== null) return now
  throw conflict(source.store, `its log has ${name}, but has no commit`, 'restore the missing files of the log')
}

async function openedTable({ store, parquet }: LogSource, signal: AbortSignal): Promise<DeltaTable | null> {
  return await DeltaTable.open(store, parquet, signal, 'newest').catch(nullOn('NO_LOG'))
}

async function firstName({ store }: LogSource, signal: AbortSignal): Promise<string | null> {
  for await (const { name } of store.list(LOG_FOLDER, { attributes: false, signal })) {
    if (parseLogName(name) !== null) return name
  }
  return null
}

async function stateOf({ store }: LogSource, snapshot: Snapshot, signal: AbortSignal): Promise<ArchiveTableState> {
  const { protocol, metadata, txns, version } = await snapshot.state(signal)
  refuseUnwritable(store, protocol, metadata)
  const partitionKey = partitionKeyOf(store, protocol, metadata)
  const files = new Map<string, ActiveArchiveFile[]>()
  for await (const block of snapshot.files({ signal })) {
    for (const { add, path, addedVersion } of block) {
      if (/^[a-z][a-z0-9+.-]*:\/\//i.test(path))
        throw conflict(store, `its log names ${path}, which is outside of the archive`)
      const value = add.partitionValues?.[partitionKey] ?? ''
      const found = files.get(value)
      const file = { path, size: BigInt(add.size), rows: rowsOf(add), tags: tagsOf(add), add, addedVersion }
      if (found === undefined) files.set(value, [file])
      else found.push(file)
    }
  }
  return {
    tableId: metadata.id,
    version,
    checkpoint: snapshot.segment.checkpoint?.version ?? null,
    schemaText: metadata.schemaString,
    protocol,
    metadata,
    partitionKey,
    files,
    txns: new Map([...txns].map(([appId, txn]) => [appId, BigInt(txn.version)])),
    head: headOf(txns.get(TOKEN_APP)?.version),
  }
}

function headOf(version: string | undefined): bigint | null {
  return version === undefined ? null : BigInt(version)
}

function rowsOf({ stats }: AddAction): bigint | null {
  const rows = numRecordsOf(stats)
  return rows === null ? null : BigInt(rows)
}

function tagsOf({ tags }: AddAction): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(tags ?? {}).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
  )
}

function partitionKeyOf(store: LogStore, protocol: ProtocolAction, metadata: MetadataAction): string {
  const [column, ...more] = metadata.partitionColumns ?? []
  const field = schemaOf(protocol, metadata).fields.find(({ name }) => name === column)
  if (field === undefined || more.length > 0) throw conflict(store, 'it is not partitioned by one column')
  return field.physicalName
}

function refuseUnwritable(store: LogStore, protocol: ProtocolAction, metadata: MetadataAction): void {
  if (protocol.minWriterVersion > NEWEST_WRITER) {
    throw new SluiceError(
      'PROTOCOL_VERSION',
      `Unsupported Delta protocol writer version (${protocol.minWriterVersion})`,
      {
        where: store.label,
        reason: `sluice writes up to version ${NEWEST_WRITER}`,
        hint: 'use a newer sluice',
      },
    )
  }
  const names = featureNames(protocol, metadata)
  const hasInvariants = metadata.schemaString.includes('delta.invariants')
  const refused = names.find((name) => !WRITABLE.has(name) || (name === 'invariants' && hasInvariants))
  if (refused === undefined) return
  throw new SluiceError('TABLE_FEATURE', `sluice cannot write to a table with the feature '${refused}'`, {
    where: store.label,
    reason: 'another program changed the archive after it was created',
    hint: `drop the feature '${refused}' with the engine that added it; or write new rows into a table with another name, which gets its own archive`,
  })
}

export function conflict(store: LogStore, what: string, hint?: string): SluiceError {
  return new SluiceError('ARCHIVE_CONFLICT', `the archive is not the one that sluice created: ${what}`, {
    where: store.label,
    hint:
      hint ??
      'nothing was changed; restore the log that sluice wrote, or write new rows into a table with another name, which gets its own archive',
  })
}
