/** What the commit of a partition says, action by action. */
import type { MetadataAction } from '../../delta/actions.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { Publication } from '../lifecycle/log.ts'
import { addLine, commitInfoLine, metadataLine, protocolLine, removeLine, txnLine } from './commit-text.ts'
import type { ArchiveTableState } from './read-state.ts'
import { grownShape, newShape, type TableShape } from './table-schema.ts'

export type Retraction = Pick<Publication, 'tableId' | 'partition' | 'txn' | 'info'>

/** Who writes a commit, and when. */
export type Author = {
  /** Of the table, for messages. */
  readonly label: string
  readonly engine: string
  /** ms since the epoch. */
  readonly now: number
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
  { label, engine, now }: Author,
): readonly string[] {
  const { partition, files, txn, stored, info, tags } = what
  const active = state?.files.get(partition) ?? []
  const shape = state === null ? newShape(stored) : grownShape(stored, state, label)
  const paths = new Set(files.map(({ name }) => name))
  // Of one path there is one action in a commit; an add takes the place of the one before.
  const gone = active.filter(({ path }) => !paths.has(path))
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
    ...(shape === null ? [] : shapeLines(what, shape, state, now)),
    txnLine(txn, now),
    ...gone.map(({ add }) => removeLine(add, now)),
    ...files.map((file) => addLine(file, values, tags(file), now)),
  ]
}

/**
 * None of the files of a partition any more. Said even where none is named: somebody whose fence is older must not publish the partition after it.
 * @throws SluiceError TABLE_FEATURE where nothing may be taken out of the table
 */
export function retractionLines(
  { partition, txn, info }: Retraction,
  state: ArchiveTableState,
  { label, engine, now }: Author,
): readonly string[] {
  const active = state.files.get(partition) ?? []
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
    txnLine(txn, now),
    ...active.map(({ add }) => removeLine(add, now)),
  ]
}

function shapeLines(
  { tableId, name, configuration, stored }: Publication,
  shape: TableShape,
  state: ArchiveTableState | null,
  now: number,
): readonly string[] {
  const begun: Omit<MetadataAction, 'schemaString'> = state?.metadata ?? {
    id: tableId,
    name,
    format: { provider: 'parquet', options: {} },
    partitionColumns: [stored.partitionColumn],
    configuration: { ...CONFIGURATION, ...configuration },
    createdTime: now,
  }
  const isSame = state !== null && JSON.stringify(state.protocol) === JSON.stringify(shape.protocol)
  const metadata = {
    ...begun,
    schemaString: shape.schemaString,
    configuration: { ...begun.configuration, ...shape.configuration },
  }
  return [...(isSame ? [] : [protocolLine(shape.protocol)]), metadataLine(metadata)]
}

function refuseAppendOnly(label: string, { metadata }: ArchiveTableState): void {
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
