/** All data about one run, by source. A part is null if its source was not read. */
import type { Dec } from '../dec.ts'
import type { CurvePoint } from '../run-history.ts'

/** @property knows true if the source has the run; the part of the report named `what` then has its data */
export type InspectedAt = {
  readonly what: 'ledger' | 'catalog' | 'book' | 'queue'
  readonly where: string
  readonly knows: boolean
}

/** A source that could not be read: it may or may not have the run. */
export type NotReached = {
  readonly what: 'ledger' | 'catalog' | 'queue'
  readonly where: string
  readonly code: string
  readonly message: string
}

export type ReportedTable = {
  readonly table: string
  /** Chunks by state. */
  readonly chunks: Readonly<Record<string, Dec>>
  readonly read: Dec
  /** Rows that this run wrote: copied, or repaired. */
  readonly written: Dec
  /** Compared rows that were already in the target and equal: not written. */
  readonly equal: Dec
  /** Rows that this run removed from the target. */
  readonly removed: Dec
  readonly skipped: Dec
  /** Quarantined rows. */
  readonly aside: Dec
  /** Rows of completed chunks, by the proof recorded in the ledger. */
  readonly proved: Readonly<Record<string, Dec>>
}

export type ReportedFailure = {
  readonly table: string
  readonly chunk: string
  readonly status: string
  readonly attempts: number
  readonly code: string | null
  readonly message: string
}

export type ReportedRefusals = {
  readonly table: string
  readonly stage: string
  readonly code: string
  readonly rows: Dec
  /** How many of these rows a later attempt has copied. */
  readonly replayed: Dec
  /** Message of one of these rows. */
  readonly example: string
}

export type ReportedChunk = { readonly table: string; readonly chunk: string; readonly ms: number; readonly rows: Dec }

/** Chunks that took less than `belowMs`, but at least the previous limit; null is open. */
export type DurationBand = { readonly belowMs: number | null; readonly chunks: number }

/** Number of newest runs of a ledger that are searched for other runs of the same tables. */
export const OTHERS_AMONG = 500

/** Another run of the same tables. */
export type OtherRun = {
  readonly run: string
  readonly operation: string
  readonly status: string
  readonly startedAt: string | null
  readonly tables: readonly string[]
}

export type LedgerPart = {
  readonly operation: string
  readonly source: string
  readonly target: string
  readonly status: string
  readonly startedAt: string | null
  readonly endedAt: string | null
  readonly exitCode: number | null
  readonly detail: string | null
  readonly rows: Dec
  readonly command: string | null
  readonly tool: string | null
  readonly actor: string | null
  readonly tables: readonly ReportedTable[]
  readonly failures: readonly ReportedFailure[]
  /** Number of failed chunks that are not listed. */
  readonly moreFailures: Dec
  readonly refusals: readonly ReportedRefusals[]
  readonly slowest: readonly ReportedChunk[]
  readonly durations: readonly DurationBand[]
  readonly others: readonly OtherRun[]
}

export type ReportedImport = {
  readonly run: string
  readonly table: string
  readonly status: string
  readonly version: number | null
  readonly files: Dec
  readonly startedAt: string | null
  readonly endedAt: string | null
  readonly error: string | null
}

export type ReportedValidation = {
  readonly run: string
  readonly table: string
  readonly version: number
  readonly checks: Dec
  readonly differences: Dec
  readonly at: string
}

/** The run as one of its records has it. */
type RecordedRun = {
  readonly command: string
  readonly status: string
  readonly startedAt: string
  readonly endedAt: string | null
  readonly exitCode: number | null
  readonly error: string | null
}

export type CatalogPart = RecordedRun & {
  readonly subject: string | null
  readonly tool: string
  readonly actor: string
  readonly host: string
  /** Imports of any table that began during the run; may include those of other programs. */
  readonly imports: readonly ReportedImport[]
  /** Validations recorded by this run. */
  readonly validations: readonly ReportedValidation[]
}

export type BookPart = RecordedRun & {
  readonly kind: string
  readonly about: string
  readonly source: string | null
  readonly target: string | null
  readonly totals: Readonly<Record<string, Dec>>
  readonly curve: readonly CurvePoint[]
}

/**
 * A task of a shared run. @property ledgerRun id of its newest execution in ledger, catalog and run history; that run
 * has its own report
 */
export type ReportedSlot = {
  readonly slot: Dec
  readonly about: string
  readonly state: string
  readonly turns: Dec
  readonly host: string | null
  readonly ledgerRun: string | null
  readonly rows: Dec
  readonly chunks: Dec
  readonly exitCode: number | null
  readonly error: string | null
}

/** A run in a queue of workers. Rows and chunks of a copy come from its ledger, those of a task from its report. */
export type QueuePart = RecordedRun & {
  readonly operation: string
  readonly source: string | null
  readonly target: string | null
  readonly actor: string
  readonly host: string
  readonly rows: Dec
  readonly chunks: Dec
  /** When the ledger was read, if that was before the end of the run. */
  readonly countedAt: string | null
  readonly slots: readonly ReportedSlot[]
  /** Tables that failed or were refused, according to the tasks. */
  readonly causes: readonly { readonly table: string; readonly cause: string; readonly hint: string }[]
  /** Notes of the tasks of an ended run about its tables, such as surplus rows. */
  readonly notes: readonly { readonly table: string; readonly note: string }[]
  /** Workers that refuse it. */
  readonly refusals: readonly { readonly host: string; readonly error: string }[]
}

export type RunReport = {
  readonly format: 'sluice-run-report'
  readonly version: 1
  readonly run: string
  /** Time of the report, and program version that wrote it. */
  readonly at: string
  readonly tool: string
  /** Sources that were read. */
  readonly looked: readonly InspectedAt[]
  readonly notReached: readonly NotReached[]
  /** What was not read, as text. */
  readonly notLookedAt: readonly string[]
  readonly ledger: LedgerPart | null
  readonly catalog: CatalogPart | null
  readonly book: BookPart | null
  /** For shared runs; absent if the queue was not read. */
  readonly queue?: QueuePart | null
}
