/** Dependencies of a replication stream's loop, its goal and its end. */
import type { LogPosition } from '../../../model/copy/change.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { ChangeTarget } from '../../../model/follow/port.ts'
import type { Alerts } from '../../run/alerts/alerts.ts'
import type { Steering } from '../../copy/workers/steering.ts'
import type { CopiedRanges } from '../compare/copied-part.ts'
import type { ApplyWorkerRow } from '../../copy/ledger/stream-row.ts'
import type { ProvingParts } from '../compare/proving.ts'
import type { TableStates } from '../progress/table-states.ts'
import type { Watch } from '../progress/watch.ts'

export type LoopParts = ProvingParts & {
  /** Fencing token under which this program owns the stream. */
  readonly fence: number
  readonly target: ChangeTarget
  readonly database: LedgerDatabase
  readonly states: TableStates
  /** Requested number of apply workers; null keeps the existing ones. */
  readonly requestedWorkers: number | null
  /** Rows to which changes are applied, by name of a partly copied table. */
  readonly parts: ReadonlyMap<string, CopiedRanges>
  /** Divides the stream again. @returns false if its apply workers are at different positions */
  readonly divide: (workers: number) => Promise<boolean>
  readonly fireTriggers: boolean
  readonly steering: Steering
  /** The run under which repairs are recorded. */
  readonly runId: bigint
  /** Receives lag and errors; null for none. */
  readonly alerts: Alerts | null
  /** Creates indexes and constraints of tables that have caught up. @param tables numbers in the stream */
  readonly build: (tables: readonly number[]) => Promise<void>
}

/** Result of the loop, and why it ended. */
export type LoopEnd = {
  readonly why: 'stopped' | 'reached' | 'alerted'
  readonly row: ApplyWorkerRow
  readonly applied: LogPosition
  /** Position, as the source writes it, at which this run found every row of every table equal; null if it did not. */
  readonly provedAt: string | null
}

/** When a run ends by itself, and how often it compares. */
export type LoopGoal = {
  /** The run ends once everything before this position is applied and all tables are live; null: no such goal. */
  readonly position: LogPosition | null
  /** True if the run ends once a comparison has found every row equal. */
  readonly equal: boolean
  /** The run ends once this sign-off is compared; null: no such goal. */
  readonly signOff: string | null
  /** Ms between two comparison rounds; null for none. */
  readonly proveEveryMs: number | null
  /** Called between two transactions, and can end the run; null for none. */
  readonly watch: Watch | null
}
