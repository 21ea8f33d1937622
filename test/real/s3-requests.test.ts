/** Requests that reading a log in a bucket costs, and failures that it survives. */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { listLog } from '../../src/delta/listing.ts'
import { commitName } from '../../src/delta/log-path.ts'
import { DeltaTable } from '../../src/delta/table.ts'
import type { LogStore } from '../../src/model/lake/log-store.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { RETRIES, S3Client } from '../../src/stores/s3/client.ts'
import { openS3Log } from '../../src/stores/s3/index.ts'
import { add, METADATA, PROTOCOL, temporaryFolder, writeLog } from '../support/catalog-kit.ts'
import { S3_AVAILABLE, S3_MISSING, startS3, type S3Server } from '../support/servers/s3.ts'
import { NEVER, parquet } from '../tables/shared-tables.ts'

const QUICK = { ...RETRIES, baseMs: 5 }
const COMMITS = 100
const BIG = randomBytes(5 << 20)

async function bytesOf(log: LogStore, path: string, range: { start?: number; end?: number } = {}): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of log.read(path, { ...range, signal: NEVER })) {
    expect(chunk.length).toBeLessThanOrEqual(2 << 20)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

async function closedPort(): Promise<string> {
  const server = createServer()
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return `http://127.0.0.1:${port}`
}

/** A TCP proxy in front of a store. It resets the next connections after so many bytes of responses. */
async function startCutter(port: number): Promise<
  AsyncDisposable & {
    readonly port: number
    cutNext(count: number, after: number): void
    /** Number of cuts left. */
    left(): number
  }
> {
  let cuts = { left: 0, after: 0 }
  const server = createServer((client) => {
    const store = connect(port, '127.0.0.1')
    const end = (): void => void [client, store].map((socket) => socket.destroy())
    let passed = 0
    client.on('data', (data) => store.write(data))
    store.on('data', (data) => {
      const room = cuts.after - passed
      if (cuts.left === 0 || data.length <= room) {
        passed += data.length
        client.write(data)
        return
      }
      cuts.left--
      store.destroy()
      client.write(data.subarray(0, room), () => client.resetAndDestroy())
    })
    client.on('error', end).on('close', end)
    store.on('error', () => store.destroy()).on('end', end)
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  return {
    port: (server.address() as AddressInfo).port,
    cutNext: (left, after) => void (cuts = { left, after }),
    left: () => cuts.left,
    [Symbol.asyncDispose]: async () => {
      await new Promise((done) => server.close(done))
    },
  }
}

async function errorOf(work: Promise<unknown>): Promise<SluiceError> {
  const error: unknown = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof SluiceError)) throw new Error(`no SluiceError: ${String(error)}`)
  return error
}

const filesOf = async (log: LogStore): Promise<number> => {
  const table = await DeltaTable.open(log, parquet, NEVER)
  let files = 0
  for await (const block of (await table.snapshot()).files({ signal: NEVER })) files += block.length
  return files
}

describe.skipIf(!S3_AVAILABLE)(`a log in a bucket${S3_AVAILABLE ? '' : ` (skipped: ${S3_MISSING})`}`, () => {
  let server: S3Server
  const open = (prefix: string, env: Record<string, string> = {}, rule = QUICK): LogStore =>
    openS3Log(server.url(prefix), { client: new S3Client({ ...server.env, ...env }, rule) })

  beforeAll(async () => {
    server = await startS3()
    using folder = temporaryFolder()
    writeLog(folder.path, [[PROTOCOL, METADATA], ...Array.from({ length: COMMITS - 1 }, (_, i) => [add(`f${i}`)])])
    server.putFolder(folder.path, 'hundred')
    server.put("odd/_delta_log/a b+c%20d&e\u00fc'(1).json", 'odd')
    server.put('big/_delta_log/object', BIG)
    server.put('big/_delta_log/empty', '')
  })
  afterAll(async () => server[Symbol.asyncDispose]())
  beforeEach(() => {
    server.delay(0)
    server.reset()
  })

  test('100 commits cost one listing and one request each, sixteen at a time', async () => {
    server.delay(20)
    const log = open('hundred')
    expect(await filesOf(log)).toBe(COMMITS - 1)
    const { lists, gets, heads } = server.requests()
    // Protocol and metadata are in the first commit: the search for them reads all, and the files come out of the same
    // bytes.
    expect([lists, gets, heads]).toEqual([1, COMMITS, 0])
    expect(log.requests).toMatchObject({ lists: 1, gets: COMMITS, heads: 0, bytes: expect.any(Number) })
    expect(server.mostAtOnce()).toBeGreaterThan(8)
    expect(server.mostAtOnce()).toBeLessThanOrEqual(16)
  })

  test('a listing from a version on begins there', async () => {
    const listing = await listLog(open('hundred'), { signal: NEVER, from: 97 })
    expect(listing.commits.map(({ version }) => version)).toEqual([97, 98, 99])
    expect(server.requests().log.map(({ query }) => query.get('start-after'))).toEqual([
      `hundred/_delta_log/${'97'.padStart(20, '0')}`,
    ])
  })

  test('listings longer than a page are read to the end', async () => {
    for (let version = 0; version < 2_001; version++) server.put(`long/_delta_log/${commitName(version)}`, '')
    const listing = await listLog(open('long'), { signal: NEVER })
    expect(listing.commits.map(({ version }) => version)).toEqual(Array.from({ length: 2_001 }, (_, i) => i))
    expect(server.requests().lists).toBe(3)
  })

  test('names, sizes and ranges are those of the objects', async () => {
    const odd = open('odd')
    const names: string[] = []
    for await (const { name } of odd.list('_delta_log', { attributes: true, signal: NEVER })) names.push(name)
    expect(names).toEqual(["a b+c%20d&eü'(1).json"])
    expect((await bytesOf(odd, `_delta_log/${names[0] ?? ''}`)).toString()).toBe('odd')
    const log = open('big')
    expect(await log.head('_delta_log/object', NEVER)).toEqual({
      size: BIG.length,
      modified: expect.any(Number),
      etag: expect.stringMatching(/^".+"$/) as string,
    })
    expect(await log.head('_delta_log/none', NEVER)).toBeNull()
    expect(await bytesOf(log, '_delta_log/empty')).toEqual(Buffer.alloc(0))
    expect(await bytesOf(log, '_delta_log/empty', { end: 10 })).toEqual(Buffer.alloc(0))
    expect((await bytesOf(log, '_delta_log/object')).equals(BIG)).toBe(true)
    expect(
      (await bytesOf(log, '_delta_log/object', { start: 1000, end: 3_000_000 })).equals(BIG.subarray(1000, 3_000_000)),
    ).toBe(true)
    expect((await bytesOf(log, '_delta_log/object', { start: BIG.length - 5 })).equals(BIG.subarray(-5))).toBe(true)
    expect(await bytesOf(log, '_delta_log/object', { start: BIG.length + 5 })).toEqual(Buffer.alloc(0))
    expect(await errorOf(bytesOf(log, '_delta_log/none'))).toMatchObject({
      code: 'SOURCE_GONE',
      hint: expect.stringContaining('run the same command again') as string,
    })
    expect((await errorOf(bytesOf(log, '../other/x'))).code).toBe('PATH_ESCAPES')
  })

  test('a local copy has the bytes of the object, is private, and is deleted at the end', async () => {
    const log = open('big')
    const local = await log.localFile('_delta_log/object', NEVER)
    expect(readFileSync(local.file).equals(BIG)).toBe(true)
    expect(statSync(local.file).mode & 0o777).toBe(0o600)
    await local[Symbol.asyncDispose]()
    server.reset()
    // A second request for the same object costs nothing.
    await using again = await log.localFile('_delta_log/object', NEVER)
    expect(readFileSync(again.file).equals(BIG)).toBe(true)
    expect(server.requests().log).toEqual([])
  })

  test.each([
    [503, 'SlowDown'],
    [500, 'InternalError'],
    [429, 'TooManyRequests'],
  ])('reads survive a series of %i', async (status, code) => {
    server.failNext(4, status, code)
    expect(await filesOf(open('hundred'))).toBe(COMMITS - 1)
  })

  test('a store that never recovers is reported with its code and request', async () => {
    server.failNext(1_000, 503)
    const error = await errorOf(filesOf(open('hundred')))
    expect([error.code, error.retryable]).toEqual(['SOURCE_IO', true])
    expect(error.message).toContain('SlowDown after 6 tries')
    expect(error.reason).toContain('TEST-')
    expect(server.requests().lists).toBe(6)
  })

  test('Retry-After is honoured', async () => {
    server.failNext(1, 503, 'SlowDown', { 'retry-after': '1' })
    const begun = performance.now()
    await listLog(open('hundred'), { signal: NEVER })
    expect(performance.now() - begun).toBeGreaterThan(990)
  })

  test('a body that breaks off is resumed where it stopped', async () => {
    server.cutNext(3, 1_000_000)
    const got = await bytesOf(open('big'), '_delta_log/object')
    expect(createHash('sha256').update(got).digest('hex')).toBe(createHash('sha256').update(BIG).digest('hex'))
    const { log } = server.requests()
    expect(log).toHaveLength(4)
    expect(log.slice(1).every(({ range }) => /^bytes=[1-9]\d*-/.test(range ?? ''))).toBe(true)
  })

  test('is resumed from a store without ETags, as long as size and time stay', async () => {
    server.hide('etag')
    try {
      server.cutNext(3, 1_000_000)
      const got = await bytesOf(open('big'), '_delta_log/object')
      expect(createHash('sha256').update(got).digest('hex')).toBe(createHash('sha256').update(BIG).digest('hex'))
      expect(server.requests().log).toHaveLength(4)
      server.put('replaced/_delta_log/object', BIG)
      const other = randomBytes(BIG.length + 1)
      server.cutNext(1, 1_000_000, () => server.put('replaced/_delta_log/object', other))
      expect((await errorOf(bytesOf(open('replaced'), '_delta_log/object'))).code).toBe('LOG_CHANGED')
    } finally {
      server.hide(null)
    }
  })

  test('is resumed from a store with weak ETags, and another object is still detected', async () => {
    server.weaken(true)
    try {
      server.cutNext(3, 1_000_000)
      const got = await bytesOf(open('big'), '_delta_log/object')
      expect(createHash('sha256').update(got).digest('hex')).toBe(createHash('sha256').update(BIG).digest('hex'))
      server.put('weak/_delta_log/object', BIG)
      const other = randomBytes(BIG.length)
      server.cutNext(1, 1_000_000, () => server.put('weak/_delta_log/object', other))
      expect((await errorOf(bytesOf(open('weak'), '_delta_log/object'))).code).toBe('LOG_CHANGED')
    } finally {
      server.weaken(false)
    }
  })

  test('a connection that a proxy cuts anywhere in a response is opened again', async () => {
    await using proxy = await startCutter(Number(new URL(server.endpoint).port))
    const env = { AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${proxy.port}` }
    for (const [prefix, after] of [
      ['hundred', 0],
      ['hundred', 300],
      ['hundred', 2_000],
      ['big', 1_000_000],
    ] as const) {
      proxy.cutNext(2, after)
      const log = open(prefix, env)
      if (prefix === 'hundred') expect(await filesOf(log)).toBe(COMMITS - 1)
      else expect((await bytesOf(log, '_delta_log/object')).equals(BIG)).toBe(true)
      expect(proxy.left()).toBe(0)
    }
  })

  test('an object that is replaced during the read is not mixed with the new one', async () => {
    server.put('replaced/_delta_log/object', BIG)
    server.cutNext(1, 1_000_000, () => server.put('replaced/_delta_log/object', randomBytes(BIG.length)))
    const error = await errorOf(bytesOf(open('replaced'), '_delta_log/object'))
    expect(['LOG_CHANGED', 'SOURCE_GONE']).toContain(error.code)
  })

  test('an abort ends the wait', async () => {
    server.failNext(1_000, 503, 'SlowDown', { 'retry-after': '20' })
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 200)
    const begun = performance.now()
    await errorOf(listLog(open('hundred'), { signal: controller.signal }))
    expect(performance.now() - begun).toBeLessThan(2_000)
  })

  test('a refused request is reported by name, once, and without a secret', async () => {
    const secret = 'never-to-be-seen'
    const wrong = await errorOf(filesOf(open('hundred', { AWS_SECRET_ACCESS_KEY: secret })))
    expect([wrong.code, wrong.message]).toEqual(['SOURCE_DENIED', expect.stringContaining('SignatureDoesNotMatch')])
    expect(server.requests().log).toHaveLength(1)
    for (const code of ['AccessDenied', 'RequestTimeTooSkewed', 'ExpiredToken']) {
      server.failNext(2, code === 'ExpiredToken' ? 400 : 403, code)
      const error = await errorOf(filesOf(open('hundred')))
      const denied = code === 'ExpiredToken' ? 'CONNECT_FAILED' : 'SOURCE_DENIED'
      expect([error.code, error.exitCode, error.message]).toEqual([denied, 3, expect.stringContaining(code)])
      server.reset()
    }
    const bucket = openS3Log('s3://no-such-bucket/t', { client: new S3Client(server.env, QUICK) })
    expect((await errorOf(filesOf(bucket))).code).toBe('NO_SUCH_PATH')
    expect(JSON.stringify([wrong.info(), wrong.stack, String(wrong.cause)])).not.toContain(secret)
    const nobody = openS3Log(server.url('t'), {
      client: new S3Client({ ...server.env, AWS_ENDPOINT_URL_S3: await closedPort() }, QUICK),
    })
    const refused = await errorOf(filesOf(nobody))
    expect([refused.code, refused.retryable, refused.message]).toEqual([
      'SOURCE_IO',
      true,
      expect.stringContaining('ECONNREFUSED'),
    ])
  })

  test('a bucket of another region is requested there', async () => {
    server.failNext(1, 301, 'PermanentRedirect', { 'x-amz-bucket-region': 'us-east-1' })
    expect((await listLog(open('hundred', { AWS_REGION: 'eu-west-1' }), { signal: NEVER })).latest).toBe(COMMITS - 1)
  })

  test('a bucket whose region the endpoint does not serve is named with its region and what to set', async () => {
    for (const [status, code] of [
      [301, 'PermanentRedirect'],
      [400, 'AuthorizationHeaderMalformed'],
    ] as const) {
      server.failNext(3, status, code, { 'x-amz-bucket-region': 'eu-north-1' })
      const error = await errorOf(listLog(open('hundred', { AWS_REGION: 'eu-west-1' }), { signal: NEVER }))
      expect(error).toMatchObject({
        code: 'SOURCE_IO',
        message: expect.stringContaining('eu-north-1') as string,
        hint: expect.stringContaining('AWS_REGION=eu-north-1') as string,
      })
      expect(server.requests().log).toHaveLength(2)
      server.reset()
    }
  })

  test('prefetching an object that is gone fails its reader, and no other', async () => {
    const log = open('hundred')
    const paths = [0, 1, 2].map((version) => `_delta_log/${commitName(version)}`)
    await listLog(log, { signal: NEVER })
    server.put('hundred/_delta_log/extra', '')
    log.prefetch?.([paths[0] ?? '', paths[2] ?? ''], { signal: NEVER })
    const before = server.requests().gets
    await bytesOf(log, paths[0] ?? '')
    await bytesOf(log, paths[1] ?? '')
    await bytesOf(log, paths[2] ?? '')
    expect(server.requests().gets - before).toBeLessThanOrEqual(3)
    server.remove('hundred/_delta_log/extra')
  })

  test('the state in a large checkpoint is read without its files, and its files with a few requests', async () => {
    using folder = temporaryFolder()
    const file = join(folder.path, 'checkpoint.parquet')
    const instance = await DuckDBInstance.create(':memory:')
    const connection = await instance.connect()
    const schema = '{"type":"struct","fields":[]}'
    await connection.run(
      `COPY (SELECT CASE WHEN i = 0 THEN {minReaderVersion: 1, minWriterVersion: 2} END AS protocol,
         CASE WHEN i = 1 THEN {id: 'x', format: {provider: 'parquet'}, schemaString: '${schema}', partitionColumns: []::VARCHAR[]} END AS "metaData",
         CASE WHEN i > 1 THEN {path: md5(i::VARCHAR), size: i, modificationTime: i, dataChange: true, stats: sha256(i::VARCHAR)} END AS "add"
       FROM range(100002) t(i)) TO '${file}' (FORMAT parquet, ROW_GROUP_SIZE 20000)`,
    )
    connection.closeSync()
    instance.closeSync()
    const bytes = readFileSync(file)
    expect(bytes.length).toBeGreaterThan(5 << 20)
    server.put(`large/_delta_log/${'7'.padStart(20, '0')}.checkpoint.parquet`, bytes)
    const log = open('large')
    const snapshot = await (await DeltaTable.open(log, parquet, NEVER)).snapshot()
    expect((await snapshot.head(NEVER)).metadata.schemaString).toBe(schema)
    expect(log.requests?.bytes).toBeLessThan(500_000)
    expect((await snapshot.counts(NEVER)).files).toBe(100_000)
    // Bytes that were read before are not requested again.
    expect(log.requests?.bytes).toBeLessThan(bytes.length + 300_000)
    expect(server.requests()).toMatchObject({ lists: 1, heads: 0 })
    expect(server.requests().gets).toBeLessThan(16)
  })

  test('the temporary folder keeps only files in use', () => {
    const left = readdirSync(tmpdir()).filter((name) => name.startsWith('sluice-s3-'))
    for (const name of left) expect(existsSync(join(tmpdir(), name, 'spool'))).toBe(false)
  })
})
