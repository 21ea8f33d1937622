/** Counts at any version, from the running totals of `delta_commits`: an old version costs the same as the latest. */
import type { SqlReader } from '../../model/run/sql-port.ts'

export type VersionCounts = {
  readonly files: number
  readonly bytes: number
  readonly rows: number | null
  readonly commitTime: number | null
}

const COUNTS =
  'SELECT num_files, num_bytes, num_records, files_without_records, commit_time FROM delta_commits WHERE table_id = ? AND version = ?'

export async function countsAt(reader: SqlReader, tableId: string, version: number): Promise<VersionCounts> {
  const [row] = await reader.all(COUNTS, [tableId, version])
  const [files, bytes, records, unknown, commitTime] = (row ?? [0, 0, 0, 0, null]) as [
    number,
    number,
    number,
    number,
    number | null,
  ]
  return { files, bytes, rows: unknown > 0 ? null : records, commitTime }
}

/** The newest version whose commit time is at or before `timeMs`, or null. Commit times increase with versions. */
export async function versionAtTime(reader: SqlReader, tableId: string, timeMs: number): Promise<number | null> {
  const [row] = await reader.all(
    `SELECT max(c.version) FROM delta_commits c JOIN delta_tables t ON t.table_id = c.table_id
     WHERE c.table_id = ? AND c.commit_time <= ? AND c.version <= t.current_version`,
    [tableId, timeMs],
  )
  return (row?.[0] as number | null | undefined) ?? null
}
