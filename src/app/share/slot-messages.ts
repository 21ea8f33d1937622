/** What a worker and the program of one slot tell each other. */
import type { AlertKey, AlertMemory, AlertState } from '../../model/run/alert-memory.ts'
import type { Event } from '../../model/run/event.ts'
import type { LedgerTotals, Rested } from '../../model/share/distributed.ts'
import type { ErrorInfo } from '../../shared/errors.ts'
import type { Wish } from '../../engine/run/operation.ts'
import type { NamedUrl } from '../../model/share/own-url.ts'

/**
 * @property leftOut it has stopped by itself: all that is left of it was left out as asked
 * @property isUnworked it ended before its run began, so its run has raised no alert
 * @property failures errors of its tables that are not whole
 * @property isGone it answered nothing for too long, and was killed
 */
export type SlotDone = {
  readonly exitCode: number
  readonly error?: ErrorInfo
  readonly crashed: boolean
  readonly leftOut?: true
  readonly isUnworked?: true
  readonly failures?: readonly ErrorInfo[]
  readonly isGone?: true
}

/** What the slot is to do; it stands in no list of processes. */
export type SlotOrder = {
  /** With names in place of URLs. */
  readonly operation: unknown
  /** What the names mean on this machine. */
  readonly stores: readonly NamedUrl[]
  readonly commandLine: string
  readonly tool: string
  readonly actor: string
  readonly host: string
  /** Heeded before anything of it begins. */
  readonly wishes: readonly Wish[]
  /** What its run notes in the ledger beside its own id. */
  readonly sharedRun: string
  /** Turns before it that have failed. */
  readonly rested: Rested
  /** Ends well after so long a time of work, ms; whenever it is done when absent. */
  readonly turnMs?: number
  /** Compares with the slot that has the stream, and follows nothing by itself. */
  readonly onCall?: true
  /** Of the plan that was confirmed: it makes its own first, and does nothing where that is another one. */
  readonly mark?: string
  /** Folder of the book of this machine's runs. */
  readonly book?: string
}

/** What is asked of the memory of alerts, for the queue to say: of `begin` when it began, ms since the epoch; of `sent` which of both was. */
export type AlertAct = { readonly begin: number } | 'end' | { readonly sent: AlertState }
export type AlertQuestion = { readonly id: number; readonly act: AlertAct; readonly key: AlertKey }

/** @property answer null where the worker does not answer */
export type AlertAnswer = {
  readonly id: number
  readonly answer:
    | { readonly act: 'begin'; readonly found: Awaited<ReturnType<AlertMemory['begin']>> }
    | { readonly act: 'end'; readonly found: Awaited<ReturnType<AlertMemory['end']>> }
    | { readonly act: 'sent' }
    | null
}

export type ToSlot =
  | { readonly order: SlotOrder }
  | { readonly alert: AlertAnswer }
  | { readonly wish: Wish }
  | { readonly stop: true }
  | { readonly abort: true }
  | { readonly ping: true }

export type FromSlot =
  | { readonly event: Event }
  | { readonly callOthers: true }
  | { readonly totals: LedgerTotals }
  | { readonly pong: true }
  | { readonly alert: AlertQuestion }
  | { readonly done: Omit<SlotDone, 'crashed'> }
