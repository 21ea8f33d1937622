/** What is known of one run, by whom: each part names where it stands, and parts that nobody looked at are null. */
import type { Dec } from '../dec.ts'
import type { CurvePoint } from '../run-book.ts'

/** @property knows whether it has the run; what it says of the run stands in the part of its name */
export type LookedAt = {
  readonly what: 'ledger' | 'catalog' | 'book' | 'queue'
  readonly where: string
  readonly knows: boolean
}

/** Who was to be asked, and could not be: whether it knows the run is not told. */
export type NotReached = {
  readonly what: 'ledger' | 'catalog' | 'queue'
  readonly where: string
  readonly code: string
  readonly message: string
}

export type ReportedTable = {
  readonly table: string
  /** Chunks by their state. */
  readonly chunks: Readonly<Record<string, Dec>>
  readonly read: Dec
  /** Rows that this run has written: copied, or mended where they differed. */
  readonly written: Dec
  /** Rows that were in the target already, and that this run has compared: nothing of them was written. */
  readonly equal: Dec
  /** Rows that this run has removed from the target. */
  readonly removed: Dec
  readonly skipped: Dec
  readonly aside: Dec
  /** Rows of completed chunks by the proof that their ledger rows name. */
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
  /** Of those, rows that a later try has brought. */
  readonly replayed: Dec
  /** The message of one of them. */
  readonly example: string
}

export type ReportedChunk = { readonly table: string; readonly chunk: string; readonly ms: number; readonly rows: Dec }

/** Chunks that took less than `belowMs`, and not less than the band before; null is open. */
export type DurationBand = { readonly belowMs: number | null; readonly chunks: number }

/** Other runs of the same tables are looked for among so many of a ledger, the newest. */
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
  /** Chunks that failed beyond those that are listed. */
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

export type CatalogPart = {
  readonly command: string
  readonly subject: string | null
  readonly status: string
  readonly startedAt: string
  readonly endedAt: string | null
  readonly exitCode: number | null
  readonly error: string | null
  readonly tool: string
  readonly actor: string
  readonly host: string
  /** Imports that began while it ran, of whatever table: those of another program may be among them. */
  readonly imports: readonly ReportedImport[]
  /** Those that this run has noted. */
  readonly validations: readonly ReportedValidation[]
}

export type BookPart = {
  readonly kind: string
  readonly about: string
  readonly command: string
  readonly source: string | null
  readonly target: string | null
  readonly startedAt: string
  readonly endedAt: string | null
  readonly status: string
  readonly exitCode: number | null
  readonly totals: Readonly<Record<string, Dec>>
  readonly error: string | null
  readonly curve: readonly CurvePoint[]
}

/** A slot of a shared run. @property ledgerRun the run of ledger, catalog and book that its newest turn is: a report of that one tells of its tables */
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

/** What a queue of workers has of a run: rows and chunks of a copy are those of the target's ledger, those of a slot what it reported last. */
export type QueuePart = {
  readonly operation: string
  readonly command: string
  readonly source: string | null
  readonly target: string | null
  readonly status: string
  readonly startedAt: string
  readonly endedAt: string | null
  readonly exitCode: number | null
  readonly error: string | null
  readonly actor: string
  readonly host: string
  readonly rows: Dec
  readonly chunks: Dec
  /** When the ledger was read for them, where that was before the end of the run. */
  readonly countedAt: string | null
  readonly slots: readonly ReportedSlot[]
  /** Tables that failed or were refused, as the slots have said. */
  readonly causes: readonly { readonly table: string; readonly cause: string; readonly hint: string }[]
  /** What slots of a run that has ended noted of its tables, such as rows that only the target has. */
  readonly notes: readonly { readonly table: string; readonly note: string }[]
  /** Workers that refuse it. */
  readonly refusals: readonly { readonly host: string; readonly error: string }[]
}

export type RunReport = {
  readonly format: 'sluice-run-report'
  readonly version: 1
  readonly run: string
  /** When it was written, and by which program. */
  readonly at: string
  readonly tool: string
  readonly looked: readonly LookedAt[]
  readonly notReached: readonly NotReached[]
  /** What was not looked at, in words. */
  readonly notLookedAt: readonly string[]
  readonly ledger: LedgerPart | null
  readonly catalog: CatalogPart | null
  readonly book: BookPart | null
  /** Of a run that workers share; absent where the queue was not asked. */
  readonly queue?: QueuePart | null
}
