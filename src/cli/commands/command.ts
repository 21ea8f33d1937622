/** Types of the commands that a file exports. */
import type { Arguments } from '../parse/arguments.ts'
import type { StartTexts } from '../output/start-texts.ts'
import type { PrintedAdditions } from '../parse/command-line.ts'
import type { ConfigDefaults } from '../config/config.ts'
import type { ControlRequest } from '../runs/ctl.ts'
import type { Hours } from '../flags/hours.ts'
import type { InitRequest } from '../init/run-init.ts'
import type { TrustRequest } from '../config/trust.ts'
import type { ConfiguredStore } from '../config/named-stores.ts'
import type { LifecycleStatusOperation } from '../../partition/operations/lifecycle-status/declaration.ts'
import type { Operation } from '../../app/operations/list.ts'

/** Texts printed with an operation, in addition to its events. */
export type CommandTexts = StartTexts & {
  /** Additions to the printed command that repeats the run. */
  readonly printed: PrintedAdditions
  /** Notes on other active runs, also printed at the beginning. */
  readonly live?: () => Promise<readonly string[]>
  /** Hours of the day in which the run works. */
  readonly hours?: Hours
  /** Log file for the output, in addition to the console. */
  readonly log?: string
}

/** Request of a command line. */
export type Request =
  | { readonly kind: 'operation'; readonly operation: Operation; readonly reported?: CommandTexts }
  /** Steers an active run; null: lists the runs of this machine. */
  | { readonly kind: 'ctl'; readonly run: string | null; readonly request: ControlRequest }
  /** Shows a run of this machine; null: the only one. */
  | { readonly kind: 'attach'; readonly run: string | null }
  | ({ readonly kind: 'init' } & InitRequest)
  | ({ readonly kind: 'trust' } & TrustRequest)
  /** Lists runs of this machine. */
  | { readonly kind: 'runs-here'; readonly limit: number }
  | { readonly kind: 'demo'; readonly lake: string | null; readonly folder: string }
  | {
      readonly kind: 'open'
      readonly target: string
      readonly database?: string
      /** Lifecycle settings of the config file. */
      readonly lifecycle?: LifecycleStatusOperation
      /** Stores of the config file, in addition to the opened one. */
      readonly stores?: readonly ConfiguredStore[]
    }
  | { readonly kind: 'help'; readonly text: string }

export type RequestContext = {
  /** URL of the catalog. @throws SluiceError BAD_FLAG if there is none */
  readonly catalog: () => string
  readonly optionalCatalog: () => string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly defaults: ConfigDefaults
  /** Parses a command inside another one. */
  readonly read: (words: readonly string[]) => Promise<Request>
}

/** A command with a hand-written parser; its options are declared with its operation. */
export type Command = {
  readonly request: (args: Arguments, context: RequestContext) => Request | Promise<Request>
}

/** The commands of one file, by name. */
export type CommandFileExports = { readonly commands: Readonly<Record<string, Command>> }

/** The request for an operation. */
export const operate = (operation: Operation, reported?: CommandTexts): Request => ({
  kind: 'operation',
  operation,
  ...(reported === undefined ? {} : { reported }),
})
