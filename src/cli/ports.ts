/** What the command line needs from the engine and the terminal UI. Both are loaded on demand, and replaced in tests. */
import type { LifecycleStatusOperation } from '../partition/operations/lifecycle-status/declaration.ts'
import type { CommandPort } from '../app/command-port.ts'
import type { RunFinished } from '../engine/run/operation.ts'
import type { JoinedRun, Workbench } from '../app/workbench.ts'
import type { DistributedRun, RunWishes } from '../model/share/distributed.ts'
import type { TableWish } from '../model/run/table-wish.ts'
import type { SlotListener } from '../engine/run/run-context.ts'
import type { Event } from '../model/run/event.ts'
import type { ErrorInfo } from '../shared/errors.ts'
import type { Interrupt } from '../shared/abort.ts'
import type { Deadline } from '../shared/deadline.ts'
import type { Clock } from '../shared/clock.ts'
import type { Operation } from '../app/operations/list.ts'

/** A store of the config file, as the UI lists it: its URL has no password. */
export type NamedStore = { readonly name: string; readonly url: string; readonly error?: ErrorInfo }

export type RunOptions = {
  readonly interrupt: Interrupt
  readonly clock: Clock
  readonly tool: string
  readonly actor: string
  readonly host: string
  readonly commandLine: string
  readonly book?: string
  readonly onEvent: (event: Event) => void
  /** Of a worker: told of its slots. */
  readonly slots?: SlotListener
  readonly drained?: () => Promise<void>
}

/** The queue of workers by its whole URL, or why what the config file names is none. */
export type KnownQueue = { readonly url: string; readonly error?: ErrorInfo }

/** A store of the config file, with its whole URL. */
export type NamedUrl = { readonly name: string; readonly url: string }

export type EnginePort = {
  /** Leaves an operation to workers. */
  distribute(options: {
    readonly operation: Operation
    readonly commandLine: string
    readonly queue: string
    readonly queueName: string | null
    readonly slots: number
    readonly stores: readonly NamedUrl[]
    readonly tool: string
    readonly actor: string
    readonly host: string
    readonly clock: Clock
    readonly warn: (message: string) => void
  }): Promise<{
    readonly runId: string
    readonly slots: number
    readonly onCall: number
    readonly label: string
    readonly workers: number
  }>
  /** Looks at a run of a queue, or says what is wished of it. */
  steerShared(
    connect: string,
    runId: string,
    wishes: RunWishes | null,
    tables?: readonly TableWish[],
  ): Promise<DistributedRun>
  /** Emits run.started to run.finished, also when it fails. */
  runOperation(operation: Operation, options: RunOptions): Promise<RunFinished>
  openWorkbench(options: {
    readonly lake: string | null
    /** Null for a copy, which needs none. */
    readonly catalog: string | null
    /** A database whose tables are shown too. */
    readonly database: string | null
    /** Of databases that operations may name by what is shown of them. */
    readonly urls: readonly string[]
    readonly tool: string
    readonly actor: string
    readonly host: string
    /** Folder of the book of this machine's runs. */
    readonly book?: string
    /** The queue of workers, where one is named. */
    readonly queue?: KnownQueue
    /** Of each run. */
    readonly deadline?: Deadline
  }): Promise<Workbench>
}

/** A long command that the UI starts at once, shows on its Run screen, and leaves with. */
export type RunToShow = { readonly operation: Operation; readonly commandLine: string; readonly leaveWhenDone: boolean }

/** A run of another program that is looked at, and goes on when it is left. */
export type RunToWatch = { readonly joined: JoinedRun; readonly leaveWhenDone: boolean }

export type TuiPort = {
  runTui(options: {
    readonly workbench: Workbench
    readonly tool: string
    readonly ascii: boolean
    readonly lifecycle?: LifecycleStatusOperation
    readonly stores?: readonly NamedStore[]
    readonly memory?: { read(): unknown; write(value: unknown): void }
    readonly commands?: CommandPort
    readonly stdin: NodeJS.ReadStream
    readonly stdout: NodeJS.WriteStream
    readonly initial?: RunToShow | RunToWatch
    /** Hears the events of every run, numbered from 1, with the exit code of whoever ended it. */
    readonly onEvent?: (run: number, event: Event) => void
  }): Promise<{ readonly exitCode: number; readonly goesOn?: boolean }>
}

/** Of a run that goes on without its terminal: what it does, confirmed already, and who started it. */
export type Background = { readonly operation: Operation; readonly tell: (line: string) => void }

/** Everything outside of us that a command touches. */
export type Surroundings = {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  readonly stdinTTY: boolean
  readonly stdoutTTY: boolean
  /** Whether stderr gets colours, settled before NO_COLOR was taken away. */
  readonly colorTalk: boolean
  readonly clock: Clock
  /** Where a config file is looked for that nobody names; nowhere where it is absent. */
  readonly searchFrom?: string
  /** How hints call the program; `sluice` where nothing is said. */
  readonly program?: string
  /** Emits SIGINT, SIGTERM, SIGHUP: the process, or an emitter in tests. */
  readonly signals: NodeJS.EventEmitter
  /** Ends the process at once, when a clean-up does not come to an end. */
  readonly die: (exitCode: number) => void
  readonly background?: Background
  readonly loadEngine: () => Promise<EnginePort>
  readonly loadTui: () => Promise<TuiPort>
}
