/**
 * What a user can start, as data. A face (command line, UI, thread) makes an `Operation`, `perform` runs it and emits events;
 * the events, and nothing else, are what a face shows.
 */
import type { Interrupt } from '../shared/abort.ts'
import type { Clock } from '../shared/clock.ts'
import type { Emit, EventBody } from '../model/event.ts'

export type CheckFiles = 'none' | 'sample' | 'all'

export type AsOf = { readonly version?: number; readonly timestampMs?: number }

/** TABLE is a path with a `_delta_log` below it, or a table id of the catalog. */
export type Operation =
  | {
      readonly kind: 'discover'
      readonly path: string
      readonly recursive: boolean
      readonly exclude: readonly string[]
    }
  | {
      readonly kind: 'import'
      readonly table: string
      readonly catalog: string
      readonly tableId?: string
      readonly dryRun: boolean
      readonly resume: boolean
      readonly batchSize: number
      readonly verbose: boolean
      /** Import the actions of a table whose features we cannot read; it is marked as refused. */
      readonly allowRefused: boolean
      /** How long to wait for another import of the same table, ms. */
      readonly waitMs: number
    }
  | {
      readonly kind: 'batch-import'
      readonly path: string
      readonly catalog: string
      readonly recursive: boolean
      readonly exclude: readonly string[]
      readonly parallel: number
      readonly batchSize: number
      readonly dryRun: boolean
      readonly resume: boolean
      readonly verbose: boolean
      /** Only these tables (paths below `path`), as the UI marks them; absent means all. */
      readonly only?: readonly string[]
    }
  | {
      readonly kind: 'validate'
      readonly table: string
      readonly catalog: string
      readonly verbose: boolean
      /** Older versions to check beside the latest. */
      readonly samples: number
    }
  | {
      readonly kind: 'performance-compare'
      readonly table: string
      readonly catalog: string
      readonly runs: number
      readonly report?: string
      readonly questions?: readonly string[]
      readonly cold: boolean
    }
  | { readonly kind: 'migration-status'; readonly catalog: string; readonly tableId?: string }
  | {
      readonly kind: 'verify-rollback'
      readonly table: string
      readonly catalog: string
      readonly checkFiles: CheckFiles
    }
  | {
      readonly kind: 'rollback'
      readonly table: string
      readonly catalog: string
      readonly confirm?: string
      readonly checkFiles: CheckFiles
      readonly dryRun: boolean
    }
  | { readonly kind: 'history'; readonly table: string; readonly catalog?: string; readonly limit: number }
  | {
      readonly kind: 'files'
      readonly table: string
      readonly catalog?: string
      readonly asOf: AsOf
      readonly where?: string
      readonly limit?: number
    }
  | {
      readonly kind: 'changes'
      readonly table: string
      readonly catalog?: string
      readonly fromVersion: number
      readonly toVersion: number
    }
  | { readonly kind: 'export-log'; readonly table: string; readonly catalog: string; readonly to: string }
  | { readonly kind: 'runs'; readonly catalog: string; readonly limit: number }

export type OperationKind = Operation['kind']

/** What a person turns while a run goes on; read between batches. */
export type RunControl = {
  readonly paused: boolean
  /** Lanes that may work now, or null for what the operation says. */
  readonly lanes: number | null
}

/** What an operation needs besides its own data. */
export type OperationContext = {
  readonly emit: Emit
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
}

export type RunFinished = Extract<EventBody, { type: 'run.finished' }>
