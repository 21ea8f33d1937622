/**
 * Compares files and declarations of log and catalog if the commit to compare is gone. This detects a log that was
 * replaced by another one, whose history must not be added to the catalog's.
 */
import { SluiceError } from '../../shared/errors.ts'
import type { SqlReader } from '../../model/run/sql-port.ts'
import type { DomainMetadataAction, LogAction, TxnAction } from '../../delta/actions.ts'
import { declaredBy, differentDeclarations } from '../../delta/declared-text.ts'
import { onlyInOne, checksumsOf, type SetFile } from '../../delta/file-checksums.ts'
import type { LogListing } from '../../delta/listing.ts'
import { readCommit } from '../../delta/commit-lines.ts'
import { canonicalPath, dvId } from '../../delta/paths.ts'
import { fileKey } from '../../delta/replay.ts'
import { segmentAt } from '../../delta/segment.ts'
import { allowsFallback, Snapshot, type SnapshotContext } from '../../delta/snapshot.ts'
import { activeFiles } from '../query/files.ts'
import { domainsAt, stateAt, txnsAt, type CatalogTableState } from '../query/state.ts'

type File = SetFile & {
  /** Path as written in the log. */
  readonly raw: string
}

/** Number of files that a message names. */
const NAMED = 4

/** Active files of the catalog. @param root root of the log, for resolving paths */
export function filesOfCatalog(
  database: SqlReader,
  tableId: string,
  version: number,
  root: string,
): () => AsyncIterable<readonly File[]> {
  return async function* () {
    for await (const page of activeFiles(database, tableId, version))
      yield page.map((file) => ({ ...file, path: canonicalPath(file.path, root), raw: file.path }))
  }
}

/** Active files of the log. */
export function filesOfLog(snapshot: Snapshot, signal: AbortSignal): () => AsyncIterable<readonly File[]> {
  return async function* () {
    for await (const block of snapshot.files({ signal, fields: 'identity' }))
      yield block.map((file) => ({ path: file.path, dvId: file.dvId, size: file.add.size, raw: file.add.path }))
  }
}

/** Result of comparing catalog and log at one version of the log. */
export type FilesComparison = {
  readonly version: number
  /** Id in the log's metadata. */
  readonly metadataId: string
  /** Text about files that only the log or only the catalog has; empty if there are none. */
  readonly differences: string
  /** Names what both declare differently: the protocol, the metadata, a transaction, a domain. */
  readonly declared: readonly string[]
}

type Catalog = { readonly database: SqlReader; readonly tableId: string; readonly current: number }

/**
 * Compares the files of the catalog's version with the log's: at that version, or at the first readable checkpoint
 * above it. For a checkpoint, what commits between both versions change is left out on both sides.
 * @param catalog `current`: version of the table in the catalog
 * @returns null if the log can build neither that version nor a later one
 * @throws SluiceError SOURCE_IO, SOURCE_GONE, BAD_ACTION …
 */
export async function compareFiles(
  catalog: Catalog,
  context: SnapshotContext,
  signal: AbortSignal,
): Promise<FilesComparison | null> {
  for (;;) {
    const version = firstReadable(context, catalog.current)
    if (version === null) return null
    const snapshot = new Snapshot(context, version)
    try {
      return await comparedAt(snapshot, catalog, context, signal)
    } catch (error) {
      const { checkpoint } = snapshot.segment
      if (!allowsFallback(error) || checkpoint === null) throw error
      context.unreadable.add(checkpoint)
      context.note(
        `checkpoint ${checkpoint.version} is unreadable, so it is unknown whether this is still the same table`,
      )
    }
  }
}

async function comparedAt(
  snapshot: Snapshot,
  { database, tableId, current }: Catalog,
  { store, listing }: SnapshotContext,
  signal: AbortSignal,
): Promise<FilesComparison> {
  const { version } = snapshot
  const state = await snapshot.state(signal)
  const since = await changedBetween(listing, { store, from: current, to: version }, signal)
  const declared = differentDeclarations(
    await declaredInCatalog(database, tableId, current),
    declaredOf([...state.txns.values()], [...state.domains.values()], state),
    since.declared,
  )
  const about = { version, metadataId: state.metadata.id, declared }
  const log = without(filesOfLog(snapshot, signal), since.files)
  const known = without(filesOfCatalog(database, tableId, current, store.root), since.files)
  const [logSums, catalogSums] = [await checksumsOf(log), await checksumsOf(known)]
  const parts = logSums.differentParts(catalogSums)
  if (parts.size === 0) return { ...about, differences: '' }
  const { one, other } = await onlyInOne(log, known, parts, Math.max(logSums.files, catalogSums.files))
  return { ...about, differences: onlyInOneText(one, other) }
}

async function declaredInCatalog(
  database: SqlReader,
  tableId: string,
  version: number,
): Promise<ReadonlyMap<string, string>> {
  const state = await stateAt(database, tableId, version)
  return declaredOf(await txnsAt(database, tableId, version), await domainsAt(database, tableId, version), state)
}

/** Texts of a state, by what they are about. */
function declaredOf(
  txns: readonly TxnAction[],
  domains: readonly DomainMetadataAction[],
  { protocol, metadata }: CatalogTableState,
): ReadonlyMap<string, string> {
  const actions: readonly LogAction[] = [
    ...(protocol === null ? [] : [{ kind: 'protocol', protocol } as const]),
    ...(metadata === null ? [] : [{ kind: 'metaData', metaData: metadata } as const]),
    ...txns.map((txn) => ({ kind: 'txn', txn }) as const),
    ...domains.map((domainMetadata) => ({ kind: 'domainMetadata', domainMetadata }) as const),
  ]
  return new Map(
    actions.flatMap((action) => {
      const declared = declaredBy(action)
      return declared === null ? [] : [declared]
    }),
  )
}

/** The version itself if the log can build it, otherwise the version of the first checkpoint above it. */
function firstReadable({ listing, unreadable }: SnapshotContext, version: number): number | null {
  try {
    return segmentAt(listing, version, unreadable).version
  } catch (error) {
    if (!(error instanceof SluiceError) || (error.code !== 'LOG_GAP' && error.code !== 'VERSION_NOT_FOUND')) throw error
  }
  return listing.checkpoints.find((one) => one.version > version && !unreadable.has(one))?.version ?? null
}

/** Keys of files, and names of declarations, that commits above `from`, up to `to`, change. */
async function changedBetween(
  { commits }: LogListing,
  { store, from, to }: { readonly store: SnapshotContext['store']; readonly from: number; readonly to: number },
  signal: AbortSignal,
): Promise<{ readonly files: ReadonlySet<string>; readonly declared: ReadonlySet<string> }> {
  const files = new Set<string>()
  const declared = new Set<string>()
  for (const commit of commits.filter((one) => one.version > from && one.version <= to)) {
    for await (const block of readCommit(store, commit, signal)) {
      for (const { action } of block) {
        const [what] = declaredBy(action) ?? []
        if (what !== undefined) declared.add(what)
        if (action.kind !== 'add' && action.kind !== 'remove') continue
        const { path, deletionVector } = action.kind === 'add' ? action.add : action.remove
        files.add(fileKey(canonicalPath(path, store.root), dvId(deletionVector)))
      }
    }
  }
  return { files, declared }
}

function without(
  files: () => AsyncIterable<readonly File[]>,
  keys: ReadonlySet<string>,
): () => AsyncIterable<readonly File[]> {
  if (keys.size === 0) return files
  return async function* () {
    for await (const block of files()) yield block.filter((file) => !keys.has(fileKey(file.path, file.dvId)))
  }
}

/** Text that names files that only the log has, and files that only the catalog has. */
export function onlyInOneText(log: readonly string[], catalog: readonly string[]): string {
  const side = (name: string, paths: readonly string[]): readonly string[] =>
    paths.length === 0
      ? []
      : [`only in the ${name}: ${paths.slice(0, NAMED).join(', ')}${paths.length > NAMED ? ', …' : ''}`]
  return [...side('log', log), ...side('catalog', catalog)].join('; ')
}
