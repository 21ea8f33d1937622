/** Names of what the system offers; its declaration imports no driver. */
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
] as const satisfies readonly Capability[]

export type CassandraOffers = Offered<typeof OFFERS>
