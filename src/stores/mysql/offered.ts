/** Names of the system's optional capabilities. Imports no driver, because the system's declaration uses it. */
import type { Capability } from '../../model/copy/offers.ts'
import type { Offered } from '../../model/copy/port.ts'

export const OFFERS = [
  'durability',
  'losable',
  'identification',
  'identities',
  'columnFacts',
  'times',
  'timeExtents',
  'rowValues',
  'periods',
  'referrers',
  'rowTriggers',
  'unchecked',
  'maintenance',
  'triggerChanges',
  'changeTarget',
] as const satisfies readonly Capability[]

export type MysqlOffers = Offered<typeof OFFERS>
