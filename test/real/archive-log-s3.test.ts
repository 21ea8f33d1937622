/** Archives in buckets: of two writers only one creates a name, despite lost requests and replies. */
import { randomBytes } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ArchiveTable } from '../../src/archive/log/archive-table.ts'
import { strays } from '../../src/archive/log/find-stray.ts'
import { parquetRows } from '../../src/engine/run/registry.ts'
import { duckdbCheckpointWriter } from '../../src/stores/duckdb/checkpoint-writer.ts'
import { S3Client } from '../../src/stores/s3/client.ts'
import { openS3LogWriter } from '../../src/stores/s3/log-writer.ts'
import { openS3Log } from '../../src/stores/s3/s3-log.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { S3_AVAILABLE, S3_MISSING, startS3, type S3Server } from '../support/servers/s3.ts'
import { conditionalS3, once, type ConditionalS3 } from './archive-log-s3-kit.ts'
import { dataFile, headsOf, NEVER, publication, refusalOf } from './archive-log-kit.ts'

const KB = 1 << 10

describe.skipIf(!S3_AVAILABLE)(`an archive in a bucket ${S3_MISSING}`, () => {
  let s3: S3Server
  let proxy: ConditionalS3
  let folder: Folder
  let places = 0
  beforeAll(async () => {
    s3 = await startS3()
    folder = temporaryFolder()
  })
  afterAll(async () => {
    await s3[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })
  beforeEach(async () => {
    proxy = await conditionalS3(s3)
  })
  afterEach(() => proxy[Symbol.asyncDispose]())

  const place = (): string => s3.url(`w ${places++}`)
  const writerAt = (url: string) =>
    openS3LogWriter(url, { client: proxy.client, sizes: { single: 60 * KB, part: 50 * KB } })
  const bytesAt = async (url: string, path: string): Promise<Buffer> => {
    const pieces: Buffer[] = []
    for await (const piece of openS3Log(url, { client: proxy.client }).read(path, { signal: NEVER })) pieces.push(piece)
    return Buffer.concat(pieces)
  }
  const isPut = (part: string) => (asked: { method: string; key: string }) =>
    asked.method === 'PUT' && asked.key.includes(part)

  test('a store that overwrites in spite of If-None-Match is refused before anything is written', async () => {
    const url = place()
    const client = new S3Client(s3.env, { tries: 3, baseMs: 1, idleMs: 5_000 })
    const writer = openS3LogWriter(url, { client })
    const failure = await refusalOf(writer.putIfAbsent('_delta_log/1.json', Buffer.from('a'), NEVER))
    expect([failure.code, failure.exitCode]).toEqual(['UNSUPPORTED_URL', 6])
    expect(failure.message).toContain('two archivers could overwrite each other')
    const left: string[] = []
    for await (const { path } of writer.listAll('', NEVER)) left.push(path)
    expect(left).toEqual([])
  })

  test('of two writers one creates the name; the probe runs once and leaves no object', async () => {
    const url = place()
    const [one, other] = [writerAt(url), writerAt(url)]
    const path = '_delta_log/00.json'
    const ends = await Promise.all([
      one.putIfAbsent(path, Buffer.from('one'), NEVER),
      other.putIfAbsent(path, Buffer.from('other'), NEVER),
    ])
    expect(ends.toSorted()).toEqual(['exists', 'written'])
    expect((await bytesAt(url, path)).toString()).toBe(ends[0] === 'written' ? 'one' : 'other')
    proxy.asked.length = 0
    expect(await one.putIfAbsent('_delta_log/01.json', Buffer.from('x'), NEVER)).toBe('written')
    expect(proxy.asked.map(({ method }) => method)).toEqual(['PUT'])
    const left: string[] = []
    for await (const { path: found } of one.listAll('', NEVER)) left.push(found)
    expect(left).toEqual(['_delta_log/00.json', '_delta_log/01.json'])
  })

  test.each([['drop' as const], ['lose' as const], [500], [503], [409]])(
    'a request that ends with %s is resolved by another request',
    async (fault) => {
      const writer = writerAt(place())
      proxy.fault = once(isPut('00.json'), fault)
      expect(await writer.putIfAbsent('_delta_log/00.json', Buffer.from('ours'), NEVER)).toBe('written')
      proxy.fault = once(isPut('00.json'), fault)
      expect(await writer.putIfAbsent('_delta_log/00.json', Buffer.from('theirs'), NEVER)).toBe('exists')
    },
  )

  test('if each reply is lost, the stored object decides', async () => {
    const writer = writerAt(place())
    await writer.putIfAbsent('_delta_log/00.json', Buffer.from('x'), NEVER)
    proxy.fault = (asked) => (isPut('01.json')(asked) ? 'lose' : null)
    expect(await writer.putIfAbsent('_delta_log/01.json', Buffer.from('ours'), NEVER)).toBe('written')
    proxy.fault = (asked) => (isPut('02.json')(asked) ? 503 : null)
    const failure = await refusalOf(writer.putIfAbsent('_delta_log/02.json', Buffer.from('ours'), NEVER))
    expect([failure.code, failure.kind, failure.retryable]).toEqual(['TARGET_IO', 'target', true])
    proxy.fault = (asked) => (isPut('03.json')(asked) ? 403 : null)
    const denied = await refusalOf(writer.putIfAbsent('_delta_log/03.json', Buffer.from('ours'), NEVER))
    expect([denied.code, denied.kind]).toEqual(['TARGET_DENIED', 'target'])
    proxy.fault = (asked) => (isPut('04.json')(asked) ? 507 : null)
    expect((await refusalOf(writer.putIfAbsent('_delta_log/04.json', Buffer.from('o'), NEVER))).code).toBe('NO_SPACE')
  })

  const SIZES = [0, 1, 60 * KB, 60 * KB + 1, 300 * KB + 3]
  test('files of any size are uploaded completely despite faults, and are never overwritten', async () => {
    const url = place()
    const writer = writerAt(url)
    const file = join(folder.path, 'file')
    for (const size of SIZES) {
      const bytes = randomBytes(size)
      writeFileSync(file, bytes)
      const path = `q=${size}%2F/file 1.parquet`
      const tried = new Set<string>()
      proxy.fault = ({ query }) => {
        const part = query.get('partNumber')
        if (part === null || tried.has(part)) return null
        tried.add(part)
        return ([null, 'lose', 503, 'drop'] as const)[Number(part) % 4] ?? null
      }
      await writer.upload(path, file, NEVER)
      expect((await bytesAt(url, path)).equals(bytes), `${size} bytes`).toBe(true)
    }
    proxy.fault = () => null
    const path = `q=${60 * KB}%2F/file 1.parquet`
    const kept = await bytesAt(url, path)
    writeFileSync(file, kept)
    // An earlier attempt has uploaded it.
    await writer.upload(path, file, NEVER)
    writeFileSync(file, randomBytes(kept.length))
    expect((await refusalOf(writer.upload(path, file, NEVER))).code).toBe('TARGET_IO')
    const large = `q=${60 * KB + 1}%2F/file 1.parquet`
    writeFileSync(file, randomBytes(60 * KB + 1))
    proxy.asked.length = 0
    expect((await refusalOf(writer.upload(large, file, NEVER))).code).toBe('TARGET_IO')
    // Its parts, which cost money, are removed.
    expect(proxy.asked.filter(({ method, query }) => method === 'DELETE' && query.has('uploadId'))).toHaveLength(1)
    expect((await bytesAt(url, path)).equals(kept)).toBe(true)
  })

  test('an upload succeeds although its last reply is lost; a failed one removes its parts', async () => {
    const url = place()
    const writer = writerAt(url)
    const file = join(folder.path, 'file')
    const bytes = randomBytes(120 * KB)
    writeFileSync(file, bytes)
    proxy.fault = once(({ method, query }) => method === 'POST' && query.has('uploadId'), 'lose')
    await writer.upload('a.parquet', file, NEVER)
    expect((await bytesAt(url, 'a.parquet')).equals(bytes)).toBe(true)
    proxy.asked.length = 0
    proxy.fault = ({ query }) => (query.get('partNumber') === '2' ? 503 : null)
    expect((await refusalOf(writer.upload('b.parquet', file, NEVER))).code).toBe('TARGET_IO')
    expect(proxy.asked.filter(({ method, query }) => method === 'DELETE' && query.has('uploadId'))).toHaveLength(1)
    // An upload that is stopped ends within a second, and leaves no parts.
    const stop = new AbortController()
    proxy.asked.length = 0
    proxy.fault = ({ query }) => {
      if (query.get('partNumber') === '2') stop.abort()
      return query.has('partNumber') ? 503 : null
    }
    const begun = Date.now()
    expect((await refusalOf(writer.upload('c.parquet', file, stop.signal))).kind).toBe('stopped')
    expect(Date.now() - begun).toBeLessThan(1000)
    expect(proxy.asked.filter(({ method, query }) => method === 'DELETE' && query.has('uploadId'))).toHaveLength(1)
  })

  test('paths never leave the prefix; removed objects are gone, and a second removal is no error', async () => {
    const url = place()
    const writer = writerAt(url)
    for (const path of ['../x', '/x', 'a/../../x', 'a//b', '']) {
      expect((await refusalOf(writer.put(path, Buffer.from(''), NEVER))).code, path).toBe('PATH_ESCAPES')
    }
    await writer.put('_delta_log/_last_checkpoint', Buffer.from('1'), NEVER)
    await writer.put('_delta_log/_last_checkpoint', Buffer.from('22'), NEVER)
    expect((await bytesAt(url, '_delta_log/_last_checkpoint')).toString()).toBe('22')
    await writer.remove('_delta_log/_last_checkpoint', NEVER)
    await writer.remove('_delta_log/_last_checkpoint', NEVER)
    expect(await openS3Log(url, { client: proxy.client }).head('_delta_log/_last_checkpoint', NEVER)).toBeNull()
  })

  test('two archivers publish each partition once, with checkpoints, no gap and no stray file', async () => {
    const url = place()
    // A new folder, also for a retry of this test.
    const own = join(folder.path, randomBytes(4).toString('hex'))
    const open = (): ArchiveTable =>
      ArchiveTable.open({
        store: openS3Log(url, { client: proxy.client }),
        writer: writerAt(url),
        parquet: parquetRows,
        checkpoints: duckdbCheckpointWriter(),
        heads: headsOf(own),
        now: () => Date.now(),
        tool: 'test',
      })
    const local = join(own, 'local')
    const partitions = Array.from({ length: 12 }, (_, i) => `Q${i} %/ü`)
    const writer = writerAt(url)
    const files = new Map<string, Awaited<ReturnType<typeof dataFile>>>()
    for (const p of partitions) {
      const file = await dataFile(local, p, 'part-1-00000')
      files.set(p, file)
      await writer.upload(file.name, join(local, file.name), NEVER)
    }
    let n = 0
    proxy.fault = ({ key, method }) =>
      method === 'PUT' && key.endsWith('.json') ? (([null, null, 'lose', null, 503] as const)[n++ % 5] ?? null) : null
    const ends = await Promise.all(
      [partitions, partitions.toReversed()].map(async (order) => {
        const table = open()
        const outcomes: string[] = []
        for (const p of order) {
          const file = files.get(p)
          if (file !== undefined) outcomes.push((await table.publish(publication(p, [file]), NEVER)).outcome)
        }
        return outcomes
      }),
    )
    proxy.fault = () => null
    expect(ends.flat().filter((outcome) => outcome === 'published')).toHaveLength(12)
    const state = await open().state(NEVER)
    expect([state?.version, state?.checkpoint]).toEqual([11, 10])
    expect([...(state?.files.keys() ?? [])].toSorted()).toEqual(partitions.toSorted())
    expect([...(state?.files.values() ?? [])].every((found) => found.length === 1)).toBe(true)
    const found = state?.files.get(partitions[0] ?? '')?.[0]?.path ?? ''
    expect((await bytesAt(url, found)).equals(readFileSync(join(local, found)))).toBe(true)
    await writer.put('quarter=x/part-9-00000.parquet', Buffer.from('half'), NEVER)
    const astray: string[] = []
    const parts = { store: openS3Log(url, { client: proxy.client }), writer, parquet: parquetRows }
    for await (const { path } of strays({ ...parts, now: Date.now() + 10_000, olderThanMs: 1000 }, NEVER)) {
      astray.push(path)
    }
    expect(astray).toEqual(['quarter=x/part-9-00000.parquet'])
    rmSync(local, { recursive: true })
  })
})
