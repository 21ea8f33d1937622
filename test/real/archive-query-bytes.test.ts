/**
 * What a query of an archive in a bucket checks before it answers: the object of the publication, and with `--verify`
 * its bytes.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { pathOfLocation } from '../../src/model/lake/lake-url.ts'
import { openS3LogWriter } from '../../src/stores/s3/log-writer.ts'
import { openS3Log } from '../../src/stores/s3/s3-log.ts'
import { commandsOf, countedBy, makeBookings, TABLE, type Archived } from '../support/archive-places.ts'
import { makePlace, perform } from '../support/copy-systems.ts'
import { S3_AVAILABLE, S3_MISSING, startS3, type S3Server } from '../support/servers/s3.ts'
import { conditionalS3, type ConditionalS3 } from './archive-log-s3-kit.ts'
import { NEVER } from './archive-log-kit.ts'

const LABELS = ['2020-Q1', '2020-Q2']
type Noted = { path: string; bytes: string; etag?: string }

describe.skipIf(!S3_AVAILABLE)(`a query of a bucket ${S3_MISSING}`, () => {
  let folder = ''
  let s3: S3Server
  let proxy: ConditionalS3
  let archived: Archived
  let places = 0
  const outer = new Map<string, string | undefined>()
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-query-bytes-'))
    s3 = await startS3()
    // One proxy for all tests: a process has one S3 client.
    proxy = await conditionalS3(s3)
    for (const [name, value] of Object.entries(proxy.env)) {
      outer.set(name, process.env[name])
      process.env[name] = value
    }
  })
  afterAll(async () => {
    for (const [name, value] of outer) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
    await proxy[Symbol.asyncDispose]()
    await s3[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })
  beforeEach(async () => {
    archived = await makeBookings(await makePlace('sqlite', folder), 'plain', s3.url(`with blanks ${places++}`), 200)
  })
  afterEach(() => {
    proxy.fault = () => null
    proxy.alter = null
    proxy.heeds = true
  })

  const run = async (): Promise<void> => {
    const { run: operation, drop } = commandsOf(archived)
    for (const one of [operation, drop]) expect((await perform(one)).finished).toMatchObject({ exitCode: 0 })
  }
  const noted = async (): Promise<Noted[]> =>
    (await archived.place.rows('SELECT files FROM migration_archive_partitions ORDER BY partition_name')).flatMap(
      ([text]) => JSON.parse(text ?? '[]') as Noted[],
    )
  const root = async (): Promise<string> =>
    pathOfLocation((await archived.place.rows('SELECT archive FROM migration_archives'))[0]?.[0] ?? '')
  const query = (more: object = {}): Operation => ({ ...commandsOf(archived).query, ...more })

  test('records the ETag of each file at its publication, but does not need it', { timeout: 60_000 }, async () => {
    const { counted: wanted } = await countedBy(query())
    await run()
    const files = await noted()
    expect(files).toHaveLength(LABELS.length)
    const log = openS3Log(await root(), { client: proxy.client })
    for (const { path, etag } of files) expect(etag).toBe((await log.head(path, NEVER))?.etag)
    const { counted, ran } = await countedBy(query())
    expect(counted).toBe(wanted)
    expect(ran.events).toContainEqual(expect.objectContaining({ type: 'query.sources', unchecked: '2' }))
    await archived.place.sql(`UPDATE migration_archive_partitions SET files = replace(files, '"etag"', '"older"')`)
    expect((await countedBy(query())).counted).toBe(wanted)
  })

  test('refuses an object that replaced another one of the same size', { timeout: 60_000 }, async () => {
    await run()
    const [{ path } = { path: '' }] = await noted()
    const log = openS3Log(await root(), { client: proxy.client })
    const bytes: Buffer[] = []
    for await (const piece of log.read(path, { signal: NEVER })) bytes.push(piece)
    const whole = Buffer.concat(bytes)
    whole[20] = (whole[20] ?? 0) ^ 4
    await openS3LogWriter(await root(), { client: proxy.client }).put(path, whole, NEVER)
    const { finished } = await perform(query())
    expect(finished).toMatchObject({
      exitCode: 5,
      error: { code: 'PARTITION_CHANGED', hint: 'run sluice archive verify to find all damaged files' },
    })
    expect(finished.error?.message).toMatch(/its ETag is ".*", and was ".*" when it was published/)
  })

  test('with --verify detects each bit that is flipped on the way', { timeout: 60_000 }, async () => {
    await run()
    const asked = query({ verifyFiles: true })
    const { finished, events } = await perform(asked)
    expect(finished).toMatchObject({ exitCode: 0, totals: { verified: '2' } })
    expect(events).toContainEqual(expect.objectContaining({ type: 'query.sources', verified: '2' }))
    expect(events.find(({ type }) => type === 'query.sources')).not.toHaveProperty('unchecked')
    for (const at of [0.1, 0.5, 0.9]) {
      proxy.alter = ({ method, key }, body) => {
        if (method !== 'GET' || !key.endsWith('.parquet') || key.includes('_delta_log')) return body
        const other = Buffer.from(body)
        const i = Math.floor(other.length * at)
        other[i] = (other[i] ?? 0) ^ 1
        return other
      }
      expect((await perform(asked)).finished).toMatchObject({ exitCode: 5, error: { code: 'PARTITION_CHANGED' } })
    }
  })

  test('a bucket that ignores If-None-Match is refused before a row is read', { timeout: 60_000 }, async () => {
    proxy.heeds = false
    const { finished } = await perform(commandsOf(archived).run)
    expect(finished.exitCode).not.toBe(0)
    const states = await archived.place.rows('SELECT state, error_code FROM migration_archive_partitions')
    expect(new Set(states.map(String))).toEqual(new Set(['FAILED,UNSUPPORTED_URL']))
    const left: string[] = []
    for await (const { path } of openS3LogWriter(await root(), { client: proxy.client }).listAll('', NEVER))
      left.push(path)
    expect(left).toEqual([])
    expect((await archived.place.rows(`SELECT count(*) FROM ${TABLE}`))[0]?.[0]).toBe('600')
    // No row was exported: the first attempt stayed in state PLANNED.
    expect(await archived.place.rows("SELECT 1 FROM migration_archive_history WHERE state = 'EXPORTING'")).toEqual([])
  })
})
