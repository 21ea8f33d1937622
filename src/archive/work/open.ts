/**
 * Opens the archive of one table: its log, and an engine with a spool folder for each worker, with the defaults of a
 * run: file size, memory, lock timeout.
 */
import { existsSync } from 'node:fs'
import type { EventType } from '../../model/run/event.ts'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ArchiveContext, Pace, ReadOnlyStepEvent } from '../steps/context.ts'
import type { ArchiveLog } from '../steps/log.ts'
import { TokenLedger } from '../ledger/token-ledger.ts'
import { PartitionLedger } from '../ledger/partition-ledger.ts'
import type { ArchivedPartition, ArchivedTable } from '../ledger/record.ts'
import { tableProperties } from '../ledger/table-properties.ts'
import { ArchiveTable } from '../log/archive-table.ts'
import type { TokenStore } from '../log/ownership-token.ts'
import type { ParquetFiles } from '../../model/archive/parquet-port.ts'
import { tableText, type TableName, type TableSpec } from '../../model/copy/column-type.ts'
import { parseLakeUrl, pathOfLocation } from '../../model/lake/lake-url.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import type { LogWriter } from '../../model/lake/log-writer.ts'
import { makeDurableFolder } from '../../shared/durable-files.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import { openLake, openLogWriter, parquetRows } from '../../engine/run/registry.ts'
import type { Run } from '../../engine/run/run-context.ts'
import { refuseFollowedTables } from '../plan/followed-table.ts'
import { refuseHiddenColumns } from '../plan/hidden-columns.ts'
import { archiveOwner } from './owner.ts'
import type { Owned } from './require-origin.ts'
import { checkpointWriter, openParquetFiles } from '../../stores/parquet.ts'
import { Turn } from '../../model/run/turn.ts'
import { Throttle } from '../../engine/copy/workers/throttle.ts'
import { SluiceError } from '../../shared/errors.ts'
import { makeSpool } from '../../shared/spool.ts'

/** Approximate size of a file, bytes: large enough for scans, small enough for rewrites and downloads. */
export const FILE_BYTES = 256 * 1024 * 1024
/** Memory of the engine that writes and reads Parquet, bytes. */
export const MEMORY_BYTES = 1024 * 1024 * 1024

/** Defaults of a detach, ms: lock timeout, which limits how long other sessions wait; retry limit of all attempts. */
export const DETACH_WAIT_MS = 100
export const RETRY_LIMIT_MS = 60_000

export type ArchiveSizes = {
  readonly fileBytes?: number
  readonly memoryBytes?: number
  /** Lock timeout and retry limit of a detach, ms. */
  readonly patienceMs?: number
  readonly budgetMs?: number
  /** Bytes of the source that all workers together may read or remove per second. */
  readonly rate?: number
  /** Number of workers, which share the memory; default 1. */
  readonly workers?: number
  /** Generated columns that are not compared, as `ArchiveContext.uncompared`. */
  readonly uncompared?: ReadonlySet<string>
  /** True to write nothing: a missing folder is not created. */
  readonly reads?: true
  /** Ownership tokens that are accepted as own; default: the ledger's. */
  readonly heads?: Pick<TokenStore, 'read'>
}

/** A table in the ledger, and its partitions; `partitions` is absent for a new table. */
type Known = ArchivedTable & { readonly partitions?: readonly Pick<ArchivedPartition, 'version'>[] }

/** Disposing waits for the engine, and removes spooled files. */
export type OpenArchive<E extends EventType = ReadOnlyStepEvent> = AsyncDisposable & {
  readonly context: ArchiveContext<E>
  /** The context of each worker, with its own engine and spool folder; the first is `context`. */
  readonly workerContexts: readonly ArchiveContext<E>[]
}

type KnownArchive = Pick<ArchivedTable, 'table' | 'archive'> & {
  readonly partitions?: readonly Pick<ArchivedPartition, 'version'>[]
}

/**
 * @throws SluiceError UNSUPPORTED_URL, BAD_CONFIG, TARGET_DENIED, SOURCE_DENIED if columns are hidden; ARCHIVE_CONFLICT
 * if the archive's folder is missing, unless `reads`
 */
export async function openArchive<E extends EventType>(
  table: TableSpec,
  archived: Known,
  { store, database }: { readonly store: CopyStore; readonly database: LedgerDatabase },
  run: Run<E | ReadOnlyStepEvent>,
  sizes: ArchiveSizes = {},
): Promise<OpenArchive<E | ReadOnlyStepEvent>> {
  refuseHiddenColumns(table)
  if (sizes.reads !== true) refuseAbsentFolder(archived)
  const { reader, writer } = await openFolder(archived.archive, sizes.reads === true ? 'read' : 'write')
  const { workers = 1, memoryBytes = MEMORY_BYTES } = sizes
  const desks: SpooledEngine[] = []
  for (let worker = 0; worker < workers; worker++) desks.push(await openEngine(Math.floor(memoryBytes / workers)))
  const heads = new TokenLedger(database, archived.table, archiveOwner(run))
  const book: TokenStore = {
    name: () => heads.name(),
    read: () => (sizes.heads ?? heads).read(),
    intend: (intent) => heads.intend(intent),
    recordWritten: (head, version) => heads.recordWritten(head, version),
    checksums: () => heads.checksums(),
    forget: (versions) => heads.forget(versions),
  }
  const called = table.table
  const log = once(() => openLog({ reader, writer, heads: book, database, table: archived.table, called }, run))
  const leaving = new Turn()
  const shared = {
    name: tableText(table.table),
    table,
    archived,
    ...(sizes.uncompared === undefined ? {} : { uncompared: sizes.uncompared }),
    published: archived.partitions?.some(({ version }) => version !== null) ?? false,
    store,
    ledger: new PartitionLedger(database, archived.table, archiveOwner(run)),
    refuseFollowed: () => refuseFollowedTables({ store, database }, [table.table], run.interrupt.abort),
    heads,
    log: log.get,
    reader,
    writer,
    pace: paceOf(sizes.rate, run),
    leaving: <T>(work: () => Promise<T>): Promise<T> => leaving.take(work),
    waits: { lockTimeoutMs: sizes.patienceMs ?? DETACH_WAIT_MS, retryLimitMs: sizes.budgetMs ?? RETRY_LIMIT_MS },
    fileBytes: sizes.fileBytes ?? FILE_BYTES,
    emit: run.emit,
    clock: run.clock,
    interrupt: run.interrupt,
    tool: run.tool,
    runId: run.runId,
  }
  const workerContexts = desks.map(({ spool, parquet }): ArchiveContext<E | ReadOnlyStepEvent> => ({
    ...shared,
    spool,
    parquet,
  }))
  const [context] = workerContexts
  if (context === undefined) throw new Error('an archive without workers')
  return {
    context,
    workerContexts,
    async [Symbol.asyncDispose]() {
      for (const desk of desks) await desk[Symbol.asyncDispose]()
    },
  }
}

/**
 * Requires the folder of an archive with published files: if its disk is not mounted, a new folder would hide that.
 * @throws SluiceError ARCHIVE_CONFLICT if the ledger has a publication and the folder on the disk is missing; never for
 * a bucket
 */
function refuseAbsentFolder({ table, archive, partitions = [] }: KnownArchive): void {
  const place = parseLakeUrl(pathOfLocation(archive))
  if (place.kind !== 'local' || partitions.every(({ version }) => version === null) || existsSync(place.path)) return
  throw new SluiceError(
    'ARCHIVE_CONFLICT',
    `the archive of ${tableText(table)} was not found: there is no folder ${place.path}`,
    {
      where: place.path,
      reason: 'partitions were published into this folder, so sluice did not create a new one',
      hint: 'if the folder is on a disk that is not mounted, mount it; if the folder was deleted, restore it; if it was moved, write its new location into migration_archives.archive; then run the same command again',
    },
  )
}

type SpooledEngine = AsyncDisposable & { readonly spool: string; readonly parquet: () => Promise<ParquetFiles> }

async function openEngine(memoryBytes: number): Promise<SpooledEngine> {
  const spool = await makeSpool()
  const parquet = once(() => openParquetFiles({ memoryBytes, threads: 2, tempFolder: join(spool, 'engine') }))
  return {
    spool,
    parquet: parquet.get,
    async [Symbol.asyncDispose]() {
      const opened = await parquet.opened()
      await opened?.[Symbol.asyncDispose]()
      await rm(spool, { recursive: true, force: true })
    },
  }
}

function paceOf(rate: number | undefined, { clock, control }: Run): Pace {
  const requestedRate = (): number | null => (control?.rate === undefined ? (rate ?? null) : control.rate)
  const throttle = new Throttle({ clock, requestedRate, onChange: () => undefined })
  return {
    get isLimited() {
      return throttle.limit !== null
    },
    take: (bytes, signal) => throttle.take(bytes, signal),
  }
}

/** Access to the log of an archive, without an engine for its files. */
export type OwnedFolder = Owned & { readonly reader: LogStore; readonly writer: LogWriter }

/**
 * Opens the log of an archive without an engine for its files.
 * @param called present name of the table, for messages
 * @throws SluiceError as `openArchive`
 */
export async function openOwned(
  archived: Known,
  { store, database }: { readonly store: CopyStore; readonly database: LedgerDatabase },
  run: Run<'log'>,
  called: TableName,
): Promise<OwnedFolder> {
  refuseAbsentFolder(archived)
  const { reader, writer } = await openFolder(archived.archive, 'read')
  const heads = new TokenLedger(database, archived.table, archiveOwner(run))
  const parts = { reader, writer, heads, database, table: archived.table, called }
  const log = (): Promise<ArchiveLog> => openLog(parts, run)
  return { name: tableText(called), archived, store, interrupt: run.interrupt, heads, log, reader, writer }
}

/**
 * Opens the Delta table of an archive, to read and to write.
 * @param archive location as in the ledger: a path, or the URI of a prefix, in which `%20` is a space
 * @param mode `write`: a folder on a disk is created
 */
async function openFolder(
  archive: string,
  mode: 'read' | 'write',
): Promise<{ readonly reader: LogStore; readonly writer: LogWriter }> {
  const path = pathOfLocation(archive)
  const place = parseLakeUrl(path)
  if (mode === 'write' && place.kind === 'local') await makeDurableFolder(place.path)
  return { reader: await openLake(path), writer: await openLogWriter(path) }
}

type LogParts = {
  readonly reader: LogStore
  readonly writer: LogWriter
  readonly heads: TokenStore
  readonly database: LedgerDatabase
  /** Name in the ledger. */
  readonly table: TableName
  /** Name in messages. */
  readonly called: TableName
}

async function openLog(
  { reader, writer, heads, database, table, called }: LogParts,
  run: Run<'log'>,
): Promise<ArchiveLog> {
  return ArchiveTable.open({
    store: reader,
    writer,
    parquet: parquetRows,
    checkpoints: await checkpointWriter(),
    heads,
    properties: () => tableProperties(database, table),
    table: tableText(called),
    now: () => run.clock.now(),
    tool: run.tool,
    note: (text) => run.emit({ type: 'log', level: 'warn', message: `${tableText(called)}: ${text}` }),
  })
}

function once<T>(make: () => Promise<T>): { readonly get: () => Promise<T>; readonly opened: () => Promise<T | null> } {
  let made: Promise<T> | null = null
  return {
    get: () => (made ??= make()),
    opened: async () => (made === null ? null : made.catch(() => null)),
  }
}
