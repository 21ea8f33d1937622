/** What the book of this machine's runs holds. */
import type { ProcessIdentity, StoredIdentity } from '../../shared/owner.ts'
import type { Dec } from './dec.ts'

/** Runs that are kept, the newest. */
export const KEPT_RUNS = 1000

/** A run that begins; nothing of it holds a password. */
export type BookedRun = {
  readonly run: string
  readonly kind: string
  readonly commandLine: string
  /** Absolute path that relative ones of the command mean; null if unknown, as in rows of older programs. */
  readonly folder: string | null
  readonly source: string | null
  readonly target: string | null
  /** What it is about, in words. */
  readonly about: string
  /** ms since the epoch. */
  readonly begunAt: number
  readonly owner: ProcessIdentity
}

export type BookedEnd = {
  readonly endedAt: number
  readonly status: string
  readonly exitCode: number
  readonly totals: Readonly<Record<string, Dec>>
  readonly resumeCommand: string | null
  readonly error: string | null
}

/** How far a run was at a moment. @property lag bytes, or notes, that a run which follows has not applied; null for others */
export type CurvePoint = {
  readonly at: number
  readonly done: number
  readonly bytes: number
  readonly lag: number | null
}

/** A run as the book has it; `end` is null while nobody has said how it ended. */
export type BookRow = Omit<BookedRun, 'owner'> & { readonly owner: StoredIdentity; readonly end: BookedEnd | null }

export type RunBook = Disposable & {
  begin(run: BookedRun): void
  sample(run: string, point: CurvePoint): void
  /** Every second point of a run goes. */
  thin(run: string): void
  end(run: string, end: BookedEnd): void
  /** Newest first. */
  list(limit: number): readonly BookRow[]
  curve(run: string): readonly CurvePoint[]
}

/** The id of a run, by which a stream is called that it began. */
const RUN_ID = /^\d{16,20}$/

/**
 * What a run is about, in words of tables where it names a stream: what the run was about that began it, as far as that is known.
 * @param about as it was noted @param known what runs were about, by id
 */
export function aboutInWords(about: string, known: ReadonlyMap<string, string>): string {
  const seen = new Set<string>()
  let told = about
  while (RUN_ID.test(told)) {
    const before = known.get(told)
    seen.add(told)
    if (before === undefined || before === '' || seen.has(before)) return `stream ${about}`
    told = before
  }
  return told
}
