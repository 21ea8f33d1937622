/** What a run tells of itself to whoever begins to watch it. Plain data, without passwords. */
import type { Operation } from '../operations/list.ts'

export type RunAbout = {
  readonly runId: string
  /** URLs of databases as they are shown. */
  readonly operation: Operation
  readonly commandLine: string
  readonly tool: string
  readonly host: string
  readonly pid: number
  /** UTC, as events have it. */
  readonly startedAt: string
}
