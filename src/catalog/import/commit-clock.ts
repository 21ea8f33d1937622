/**
 * Commit times (PROTOCOL.md, "In-Commit Timestamps"). The rule of the newest version gives the times of all versions: the time inside the commit where the
 * table keeps them, else the file's own time, made to grow from version to version as Spark does it. So time travel has one answer.
 */
import type { CommitInfoAction, MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import type { CommitFile } from '../../delta/listing.ts'
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

/** What files of commits up to a version are ahead of their versions at most, of those that a reader of the log counts. */
function aheadUpTo(commits: readonly CommitFile[], version: number): number {
  return commits.reduce(
    (most, one) => (one.version <= version ? Math.max(most, Math.floor(one.modified) - one.version) : most),
    -Infinity,
  )
}

/** The rule of a batch's newest version, where it is another one than that of the versions before. */
export type ChangedRule = {
  /** First version whose commit's own time is its time. */
  readonly inCommitFrom: number
  /** That a reader of the log counts. */
  readonly commits: readonly CommitFile[]
}

/**
 * Times of the versions of an import, by the rule of each. The time of a file is its version and the most that its own file, or one before it, is ahead of its
 * version: files that a reader of the log no longer knows, and those that the catalog has pruned, are in what the newest stored time says.
 */
export class CommitClock {
  #ruledFrom: number | null
  #changed: ChangedRule | null = null
  #ahead = -Infinity
  #stored: Versions | null
  readonly #database: SqlReader
  readonly #commits: () => Promise<readonly CommitFile[]>

  /**
   * @param declared at the newest version in the catalog
   * @param stored versions that the catalog holds, or null
   * @param commits lists those that a reader of the log counts; called only where the catalog does not say what it needs
   */
  constructor(
    database: SqlReader,
    declared: Declared,
    stored: Versions | null,
    commits: () => Promise<readonly CommitFile[]>,
  ) {
    this.#database = database
    this.#stored = stored
    this.#commits = commits
    this.#ruledFrom = stored === null ? null : ruledFrom(declared)
  }

  /**
   * The time of the version that comes next, by what is declared up to it.
   * @param modified time of its file, ms
   * @param hasCommit false where a checkpoint stands without its commit: the checkpoint's time pushes no later one
   */
  async next(
    version: number,
    commitInfo: CommitInfoAction | null,
    declared: Declared,
    modified: number,
    hasCommit: boolean,
  ): Promise<CommitTime> {
    const from = ruledFrom(declared)
    if (this.#ruledFrom !== null && this.#ruledFrom !== from) await this.#change(version, from)
    this.#ruledFrom = from
    if (!hasCommit) return { time: Math.floor(modified), inCommit: false }
    this.#ahead = Math.max(this.#ahead, Math.floor(modified) - version)
    const own = version < from ? null : inCommitTimeOf(commitInfo)
    if (own !== null) return { time: own, inCommit: true }
    if (this.#stored !== null) {
      const ahead = (await storedAhead(this.#database, this.#stored)) ?? aheadUpTo(await this.#commits(), version)
      this.#ahead = Math.max(this.#ahead, ahead)
      this.#stored = null
    }
    return { time: version + this.#ahead, inCommit: false }
  }

  /** The new rule, where it changed since the last question: the times of earlier versions are others now. */
  takeChange(): ChangedRule | null {
    const changed = this.#changed
    this.#changed = null
    return changed
  }

  async #change(version: number, inCommitFrom: number): Promise<void> {
    const commits = await this.#commits()
    this.#changed = { inCommitFrom, commits }
    // Where the log no longer holds together, the stored times alone say what earlier commits pushed.
    if (commits.length === 0) return
    this.#ahead = aheadUpTo(commits, version)
    this.#stored = null
  }
}

/** What stored times of files are ahead of their versions, or null where no time is one of a file. */
async function storedAhead(reader: SqlReader, { tableId, from, to }: Versions): Promise<number | null> {
  const ofTable = 'table_id = ? AND version >= ? AND version <= ? AND log_bytes IS NOT NULL'
  const [newest] = await reader.all(
    `SELECT version, commit_time FROM delta_commits WHERE ${ofTable} AND in_commit_time = 0 ORDER BY version DESC LIMIT 1`,
    [tableId, from, to],
  )
  if (newest === undefined) return null
  const [version, time] = newest as [number, number]
  const [above] = await reader.all(
    `SELECT max(coalesce(file_mtime, commit_time) - version) FROM delta_commits WHERE ${ofTable}`,
    [tableId, version + 1, to],
  )
  return Math.max(time - version, Number(above?.[0] ?? -Infinity))
}

/** What `retime` changed. */
export type Retimed = {
  /** Time of the newest version. */
  readonly time: number | null
  /** Versions that have another time now. */
  readonly versions: number
}

/**
 * Computes the stored times of versions again, by the rule of the newest, as a reader of the log has them; of versions that it no longer has, as one had them
 * while they were there.
 */
export async function retime(
  transaction: SqlTransaction,
  { tableId, from, to }: Versions,
  { inCommitFrom, commits }: ChangedRule,
): Promise<Retimed> {
  const changed: (CommitTime & { readonly version: number })[] = []
  const inLogFrom = commits[0]?.version ?? Infinity
  let ahead = aheadUpTo(commits, from - 1)
  let last: number | null = null
  const rows = transaction.pages(
    `SELECT version, commit_time, in_commit_time, file_mtime, log_bytes, CASE WHEN version >= ? THEN commit_info END
     FROM delta_commits WHERE table_id = ? AND version >= ? AND version <= ? ORDER BY version`,
    [inCommitFrom, tableId, from, to],
    PAGE_ROWS,
  )
  for await (const page of rows) {
    for (const row of page) {
      const [version, time, inCommit, modified, bytes, info] = row as [
        number,
        number,
        number,
        number | null,
        number | null,
        string | null,
      ]
      if (version === inLogFrom) ahead = -Infinity
      // What the log lacks as well: commits before the first are gone, and what they had pushed its time to is left in it.
      const isPushed = version === from && version < inLogFrom && inCommit === 0
      const file = modified === null || isPushed ? time : modified
      if (bytes !== null) ahead = Math.max(ahead, file - version)
      const own = info === null ? null : inCommitTimeOf(commitInfoOf(info))
      last = own ?? (bytes === null ? file : version + ahead)
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
  return { time: last, versions: changed.length }
}

function commitInfoOf(raw: string): CommitInfoAction | null {
  const action = parseAction(raw, () => 'commit_info of the catalog')
  return action.kind === 'commitInfo' ? action.commitInfo : null
}

/**
 * Computes stored times again where an older program stored each by the rule of its own version, and the newest version has another.
 * @param commits as of `CommitClock`
 * @returns the time of the newest where it changed, else null
 */
export async function retimeStale(
  database: SqlDatabase,
  lease: Lease,
  versions: Versions,
  declared: Declared,
  commits: () => Promise<readonly CommitFile[]>,
): Promise<number | null> {
  const { tableId, from, to } = versions
  const inCommitFrom = ruledFrom(declared)
  const [row] = await database.all(
    'SELECT count(*) FROM delta_commits WHERE table_id = ? AND version >= ? AND version <= ? AND version < ? AND in_commit_time = 1',
    [tableId, from, to, inCommitFrom],
  )
  if (Number(row?.[0]) === 0) return null
  const listed = await commits()
  const { time } = await writeUnderLease(database, lease, async (transaction) =>
    retimeTable(transaction, versions, declared, listed),
  )
  return time
}

/**
 * Computes all times of a table again.
 * @param versions all of them @param declared at the newest @param commits that a reader of the log counts
 */
export async function retimeTable(
  transaction: SqlTransaction,
  versions: Versions,
  declared: Declared,
  commits: readonly CommitFile[],
): Promise<Retimed> {
  const retimed = await retime(transaction, versions, { inCommitFrom: ruledFrom(declared), commits })
  await transaction.run('UPDATE delta_tables SET current_commit_time = ? WHERE table_id = ?', [
    retimed.time,
    versions.tableId,
  ])
  return retimed
}
