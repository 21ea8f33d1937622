/** What is beside an operation: what people ask of it while it runs, and what it needs. What can be started is in operations/list.ts. */
import type { Interrupt } from '../../shared/abort.ts'
import type { Clock } from '../../shared/clock.ts'
import type { ReadWords, WorkOf } from '../../model/share/work-port.ts'
import type { Emit, EventBody, EventType } from '../../model/run/event.ts'
import type { TableWish } from '../../model/run/table-wish.ts'

/** @property shared of a run that several programs share: one that does not have the table leaves it to the others */
export type SteeredWish = TableWish & { readonly shared?: true }

/** What a person asks of a copy while it runs. */
export type Wish =
  | SteeredWish
  | { readonly act: 'hold'; readonly held: boolean }
  /** After the chunks that run. */
  | { readonly act: 'stop' }
  | { readonly act: 'workers'; readonly workers: number }
  /** Of a run that follows: sessions that apply changes. */
  | { readonly act: 'lanes'; readonly lanes: number }
  /** Rows a second; null for no limit. */
  | { readonly act: 'rate'; readonly rate: number | null }

/** What a person turns while a run goes on; read between batches. */
export type RunControl = {
  readonly paused: boolean
  /** Lanes that may work now, or null for what the operation says. */
  readonly lanes: number | null
  /** Nobody turns the lanes while it runs: there are as many as the operation says. */
  readonly fixedLanes?: boolean
  /** Where wishes come one by one: a copy hears them here, those before its listener too, and reads none of the values above. */
  readonly onWish?: (listener: (wish: Wish) => void) => void
}

/** What an operation needs besides its own data. */
export type OperationContext<E extends EventType = EventType> = {
  readonly emit: Emit<E>
  readonly interrupt: Interrupt
  readonly clock: Clock
  /** Version of this tool, for commitInfo, audit and run.started. */
  readonly tool: string
  /** Who runs it, for the audit: user name and host. */
  readonly actor: string
  readonly host: string
  /** The command line that does the same, without secrets: printed as the resume command. */
  readonly commandLine: string
  readonly control?: RunControl
  /** Reads words of a command line, as they were kept; absent where nobody can. */
  readonly readCommand?: ReadWords
  /** An operation as work that can be queued; absent in a part of a run. */
  readonly workOf?: WorkOf
  /** Resolves when what was emitted has been written: long lists wait for it now and then, or a slow reader would have them in memory. */
  readonly drained?: () => Promise<void>
}

export type RunFinished = Extract<EventBody, { type: 'run.finished' }>
