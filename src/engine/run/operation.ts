/** Context of an operation, and steering requests. The list of operations is in app/operations/list.ts. */
import type { Interrupt } from '../../shared/abort.ts'
import type { Clock } from '../../shared/clock.ts'
import type { ReadWords, WorkOf } from '../../model/share/work-port.ts'
import type { Emit, EventBody, EventType } from '../../model/run/event.ts'
import type { TableRequest } from '../../model/run/table-request.ts'

/** @property shared set in a distributed run: a program without this table leaves the request to the other programs */
export type TableSteering = TableRequest & { readonly shared?: true }

/** Steering request for a running copy. */
export type SteeringRequest =
  | TableSteering
  | { readonly act: 'hold'; readonly held: boolean }
  /** Stop after the chunks that are being copied. */
  | { readonly act: 'stop' }
  | { readonly act: 'workers'; readonly workers: number }
  /** Number of apply workers of a replication stream. */
  | { readonly act: 'lanes'; readonly lanes: number }
  /** Rows per second; null for no limit. */
  | { readonly act: 'rate'; readonly rate: number | null }

/** Steering values of a run, which may change while it runs; read between batches. */
export type RunControl = {
  readonly paused: boolean
  /** Number of workers that may work now; null: the number in the operation. */
  readonly lanes: number | null
  /** Requested bytes a second, or null for no limit; absent: the rate in the operation. */
  readonly rate?: number | null | undefined
  /** True if the number of workers cannot be changed while the operation runs. */
  readonly fixedApplyWorkers?: boolean
  /**
   * Set if the operation can listen for each request. A copy receives all requests here, also earlier ones, and ignores
   * the fields above.
   */
  readonly onRequest?: (listener: (request: SteeringRequest) => void) => void
}

/** Context that an operation needs besides its own data. */
export type OperationContext<E extends EventType = EventType> = {
  readonly emit: Emit<E>
  readonly interrupt: Interrupt
  readonly clock: Clock
  /** Version of this tool, for commitInfo, audit and run.started. */
  readonly tool: string
  /** User name and host that run the operation, for the audit. */
  readonly actor: string
  readonly host: string
  /** The equivalent command line without secrets: printed as the resume command. */
  readonly commandLine: string
  readonly control?: RunControl
  /** Parses stored words of a command line; absent if no parser is available. */
  readonly readCommand?: ReadWords
  /** Turns an operation into work that can be queued; absent in a part of a run. */
  readonly workOf?: WorkOf
  /** Resolves when emitted events are written: long lists wait for it, so that a slow reader does not fill memory. */
  readonly drained?: () => Promise<void>
}

export type RunFinished = Extract<EventBody, { type: 'run.finished' }>
