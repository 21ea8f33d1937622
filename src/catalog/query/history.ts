/** Commits of a table, newest first. */
import type { SqlReader } from '../../model/run/sql-port.ts'

export type CommitRecord = {
  readonly version: number
  readonly time: number
  readonly inCommitTime: boolean
  readonly operation: string | null
  readonly engine: string | null
  readonly adds: number
  readonly removes: number
  readonly addedBytes: number
  readonly removedBytes: number
  readonly files: number
  readonly bytes: number
  readonly rows: number | null
  /** The whole commitInfo line, or null. */
  readonly info: string | null
}

const COLUMNS = `version, commit_time, in_commit_time, operation, engine, adds, removes, added_bytes, removed_bytes,
  num_files, num_bytes, num_records, files_without_records, commit_info`

/** At most `limit` commits at or below `version`, newest first. */
export async function commitsUpTo(
  reader: SqlReader,
  tableId: string,
  version: number,
  limit: number,
): Promise<readonly CommitRecord[]> {
  const rows = await reader.all(
    `SELECT ${COLUMNS} FROM delta_commits WHERE table_id = ? AND version <= ? ORDER BY version DESC LIMIT ?`,
    [tableId, version, limit],
  )
  return rows.map((row) => {
    const [
      v,
      time,
      inCommit,
      operation,
      engine,
      adds,
      removes,
      addedBytes,
      removedBytes,
      files,
      bytes,
      records,
      unknown,
      info,
    ] = row as [
      number,
      number | null,
      number,
      string | null,
      string | null,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      string | null,
    ]
    return {
      version: v,
      time: time ?? 0,
      inCommitTime: inCommit === 1,
      operation,
      engine,
      adds,
      removes,
      addedBytes,
      removedBytes,
      files,
      bytes,
      rows: unknown > 0 ? null : records,
      info,
    }
  })
}
