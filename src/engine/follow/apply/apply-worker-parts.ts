/** Dependencies of an apply worker. */
import type { LogPosition } from '../../../model/copy/change.ts'
import type { Clock } from '../../../shared/clock.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { ChangeWriter } from '../../../model/follow/port.ts'
import type { FollowTable } from '../stream/followed-table.ts'
import type { OwnedApplyWorker } from '../ledger/position.ts'
import type { ApplyWorkerRow } from '../../copy/ledger/stream-row.ts'
import type { Positions, StreamLedger } from '../../copy/ledger/streams.ts'
import type { TableStates } from '../progress/table-states.ts'
import type { TouchedRows } from '../compare/touched-rows.ts'

export type ApplyWorkerParts = {
  /** Receives the position that is durable in the target. */
  readonly confirm: (position: LogPosition) => void
  readonly writer: ChangeWriter
  readonly database: LedgerDatabase
  readonly ledger: StreamLedger
  readonly held: OwnedApplyWorker
  readonly row: ApplyWorkerRow
  readonly tables: readonly FollowTable[]
  /** Numbers of the tables from which only this apply worker, and no trigger, deletes rows. */
  readonly known: readonly number[]
  readonly states: Pick<TableStates, 'isApplied' | 'isExact' | 'isLive' | 'part'>
  readonly positions: Positions
  readonly clock: Clock
  /** Receives the keys of changed rows; absent: not recorded. */
  readonly touched?: TouchedRows
}
