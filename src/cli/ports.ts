/**
 * What the command line needs from the engine and the terminal UI. Both are loaded on demand, and replaced in tests.
 */
import type { LifecycleStatusOperation } from '../partition/operations/lifecycle-status/declaration.ts'
import type * as engine from '../app/index.ts'
import type { CommandPort } from '../app/command-port.ts'
import type { JoinedRun, Workbench } from '../app/workbench.ts'
import type { NamedUrl } from '../model/share/own-url.ts'
import type { Event } from '../model/run/event.ts'
import type { ErrorInfo } from '../shared/errors.ts'
import type { Clock } from '../shared/clock.ts'
import type { Operation } from '../app/operations/list.ts'

/** A store of the config file, as the UI lists it: its URL has no password. */
export type NamedStore = NamedUrl & { readonly error?: ErrorInfo }

/** What the command line calls of the engine; its types are those of the functions that it stands for. */
export type EnginePort = Pick<typeof engine, 'distribute' | 'steerShared' | 'runOperation' | 'openWorkbench'>

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
