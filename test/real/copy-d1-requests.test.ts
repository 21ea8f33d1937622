/** Requests to D1's API: their number, their token, and the errors for wrong replies. */
import { createServer, type AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RequestBudget } from '../../src/stores/d1/budget.ts'
import type { Throttled } from '../../src/stores/d1/client.ts'
import { openD1Copy } from '../../src/stores/d1/copy/index.ts'
import { d1Settings } from '../../src/stores/d1/settings.ts'
import { reportingRetries } from '../../src/engine/copy/open-stores.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { D1_AVAILABLE, D1_MISSING, D1_TOKEN } from '../support/servers/d1.ts'
import { d1Base, d1Stage, freeBudget, NEVER, type D1Stage } from '../support/servers/d1-kit.ts'

/** A clock that only sleeping advances. */
function fakeTime(): { readonly clock: { ticks(): number }; sleep(ms: number): Promise<void> } {
  let now = 0
  return {
    clock: { ticks: () => now },
    sleep: async (ms) => {
      // Let all waiting code run before the time advances.
      await new Promise((done) => setImmediate(done))
      now += ms
    },
  }
}

async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}

const turn = { signal: NEVER, urgent: false }

describe('the request budget', () => {
  test('never allows more than a thousand in five minutes for any number of workers, and never stops for long', async () => {
    const time = fakeTime()
    const budget = new RequestBudget(time)
    const sent: number[] = []
    const worker = async (): Promise<void> => {
      for (let i = 0; i < 900; i++) {
        await budget.take(turn)
        sent.push(time.clock.ticks())
      }
    }
    await Promise.all(Array.from({ length: 4 }, worker))
    expect(sent).toHaveLength(3600)
    for (const [i, at] of sent.entries()) {
      const later = sent[i + 1000]
      if (later !== undefined) expect(later - at).toBeGreaterThanOrEqual(300_000 - 1e-6)
    }
    const gaps = sent.slice(1).map((at, i) => at - (sent[i] ?? 0))
    expect(Math.max(...gaps)).toBeLessThan(2_000)
    expect(sent.at(-1)).toBeLessThan(1_200_000)
  })

  test('uses the remaining number that the API reports', async () => {
    const time = fakeTime()
    const budget = new RequestBudget(time)
    budget.readLimits(new Headers({ 'ratelimit-policy': '"default";q=60;w=60', ratelimit: '"default";r=12;t=20' }))
    // A sixth of the budget is left for other users of the token.
    expect(budget.left).toBe(2)
    await budget.take(turn)
    await budget.take(turn)
    expect(time.clock.ticks()).toBeLessThan(20_000)
    await budget.take(turn)
    expect(time.clock.ticks()).toBeGreaterThanOrEqual(20_000)
    budget.readLimits(new Headers({ 'ratelimit-policy': 'nonsense', ratelimit: '"default";r=x' }))
    budget.readLimits(new Headers({ ratelimit: '"burst";r=100;t=9, "default";r=10;t=50' }))
    expect(budget.left).toBe(0)
  })

  test('stops all requests during a block, reports long waits, and lets the ledger go first', async () => {
    const time = fakeTime()
    const budget = new RequestBudget(time)
    budget.block(300_000)
    const order: string[] = []
    const waits: number[] = []
    const take = async (name: string, urgent: boolean): Promise<void> => {
      await budget.take({ signal: NEVER, urgent, onWait: (ms) => waits.push(ms) })
      order.push(name)
      expect(time.clock.ticks()).toBeGreaterThanOrEqual(300_000)
    }
    await Promise.all([take('rows', false), take('more rows', false), take('lease', true)])
    expect(order).toEqual(['lease', 'rows', 'more rows'])
    expect(waits).toContain(300_000)
  })

  test('forgets a request that was aborted', async () => {
    const budget = new RequestBudget()
    budget.block(60_000)
    const stop = new AbortController()
    const waiting = budget.take({ signal: stop.signal, urgent: false })
    stop.abort(new SluiceError('STOPPED', 'stopped on request'))
    await expect(waiting).rejects.toMatchObject({ code: 'STOPPED' })
  })
})

describe('D1 URLs', () => {
  const environment = { CLOUDFLARE_API_TOKEN: 'token' }
  test.each([
    ['d1://account', environment, /not a valid D1 URL/],
    ['d1:///database', environment, /not a valid D1 URL/],
    ['d1://user:secret@account/db', environment, /not a valid D1 URL/],
    ['d1://account/db?token=secret', environment, /not a valid D1 URL/],
    ['d1://account/db', {}, /CLOUDFLARE_API_TOKEN is not set/],
    ['d1://account/db', { CLOUDFLARE_API_TOKEN: 'two words' }, /characters that are not valid in a token/],
    ['d1://account/db', { ...environment, CLOUDFLARE_API_BASE_URL: 'http://api.example.com' }, /without encryption/],
    ['d1://account/db', { ...environment, CLOUDFLARE_API_BASE_URL: 'ftp://x' }, /not an https URL/],
    ['d1://account/db', { ...environment, CLOUDFLARE_API_BASE_URL: 'https://a:b@c' }, /only an address/],
  ])('%s %o', (url, given, message) => {
    let thrown: unknown
    try {
      d1Settings(url, given)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toMatchObject({ code: 'BAD_CONFIG', message: expect.stringMatching(message) as string })
    expect(inspect(thrown)).not.toContain('secret')
  })

  test('account, database and address come from the URL and the environment', () => {
    expect(
      d1Settings('d1://account/my%20db', { ...environment, CLOUDFLARE_API_BASE_URL: 'https://proxy.example.com/cf/' }),
    ).toMatchObject({
      account: 'account',
      database: 'my db',
      base: 'https://proxy.example.com/cf',
    })
    expect(d1Settings('d1://account/db', environment).base).toBe('https://api.cloudflare.com/client/v4')
  })
})

describe.skipIf(!D1_AVAILABLE)(`calls of D1's API${D1_MISSING === '' ? '' : ` (${D1_MISSING})`}`, () => {
  let stage: D1Stage
  const throttled: Throttled[] = []
  beforeAll(async () => {
    stage = await d1Stage(await d1Base(), {
      onThrottle: (why) => throttled.push(why),
      rule: { repeatMs: 100, longestWaitMs: 4_000 },
    })
    await stage.database.sql('CREATE TABLE t (id INTEGER PRIMARY KEY)')
  })
  afterAll(() => stage[Symbol.asyncDispose]())

  const failure = async (open: Promise<unknown>): Promise<SluiceError> => {
    const error = await open.then(
      () => null,
      (thrown: unknown) => thrown,
    )
    if (!(error instanceof SluiceError)) throw new Error(`no SluiceError: ${String(error)}`)
    expect(inspect(error, { depth: 12, showHidden: true })).not.toContain(D1_TOKEN)
    expect(JSON.stringify(error.info())).not.toContain(D1_TOKEN)
    return error
  }

  test('a wrong token, account or database is reported', async () => {
    const { account, database } = stage
    const open = (url: string, more: Readonly<Record<string, string>> = {}) =>
      openD1Copy(url, { environment: { ...account.environment, ...more }, budget: freeBudget(), rule: { repeatMs: 0 } })
    const message = {
      code: 'CONNECT_FAILED',
      message: 'Database connection failed',
      reason: 'Network or authentication issues',
      retryable: false,
    }
    const wrong = await failure(open(database.url, { CLOUDFLARE_API_TOKEN: 'another-token' }))
    expect(wrong).toMatchObject(message)
    expect(wrong.hint).toMatch(/^Check database URL and credentials: check that CLOUDFLARE_API_TOKEN/)
    expect(inspect(wrong, { depth: 12 })).not.toContain('another-token')
    const nobody = '11111111-1111-1111-1111-111111111111'
    for (const url of [
      `d1://${account.id}/${nobody}`,
      `d1://${account.id}/${nobody.replaceAll('-', '_')}`,
      `d1://${'f'.repeat(32)}/${database.id}`,
    ]) {
      const missing = await failure(open(url))
      expect(missing).toMatchObject({ ...message, reason: expect.stringMatching(/^account .* has no database /) })
      expect(missing.hint).toContain(url.split('/').at(-1))
      expect(missing.where).toContain(url)
    }
    expect((await failure(open(`d1://${'0'.repeat(32)}/${database.id}`))).where).toContain('7403')
    const closed = await failure(
      open(database.url, { CLOUDFLARE_API_BASE_URL: `http://127.0.0.1:${await closedPort()}` }),
    )
    expect(closed).toMatchObject({ ...message, retryable: true })
    expect(closed.where).toContain('ECONNREFUSED')
    // The cause of the wait is reported at once.
    const reported: string[] = []
    const refused = `http://127.0.0.1:${await closedPort()}`
    await openD1Copy(database.url, {
      environment: { CLOUDFLARE_API_TOKEN: 'secret-token', CLOUDFLARE_API_BASE_URL: refused },
      rule: { repeatMs: 300 },
      budget: freeBudget(),
      ...reportingRetries(({ message: text }) => void reported.push(text), systemClock),
    }).catch(() => undefined)
    expect(reported).toHaveLength(1)
    expect(reported[0]).toMatch(/^not reached: .*ECONNREFUSED.*; try 2 follows; retries end after 1 s: d1:\/\//)
    expect(reported[0]).not.toContain('secret-token')
  })

  test('a missing permission is reported by the operation that needs it', async () => {
    const { account, store } = stage
    await account.faults({ kind: 'status', status: 403, code: 10000, message: `no right for Bearer ${D1_TOKEN}` })
    expect(
      await failure(
        store
          .target()
          .clear(
            { table: { name: 't' }, identity: '', columns: [], key: [], primary: true, rows: 0n, bytes: 0n },
            NEVER,
          ),
      ),
    ).toMatchObject({
      code: 'TARGET_DENIED',
      message: 'Permission denied',
    })
    expect(
      await failure(
        store
          .tables('_cf_METADATA', NEVER)
          .then(() => store.ledger())
          .then((ledger) => ledger.all('SELECT * FROM pragma_table_info(?)', ['_cf_METADATA'])),
      ),
    ).toMatchObject({ code: 'TARGET_DENIED' })
  })

  test.each([
    [
      {
        status: 400,
        code: 7500,
        message:
          "Your account has exceeded D1's free tier daily limit of rows written. The limit resets at midnight UTC",
      },
      'RATE_LIMITED',
      false,
    ],
    [{ status: 400, code: 7500, message: 'Exceeded maximum DB size.' }, 'NO_SPACE', false],
    [{ status: 400, code: 7500, message: 'database or disk is full: SQLITE_FULL' }, 'NO_SPACE', false],
    [{ status: 503, code: 10001, message: 'Service temporarily unavailable' }, 'CONNECTION_LOST', true],
    [
      { status: 400, code: 7500, message: "D1 DB's isolate exceeded its memory limit and was reset." },
      'CONNECTION_LOST',
      true,
    ],
    [{ status: 429, code: 971, message: 'slow down', headers: { 'Retry-After': '900' } }, 'RATE_LIMITED', true],
  ])('%o', async (answer, code, retryable) => {
    await stage.account.faults({ kind: 'status', count: 100, ...answer })
    await using ledger = await stage.store.ledger()
    expect(await failure(ledger.all('SELECT 1'))).toMatchObject({ code, retryable })
    await stage.account.faults()
  })

  test('a reply 429 is waited for, reported and counted', async () => {
    const { account } = stage
    await using store = await stage.open()
    throttled.length = 0
    await account.reset()
    const before = store.usage.requests
    await account.faults({ kind: 'status', status: 429, code: 971, headers: { 'Retry-After': '1' } })
    await using ledger = await store.ledger()
    expect(await ledger.all('SELECT 7')).toEqual([[7]])
    expect(throttled).toHaveLength(1)
    expect(throttled[0]).toMatchObject({ status: 429 })
    expect(throttled[0]?.waitMs).toBeGreaterThanOrEqual(1000)
    expect(store.usage.requests - before).toBe(2)
    expect((await account.counts()).requests).toBe(2)
  })

  test('two stores with one budget never reach the limit of the account', async () => {
    const { account } = stage
    const budget = new RequestBudget()
    await using one = await stage.open({ budget })
    await using other = await stage.open({ budget })
    await account.reset()
    await account.limit({ most: 30, seconds: 1, blockSeconds: 60 })
    const worker = async (store: typeof one): Promise<void> => {
      await using ledger = await store.ledger()
      for (let i = 0; i < 15; i++) await ledger.all('SELECT 1')
    }
    await Promise.all([worker(one), worker(other), worker(one), worker(other)])
    expect(await account.counts()).toMatchObject({ requests: 60, refused: 0 })
    await account.limit(null)
  })

  test('a page that is too long is requested in pieces', async () => {
    const { store, database } = stage
    // Short rows first, so that pages have grown before the long ones.
    await database.sql(
      'CREATE TABLE sizes (id INTEGER PRIMARY KEY, t TEXT)',
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO sizes SELECT i, 'short' FROM n`,
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) INSERT INTO sizes SELECT 5000 + i, hex(zeroblob(950000)) FROM n`,
    )
    const [table] = await store.tables('sizes', NEVER)
    if (table === undefined) throw new Error('no table')
    await using view = await store.source(NEVER)
    const columns = table.columns.map((column) => ({ name: column.name, as: column.type, column }))
    let rows = 0
    let most = 0
    let length = 0
    for await (const batch of view.read(
      { table, columns, range: { by: 'all' }, where: null, ordered: true },
      { rows: 1000, bytes: 4e6 },
      NEVER,
    )) {
      rows += batch.rows.length
      for (const [, text] of batch.rows) length += String(text).length
      most = Math.max(most, batch.bytes)
    }
    expect(rows).toBe(5009)
    expect(length).toBe(25_000 + 9 * 1_900_000)
    expect(most).toBeLessThan(8e6)
  })
})
