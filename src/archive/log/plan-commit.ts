/** Builds the actions of a partition's commit, and finds out whether the log already has them. */
import { INT64 } from '../../shared/int64.ts'
import type { MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import { SluiceError } from '../../shared/errors.ts'
import { isWellFormed } from '../../shared/well-formed.ts'
import type { Publication } from '../steps/log.ts'
import {
  addLine,
  commitInfoLine,
  metadataLine,
  protocolLine,
  removeLine,
  txnLine,
  type ArchiveCommitFacts,
  type Txn,
} from './commit-text.ts'
import { CHECKPOINT_INTERVAL } from './checkpoint.ts'
import { foreignFilesError, TOKEN_APP, withTokenFeature } from './ownership-token.ts'
import { ledgerApp, type LedgerName } from './ledger-name.ts'
import { withProperties, type ArchiveProperties } from './properties.ts'
import type { ActiveArchiveFile, ArchiveTableState } from './read-state.ts'
import { grownShape, newShape, type DeltaTableShape } from './table-schema.ts'

export type Retraction = Pick<Publication, 'tableId' | 'partition' | 'txn' | 'info' | 'known' | 'claim'> & {
  /** Removal time of the files, ms since the epoch; default: the time of the commit. */
  readonly at?: number
}

/** Writer and time of a commit. */
export type Author = {
  /** Label of the table, for messages. */
  readonly label: string
  readonly engine: string
  /** ms since the epoch. */
  readonly now: number
  /** Ownership token of the commit. */
  readonly head: bigint
  /** Ledger of the commit; null if it has no name yet. */
  readonly ledger: LedgerName | null
  /** Facts for the table's properties; null keeps the present ones. */
  readonly properties: ArchiveProperties | null
}

/** Log cleanup is off, because only commits record all files. Not append-only, because commits remove files. */
const CONFIGURATION = {
  'delta.checkpointInterval': String(CHECKPOINT_INTERVAL),
  'delta.enableExpiredLogCleanup': 'false',
}

/**
 * Adds the files of a partition, in place of files of an older attempt.
 * @param state null for the commit that creates the table
 * @throws SluiceError ARCHIVE_CONFLICT, TABLE_REFUSED, TABLE_FEATURE if they cannot be added to the table
 */
export function publicationLines(
  what: Publication,
  state: ArchiveTableState | null,
  { label, engine, now, head, ledger, properties }: Author,
): readonly string[] {
  const { partition, files, txn, stored, info, tags, known } = what
  const active = state?.files.get(partition) ?? []
  const shape = shapeOf(what, state, label)
  const paths = new Set(files.map(({ name }) => name))
  // A commit has one action per path; an add replaces the previous add.
  const gone = active.filter(({ path }) => !paths.has(path))
  refuseUnknownFiles(label, partition, gone, known)
  if (state !== null && gone.length > 0) refuseAppendOnly(label, state)
  const values = { [state?.partitionKey ?? stored.partitionColumn]: partition }
  const isNew = active.length === 0
  const reported = commitInfoLine({
    operation: 'WRITE',
    parameters: {
      mode: isNew ? 'Append' : 'Overwrite',
      partitionBy: JSON.stringify([stored.partitionColumn]),
      ...(isNew ? {} : { predicate: predicateOf(stored.partitionColumn, partition) }),
    },
    metrics: {
      numFiles: files.length,
      numOutputRows: files.reduce((sum, { rows }) => sum + rows, 0n),
      numOutputBytes: files.reduce((sum, { bytes }) => sum + bytes, 0n),
      ...(gone.length === 0 ? {} : { numRemovedFiles: gone.length }),
    },
    engine,
    now,
    readVersion: state?.version ?? null,
    isBlindAppend: isNew,
    info,
  })
  return [
    reported,
    ...protocolLines(shape?.protocol ?? null, state),
    ...(shape === null ? propertyLines(state, properties) : [shapeLine(what, shape, state, { now, properties })]),
    txnLine(txn, now),
    ...ownLines({ head, ledger, now }),
    ...gone.map(({ add }) => removeLine(add, now)),
    ...files.map((file) => addLine(file, values, tags(file), now)),
  ]
}

/**
 * Removes all files of a partition. Written even if there are none, so that a writer with an older fence cannot publish
 * the partition later.
 * @throws SluiceError TABLE_FEATURE if nothing may be removed from the table
 */
export function retractionLines(
  { partition, txn, info, known, at }: Retraction,
  state: ArchiveTableState,
  author: Author,
): readonly string[] {
  const active = state.files.get(partition) ?? []
  refuseUnknownFiles(author.label, partition, active, known)
  if (active.length > 0) refuseAppendOnly(author.label, state)
  return [
    ...changeLines(state, author, {
      operation: 'DELETE',
      parameters: { predicate: predicateOf(state.metadata.partitionColumns?.[0] ?? state.partitionKey, partition) },
      metrics: {
        numRemovedFiles: active.length,
        numRemovedBytes: active.reduce((sum, { size }) => sum + size, 0n),
        numDeletedRows: active.reduce((sum, { rows }) => sum + (rows ?? 0n), 0n),
      },
      info,
      txn,
    }),
    ...active.map(({ add }) => removeLine(add, at ?? author.now)),
  ]
}

/**
 * A commit with only a new ownership token and the table's properties.
 * @param operation ADOPT: another database becomes the owner. ERASE: readers need no older version
 */
export function tokenLines(
  info: Readonly<Record<string, string>>,
  state: ArchiveTableState,
  author: Author,
  operation: 'ADOPT' | 'ERASE' | 'SET TBLPROPERTIES',
): readonly string[] {
  return changeLines(state, author, { operation, parameters: {}, metrics: {}, info, txn: null })
}

/** First lines of a commit that is based on a version. @param txn null: the commit is about no partition */
export function changeLines(
  state: ArchiveTableState,
  { engine, now, head, ledger, properties }: Author,
  {
    txn,
    ...facts
  }: Pick<ArchiveCommitFacts, 'operation' | 'parameters' | 'metrics' | 'info'> & { readonly txn: Txn | null },
): readonly string[] {
  return [
    commitInfoLine({ ...facts, engine, now, readVersion: state.version, isBlindAppend: false }),
    ...protocolLines(null, state),
    ...propertyLines(state, properties),
    ...(txn === null ? [] : [txnLine(txn, now)]),
    ...ownLines({ head, ledger, now }),
  ]
}

/** A metadata action if the properties of the table must change; otherwise none. */
function propertyLines(
  state: Pick<ArchiveTableState, 'metadata'> | null,
  properties: ArchiveProperties | null,
): readonly string[] {
  if (state === null || properties === null) return []
  const configuration = withProperties(state.metadata.configuration ?? {}, properties)
  return configuration === null ? [] : [metadataLine({ ...state.metadata, configuration })]
}

/** Lines with the ownership token of a commit, and with the name of its ledger if it has one. */
function ownLines({ head, ledger, now }: Pick<Author, 'head' | 'ledger' | 'now'>): readonly string[] {
  const apps = [TOKEN_APP, ...(ledger === null ? [] : [ledgerApp(ledger)])]
  return apps.map((appId) => txnLine({ appId, version: head }, now))
}

/** @param shaped protocol that the columns need; null if they need nothing new */
function protocolLines(shaped: ProtocolAction | null, state: ArchiveTableState | null): readonly string[] {
  const own = shaped ?? state?.protocol
  if (own === undefined) return []
  const protocol = withTokenFeature(own)
  return state !== null && JSON.stringify(state.protocol) === JSON.stringify(protocol) ? [] : [protocolLine(protocol)]
}

/** The schema to write; null if it does not change. */
function shapeOf(
  { stored, keepsShape }: Publication,
  state: ArchiveTableState | null,
  label: string,
): DeltaTableShape | null {
  if (state === null) return newShape(stored)
  return keepsShape === true ? null : grownShape(stored, state, label)
}

function shapeLine(
  { tableId, name, configuration, stored }: Publication,
  shape: DeltaTableShape,
  state: ArchiveTableState | null,
  { now, properties }: Pick<Author, 'now' | 'properties'>,
): string {
  const begun: Omit<MetadataAction, 'schemaString'> = state?.metadata ?? {
    id: tableId,
    name,
    format: { provider: 'parquet', options: {} },
    partitionColumns: [stored.partitionColumn],
    configuration: { ...CONFIGURATION, ...configuration },
    createdTime: now,
  }
  const shaped = { ...begun.configuration, ...shape.configuration }
  const said = properties === null ? null : withProperties(shaped, properties)
  return metadataLine({ ...begun, schemaString: shape.schemaString, configuration: said ?? shaped })
}

/** Refuses to remove files that another writer added. @param known paths of the ledger; null accepts all files */
export function refuseUnknownFiles(
  label: string,
  partition: string,
  files: readonly { readonly path: string }[],
  known: ReadonlySet<string> | null,
): void {
  const foreign = known === null ? [] : files.filter(({ path }) => !known.has(path))
  if (foreign.length === 0) return
  throw foreignFilesError(
    label,
    partition,
    foreign.map(({ path }) => path),
  )
}

export function refuseAppendOnly(label: string, { metadata }: ArchiveTableState): void {
  if (metadata.configuration?.['delta.appendOnly']?.toLowerCase() !== 'true') return
  throw new SluiceError('TABLE_FEATURE', "files cannot be removed from the archive: 'delta.appendOnly' is set", {
    where: label,
    hint: "set the table's property delta.appendOnly to false",
  })
}

/** A predicate in the form that Spark writes. */
function predicateOf(column: string, value: string): string {
  return JSON.stringify([`(${column} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}')`])
}

/** True if the log already has this transaction of the partition, or a newer one. */
export function isSaid({ txns }: ArchiveTableState, { appId, version }: Publication['txn']): boolean {
  const said = txns.get(appId)
  return said !== undefined && said >= version
}

/** True if the active files are exactly the files to publish, with equal sizes and tags. */
export function hasSameFiles(active: readonly ActiveArchiveFile[], { files, tags }: Publication): boolean {
  const found = new Map(active.map((file) => [file.path, file]))
  return (
    found.size === files.length &&
    files.every((file) => {
      const logged = found.get(file.name)
      if (logged === undefined || logged.size !== file.bytes) return false
      return Object.entries(tags(file)).every(([name, value]) => logged.tags[name] === value)
    })
  )
}

/** Refuses labels that a log cannot store: Delta reads the empty text as NULL, and UTF-8 has no lone surrogates. */
export function refuseUnfit(partition: string, fence: bigint): void {
  if (partition === '' || !isWellFormed(partition)) {
    throw new SluiceError('VALUE_REFUSED', `a Delta table cannot store '${partition}' as the value of a partition`)
  }
  if (fence < 0n || fence > INT64.most) throw new Error(`a fence of ${fence}`)
}
