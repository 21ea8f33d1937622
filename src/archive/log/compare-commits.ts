/** Compares commits of an archive's log byte for byte with the commits that a ledger wrote. */
import { createHash } from 'node:crypto'
import { commitName, LOG_FOLDER, logPathOf, parseLogName } from '../../delta/log-path.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import type { CommitChecksums } from './ownership-token.ts'

/** Versions by the result of the comparison, each list in order. */
export type ArchiveCommitsByState = {
  readonly equal: readonly number[]
  /** The ledger wrote this version, but the bytes differ. */
  readonly differing: readonly number[]
  /**
   * The ledger has no checksum of these versions, because an older program or another ledger wrote them; or it does not
   * know whether its own commit reached the log.
   */
  readonly unknown: readonly number[]
  /** The ledger wrote this version, but the log does not have its commit any more. */
  readonly gone: readonly number[]
}

/** @throws SluiceError errors of reading a log */
export async function compareArchiveCommits(
  store: LogStore,
  sums: ReadonlyMap<number, CommitChecksums>,
  signal: AbortSignal,
): Promise<ArchiveCommitsByState> {
  const [equal, differing, unknown]: [number[], number[], number[]] = [[], [], []]
  const gone = new Set([...sums].flatMap(([version, { landed }]) => (landed ? [version] : [])))
  for await (const { name } of store.list(LOG_FOLDER, { attributes: false, signal })) {
    const found = parseLogName(name)
    if (found?.kind !== 'commit') continue
    const { version } = found
    gone.delete(version)
    const known = sums.get(version)
    if (known === undefined) unknown.push(version)
    else if (known.sha256.has(await sha256Of(store, version, signal))) equal.push(version)
    else if (known.landed) differing.push(version)
    // The ledger does not know yet whether its own commit of this version reached the log.
    else unknown.push(version)
  }
  return { equal, differing, unknown, gone: [...gone].toSorted((a, b) => a - b) }
}

async function sha256Of(store: LogStore, version: number, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of store.read(logPathOf(commitName(version)), { signal })) hash.update(chunk)
  return hash.digest('hex')
}
