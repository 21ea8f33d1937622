/** File rows of the catalog as `add` lines. */
import type { SqlRow } from '../../model/run/sql-port.ts'
import { parseAction } from '../../delta/parse-action.ts'
import { rebuildAddLine, type AddColumns } from '../rebuild.ts'

/** Columns of `delta_files` for an `AddRecord`, starting with the paging key. */
export const ADD_COLUMNS = `file_no, line, from_checkpoint, path, partition_values, tags, deletion_vector, stats, size, modification_time,
  data_change, base_row_id, default_row_commit_version, clustering_provider, add_raw`

export type AddRecord = {
  readonly line: number
  readonly fromCheckpoint: boolean
  readonly columns: AddColumns
  /** The line as it was read, if the columns cannot reproduce it. */
  readonly raw: Uint8Array | null
}

export function addRecord(row: SqlRow): AddRecord {
  const [line, fromCheckpoint] = [row[1] as number, row[2] === 1]
  const [path, partitionValues, tags, deletionVector, stats] = row.slice(3, 8) as [string, ...(string | null)[]]
  const [size, modificationTime, dataChange] = row.slice(8, 11) as [number, number, number]
  const [baseRowId, defaultRowCommitVersion] = row.slice(11, 13) as [number | null, number | null]
  return {
    line,
    fromCheckpoint,
    columns: {
      path,
      partitionValues: partitionValues ?? null,
      tags: tags ?? null,
      deletionVector: deletionVector ?? null,
      stats: stats ?? null,
      size,
      modificationTime,
      dataChange: dataChange === 1,
      baseRowId,
      defaultRowCommitVersion,
      clusteringProvider: (row[13] ?? null) as string | null,
    },
    raw: (row[14] ?? null) as Uint8Array | null,
  }
}

/** The line for a commit. */
export function commitLine({ columns, raw }: AddRecord): string {
  return raw === null ? rebuildAddLine(columns) : utf8(raw)
}

/**
 * The line for a checkpoint. Rows read from a checkpoint keep their `dataChange`; for others it is false, because rows
 * of a checkpoint are not changes.
 * @throws SluiceError BAD_ACTION if the stored line is invalid
 */
export function checkpointLine({ columns, raw, fromCheckpoint }: AddRecord): string {
  const dataChange = fromCheckpoint && columns.dataChange
  if (raw === null) return rebuildAddLine({ ...columns, dataChange })
  // Database columns may hold replacements of invalid characters; the line has the original text.
  const action = parseAction(utf8(raw), () => `add ${columns.path}`)
  if (action.kind !== 'add') return rebuildAddLine({ ...columns, dataChange })
  const { add } = action
  const json = (value: unknown): string | null => (value === null || value === undefined ? null : JSON.stringify(value))
  return rebuildAddLine({
    ...columns,
    path: add.path,
    partitionValues: json(add.partitionValues),
    tags: json(add.tags),
    deletionVector: json(add.deletionVector),
    stats: add.stats === null || add.stats === undefined ? null : escapeSurrogates(add.stats),
    dataChange,
  })
}

/** Replaces lone surrogates by JSON escapes with the same meaning. They can only occur in strings. */
function escapeSurrogates(json: string): string {
  return json.replace(/\p{Surrogate}/gu, (half) => `\\u${half.charCodeAt(0).toString(16)}`)
}

export function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
}
