/**
 * The log, rebuilt from the catalog: every line of every commit it holds, in order and byte for byte. Blank lines and carriage returns
 * are the only things that are not kept.
 */
import type { SqlReader } from '../stores/port.ts'
import { rebuildAddLine } from './rebuild.ts'

export type ExportedCommit = {
  readonly version: number
  readonly lines: readonly string[]
  /** ms since the epoch, for the file's own time. */
  readonly modified: number | null
  /** sha256 of the file it was read from, or null where none is held. */
  readonly digest: Uint8Array | null
}

const ADDS = `SELECT line, path, partition_values, tags, deletion_vector, stats, size, modification_time, data_change, base_row_id,
    default_row_commit_version, clustering_provider, add_raw
  FROM delta_files WHERE table_id = ? AND added_version = ? AND from_checkpoint = 0 AND file_no >= ? AND file_no < ?`
const ACTIONS = 'SELECT line, raw FROM delta_actions WHERE table_id = ? AND version = ? AND source = 0'
// Files of a version are numbered before those of later ones: without these bounds every commit would look through all files.
const COMMITS = `SELECT version, commit_info, commit_info_line, file_mtime, log_bytes, log_digest, first_file_no,
    min(first_file_no) OVER (ORDER BY version ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
  FROM delta_commits WHERE table_id = ? AND version > ? AND version <= ? ORDER BY version LIMIT 1000`
const ORPHANS =
  'SELECT DISTINCT version FROM delta_actions WHERE table_id = ? AND source = 0 AND version < ? ORDER BY version'

/** Commits the catalog holds, ascending; those below `historyFrom` are the log's own leftovers. */
export async function* exportCommits(
  reader: SqlReader,
  table: { readonly tableId: string; readonly historyFrom: number; readonly latest: number },
): AsyncGenerator<ExportedCommit> {
  const { tableId, historyFrom, latest } = table
  for (const [version] of await reader.all(ORPHANS, [tableId, historyFrom])) {
    const lines = await linesOf(reader, tableId, version as number, null, null)
    yield { version: version as number, lines, modified: null, digest: null }
  }
  for (let after = historyFrom - 1; ;) {
    const commits = await reader.all(COMMITS, [tableId, after, latest])
    if (commits.length === 0) return
    for (const [version, info, infoLine, modified, bytes, digest, first, next] of commits as readonly (readonly [
      number,
      string | null,
      number | null,
      number | null,
      number | null,
      Uint8Array | null,
      number | null,
      number | null,
    ])[]) {
      after = version
      // A base that stands in a checkpoint alone has no commit of its own.
      if (bytes === null) continue
      const own = info === null || infoLine === null ? null : { line: infoLine, raw: info }
      const files = first === null ? null : { first, end: next ?? Number.MAX_SAFE_INTEGER }
      yield { version, lines: await linesOf(reader, tableId, version, own, files), modified, digest }
    }
  }
}

async function linesOf(
  reader: SqlReader,
  tableId: string,
  version: number,
  info: { readonly line: number; readonly raw: string } | null,
  files: { readonly first: number; readonly end: number } | null,
): Promise<readonly string[]> {
  const lines: { line: number; raw: string }[] = info === null ? [] : [info]
  for (const [line, raw] of await reader.all(ACTIONS, [tableId, version]))
    lines.push({ line: line as number, raw: utf8(raw as Uint8Array) })
  const adds = files === null ? [] : await reader.all(ADDS, [tableId, version, files.first, files.end])
  for (const row of adds) {
    const [
      line,
      path,
      partitionValues,
      tags,
      deletionVector,
      stats,
      size,
      modificationTime,
      dataChange,
      baseRowId,
      rowVersion,
      provider,
      raw,
    ] = row as [
      number,
      string,
      string | null,
      string | null,
      string | null,
      string | null,
      number,
      number,
      number,
      number | null,
      number | null,
      string | null,
      Uint8Array | null,
    ]
    const text =
      raw === null
        ? rebuildAddLine({
            path,
            partitionValues,
            tags,
            deletionVector,
            stats,
            size,
            modificationTime,
            dataChange: dataChange === 1,
            baseRowId,
            defaultRowCommitVersion: rowVersion,
            clusteringProvider: provider,
          })
        : utf8(raw)
    lines.push({ line, raw: text })
  }
  return lines.toSorted((a, b) => a.line - b.line).map(({ raw }) => raw)
}

function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8')
}
