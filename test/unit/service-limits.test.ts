/** Limits of a service in a plan. */
import { expect, test } from 'vitest'
import { quotaNotes, serviceLimits } from '../../src/engine/copy/plan/service-limits.ts'
import type { StoreAbilities } from '../../src/model/copy/abilities.ts'

const free: StoreAbilities = {
  atomic: 'batch',
  snapshot: 'none',
  writers: 4,
  hosts: 'any',
  frames: [],
}
const limited: StoreAbilities = {
  ...free,
  requests: { most: 1200, seconds: 300 },
  quotas: [
    { plan: 'free', rowsADay: 100_000, bytes: 500_000_000 },
    { plan: 'paid', bytes: 10_000_000_000 },
  ],
}

test('requests are counted, and the time is estimated if they exceed the limit', () => {
  expect(serviceLimits(free, { rows: 10n, bytes: 10n, chunks: 1n })).toEqual({})
  expect(serviceLimits(limited, { rows: 1000n, bytes: 50_000n, chunks: 1n })).toEqual({ requests: '29', requestMs: 0 })
  // 20 + 9 per chunk (445) + 2 per block of 4 MiB (2384): 7793 more than the first thousand, at a thousand per 5
  // minutes.
  expect(serviceLimits(limited, { rows: 22_210_059n, bytes: 10_000_000_000n, chunks: 445n })).toEqual({
    requests: '8793',
    requestMs: 2_337_900,
  })
})

test('quotas are listed with what the copy needs of them', () => {
  expect(quotaNotes(free, { rows: 1n, bytes: 1n, chunks: 1n })).toEqual([])
  const reported =
    'quotas of the service: free: 100,000 rows written a day and a database of 500 MB; paid: a database of 10 GB'
  expect(quotaNotes(limited, { rows: 99n, bytes: 99n, chunks: 1n })).toEqual([reported])
  expect(quotaNotes(limited, { rows: 2_210_059n, bytes: 600_000_000n, chunks: 45n })).toEqual([
    `${reported}; on free it takes 23 days, it does not fit into free`,
  ])
})
