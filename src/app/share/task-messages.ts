/** Messages between a worker and the program of a task. */
import type { AlertKey } from '../../model/run/alert.ts'
import type { AlertMemory, AlertState } from '../../model/run/alert-memory.ts'
import type { Event } from '../../model/run/event.ts'
import { TASK_TURN_MS, type LedgerTotals, type TransientFailures } from '../../model/share/distributed.ts'
import type { ClaimedTask } from '../../model/share/queue-port.ts'
import type { ErrorInfo } from '../../shared/errors.ts'
import type { Identity } from '../../engine/run/identity.ts'
import type { SteeringRequest } from '../../engine/run/operation.ts'
import type { NamedUrl } from '../../model/share/own-url.ts'

/**
 * @property leftOut true if the program ended by itself, because steering requests exclude all remaining work
 * @property isUnworked true if the program ended before its run began, so no alert was raised
 * @property failures errors of incomplete tables
 * @property isGone true if the program did not reply for too long, and was killed
 */
export type TaskResult = {
  readonly exitCode: number
  readonly error?: ErrorInfo
  readonly crashed: boolean
  readonly leftOut?: true
  readonly isUnworked?: true
  readonly failures?: readonly ErrorInfo[]
  readonly isGone?: true
}

/** Instructions for the program, which do not appear in the process list. */
export type TaskOrder = Pick<Identity, 'tool' | 'actor' | 'host' | 'book'> & {
  readonly commandLine: string
  /** The operation with names instead of URLs. */
  readonly operation: unknown
  /** URLs on this machine for the store names in `operation`. */
  readonly stores: readonly NamedUrl[]
  /** Steering requests that the program applies before its work begins. */
  readonly wishes: readonly SteeringRequest[]
  /** Id of the shared run. The run of the task records it in the ledger, besides its own id. */
  readonly sharedRun: string
  /** Failed turns of the task so far. */
  readonly rested: TransientFailures
  /** The turn ends after this time of work, ms; if absent, when the work is done. */
  readonly turnMs?: number
  /** True: the task copies and compares for the task of the stream, and does not run the stream itself. */
  readonly onCall?: true
  /** Digest of the confirmed plan: the task does nothing if its current plan differs. */
  readonly mark?: string
}

/** The order of a claimed task. @param stores URLs of the task's store names on this machine */
export function orderOf(
  slot: ClaimedTask,
  stores: readonly NamedUrl[],
  { tool, actor, host, book }: Pick<TaskOrder, 'tool' | 'actor' | 'host' | 'book'>,
): Omit<TaskOrder, 'wishes'> {
  return {
    operation: slot.operation,
    stores,
    commandLine: slot.commandLine,
    sharedRun: slot.sharedRun,
    rested: slot.rested,
    tool,
    actor,
    host,
    ...(slot.takesTurns ? { turnMs: TASK_TURN_MS } : {}),
    ...(slot.mark === null ? {} : { mark: slot.mark }),
    ...(slot.onCall ? { onCall: true } : {}),
    // Do not record on-call runs: they follow each other within a task, and have no tables of their own.
    ...(book === undefined || slot.onCall ? {} : { book }),
  }
}

/** A call to the alert memory in the queue. `begin`: start, ms since the epoch; `sent`: which state was sent. */
export type AlertAct = { readonly begin: number } | 'end' | { readonly sent: AlertState }
export type AlertQuestion = { readonly id: number; readonly act: AlertAct; readonly key: AlertKey }

/** @property answer null if the worker does not reply */
export type AlertAnswer = {
  readonly id: number
  readonly answer:
    | { readonly act: 'begin'; readonly found: Awaited<ReturnType<AlertMemory['begin']>> }
    | { readonly act: 'end'; readonly found: Awaited<ReturnType<AlertMemory['end']>> }
    | { readonly act: 'sent' }
    | null
}

export type ToTask =
  | { readonly order: TaskOrder }
  | { readonly alert: AlertAnswer }
  | { readonly wish: SteeringRequest }
  | { readonly stop: true }
  | { readonly abort: true }
  | { readonly ping: true }

export type FromTask =
  | { readonly event: Event }
  | { readonly callOthers: true }
  | { readonly totals: LedgerTotals }
  | { readonly pong: true }
  | { readonly alert: AlertQuestion }
  | { readonly done: Omit<TaskResult, 'crashed'> }
