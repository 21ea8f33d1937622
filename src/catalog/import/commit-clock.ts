/**
 * Commit times (PROTOCOL.md, "In-Commit Timestamps"). The rule of the newest version decides the times of all versions:
 * the time in the commit if the table records it, otherwise the file's time, moved forward where needed so that times
 * increase, as in Spark. So each time selects exactly one version.
 */
import type { CommitInfoAction, MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import type { CommitFile } from '../../delta/listing.ts'
import { parseAction } from '../../delta/parse-action.ts'
import { inCommitRule, inCommitTimeOf } from '../../delta/timestamps.ts'
import type { SqlDatabase, SqlReader, SqlTransaction } from '../../model/run/sql-port.ts'
import { writeUnderLease, type Lease } from '../lease.ts'
import { setMany } from './set-many.ts'
import { countOf } from '../count-rows.ts'

/** Time in ms since the epoch. `inCommit`: true if the time is from the commit itself. */
export type ImportedCommitTime = { readonly time: number; readonly inCommit: boolean }

type Declared = { readonly protocol: ProtocolAction | null; readonly metadata: MetadataAction | null }

/** Versions of a table in the catalog, both included. */
export type Versions = { readonly tableId: string; readonly from: number; readonly to: number }

const PAGE_ROWS = 5000
/** Result of `ruledFrom` if no version has an in-commit time. */
const NEVER = Number.MAX_SAFE_INTEGER

/** First version with in-commit times. */
function ruledFrom({ protocol, metadata }: Declared): number {
  const rule = protocol === null || metadata === null ? null : inCommitRule({ protocol, metadata })
  return rule?.fromVersion ?? NEVER
}

/** Largest lead (file time minus version) of the commits up to a version. */
function largestLead(commits: readonly CommitFile[], version: number): number {
  return commits.reduce(
    (most, one) => (one.version <= version ? Math.max(most, Math.floor(one.modified) - one.version) : most),
    -Infinity,
  )
}

/** The rule of a batch's newest version, if it differs from the rule of the versions before. */
export type ChangedRule = {
  /** First version with an in-commit time. */
  readonly inCommitFrom: number
  /** Commits from which a reader of the log computes times. */
  readonly commits: readonly CommitFile[]
}

/**
 * Computes the times of the imported versions, each by its own rule. The file time of a version is its number plus the
 * largest lead (file time minus version) of its own file and all earlier files. The newest stored time includes the
 * lead of files that the log no longer has, and of versions pruned from the catalog.
 */
export class CommitClock {
  #ruledFrom: number | null
  #changed: ChangedRule | null = null
  #lead = -Infinity
  #stored: Versions | null
  readonly #database: SqlReader
  readonly #commits: () => Promise<readonly CommitFile[]>

  /**
   * @param declared protocol and metadata of the newest version in the catalog
   * @param stored versions in the catalog; null if there are none
   * @param commits lists the commits from which a reader of the log computes times; called only if the catalog is not
   * sufficient
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
   * The time of the next version, by the protocol and metadata up to it.
   * @param modified time of its file, ms
   * @param hasCommit false for a checkpoint without its commit: its time does not move later times
   */
  async next(
    version: number,
    commitInfo: CommitInfoAction | null,
    declared: Declared,
    modified: number,
    hasCommit: boolean,
  ): Promise<ImportedCommitTime> {
    const from = ruledFrom(declared)
    if (this.#ruledFrom !== null && this.#ruledFrom !== from) await this.#change(version, from)
    this.#ruledFrom = from
    if (!hasCommit) return { time: Math.floor(modified), inCommit: false }
    this.#lead = Math.max(this.#lead, Math.floor(modified) - version)
    const own = version < from ? null : inCommitTimeOf(commitInfo)
    if (own !== null) return { time: own, inCommit: true }
    if (this.#stored !== null) {
      const ahead = (await storedLead(this.#database, this.#stored)) ?? largestLead(await this.#commits(), version)
      this.#lead = Math.max(this.#lead, ahead)
      this.#stored = null
    }
    return { time: version + this.#lead, inCommit: false }
  }

  /** The new rule, if it changed since the last call: the times of earlier versions must then be computed again. */
  takeChange(): ChangedRule | null {
    const changed = this.#changed
    this.#changed = null
    return changed
  }

  async #change(version: number, inCommitFrom: number): Promise<void> {
    const commits = await this.#commits()
    this.#changed = { inCommitFrom, commits }
    // If the log has gaps, only the stored times include the lead of earlier commits.
    if (commits.length === 0) return
    this.#lead = largestLead(commits, version)
    this.#stored = null
  }
}

/** Largest lead of stored file times over their versions, or null if no time is a file time. */
async function storedLead(reader: SqlReader, { tableId, from, to }: Versions): Promise<number | null> {
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

/** Result of `retime`. */
export type Retimed = {
  /** Time of the newest version. */
  readonly time: number | null
  /** Number of versions with a new time. */
  readonly versions: number
}

/**
 * Computes the stored times of versions again by the rule of the newest version, as a reader of the log would. For
 * versions that the log no longer has, the result is as if it still had them.
 */
export async function retime(
  transaction: SqlTransaction,
  { tableId, from, to }: Versions,
  { inCommitFrom, commits }: ChangedRule,
): Promise<Retimed> {
  const changed: (ImportedCommitTime & { readonly version: number })[] = []
  const inLogFrom = commits[0]?.version ?? Infinity
  let ahead = largestLead(commits, from - 1)
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
      // If the log lacks the first version too, its stored time contains the lead of commits that are gone.
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
 * Computes stored times again, if an older program stored them by the rule of their own version, and the newest version
 * has another rule.
 * @param commits see the constructor of `CommitClock`
 * @returns the time of the newest version if it changed, otherwise null
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
  const timed = await countOf(
    database,
    'delta_commits WHERE table_id = ? AND version >= ? AND version <= ? AND version < ? AND in_commit_time = 1',
    [tableId, from, to, inCommitFrom],
  )
  if (timed === 0) return null
  const listed = await commits()
  const { time } = await writeUnderLease(database, lease, async (transaction) =>
    retimeTable(transaction, versions, declared, listed),
  )
  return time
}

/**
 * Computes all times of a table again.
 * @param versions all versions of the table
 * @param declared protocol and metadata of the newest version
 * @param commits commits from which a reader of the log computes times
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
