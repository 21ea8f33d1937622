/** Where an import begins: from nothing, on after a kill, with new commits only, or not at all. */
import { createHash } from 'node:crypto'
import type { LogStore } from '../../model/log-store.ts'
import type { MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import type { CheckpointFiles, CommitFile } from '../../delta/listing.ts'
import type { History } from '../../delta/segment.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { SqlReader } from '../../stores/port.ts'
import { resumePoint, type Head, type Totals, type Wholeness } from './head.ts'

export type Point = {
  readonly totals: Totals
  readonly protocol: ProtocolAction | null
  readonly metadata: MetadataAction | null
}

type Work = {
  /** The head row as it will be when the import begins; null where there is none yet. */
  readonly head: Head | null
  readonly history: History
  readonly historyFrom: number
  /** Commits to bring in, ascending. */
  readonly commits: readonly CommitFile[]
  readonly resume: Point
  /** Rows of the table must be removed first; `note` says why when a person should know. */
  readonly purge: boolean
  readonly note: string | null
  /** Id of an unfinished import that goes on, or null. */
  readonly importId: string | null
  /** Actions that were done before. */
  readonly done: number
  /** Rows of the base checkpoint that are in the catalog already. */
  readonly skipRows: number
}

export type Start =
  | { readonly kind: 'current'; readonly head: Head }
  | ({ readonly kind: 'fresh' } & Work)
  | ({ readonly kind: 'resume' } & Work)
  | ({ readonly kind: 'continue' } & Work)

const NOTHING: Point = {
  totals: { files: 0, bytes: 0, records: 0, withoutRecords: 0 },
  protocol: null,
  metadata: null,
}

/**
 * @throws SluiceError LOG_REWRITTEN when the log no longer is the one that was imported
 */
export async function startOf(options: {
  readonly head: Head | null
  readonly wholeness: Wholeness | null
  readonly history: History
  readonly log: LogStore
  readonly database: SqlReader
  readonly signal: AbortSignal
}): Promise<Start> {
  const { head, history, database } = options
  const latest = history.commits.at(-1)?.version ?? history.from
  if (head === null) return fresh(history, null, { purge: false, note: null, importId: null })
  const unfinished = head.cursor
  if (options.wholeness === 'broken') {
    return fresh(history, head, {
      purge: true,
      note:
        head.importId === null ? null : 'the catalog rows of this table were removed by hand: importing from nothing',
      importId: null,
    })
  }
  const importId = unfinished?.importId ?? null
  if (head.currentVersion === null) {
    const rows = unfinished?.checkpointRows ?? 0
    const same = history.checkpoint !== null && unfinished?.checkpoint === checkpointIdentity(history.checkpoint)
    if (rows === 0 || !same || unfinished === null) return fresh(history, head, { purge: true, note: null, importId })
    return {
      kind: 'resume',
      head,
      history,
      historyFrom: history.from,
      commits: history.commits,
      resume: NOTHING,
      purge: false,
      note: null,
      importId,
      done: unfinished.done,
      skipRows: rows,
    }
  }
  if (head.importId === null && (await changedSince(database, head, history))) {
    const note = 'commits that an unfinished import brought in have changed since: importing from nothing'
    return fresh(history, head, { purge: true, note, importId })
  }
  await checkSameLog({ ...options, head, current: head.currentVersion, latest })
  const current = head.currentVersion
  if (history.from > current + 1 || (history.from > current && history.checkpoint !== null)) {
    return fresh(history, head, {
      purge: true,
      note: `the log was cleaned past version ${current}: history now begins at version ${history.from}`,
      importId,
    })
  }
  if (latest === current && unfinished === null) return { kind: 'current', head }
  return {
    kind: head.importId === null || unfinished !== null ? 'resume' : 'continue',
    head,
    history,
    historyFrom: head.historyFrom ?? history.from,
    commits: history.commits.filter((commit) => commit.version > current),
    resume: await resumePoint(database, head),
    purge: false,
    note: null,
    importId,
    done: unfinished?.done ?? 0,
    skipRows: 0,
  }
}

/** The checkpoint that has to be loaded before the commits, or null. */
export function baseOf(start: Exclude<Start, { kind: 'current' }>): CheckpointFiles | null {
  return start.head === null || start.head.currentVersion === null ? start.history.checkpoint : null
}

/** Names, sizes and times of a checkpoint's files: rows of it are only skipped on resume while this is the same. */
export function checkpointIdentity(checkpoint: CheckpointFiles): string {
  return checkpoint.files.map((file) => `${file.name}:${file.size}:${file.modified}`).join('|')
}

function fresh(
  history: History,
  head: Head | null,
  how: { readonly purge: boolean; readonly note: string | null; readonly importId: string | null },
): Start {
  const cleared =
    head === null
      ? null
      : { ...head, importId: null, currentVersion: null, historyFrom: null, commitTime: null, cursor: null }
  return {
    kind: 'fresh',
    head: cleared,
    history,
    historyFrom: history.from,
    commits: history.commits,
    resume: NOTHING,
    done: 0,
    skipRows: 0,
    ...how,
  }
}

/** Whether any commit has another size or time than when it was brought in: of a table that nobody could read yet, all can be thrown away. */
async function changedSince(database: SqlReader, { tableId }: Head, history: History): Promise<boolean> {
  const rows = await database.all(
    'SELECT version, log_bytes, file_mtime FROM delta_commits WHERE table_id = ? AND log_bytes IS NOT NULL',
    [tableId],
  )
  const known = new Map(
    rows.map(([version, bytes, modified]) => [Number(version), `${String(bytes)}:${String(modified)}`]),
  )
  return [...(history.baseCommit === null ? [] : [history.baseCommit]), ...history.commits].some(
    ({ version, size, modified }) => (known.get(version) ?? `${size}:${modified}`) !== `${size}:${modified}`,
  )
}

/** Compares the newest commit that is in the catalog with the log's: a rewritten log must never be mixed with its old self. */
async function checkSameLog(options: {
  readonly head: Head
  readonly current: number
  readonly latest: number
  readonly history: History
  readonly log: LogStore
  readonly database: SqlReader
  readonly signal: AbortSignal
}): Promise<void> {
  const { head, current, latest, history, log, database, signal } = options
  const rewritten = (detail: string): SluiceError =>
    new SluiceError('LOG_REWRITTEN', `the log is no longer the one that was imported: ${detail}`, {
      where: `${log.label}/_delta_log`,
      reason:
        'a table was replaced, restored from a backup or its log edited; mixing two histories would give wrong answers',
      hint: `if the log is right, take the table out and import it again: sluice rollback ${shellQuote(head.tableId)} --database-url … --confirm=${shellQuote(head.tableId)}`,
    })
  if (latest < current) throw rewritten(`its newest version is ${latest}, the catalog holds ${current}`)
  const commit = [
    ...history.orphans,
    ...(history.baseCommit === null ? [] : [history.baseCommit]),
    ...history.commits,
  ].find((one) => one.version === current)
  if (commit === undefined) return
  const [row] = await database.all(
    'SELECT log_bytes, log_digest FROM delta_commits WHERE table_id = ? AND version = ?',
    [head.tableId, current],
  )
  const [bytes, digest] = (row ?? [null, null]) as [number | null, Uint8Array | null]
  if (bytes === null || digest === null) return
  if (bytes !== commit.size) throw rewritten(`commit ${current} has ${commit.size} bytes, it had ${bytes}`)
  const hash = createHash('sha256')
  for await (const chunk of log.read(`_delta_log/${commit.name}`, { signal })) hash.update(chunk)
  if (!hash.digest().equals(digest)) throw rewritten(`commit ${current} has other bytes than it had`)
}
