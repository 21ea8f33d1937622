/** What a lane is made of. */
import type { LogPosition } from '../../../model/copy/change.ts'
import type { Clock } from '../../../shared/clock.ts'
import type { LedgerDatabase } from '../../../model/copy/port.ts'
import type { ChangeWriter } from '../../../model/follow/port.ts'
import type { FollowTable } from '../stream/followed-table.ts'
import type { HeldLane } from '../ledger/position.ts'
import type { LaneRow } from '../../copy/ledger/stream-row.ts'
import type { Positions, StreamLedger } from '../../copy/ledger/streams.ts'
import type { TableStates } from '../progress/table-states.ts'
import type { TouchedRows } from '../compare/touched-rows.ts'

export type LaneParts = {
  /** Told what is durable in the target. */
  readonly confirm: (position: LogPosition) => void
  readonly writer: ChangeWriter
  readonly database: LedgerDatabase
  readonly ledger: StreamLedger
  readonly held: HeldLane
  readonly row: LaneRow
  readonly tables: readonly FollowTable[]
  /** Numbers of the tables of which it is known what removes their rows: this lane, and no trigger. */
  readonly known: readonly number[]
  readonly states: Pick<TableStates, 'isApplied' | 'isExact' | 'isLive' | 'part'>
  readonly positions: Positions
  readonly clock: Clock
  /** Who is told which rows change; nobody when absent. */
  readonly touched?: TouchedRows
}
