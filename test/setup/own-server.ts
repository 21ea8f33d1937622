/**
 * Where a suite's catalogs are on a server: requests the server before the first test, and skips the tests with the
 * reason if there is none.
 */
import { afterAll, beforeEach, inject } from 'vitest'
import type { Answer } from './servers.ts'

const backend = process.env['SLUICE_TEST_BACKEND']

// Most files use no server, so they do not load its code.
if (backend === 'postgresql' || backend === 'mysql') {
  const { dropMade } = await import('../support/backend.ts')
  const response = await fetch(`${inject('serverBroker')}/${backend}`)
  if (!response.ok) throw new Error(`no ${backend} server: ${await response.text()}`)
  const answer = (await response.json()) as Answer
  if ('url' in answer) process.env['SLUICE_TEST_SERVER'] = answer.url
  else if (process.env['CI'] && backend === 'postgresql') throw new Error(`no ${backend} server: ${answer.missing}`)
  else beforeEach((context) => context.skip(`needs ${backend}: ${answer.missing}`))
  afterAll(dropMade)
}
