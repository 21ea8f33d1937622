/** What following is made of, when it ends, and how it ended. */
import type { LogPosition } from '../../../model/copy/change.ts'
import type { LedgerDatabase } from '../../../model/copy/port.ts'
import type { ChangeTarget } from '../../../model/follow/port.ts'
import type { Alerts } from '../../run/alerts/alerts.ts'
import type { Steering } from '../../copy/workers/steering.ts'
import type { CopiedPart } from '../compare/copied-part.ts'
import type { LaneRow } from '../../copy/ledger/stream-row.ts'
import type { ProvingParts } from '../compare/proving.ts'
import type { TableStates } from '../progress/table-states.ts'
import type { Watch } from '../progress/watch.ts'

export type LoopParts = ProvingParts & {
  readonly fence: number
  readonly target: ChangeTarget
  readonly database: LedgerDatabase
  readonly states: TableStates
  /** Lanes that the command asks for; null for those that there are. */
  readonly lanes: number | null
  /** Of tables that are copied in part, by their names: what changes are applied to. */
  readonly parts: ReadonlyMap<string, CopiedPart>
  /** Divides the stream anew. @returns false where its lanes do not stand at one position */
  readonly divide: (lanes: number) => Promise<boolean>
  readonly fireTriggers: boolean
  readonly steering: Steering
  /** The run whose repairs are noted. */
  readonly runId: bigint
  /** Who is told of lag and errors; null for nobody. */
  readonly alerts: Alerts | null
  /** Indexes and constraints of tables that have reached their fence. @param tables numbers in the stream */
  readonly build: (tables: readonly number[]) => Promise<void>
}

/** Why following ended. */
export type LoopEnd = {
  readonly why: 'stopped' | 'reached' | 'alerted'
  readonly row: LaneRow
  readonly applied: LogPosition
  /** Position as of which every row of every table was found equal by this run, as the source writes it; null where none was. */
  readonly provedAt: string | null
}

/** When a run ends by itself, and how often it compares. */
export type LoopGoal = {
  /** Ends once everything before this position is applied and all tables are live; null goes on. */
  readonly position: LogPosition | null
  /** Ends once a comparison has found every row equal. */
  readonly equal: boolean
  /** Ends once this sign-off is compared; null where none was asked for. */
  readonly signOff: string | null
  /** Ms between two rounds of comparisons; null for none. */
  readonly proveEveryMs: number | null
  /** Who is asked between two transactions, and ends the run; null for nobody. */
  readonly watch: Watch | null
}
