/**
 * Commit times (PROTOCOL.md, "In-Commit Timestamps"). The rule of the newest version gives the times of all versions: the time inside the commit where the
 * table keeps them, else the file's own time, made to grow from version to version as Spark does it. So time travel has one answer.
 */
import type { CommitInfoAction, MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import { parseAction } from '../../delta/parse-action.ts'
import { inCommitRule, inCommitTimeOf } from '../../delta/timestamps.ts'
import type { SqlDatabase, SqlReader, SqlTransaction } from '../../model/run/sql-port.ts'
import { writeUnderLease, type Lease } from '../lease.ts'
import { setMany } from './set-many.ts'

/** Milliseconds since the epoch, and whether the commit itself says them. */
export type CommitTime = { readonly time: number; readonly inCommit: boolean }

type Declared = { readonly protocol: ProtocolAction | null; readonly metadata: MetadataAction | null }

/** Versions of a table in the catalog, both included. */
export type Versions = { readonly tableId: string; readonly from: number; readonly to: number }

const PAGE_ROWS = 5000
/** No version is in-commit. */
const NEVER = Number.MAX_SAFE_INTEGER

/** First version whose commits hold their own time. */
function ruledFrom({ protocol, metadata }: Declared): number {
  const rule = protocol === null || metadata === null ? null : inCommitRule({ protocol, metadata })
  return rule?.fromVersion ?? NEVER
}

/** Times of the versions of an import, by the rule of each. */
export class CommitClock {
  #ruledFrom: number | null
  #changed = false
  /** A file's time is its version and the largest of these so far: what its own time, or one before it, is ahead of the version. */
  #ahead = -Infinity
  readonly #stored: Versions | null
  readonly #database: SqlReader
  #aheadOfStored: Promise<number> | null = null

  /**
   * @param declared at the newest version in the catalog
   * @param stored versions that the catalog holds, or null
   */
  constructor(database: SqlReader, declared: Declared, stored: Versions | null) {
    this.#database = database
    this.#stored = stored
    this.#ruledFrom = stored === null ? null : ruledFrom(declared)
  }

  /** The time of the version that comes next, by what is declared up to it. @param modified time of its file, ms */
  async next(
    version: number,
    commitInfo: CommitInfoAction | null,
    declared: Declared,
    modified: number,
  ): Promise<CommitTime> {
    const from = ruledFrom(declared)
    if (this.#ruledFrom !== null && this.#ruledFrom !== from) this.#changed = true
    this.#ruledFrom = from
    this.#ahead = Math.max(this.#ahead, Math.floor(modified) - version)
    const own = version < from ? null : inCommitTimeOf(commitInfo)
    if (own !== null) return { time: own, inCommit: true }
    if (this.#stored !== null) this.#ahead = Math.max(this.#ahead, await this.#storedAhead(this.#stored))
    return { time: version + this.#ahead, inCommit: false }
  }

  /** The first in-commit version, where that changed since the last question: the times of earlier versions are others now. Null where it did not. */
  takeChange(): number | null {
    if (!this.#changed) return null
    this.#changed = false
    return this.#ruledFrom
  }

  /** Asked only where a file's time is needed: it reads every commit of the table. */
  #storedAhead({ tableId, from, to }: Versions): Promise<number> {
    this.#aheadOfStored ??= this.#database
      .all(
        `SELECT max(CASE WHEN version = ? AND in_commit_time = 0 THEN commit_time ELSE coalesce(file_mtime, commit_time) END - version)
         FROM delta_commits WHERE table_id = ? AND version >= ? AND version <= ?`,
        [from, tableId, from, to],
      )
      .then(([row]) => Number(row?.[0] ?? -Infinity))
    return this.#aheadOfStored
  }
}

/**
 * Computes the stored times of versions again, by the rule of the newest.
 * @param inCommitFrom first version that the rule takes the commit's own time of
 * @returns the time of the newest
 */
export async function retime(
  transaction: SqlTransaction,
  { tableId, from, to }: Versions,
  inCommitFrom: number,
): Promise<number | null> {
  const changed: (CommitTime & { readonly version: number })[] = []
  let ahead = -Infinity
  let last: number | null = null
  const rows = transaction.pages(
    `SELECT version, commit_time, in_commit_time, file_mtime, CASE WHEN version >= ? THEN commit_info END
     FROM delta_commits WHERE table_id = ? AND version >= ? AND version <= ? ORDER BY version`,
    [inCommitFrom, tableId, from, to],
    PAGE_ROWS,
  )
  for await (const page of rows) {
    for (const row of page) {
      const [version, time, inCommit, modified, info] = row as [number, number, number, number | null, string | null]
      // Commits before the first are gone; what they had pushed its time to is left in it.
      const file = modified === null || (version === from && inCommit === 0) ? time : modified
      ahead = Math.max(ahead, file - version)
      const own = info === null ? null : inCommitTimeOf(commitInfoOf(info))
      last = own ?? version + ahead
      if (last !== time || (own !== null) !== (inCommit === 1))
        changed.push({ version, time: last, inCommit: own !== null })
    }
  }
  const at = { relation: 'delta_commits', key: 'version', tableId } as const
  await setMany(
    transaction,
    { ...at, column: 'commit_time' },
    changed.map(({ version, time }) => [version, time]),
  )
  const flags = changed.map(({ version, inCommit }) => [version, inCommit ? 1 : 0] as const)
  await setMany(transaction, { ...at, column: 'in_commit_time' }, flags)
  return last
}

function commitInfoOf(raw: string): CommitInfoAction | null {
  const action = parseAction(raw, () => 'commit_info of the catalog')
  return action.kind === 'commitInfo' ? action.commitInfo : null
}

/**
 * Computes stored times again where an older program stored each by the rule of its own version, and the newest version has another.
 * @returns the time of the newest where it changed, else null
 */
export async function retimeStale(
  database: SqlDatabase,
  lease: Lease,
  versions: Versions,
  declared: Declared,
): Promise<number | null> {
  const { tableId, from, to } = versions
  const inCommitFrom = ruledFrom(declared)
  const [row] = await database.all(
    'SELECT count(*) FROM delta_commits WHERE table_id = ? AND version >= ? AND version <= ? AND version < ? AND in_commit_time = 1',
    [tableId, from, to, inCommitFrom],
  )
  if (Number(row?.[0]) === 0) return null
  return writeUnderLease(database, lease, async (transaction) => retimeTable(transaction, versions, declared))
}

/**
 * Computes all times of a table again. @param versions all of them @param declared at the newest
 * @returns the time of the newest
 */
export async function retimeTable(
  transaction: SqlTransaction,
  versions: Versions,
  declared: Declared,
): Promise<number | null> {
  const time = await retime(transaction, versions, ruledFrom(declared))
  await transaction.run('UPDATE delta_tables SET current_commit_time = ? WHERE table_id = ?', [time, versions.tableId])
  return time
}
