/** Interfaces of engine and terminal UI for the command line. Both are loaded on demand, and replaced in tests. */
import type { LifecycleStatusOperation } from '../partition/operations/lifecycle-status/declaration.ts'
import type * as engine from '../app/index.ts'
import type { CommandPort } from '../app/command-port.ts'
import type { JoinedRun, Workbench } from '../app/workbench.ts'
import type { Event } from '../model/run/event.ts'
import type { ConfiguredStore } from './config/named-stores.ts'
import type { Clock } from '../shared/clock.ts'
import type { Operation } from '../app/operations/list.ts'

/** Functions of the engine that the command line calls. */
export type EnginePort = Pick<typeof engine, 'distribute' | 'steerShared' | 'runOperation' | 'openWorkbench'>

/** A long command that the UI starts and shows. @property leaveWhenDone true to close the UI when the run has ended */
export type RunToShow = { readonly operation: Operation; readonly commandLine: string; readonly leaveWhenDone: boolean }

/** A run of another program that the UI shows; the run continues after the user has left the UI. */
export type RunToWatch = { readonly joined: JoinedRun; readonly leaveWhenDone: boolean }

/** @property isStillRunning true if a run of another program was still active when the user left */
export type TuiResult = { readonly exitCode: number; readonly isStillRunning: boolean }

export type TuiPort = {
  runTui(options: {
    readonly workbench: Workbench
    readonly tool: string
    readonly ascii: boolean
    readonly lifecycle?: LifecycleStatusOperation
    readonly stores?: readonly ConfiguredStore[]
    readonly memory?: { read(): unknown; write(value: unknown): void }
    readonly commands?: CommandPort
    readonly stdin: NodeJS.ReadStream
    readonly stdout: NodeJS.WriteStream
    readonly initial?: RunToShow | RunToWatch
    /** Called with the events of every run, numbered from 1; `run.finished` has the exit code. */
    readonly onEvent?: (run: number, event: Event) => void
  }): Promise<TuiResult>
}

/** The confirmed operation of a background process, and a channel to the process that started it. */
export type Background = { readonly operation: Operation; readonly listen: (event: Event) => void }

/** Everything outside of the program that a command uses. */
export type CliContext = {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  readonly stdinTTY: boolean
  readonly stdoutTTY: boolean
  /** True if stderr gets colours, decided before NO_COLOR was removed. */
  readonly colorTalk: boolean
  readonly clock: Clock
  /** Folder where the search for a config file begins; absent: no search. */
  readonly searchFrom?: string
  /** How hints call the program; default `sluice`. */
  readonly program?: string
  /** Emits SIGINT, SIGTERM, SIGHUP: the process, or an emitter in tests. */
  readonly signals: NodeJS.EventEmitter
  /** Ends the process at once, if a clean-up does not finish. */
  readonly die: (exitCode: number) => void
  readonly background?: Background
  readonly loadEngine: () => Promise<EnginePort>
  readonly loadTui: () => Promise<TuiPort>
}
