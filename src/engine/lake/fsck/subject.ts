/** The table to check: its schema at a version, and its active files, from the catalog or from the log. */
import { readableTable } from '../../../catalog/catalog.ts'
import { readImportHead } from '../../../catalog/import/head.ts'
import { newestKnown, type NewestKnown } from '../../../catalog/import/same-log.ts'
import { countsAt } from '../../../catalog/query/counts.ts'
import { activeFiles, type FileRecord } from '../../../catalog/query/files.ts'
import { domainsAt, stateAt } from '../../../catalog/query/state.ts'
import type { DeletionVectorDescriptor, MetadataAction, ProtocolAction } from '../../../delta/actions.ts'
import { readerRefusal } from '../../../delta/features.ts'
import { dvId } from '../../../delta/paths.ts'
import { columnMappingMode, schemaOf, type ColumnMappingMode, type StructType } from '../../../delta/schema.ts'
import { DeltaTable } from '../../../delta/table.ts'
import type { LogStore } from '../../../model/lake/log-store.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { snapshotAt, withTable } from '../table-source.ts'
import { openLake, parquetRows } from '../../run/registry.ts'
import { pathOfLocation } from '../../../model/lake/lake-url.ts'
import type { Run } from '../../run/run-context.ts'
import type { FsckOperation } from '../operations/fsck/declaration.ts'

export type FsckFile = {
  /** Path as written in the log. */
  readonly path: string
  readonly size: number
  /** ms since the epoch. */
  readonly modificationTime: number
  readonly stats: string | null
  readonly vector: DeletionVectorDescriptor | null
  /** Partition values by physical column name. */
  readonly partitionValues: Readonly<Record<string, string | null>>
  readonly baseRowId: number | null
}

export type Subject = {
  readonly store: LogStore
  readonly table: DeltaTable
  readonly version: number
  readonly protocol: ProtocolAction
  readonly metadata: MetadataAction
  readonly mode: ColumnMappingMode
  readonly schema: StructType
  /** Logical names of the partition columns. */
  readonly partitionColumns: readonly string[]
  /** Blocks of all active files; `isWanted` is false for files that `--since` leaves out. */
  readonly files: () => AsyncIterable<readonly { readonly file: FsckFile; readonly isWanted: boolean }[]>
  /** Number of active files, including files that `--since` leaves out. */
  readonly count: () => Promise<number>
  /** Configuration of a metadata domain; null if the domain is not active. */
  readonly domain: (name: string) => Promise<string | null>
  /** Catalog from which the active files are read; null if they are read from the log. */
  readonly catalog: { readonly tableId: string; readonly newest: NewestKnown } | null
}

/**
 * @throws SluiceError of resolving the table and reading its log; TABLE_FEATURE and PROTOCOL_VERSION if the table
 * cannot be read; HISTORY_MISSING if `--since` is older than the known history
 */
export async function withSubject<T>(
  operation: FsckOperation,
  run: Run<'log'>,
  body: (subject: Subject) => Promise<T>,
): Promise<T> {
  const { stop } = run.interrupt
  const { table, catalog, asOf } = operation
  return withTable(
    table,
    catalog,
    asOf,
    run,
    async (source) =>
      body(await (source.from === 'catalog' ? ofCatalog(operation, source, stop) : ofLog(operation, source, stop))),
    'all',
  )
}

type Source<F extends 'catalog' | 'log'> = Extract<Parameters<Parameters<typeof withTable>[4]>[0], { readonly from: F }>

async function ofCatalog(
  { since }: FsckOperation,
  { database, table: known }: Source<'catalog'>,
  signal: AbortSignal,
): Promise<Subject> {
  const { tableId, version, historyFrom, location } = known
  const { protocol, metadata } = await stateAt(database, tableId, version)
  if (protocol === null || metadata === null) {
    throw new SluiceError('HISTORY_MISSING', `the catalog has no schema of ${tableId} at version ${version}`)
  }
  const refusal = readerRefusal(protocol)
  if (refusal !== null) throw new SluiceError(refusal.code, refusal.message, refusal.info())
  const currentVersion = (await readImportHead(database, { tableId }))?.currentVersion ?? version
  if (since !== undefined && since < historyFrom) throw historyMissing(since, historyFrom)
  const store = await openLake(pathOfLocation(location))
  return {
    ...headOf(metadata, columnMappingMode(protocol, metadata), schemaOf(protocol, metadata)),
    protocol,
    store,
    table: await DeltaTable.open(store, parquetRows, signal),
    version,
    files: async function* () {
      const { files } = await countsAt(database, tableId, version)
      let seen = 0
      for await (const page of activeFiles(database, tableId, version)) {
        seen += page.length
        yield page.map((record) => ({
          file: fileOfRecord(record),
          isWanted: since === undefined || record.addedVersion > since,
        }))
      }
      // A prune may have removed the version since it was opened: then only a part of its files was read.
      if (seen !== files) await readableTable(database, { tableId }, version)
    },
    count: async () => (await countsAt(database, tableId, version)).files,
    domain: async (name) =>
      (await domainsAt(database, tableId, version)).find(({ domain }) => domain === name)?.configuration ?? null,
    catalog: { tableId, newest: await newestKnown(database, tableId, currentVersion) },
  }
}

async function ofLog({ asOf, since }: FsckOperation, { table }: Source<'log'>, signal: AbortSignal): Promise<Subject> {
  const snapshot = await snapshotAt(table, asOf)
  const { protocol, metadata } = await snapshot.head(signal)
  const added = await addedSince(table, since, snapshot.version, signal)
  return {
    ...headOf(metadata, columnMappingMode(protocol, metadata), schemaOf(protocol, metadata)),
    protocol,
    store: table.store,
    table,
    version: snapshot.version,
    files: async function* () {
      for await (const block of snapshot.files({ signal })) {
        yield block.map(({ add, path, dvId: id }) => ({
          file: {
            path: add.path,
            size: add.size,
            modificationTime: add.modificationTime,
            stats: add.stats ?? null,
            vector: add.deletionVector ?? null,
            partitionValues: add.partitionValues ?? {},
            baseRowId: add.baseRowId ?? null,
          },
          isWanted: added === null || added.has(keyOf(path, id)),
        }))
      }
    },
    count: async () => (await snapshot.counts(signal)).files,
    domain: async (name) => (await snapshot.state(signal)).domains.get(name)?.configuration ?? null,
    catalog: null,
  }
}

function headOf(metadata: MetadataAction, mode: ColumnMappingMode, schema: StructType) {
  return { metadata, mode, schema, partitionColumns: metadata.partitionColumns ?? [] }
}

function fileOfRecord({
  path,
  size,
  modificationTime,
  stats,
  deletionVector,
  partitionValues,
  baseRowId,
}: FileRecord): FsckFile {
  const values = JSON.parse(partitionValues) as FsckFile['partitionValues'] | null
  return {
    path,
    size,
    modificationTime,
    stats,
    vector: vectorOf(deletionVector),
    partitionValues: values ?? {},
    baseRowId,
  }
}

function vectorOf(text: string | null): DeletionVectorDescriptor | null {
  return text === null ? null : (JSON.parse(text) as DeletionVectorDescriptor)
}

function keyOf(path: string, id: string | null): string {
  return `${path}\0${id ?? ''}`
}

/** Keys of the files that commits after a version added: a checkpoint does not record when its files were added. */
async function addedSince(
  table: DeltaTable,
  since: number | undefined,
  version: number,
  signal: AbortSignal,
): Promise<ReadonlySet<string> | null> {
  if (since === undefined) return null
  const { from } = await table.buildableHistory(signal)
  if (since < from - 1) throw historyMissing(since, from)
  const keys = new Set<string>()
  for await (const change of table.changes(since, version, signal)) {
    if (change.change === 'added') keys.add(keyOf(change.path, dvId(change.add.deletionVector)))
  }
  return keys
}

function historyMissing(since: number, from: number): SluiceError {
  return new SluiceError('HISTORY_MISSING', `the log does not show which files were added after version ${since}`, {
    reason: `history begins at version ${from}`,
    hint: `give --since ${from}, or remove it to check all files`,
  })
}
