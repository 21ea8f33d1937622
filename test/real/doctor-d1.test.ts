/** What `doctor` reports for a D1 database, which has no catalog and is checked for copies. */
import { afterEach, expect, test, vi } from 'vitest'
import { D1_AVAILABLE, D1_MISSING } from '../support/servers/d1.ts'
import { d1Account } from '../support/servers/d1-account.ts'
import { d1Base } from '../support/servers/d1-kit.ts'
import { perform } from './operation-kit.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

const found = (performed: Awaited<ReturnType<typeof perform>>): readonly string[] =>
  performed.events.flatMap((event) =>
    event.type === 'check' && event.area === 'database' ? [`${event.status} ${event.check}: ${event.found}`] : [],
  )

test('without a token no request is sent', async () => {
  vi.stubEnv('CLOUDFLARE_API_TOKEN', '')
  const performed = await perform({ kind: 'doctor', catalog: 'd1://account/database' })
  expect(found(performed)).toEqual(['fail address: CLOUDFLARE_API_TOKEN is not set'])
  expect(performed.finished.exitCode).toBe(1)
})

test('every requirement of a copy is tried, and nothing is left behind', async (context) => {
  context.skip(!D1_AVAILABLE, D1_MISSING)
  await using account = d1Account(await d1Base())
  const database = await account.database()
  for (const [name, value] of Object.entries(account.environment)) vi.stubEnv(name, value)
  const performed = await perform({ kind: 'doctor', catalog: database.url })
  expect(found(performed)).toEqual([
    expect.stringMatching(/^ok address: d1:/),
    expect.stringMatching(/^ok login: the token is valid, and a query was answered in /),
    'ok copies: a request is applied completely or not at all, and rows can be written',
    expect.stringMatching(/^ok tables: 0 tables; this check took \d requests$/),
    'ok requests: the API accepts 1200 requests in 5 minutes from one token; a copy stays below that',
  ])
  vi.stubEnv('CLOUDFLARE_API_TOKEN', 'wrong')
  const denied = await perform({ kind: 'doctor', catalog: database.url })
  expect(found(denied)[1]).toMatch(/^fail login: /)
})
