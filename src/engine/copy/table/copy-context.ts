/** What the copy of each table of a run has in common. */
import type { LeftBehind } from '../../../model/copy/left-behind.ts'
import type { CopyStore, LedgerDatabase, Statement } from '../../../model/copy/port.ts'
import type { CopyOperation } from '../operations/copy/declaration.ts'
import type { CopyRun } from '../copy-run.ts'
import type { Owner } from '../ledger/owner.ts'
import type { RunLedger } from '../ledger/runs.ts'
import type { SharedRestarts } from '../ledger/shared-restarts.ts'
import type { SharedTables } from '../ledger/shared-tables.ts'
import type { ObjectWork } from '../objects/object-work.ts'
import type { WeakWrites } from '../compat/script/weak-writes.ts'
import type { SlowTarget } from '../workers/slow-target.ts'
import type { Steering } from '../workers/steering.ts'
import type { Throttle } from '../workers/throttle.ts'
import type { Views } from '../source-views.ts'

export type Surroundings = {
  readonly operation: CopyOperation
  readonly run: CopyRun
  readonly views: Views
  readonly from: CopyStore
  readonly database: LedgerDatabase
  readonly owner: Owner
  readonly runs: RunLedger
  /** Of a slot: what it shares with the others. */
  readonly shared?: SharedTables
  /** Of a slot of a run with `--restart`: which tables were begun anew already. */
  readonly restarts?: SharedRestarts
  /** Of a copy that is followed: chunks are taken as long as this gives a row. */
  readonly fence?: Statement
  readonly steering: Steering
  readonly throttle: Throttle
  /** What is made beside rows; absent where nothing is. */
  readonly objects?: ObjectWork
  readonly pulse: SlowTarget
  /** What does not come along, of all tables. */
  readonly left: readonly LeftBehind[]
  /** Where rows may be written at ONE. */
  readonly weak?: WeakWrites
}
