/** Context shared by all tables of a run. */
import type { LeftBehind } from '../../../model/copy/dependencies.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import type { CopyOperation } from '../operations/copy/declaration.ts'
import type { CopyRun } from '../copy-run.ts'
import type { RunOwner } from '../ledger/owner.ts'
import type { RunLedger } from '../ledger/runs.ts'
import type { SharedRestarts } from '../ledger/shared-restarts.ts'
import type { SharedTables } from '../ledger/shared-tables.ts'
import type { ObjectWork } from '../objects/object-work.ts'
import type { WeakWrites } from '../compat/script/weak-writes.ts'
import type { SlowTarget } from '../workers/slow-target.ts'
import type { Steering } from '../workers/steering.ts'
import type { Throttle } from '../workers/throttle.ts'
import type { SourceViews } from '../source-views.ts'

export type CopyContext = {
  readonly operation: CopyOperation
  readonly run: CopyRun
  readonly views: SourceViews
  readonly from: CopyStore
  readonly database: LedgerDatabase
  readonly owner: RunOwner
  readonly runs: RunLedger
  /** In a task of a distributed run: state shared with the other tasks. */
  readonly shared?: SharedTables
  /** In a task of a distributed run with `--restart`: restarts that the run has done already. */
  readonly restarts?: SharedRestarts
  /** For a copy with a stream: chunks can be claimed only while this query returns a row. */
  readonly fence?: Statement
  readonly steering: Steering
  readonly throttle: Throttle
  /** Objects to create in addition to rows; absent if there are none. */
  readonly objects?: ObjectWork
  readonly pulse: SlowTarget
  /** Dependencies and values that the copy does not transfer, of all tables. */
  readonly left: readonly LeftBehind[]
  /** Receives keys of rows that the target accepted only at consistency level ONE. */
  readonly weak?: WeakWrites
}
