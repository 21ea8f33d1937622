/**
 * Names of the optional capabilities of PostgreSQL. In a separate file, because the declaration must not load a driver.
 */
import type { Capability } from '../../../model/copy/offers.ts'
import type { Offered } from '../../../model/copy/port.ts'

export const OFFERS = [
  'sharedViews',
  'durability',
  'losable',
  'otherLedgers',
  'tracks',
  'identification',
  'identities',
  'columnFacts',
  'times',
  'timeExtents',
  'rowValues',
  'periods',
  'referrers',
  'rowTriggers',
  'removals',
  'unchecked',
  'partitions',
  'maintenance',
  'partitionPlan',
  'inPlace',
  'decommission',
  'slotChanges',
  'triggerChanges',
  'changeTarget',
  'switches',
  'switchSide',
  'operational',
] as const satisfies readonly Capability[]

export type PostgresOffers = Offered<typeof OFFERS>
