/**
 * `--simulate-latency` compared with a foreign proxy: a lake in a bucket and a catalog on a server, with the same
 * latency by either proxy.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runOperation } from '../../src/app/run.ts'
import type { Event } from '../../src/model/run/event.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { add, METADATA, PROTOCOL, temporaryFolder, writeLog, type Folder } from '../support/catalog-kit.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { S3_AVAILABLE, startS3, type S3Server } from '../support/servers/s3.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const ROUND_TRIP = 40

type Question = Extract<Event, { type: 'question' }>

async function run(operation: Operation): Promise<readonly Event[]> {
  const events: Event[] = []
  const finished = await runOperation(operation, {
    interrupt: NEVER,
    clock: systemClock,
    tool: 'test',
    actor: 'test',
    host: 'here',
    commandLine: 'test',
    onEvent: (event) => events.push(event),
  })
  expect(finished.error).toBeUndefined()
  return events
}

describe.skipIf(!S3_AVAILABLE || !POSTGRES_OWN)('both sides with latency', () => {
  let store: S3Server
  let server: PostgresServer
  let work: Folder
  let catalog: string
  const saved = { ...process.env }
  const proxies: ChildProcess[] = []

  beforeAll(async () => {
    ;[store, server] = await Promise.all([startS3(), startPostgres()])
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name]
    Object.assign(process.env, store.env)
    work = temporaryFolder()
    catalog = server.url()
    const words = { dryRun: false, resume: false, batchSize: 10_000, verbose: false, allowRefused: false, waitMs: 0 }
    for (const [name, commits] of [
      ['short', 1],
      ['long', 13],
    ] as const) {
      const [first, ...more] = Array.from({ length: commits }, (_, i) => [add(`f${i}`)])
      writeLog(join(work.path, name), [[PROTOCOL, METADATA, ...(first ?? [])], ...more])
      store.putFolder(join(work.path, name, '_delta_log'), `${name}/_delta_log`)
      await run({ kind: 'import', table: store.url(name), catalog, ...words })
    }
  })
  afterAll(async () => {
    for (const name of Object.keys(store.env)) delete process.env[name]
    Object.assign(process.env, saved)
    for (const proxy of proxies) proxy.kill('SIGKILL')
    work[Symbol.dispose]()
    await store[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  /** Starts a foreign proxy in front of a port. @returns the proxy's port */
  async function proxied(port: number): Promise<number> {
    const program = resolve(import.meta.dirname, '../support/servers/far-proxy.mjs')
    const proxy = spawn(process.execPath, [program, String(port), String(ROUND_TRIP)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    proxies.push(proxy)
    const [line] = (await once(proxy.stdout, 'data')) as [Buffer]
    return Number(line.toString())
  }

  /**
   * Minimum number of round trips of each question, by either proxy; the side with fewer of them is faster.
   * Files: the hint, a listing, and the only commit, or commits from the newest down to one in the middle.
   * SQL: BEGIN, the head of the table, protocol and metadata, or a lookup, COMMIT.
   */
  const LEAST = [
    { name: 'short', question: 'latest-version', files: 3, sql: 5, faster: 'files' },
    { name: 'long', question: 'file-origin', files: 8, sql: 4, faster: 'sql' },
  ] as const

  async function asked(
    { name, question }: (typeof LEAST)[number],
    url: string,
    more: { readonly latencyMs?: number; readonly cold?: boolean },
  ): Promise<{ readonly answer: Question; readonly messages: string }> {
    const table = store.url(name)
    const events = await run({
      kind: 'performance-compare',
      table,
      catalog: url,
      runs: 3,
      cold: false,
      questions: [question],
      ...more,
    })
    const answer = events.find((event) => event.type === 'question')
    if (answer === undefined) throw new Error('no answer')
    return { answer, messages: events.flatMap((event) => (event.type === 'log' ? [event.message] : [])).join('\n') }
  }

  function holds(answer: Question, { files, sql, faster }: (typeof LEAST)[number]): void {
    expect(answer).toMatchObject({ same: true, faster })
    expect(answer.files.p50Ms).toBeGreaterThanOrEqual(files * ROUND_TRIP)
    expect(answer.sql.p50Ms).toBeGreaterThanOrEqual(sql * ROUND_TRIP)
  }

  test('verdicts equal those with a foreign proxy', { timeout: 120_000 }, async () => {
    const delayed = { addedMs: ROUND_TRIP, delayed: 'wire' }
    for (const least of LEAST) {
      const { answer, messages } = await asked(least, catalog, { latencyMs: ROUND_TRIP })
      holds(answer, least)
      expect(answer).toMatchObject({ files: delayed, sql: delayed })
      // The slider of the UI computes with the same wait as a proxy causes.
      for (const side of ['files', 'sql'] as const) {
        const trips = Number(answer[side].roundTrips)
        expect(trips).toBeGreaterThanOrEqual(least[side])
        expect(answer[side].p50Ms).toBeGreaterThanOrEqual(trips * ROUND_TRIP)
      }
      expect(messages).toContain('every connection to the bucket and to the database goes through')
    }
    const far = new URL(catalog)
    far.port = String(await proxied(Number(far.port)))
    const endpoint = new URL(store.endpoint)
    endpoint.port = String(await proxied(Number(endpoint.port)))
    process.env['AWS_ENDPOINT_URL_S3'] = endpoint.origin
    try {
      for (const least of LEAST) holds((await asked(least, far.href, {})).answer, least)
    } finally {
      Object.assign(process.env, store.env)
    }
  })

  test('connecting takes round trips, too: to the bucket, and to the database with its login', async () => {
    const { answer } = await asked(LEAST[0], catalog, { latencyMs: ROUND_TRIP, cold: true })
    expect(answer.files.coldMs).toBeGreaterThanOrEqual((LEAST[0].files + 1) * ROUND_TRIP)
    // Connect, a login in three steps, settings, facts.
    expect(answer.sql.coldMs).toBeGreaterThanOrEqual((LEAST[0].sql + 6) * ROUND_TRIP)
  }, 60_000)
})
