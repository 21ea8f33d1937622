/** Start of an import: from nothing, after a kill, with new commits only, from a new base, or not at all. */
import type { MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import type { CheckpointFiles, CommitFile, LogListing } from '../../delta/listing.ts'
import { missingAbove, type History } from '../../delta/segment.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import type { SqlDatabase } from '../../model/run/sql-port.ts'
import { SluiceError } from '../../shared/errors.ts'
import { importAgainText } from '../location-hints.ts'
import { resumePoint, type ImportHead, type Totals, type ImportCompleteness } from './head.ts'

export type ImportPoint = {
  readonly totals: Totals
  readonly protocol: ProtocolAction | null
  readonly metadata: MetadataAction | null
}

type Work = {
  /** The head row as it will be when the import begins; null if there is no row yet. */
  readonly head: ImportHead | null
  readonly history: History
  readonly historyFrom: number
  /** Commits to import, ascending. */
  readonly commits: readonly CommitFile[]
  readonly resume: ImportPoint
  /** True if the table's rows must be removed first; `note` gives the reason if the user should know it. */
  readonly purge: boolean
  readonly note: string | null
  /** Id of an unfinished import that is resumed, or null. */
  readonly importId: string | null
  /** Number of actions done by earlier runs of the import. */
  readonly done: number
  /** Number of base checkpoint rows that are already in the catalog. */
  readonly skipRows: number
  /** Rows below this version, left by a move to a new base, are deleted at the end; null if there are none. */
  readonly sweep: number | null
}

export type Start =
  | { readonly kind: 'current'; readonly head: ImportHead }
  | ({ readonly kind: 'fresh' } & Work)
  | ({ readonly kind: 'resume' } & Work)
  | ({ readonly kind: 'continue' } & Work)
  /**
   * The log was cleaned past the current version: a checkpoint above that version becomes the base. Until the base is
   * current, readers see the old version.
   */
  | ({ readonly kind: 'rebase' } & Work)

const NOTHING: ImportPoint = {
  totals: { files: 0, bytes: 0, records: 0, withoutRecords: 0 },
  protocol: null,
  metadata: null,
}

/**
 * Commits above a version; null if a commit between that version and the newest one is missing. The listing may lack
 * older commits.
 */
export function commitsAbove(listing: LogListing, current: number): readonly CommitFile[] | null {
  const above = listing.commits.filter(({ version }) => version > current)
  const whole = above.every(({ version }, i) => version === current + 1 + i)
  return whole && current + above.length === listing.latest ? above : null
}

/**
 * Decides how an import starts. The caller checks that the log is the imported one.
 * @param options.changed true if no import of the table was completed yet, and commits that it has read have changed
 * @throws SluiceError LOG_GAP if commits above the current version are missing, but not because of a cleanup
 */
export async function importStart(options: {
  readonly head: ImportHead | null
  readonly wholeness: ImportCompleteness | null
  readonly changed: boolean
  readonly listing: LogListing
  readonly history: History
  readonly log: LogStore
  readonly database: SqlDatabase
}): Promise<Start> {
  const { head, history, listing, database } = options
  if (head === null) return fresh(history, null, { purge: false, note: null, importId: null })
  const unfinished = head.cursor
  if (options.wholeness === 'broken') {
    return fresh(history, head, {
      purge: true,
      note:
        head.importId === null
          ? null
          : 'the catalog rows of this table were removed by hand: importing all versions again',
      importId: null,
    })
  }
  const importId = unfinished?.importId ?? null
  const current = head.currentVersion
  if (current === null) {
    const rows = unfinished?.checkpointRows ?? 0
    const same = history.checkpoint !== null && unfinished?.checkpoint === checkpointIdentity(history.checkpoint)
    if (rows === 0 || !same || unfinished === null) return fresh(history, head, { purge: true, note: null, importId })
    return {
      ...workFrom(history, { head, importId, note: null }),
      kind: 'resume',
      done: unfinished.done,
      skipRows: rows,
    }
  }
  if (options.changed) {
    const note = 'commits of an unfinished import have changed since: importing all versions again'
    return fresh(history, head, { purge: true, note, importId })
  }
  const commits = commitsAbove(listing, current)
  if (commits === null) {
    refuseLate(listing, head, current, options)
    const note = `the log was cleaned past version ${current}: history now begins at version ${history.from}`
    // An import that was never complete has no readers: nothing needs to stay readable.
    if (head.importId === null) return fresh(history, head, { purge: true, note, importId })
    return { ...workFrom(history, { head, importId, note }), kind: 'rebase', sweep: history.from }
  }
  if (listing.latest === current && unfinished === null) return { kind: 'current', head }
  const base = unfinished?.rebase ?? null
  return {
    ...workFrom(history, { head, importId, note: null }),
    kind: head.importId === null || unfinished !== null ? 'resume' : 'continue',
    historyFrom: head.historyFrom ?? history.from,
    commits,
    resume: await resumePoint(database, head),
    done: unfinished?.done ?? 0,
    // If the new base is not current yet, no sweep is needed: the import discards rows above the current version.
    sweep: base !== null && base <= current ? head.historyFrom : null,
  }
}

/**
 * Refuses a log that has commits up to the current version and lacks later ones. A cleanup removes the oldest commits
 * first, so the later ones were lost, or a copy of the log has not received them yet. A new base would remove versions
 * of which the catalog may have the only copy.
 */
function refuseLate(
  listing: LogListing,
  { tableId }: ImportHead,
  current: number,
  { log, database }: { readonly log: LogStore; readonly database: SqlDatabase },
): void {
  const missing = missingAbove(listing, current)
  if (missing === null || listing.commits.every(({ version }) => version > current)) return
  throw new SluiceError('LOG_GAP', missing, {
    where: `${log.label}/_delta_log`,
    reason: `a cleanup removes the oldest commits first, but this log still has older ones; if the log is being copied, the commits may still arrive; the catalog still has the versions up to ${current}`,
    hint: `restore the missing commits, then import again; ${importAgainText(tableId, database.label)}`,
    retryable: true,
  })
}

/** The checkpoint that must be loaded before the commits, or null. */
export function baseCheckpoint(start: Exclude<Start, { kind: 'current' }>): CheckpointFiles | null {
  const loads = start.kind === 'rebase' || start.head === null || start.head.currentVersion === null
  return loads ? start.history.checkpoint : null
}

/** Names, sizes and times of a checkpoint's files; a resumed import skips its rows only if they are unchanged. */
export function checkpointIdentity(checkpoint: CheckpointFiles): string {
  return checkpoint.files.map((file) => `${file.name}:${file.size}:${file.modified}`).join('|')
}

function fresh(
  history: History,
  head: ImportHead | null,
  how: { readonly purge: boolean; readonly note: string | null; readonly importId: string | null },
): Start {
  const cleared =
    head === null
      ? null
      : { ...head, importId: null, currentVersion: null, historyFrom: null, commitTime: null, cursor: null }
  return { ...workFrom(history, { ...how, head: cleared }), kind: 'fresh', purge: how.purge }
}

/** Work of an import of the whole history, from its start. */
function workFrom(
  history: History,
  at: { readonly head: ImportHead | null; readonly importId: string | null; readonly note: string | null },
): Work {
  return {
    head: at.head,
    history,
    historyFrom: history.from,
    commits: history.commits,
    resume: NOTHING,
    purge: false,
    note: at.note,
    importId: at.importId,
    done: 0,
    skipRows: 0,
    sweep: null,
  }
}
