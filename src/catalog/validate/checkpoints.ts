/** Compares chosen checkpoints with the replay of the log at their versions, one at a time in the scratch database. */
import { areRemoved } from '../../delta/removed-files.ts'
import { intervalMs, TOMBSTONE_RETENTION_MS } from '../../delta/retention.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import { throwIfAborted, type Interrupt } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { SqlDatabase } from '../../model/run/sql-port.ts'
import { checkpointComparisons, type Expiry } from './checkpoint-checks.ts'
import { forgetCheckpoint, loadCheckpoint, refuseContradicted } from './load-checkpoint.ts'
import { LogLoader } from './load-log.ts'
import { storeCanonicalPaths, type LoadedLog } from './load-window.ts'
import { logMetadataAt } from './replay-sql.ts'
import type { Report } from './report.ts'
import { LINE_SOURCE } from './scratch.ts'
import type { Checkpoint } from './window.ts'

/** Names of the two sides in a difference. */
const SIDES = ['checkpoint', 'commits'] as const

export type CheckpointsInspected = {
  /** Number of checkpoints that were compared. */
  readonly inspected: number
  /** Number of checkpoints that could not be read: each is a difference. */
  readonly unreadable: number
  /** Number of complete checkpoints up to the validated version. */
  readonly all: number
  /** Number of checkpoints that cannot be compared, because their commits are gone. */
  readonly notJudged: number
}

type At = {
  readonly log: LogStore
  readonly scratch: SqlDatabase
  readonly report: Report
  readonly interrupt: Interrupt
}

/**
 * Compares up to `limit` checkpoints: the newest, the oldest, and random others. An unreadable checkpoint is a
 * difference.
 * @param now ms since the epoch; decides which tombstones and transactions have expired
 * @throws SluiceError SOURCE_IO and other transient errors; the interrupt's reason
 */
export async function checkCheckpoints(
  at: At,
  loaded: LoadedLog,
  limit: number,
  random: () => number,
  now: number,
): Promise<CheckpointsInspected> {
  const { report } = at
  const { folder, window, broken } = loaded
  const all = folder.checkpoints.filter(({ version }) => version <= window.version)
  const able = all.filter((one) => one !== window.base && (one.version >= window.start || broken.has(one)))
  for (const { version, parts, found } of folder.incomplete) {
    report.notes.push(
      `checkpoint ${version} has ${found} of its ${parts} parts: readers ignore it, and so did this validation`,
    )
  }
  for (const one of all) {
    if (able.includes(one)) continue
    report.notes.push(`checkpoint ${one.version} is not checked: some commits that it covers are missing`)
  }
  // Checkpoints known to be unreadable are reported independently of the limit.
  const unread = able.filter((one) => broken.has(one))
  const sound = able.filter((one) => !broken.has(one))
  const chosen = choose(sound, limit, random)
  const ended = { compared: 0, unreadable: 0, removed: 0 }
  for (const checkpoint of [...unread, ...chosen]) {
    throwIfAborted(at.interrupt.stop)
    ended[await checkOne(at, checkpoint, broken.get(checkpoint), now)]++
  }
  const { compared: inspected, unreadable, removed } = ended
  if (chosen.length < sound.length) {
    report.notes.push(`${inspected} of ${able.length} checkpoints were compared with the commits; more with --samples`)
  }
  return { inspected, unreadable, all: all.length - removed, notJudged: all.length - able.length }
}

type CheckpointEnd = 'compared' | 'unreadable' | 'removed'

async function checkOne(
  at: At,
  checkpoint: Checkpoint,
  broken: string | undefined,
  now: number,
): Promise<CheckpointEnd> {
  const { log, scratch, report } = at
  const { version } = checkpoint
  const name = checkpoint.files[0]?.name ?? 'checkpoint'
  const signal = at.interrupt.abort
  const unreadable = async (message: string): Promise<'unreadable'> => {
    await report.value(version, 'checkpoint: readable', name, 'file', message.split('\n', 1)[0], 'readable', SIDES)
    return 'unreadable'
  }
  if (broken !== undefined) return unreadable(broken)
  try {
    try {
      const loading = { log, scratch, loader: new LogLoader(log, scratch, signal), signal }
      await loadCheckpoint(loading, checkpoint, LINE_SOURCE.witness)
      await refuseContradicted(loading, checkpoint, LINE_SOURCE.witness)
      await storeCanonicalPaths(scratch, log.root)
    } catch (error) {
      if (!(error instanceof SluiceError) || error.kind !== 'source' || error.retryable) throw error
      if (await areRemoved(log, checkpoint.files, error, signal)) {
        report.notes.push(`checkpoint ${version} was removed meanwhile and was not compared`)
        return 'removed'
      }
      return await unreadable(error.message)
    }
    const expiry = await expiryAt(scratch, version, now)
    for (const comparison of checkpointComparisons(version, expiry)) {
      await report.compare(version, comparison.check, name, [comparison], SIDES)
    }
    return 'compared'
  } finally {
    await forgetCheckpoint(scratch, version, LINE_SOURCE.witness)
  }
}

/** Expiry times, computed from the retentions in the table's metadata at a version. */
async function expiryAt(scratch: SqlDatabase, version: number, now: number): Promise<Expiry> {
  const property = (name: string): string => `raw->>'$.metaData.configuration."delta.${name}"'`
  const [row] = await scratch.all(
    `SELECT ${property('deletedFileRetentionDuration')}, ${property('setTransactionRetentionDuration')} FROM (${logMetadataAt(version)})`,
  )
  const [removes, txns] = (row ?? [null, null]) as readonly (string | null)[]
  return {
    removes: now - (removes === null || removes === undefined ? TOMBSTONE_RETENTION_MS : intervalMs(removes)),
    txns: txns === null || txns === undefined ? -Infinity : now - intervalMs(txns),
  }
}

function choose(from: readonly Checkpoint[], limit: number, random: () => number): readonly Checkpoint[] {
  if (from.length <= limit) return from
  const chosen = new Set([from.at(-1), from[0]].slice(0, limit))
  for (let i = 0; chosen.size < limit; i++) {
    // A draw may repeat a chosen checkpoint; after many draws, take the next in order.
    const at = i < limit * 4 ? Math.min(from.length - 1, Math.floor(random() * from.length)) : i % from.length
    chosen.add(from[at])
  }
  return from.filter((one) => chosen.has(one))
}
