/** `catalog_fsck`: findings of the latest `fsck` of each table. The first row of a table describes what was checked. */
import type { Finding } from '../delta/fsck/finding.ts'
import type { SqlDatabase, SqlTransaction } from '../model/run/sql-port.ts'
import { countOf } from './count-rows.ts'

export type FsckRecord = {
  readonly tableId: string
  readonly version: number
  /** ms since the epoch. */
  readonly checkedAt: number
  /** Text about what was checked. */
  readonly looked: string
  readonly findings: readonly Finding[]
}

const INSERT = `INSERT INTO catalog_fsck
  (table_id, run_id, checked_at, version, line, level, finding, path, column_name, log_says, found, detail, bytes)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

/** Replaces the rows of the table. */
export async function recordFsck(transaction: SqlTransaction, runId: string, record: FsckRecord): Promise<void> {
  const { tableId, version, checkedAt, looked: inspected, findings } = record
  await forgetFsck(transaction, tableId)
  const head = (line: number) => [tableId, BigInt(runId), checkedAt, version, line] as const
  await transaction.run(INSERT, [...head(0), 'run', 'run', null, null, null, null, inspected, null])
  for (const [i, { level, kind, path, column, log, found, detail, bytes }] of findings.entries()) {
    const what = [level, kind, path ?? null, column ?? null, log ?? null, found ?? null, detail, bytes ?? null]
    await transaction.run(INSERT, [...head(i + 1), ...what])
  }
}

/** Removes the rows of a table. */
export async function forgetFsck(transaction: SqlTransaction, tableId: string): Promise<void> {
  await transaction.run('DELETE FROM catalog_fsck WHERE table_id = ?', [tableId])
}

/** Result of the latest check of a table. */
export type LastFsck = {
  readonly version: number
  /** ms since the epoch. */
  readonly checkedAt: number
  readonly findings: number
}

/** The latest check of a table; null if it was never checked. */
export async function lastFsck(database: SqlDatabase, tableId: string): Promise<LastFsck | null> {
  const rows = await database.all('SELECT checked_at, version FROM catalog_fsck WHERE table_id = ? AND line = 0', [
    tableId,
  ])
  const [row] = rows
  if (row === undefined) return null
  const findings = await countOf(database, 'catalog_fsck WHERE table_id = ? AND level = ?', [tableId, 'finding'])
  return { checkedAt: Number(row[0]), version: Number(row[1]), findings }
}
