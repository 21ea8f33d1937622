/** Names of the system's optional capabilities. Imports no driver, because the system's declaration uses it. */
import type { Capability } from '../../model/copy/offers.ts'
import type { Offered } from '../../model/copy/port.ts'

export const OFFERS = [
  'tableOptions',
  'durability',
  'tracks',
  'ring',
  'identification',
  'times',
  'timeExtents',
  'removals',
] as const satisfies readonly Capability[]

export type CassandraOffers = Offered<typeof OFFERS>
