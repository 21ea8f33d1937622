/** Run history of this machine. */
import type { ProcessIdentity, StoredIdentity } from '../../shared/owner.ts'
import type { Dec } from './dec.ts'

/** Number of newest runs that are kept. */
export const KEPT_RUNS = 1000

/** A run that begins; contains no password. */
export type RecordedRun = {
  readonly run: string
  readonly kind: string
  readonly commandLine: string
  /** Absolute path of the folder where relative paths of the command begin; null if unknown, as in old rows. */
  readonly folder: string | null
  readonly source: string | null
  readonly target: string | null
  /** Description of what it works on. */
  readonly about: string
  /** ms since the epoch. */
  readonly begunAt: number
  readonly owner: ProcessIdentity
}

export type RecordedEnd = {
  readonly endedAt: number
  readonly status: string
  readonly exitCode: number
  readonly totals: Readonly<Record<string, Dec>>
  readonly resumeCommand: string | null
  readonly error: string | null
}

/** Progress of a run at a time. @property lag bytes or trigger records not applied by a stream; null for others */
export type CurvePoint = {
  readonly at: number
  readonly done: number
  readonly bytes: number
  readonly lag: number | null
}

/** A run of the history; `end` is null until an end was recorded. */
export type RunHistoryRow = Omit<RecordedRun, 'owner'> & {
  readonly owner: StoredIdentity
  readonly end: RecordedEnd | null
}

export type RunHistory = Disposable & {
  begin(run: RecordedRun): void
  sample(run: string, point: CurvePoint): void
  /** Removes every second point of a run. */
  thinCurve(run: string): void
  end(run: string, end: RecordedEnd): void
  /** Deletes the error messages of all runs, also from the bytes of the file: they may name keys of rows. */
  forgetErrors(): void
  /** Runs, newest first. */
  list(limit: number): readonly RunHistoryRow[]
  curve(run: string): readonly CurvePoint[]
}

/** Id of a run, which also names the stream that it began. */
const RUN_ID = /^\d{16,20}$/

/**
 * Replaces a stream id by the description of the run that began the stream, if known.
 * @param about as recorded @param known descriptions of runs, by id
 */
export function descriptionOf(about: string, known: ReadonlyMap<string, string>): string {
  const seen = new Set<string>()
  let reported = about
  while (RUN_ID.test(reported)) {
    const before = known.get(reported)
    seen.add(reported)
    if (before === undefined || before === '' || seen.has(before)) return `stream ${about}`
    reported = before
  }
  return reported
}
