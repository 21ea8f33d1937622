/** Where a suite's catalogs live on a server: asks for the server before the first test, and skips by name where there is none. */
import { afterAll, beforeEach, inject } from 'vitest'
import type { Answer } from './servers.ts'

const backend = process.env['SLUICE_TEST_BACKEND']

// Most files have no server: they do not pay for what belongs to one.
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
