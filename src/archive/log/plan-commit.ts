/** What the commit of a partition says, action by action. */
import type { MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { Publication } from '../steps/log.ts'
import { addLine, commitInfoLine, metadataLine, protocolLine, removeLine, txnLine } from './commit-text.ts'
import { foreignFiles, HEAD_APP, withHeadFeature } from './head.ts'
import { ledgerApp, type LedgerName } from './ledger-name.ts'
import { withProperties, type ArchiveProperties } from './properties.ts'
import type { ArchiveTableState } from './read-state.ts'
import { grownShape, newShape, type TableShape } from './table-schema.ts'

export type Retraction = Pick<Publication, 'tableId' | 'partition' | 'txn' | 'info' | 'known' | 'claim'> & {
  /** When the files ceased to be part of the table, ms since the epoch; the time of the commit when absent. */
  readonly at?: number
}

/** Who writes a commit, and when. */
export type Author = {
  /** Of the table, for messages. */
  readonly label: string
  readonly engine: string
  /** ms since the epoch. */
  readonly now: number
  /** That the commit leaves. */
  readonly head: bigint
  /** Whose commit it is; null for a ledger that has no name yet. */
  readonly ledger: LedgerName | null
  /** What the table has to say of itself; null leaves that as it is. */
  readonly properties: ArchiveProperties | null
}

/** Commits are the manifest: none is ever cleaned away. Files are taken out of the table by commits, so that it is not append-only. */
const CONFIGURATION = { 'delta.checkpointInterval': '10', 'delta.enableExpiredLogCleanup': 'false' }

/**
 * The files of a partition, in the place of those that an older attempt has named.
 * @param state null for the commit that makes the table
 * @throws SluiceError ARCHIVE_CONFLICT, TABLE_REFUSED, TABLE_FEATURE where the table cannot take them
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
  // Of one path there is one action in a commit; an add takes the place of the one before.
  const gone = active.filter(({ path }) => !paths.has(path))
  refuseUnknown(label, partition, gone, known)
  if (state !== null && gone.length > 0) refuseAppendOnly(label, state)
  const values = { [state?.partitionKey ?? stored.partitionColumn]: partition }
  const isNew = active.length === 0
  const told = commitInfoLine({
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
    told,
    ...protocolLines(shape?.protocol ?? null, state),
    ...(shape === null ? propertyLines(state, properties) : [shapeLine(what, shape, state, { now, properties })]),
    txnLine(txn, now),
    ...ownLines({ head, ledger, now }),
    ...gone.map(({ add }) => removeLine(add, now)),
    ...files.map((file) => addLine(file, values, tags(file), now)),
  ]
}

/**
 * None of the files of a partition any more. Said even where none is named: somebody whose fence is older must not publish the partition after it.
 * @throws SluiceError TABLE_FEATURE where nothing may be taken out of the table
 */
export function retractionLines(
  { partition, txn, info, known, at }: Retraction,
  state: ArchiveTableState,
  { label, engine, now, head, ledger, properties }: Author,
): readonly string[] {
  const active = state.files.get(partition) ?? []
  refuseUnknown(label, partition, active, known)
  if (active.length > 0) refuseAppendOnly(label, state)
  return [
    commitInfoLine({
      operation: 'DELETE',
      parameters: { predicate: predicateOf(state.metadata.partitionColumns?.[0] ?? state.partitionKey, partition) },
      metrics: {
        numRemovedFiles: active.length,
        numRemovedBytes: active.reduce((sum, { size }) => sum + size, 0n),
        numDeletedRows: active.reduce((sum, { rows }) => sum + (rows ?? 0n), 0n),
      },
      engine,
      now,
      readVersion: state.version,
      isBlindAppend: false,
      info,
    }),
    ...protocolLines(null, state),
    ...propertyLines(state, properties),
    txnLine(txn, now),
    ...ownLines({ head, ledger, now }),
    ...active.map(({ add }) => removeLine(add, at ?? now)),
  ]
}

/**
 * Another head, what the table has to say of itself, and nothing else.
 * @param operation ADOPT: the archive goes on under another database. ERASE: no reader needs what is older
 */
export function headLines(
  info: Readonly<Record<string, string>>,
  state: ArchiveTableState,
  { engine, now, head, ledger, properties }: Author,
  operation: 'ADOPT' | 'ERASE' | 'SET TBLPROPERTIES',
): readonly string[] {
  return [
    commitInfoLine({
      operation,
      parameters: {},
      metrics: {},
      engine,
      now,
      readVersion: state.version,
      isBlindAppend: false,
      info,
    }),
    ...protocolLines(null, state),
    ...propertyLines(state, properties),
    ...ownLines({ head, ledger, now }),
  ]
}

/** The metadata of a table that says something else of itself than it has to; none where it is as it has to be. */
export function propertyLines(
  state: Pick<ArchiveTableState, 'metadata'> | null,
  properties: ArchiveProperties | null,
): readonly string[] {
  if (state === null || properties === null) return []
  const configuration = withProperties(state.metadata.configuration ?? {}, properties)
  return configuration === null ? [] : [metadataLine({ ...state.metadata, configuration })]
}

/** The head that a commit leaves, and the ledger whose it is. */
export function ownLines({ head, ledger, now }: Pick<Author, 'head' | 'ledger' | 'now'>): readonly string[] {
  const apps = [HEAD_APP, ...(ledger === null ? [] : [ledgerApp(ledger)])]
  return apps.map((appId) => txnLine({ appId, version: head }, now))
}

/** @param shaped what the columns need; null where they need nothing new */
export function protocolLines(shaped: ProtocolAction | null, state: ArchiveTableState | null): readonly string[] {
  const own = shaped ?? state?.protocol
  if (own === undefined) return []
  const protocol = withHeadFeature(own)
  return state !== null && JSON.stringify(state.protocol) === JSON.stringify(protocol) ? [] : [protocolLine(protocol)]
}

/** Null where it stays as it is. */
function shapeOf(
  { stored, keepsShape }: Publication,
  state: ArchiveTableState | null,
  label: string,
): TableShape | null {
  if (state === null) return newShape(stored)
  return keepsShape === true ? null : grownShape(stored, state, label)
}

function shapeLine(
  { tableId, name, configuration, stored }: Publication,
  shape: TableShape,
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

/** What another writer has added is not ours to take out. */
export function refuseUnknown(
  label: string,
  partition: string,
  files: readonly { readonly path: string }[],
  known: ReadonlySet<string> | null,
): void {
  const foreign = known === null ? [] : files.filter(({ path }) => !known.has(path))
  if (foreign.length === 0) return
  throw foreignFiles(
    label,
    partition,
    foreign.map(({ path }) => path),
  )
}

export function refuseAppendOnly(label: string, { metadata }: ArchiveTableState): void {
  if (metadata.configuration?.['delta.appendOnly']?.toLowerCase() !== 'true') return
  throw new SluiceError('TABLE_FEATURE', "nothing can be taken out of the archive: 'delta.appendOnly' is set", {
    where: label,
    hint: "set the table's property delta.appendOnly to false",
  })
}

/** In the words of Spark. */
function predicateOf(column: string, value: string): string {
  return JSON.stringify([`(${column} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}')`])
}
