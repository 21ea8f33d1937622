/**
 * Removes old versions. One transaction first raises `history_from` and deletes the commits below it, so that answers
 * are right after a kill at any point. Then steps of bounded size delete the rows that no kept version needs.
 */
import { isoTime } from '../shared/clock.ts'
import { SluiceError } from '../shared/errors.ts'
import type { SqlReader } from '../model/run/sql-port.ts'
import { versionAtTime } from './query/counts.ts'
import type { ReadableTable } from './catalog.ts'
import type { RelationRowCounts } from './rollback.ts'
import { sweepStep, type CatalogSweep } from './sweep-step.ts'
import { hasFewRows, rowsBelow, sweepBelow } from './sweep.ts'
import { countOf } from './count-rows.ts'

/**
 * Versions to keep: a number, or all versions that were the latest at some time since `sinceMs` (ms since the epoch).
 */
export type Keep = { readonly versions: number } | { readonly sinceMs: number }

export type Pruned = {
  /** Oldest version that can be read from the catalog now. */
  readonly historyFrom: number
  /** Removed or removable rows by relation, without zeros. */
  readonly rows: RelationRowCounts
}

/**
 * The oldest version to keep; the present oldest one if nothing can be removed.
 * @throws SluiceError BAD_FLAG if no version would remain
 */
export async function oldestKept(reader: SqlReader, table: ReadableTable, keep: Keep): Promise<number> {
  if ('versions' in keep) {
    if (keep.versions < 1)
      throw new SluiceError('BAD_FLAG', 'at least one version of a table must remain', {
        hint: 'keep 1 version or more',
      })
    return Math.max(table.historyFrom, table.latest - keep.versions + 1)
  }
  // Keep the version that was the latest at `sinceMs`.
  const version = await versionAtTime(reader, table.tableId, keep.sinceMs)
  return Math.max(table.historyFrom, version ?? table.historyFrom)
}

/** The rows that `pruneTable` would remove. Writes nothing. */
export async function prunePlan(reader: SqlReader, tableId: string, historyFrom: number): Promise<Pruned> {
  const commits = await countOf(reader, 'delta_commits WHERE table_id = ? AND version < ?', [tableId, historyFrom])
  return { historyFrom, rows: withCommits(commits, await rowsBelow(reader, tableId, historyFrom)) }
}

/**
 * Makes `historyFrom` the oldest version of a table, in one transaction if the table is small. A repeated run after a
 * kill finishes the work.
 * @throws SluiceError LEASE_LOST, or the abort reason
 */
export async function pruneTable(at: CatalogSweep, historyFrom: number, nowMs: number): Promise<Pruned> {
  if (at.within === undefined && (await hasFewRows(at.database, at.tableId, at.stepRows)))
    return sweepStep(at, (within) => pruneTable({ ...at, within }, historyFrom, nowMs))
  const { tableId } = at
  const commits = await sweepStep(at, async (transaction) => {
    const raised = await transaction.run(
      'UPDATE delta_tables SET history_from = ?, updated_at = ? WHERE table_id = ? AND history_from <= ? AND current_version >= ?',
      [historyFrom, isoTime(nowMs), tableId, historyFrom, historyFrom],
    )
    if (raised !== 1) {
      throw new SluiceError('LEASE_LOST', `another run changed ${tableId}; nothing was pruned`, {
        hint: 'let the other run finish, then run the same command again',
      })
    }
    // Delete commits in this transaction: queries read from them which versions exist, and the version at a given time.
    return transaction.run('DELETE FROM delta_commits WHERE table_id = ? AND version < ?', [tableId, historyFrom])
  })
  return { historyFrom, rows: withCommits(commits, await sweepBelow(at, historyFrom)) }
}

function withCommits(commits: number, rows: RelationRowCounts): RelationRowCounts {
  return commits === 0 ? rows : [...rows, { relation: 'delta_commits', rows: commits }]
}
