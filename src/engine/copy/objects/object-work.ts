/** Indexes and constraints that a copy creates in addition to rows. */
import type { ObjectLedger } from '../ledger/objects.ts'
import type { ObjectPlans } from './plan-objects.ts'
import type { BuildLimit } from './build-limit.ts'

export type ObjectWork = {
  readonly plans: ObjectPlans
  /** Limits how many objects are built at the same time. */
  readonly limit: BuildLimit
  readonly ledger: ObjectLedger
  /** True if source and target are one database. */
  readonly sharesDatabase: boolean
}
