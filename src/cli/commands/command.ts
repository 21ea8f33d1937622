/** What a file of commands exports for each of its commands. */
import type { RunFinished } from '../../engine/run/operation.ts'
import type { Arguments } from '../arguments.ts'
import type { PrintedMore } from '../command-line.ts'
import type { ConfigDefaults } from '../config.ts'
import type { ControlRequest } from '../ctl.ts'
import type { Hours } from '../hours.ts'
import type { InitRequest } from '../init/run-init.ts'
import type { TrustRequest } from '../trust.ts'
import type { ConfiguredStore } from '../named-stores.ts'
import type { LifecycleStatusOperation } from '../../partition/operations/lifecycle-status/declaration.ts'
import type { Operation } from '../../app/operations/list.ts'

/** What is said and printed around an operation, beside its events. */
export type Told = {
  /** For the command that does the same. */
  readonly printed: PrintedMore
  /** Said at its beginning. */
  readonly notes?: readonly string[]
  /** Said at its beginning too: which runs go on here. */
  readonly live?: () => Promise<readonly string[]>
  /** The same, of what may not be meant. */
  readonly warnings?: readonly string[]
  /** Hours of the day that it works in. */
  readonly hours?: Hours
  /** A file that the story of the run is written to beside the console. */
  readonly log?: string
  /** What to run next, where that is another command than the same once more. */
  readonly next?: (finished: RunFinished, runId: string) => string | undefined
}

/** What a command line asks for. */
export type Request =
  | { readonly kind: 'operation'; readonly operation: Operation; readonly told?: Told }
  /** Of a run that goes on; every run of this machine where none is named. */
  | { readonly kind: 'ctl'; readonly run: string | null; readonly request: ControlRequest }
  /** A run of this machine is watched; the only one where none is named. */
  | { readonly kind: 'attach'; readonly run: string | null }
  | ({ readonly kind: 'init' } & InitRequest)
  | ({ readonly kind: 'trust' } & TrustRequest)
  /** Runs of this machine are listed. */
  | { readonly kind: 'runs-here'; readonly limit: number }
  | { readonly kind: 'demo'; readonly lake: string | null; readonly folder: string }
  | {
      readonly kind: 'open'
      readonly target: string
      readonly database?: string
      /** What the config file says of its tables. */
      readonly lifecycle?: LifecycleStatusOperation
      /** What it names, besides what is opened. */
      readonly stores?: readonly ConfiguredStore[]
    }
  | { readonly kind: 'help'; readonly text: string }

export type RequestContext = {
  /** URL of the catalog. @throws SluiceError BAD_FLAG when there is none */
  readonly catalog: () => string
  readonly optionalCatalog: () => string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly defaults: ConfigDefaults
  /** Reads a command that stands within another one. */
  readonly read: (words: readonly string[]) => Promise<Request>
}

/** What the words of a command ask for, where they are read by hand; what it takes is declared with its operation. */
export type Command = {
  readonly request: (args: Arguments, context: RequestContext) => Request | Promise<Request>
}

/** The commands of one file, by name. */
export type CommandFileExports = { readonly commands: Readonly<Record<string, Command>> }

/** The request for an operation. */
export const operate = (operation: Operation, told?: Told): Request => ({
  kind: 'operation',
  operation,
  ...(told === undefined ? {} : { told }),
})
