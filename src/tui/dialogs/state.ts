/** What each dialog shows, as plain values. */
import type { WorkerRow } from '../../model/share/distributed.ts'
import type { LeftBehind } from '../../model/copy/dependencies.ts'
import type { TableRow } from '../../model/lake/answers.ts'
import type { CopyPlanLine, PlanLine } from '../../model/run/event.ts'
import type { ErrorInfo } from '../../shared/errors.ts'
import type { Startable } from '../../app/command-port.ts'
import type { Form } from '../form/form.ts'
import type { RelationRow } from '../screens/tables/relation-row.ts'
import type { TextField } from '../state/text-field.ts'
import type { Operation } from '../../app/operations/list.ts'

export type CheckLine = { readonly label: string; readonly text: string; readonly tone: 'ok' | 'bad' | 'plain' }

export type Dialog =
  /** @property all true: the page lists all keys; false: only the keys that work now */
  | {
      readonly kind: 'help'
      readonly all: boolean
      readonly field: TextField
      readonly typing: boolean
      readonly top: number
    }
  | { readonly kind: 'palette'; readonly field: TextField; readonly cursor: number }
  | {
      readonly kind: 'text'
      readonly title: string
      readonly lines: readonly string[]
      readonly top: number
      readonly copy: string
      readonly isCommand?: boolean
      /** The form to show again on close. */
      readonly form?: Form
    }
  | { readonly kind: 'form'; readonly form: Form }
  | {
      readonly kind: 'plan'
      readonly title: string
      readonly operation: Operation
      readonly commandLine: string
      /** True if `enter` starts the operation; false if only the plan was requested. */
      readonly start: boolean
      readonly state: 'reading' | 'ready' | 'failed'
      readonly lines: readonly PlanLine[]
      readonly error: ErrorInfo | null
      readonly top: number
    }
  | {
      readonly kind: 'copy-plan'
      readonly title: string
      readonly operation: Operation
      readonly commandLine: string
      readonly state: 'reading' | 'ready' | 'failed'
      /** When the plan was requested, ms since the epoch. */
      readonly askedAt: number
      /** Latest warning while source and target are read. */
      readonly reported: string | null
      readonly lines: readonly CopyPlanLine[]
      /** Dependencies that the copy does not transfer. */
      readonly left: readonly LeftBehind[]
      readonly error: ErrorInfo | null
      readonly top: number
    }
  | {
      readonly kind: 'rollback'
      readonly row: TableRow
      readonly operation: Operation
      readonly commandLine: string
      readonly field: TextField
      readonly focus: 'cancel' | 'go'
      readonly state: 'checking' | 'safe' | 'unsafe' | 'failed'
      readonly lines: readonly CheckLine[]
      readonly error: ErrorInfo | null
    }
  | {
      readonly kind: 'lifecycle'
      readonly row: RelationRow
      /** Command under the cursor; null for the first. */
      readonly chosen: string | null
      readonly top: number
    }
  | {
      readonly kind: 'start'
      readonly of: {
        readonly title: string
        /** Table whose lifecycle phases offered the command; null if the command comes from a form. */
        readonly row: RelationRow | null
        readonly form: Form | null
        readonly command: string
      }
      readonly state: 'reading' | 'ready' | 'failed'
      /** Null until the command is parsed. */
      readonly read: Startable | null
      /** Lines of the plan. */
      readonly lines: readonly string[]
      /** Name to type for confirmation; null if none is needed. If `name` is null, the command cannot be started. */
      readonly typed: { readonly confirm: string; readonly what: string; readonly name: string | null } | null
      readonly error: ErrorInfo | null
      readonly field: TextField
      readonly focus: 'back' | 'go'
      readonly top: number
      /** Cells by which wide tables are scrolled to the left. */
      readonly left: number
    }
  /** The reason why the row with this key needs attention. */
  | { readonly kind: 'need'; readonly key: string }
  | { readonly kind: 'quit'; readonly choice: number }
  /** @property run view id of the run; another run may have become active since */
  | { readonly kind: 'abort'; readonly run: number; readonly choice: number }
  /** Confirmation before stopping a run of another program. */
  | { readonly kind: 'stop'; readonly run: number; readonly choice: number }
  /**
   * Confirmations for the queue: drain a worker, run a schedule, stop a run, queue the remaining tasks of an ended run.
   */
  | { readonly kind: 'drain'; readonly worker: WorkerRow; readonly choice: number }
  | { readonly kind: 'schedule'; readonly name: string; readonly choice: number }
  | { readonly kind: 'shared'; readonly act: 'stop' | 'resume'; readonly runId: string; readonly choice: number }
