/**
 * Measures waits: writers on every partition and on the table write without a pause while all partitions are archived.
 * Prints the longest waits as measured by the writers, and as logged by the server, for statements and for locks;
 * asserts that all partitions are archived and no row is lost.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { countedBy } from '../support/archive-places.ts'
import { ALL } from '../support/backend.ts'
import { placeOn } from '../support/copy-systems.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { startArchiver } from './archive-kit.ts'

const QUARTERS = ['2020-01-01', '2020-04-01', '2020-07-01', '2020-10-01', '2021-01-01'] as const
/** Rows per partition, and bytes per row: 1,000,000 and 2,000 give partitions of 2 GB. */
const ROWS = Number(process.env['SLUICE_TEST_ROWS'] ?? 200_000)
const BYTES = Number(process.env['SLUICE_TEST_ROW_BYTES'] ?? 400)
/** Pause between two writes of a writer: without it, five writers would mostly wait for the processor. */
const PAUSE_MS = Number(process.env['SLUICE_TEST_PAUSE_MS'] ?? 2)
/** PostgreSQL logs statements and lock waits that take at least this long. */
const LOGGED_FROM_MS = 20

describe.skipIf(!POSTGRES_OWN || !ALL)('measured waits of writers (needs a server of its own)', () => {
  let folder = ''
  let server: PostgresServer
  let log = ''
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-waits-'))
    server = await startPostgres({
      extraSettings: [
        'log_lock_waits=on',
        `deadlock_timeout=${LOGGED_FROM_MS}ms`,
        `log_min_duration_statement=${LOGGED_FROM_MS}`,
      ],
      onLog: (text) => void (log += text),
    })
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  test('every partition is archived while writers write, and no row is lost', { timeout: 1_200_000 }, async () => {
    const place = await placeOn('postgresql', server.url('postgres'))
    await place.sql(
      'CREATE TABLE rides (id bigint NOT NULL, at timestamp NOT NULL, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)',
      "CREATE TABLE rides_new PARTITION OF rides FOR VALUES FROM ('2090-01-01') TO ('2091-01-01')",
    )
    for (const [i, from] of QUARTERS.slice(0, -1).entries()) {
      await place.sql(
        `CREATE TABLE rides_${i} PARTITION OF rides FOR VALUES FROM ('${from}') TO ('${QUARTERS[i + 1]}')`,
        `INSERT INTO rides SELECT ${i} * 10000000 + n, '${from}'::timestamp + n * interval '5 seconds', repeat(md5(n::text), ${Math.ceil(BYTES / 32)}) FROM generate_series(1, ${ROWS}) n`,
      )
    }
    const onParent = await writer(
      place.url,
      (n) => `INSERT INTO rides VALUES (${900_000_000 + n}, '2090-02-02', 'new')`,
    )
    const onPartitions = await Promise.all(
      QUARTERS.slice(0, -1).map((_, i) =>
        writer(
          place.url,
          (n) => `UPDATE rides_${i} SET note = 'w' || ${n} WHERE id = ${i * 10_000_000 + 1 + (n % 500)}`,
        ),
      ),
    )
    // Waits that the machine itself causes.
    for (const { waits } of [onParent, ...onPartitions]) while (waits.count < 500) await sleep(20)
    const alone = [onParent, ...onPartitions].map(({ waits }) => waits.longestMs)
    for (const { waits } of [onParent, ...onPartitions]) waits.longestMs = 0
    log = ''
    const run = {
      kind: 'archive' as const,
      from: place.url,
      tables: ['rides'],
      to: join(folder, 'to'),
      partitions: [],
      olderThan: '8q',
      asText: [],
      detach: true,
      drop: false,
      dryRun: false,
    }
    const { finished, events } = await startArchiver(run).ended
    for (const one of onPartitions) await one.stop()
    await onParent.stop()
    const notes = events.flatMap((event) =>
      event.type === 'log' && event.message.includes(' left ') ? [event.message] : [],
    )
    const reported = [onParent, ...onPartitions].map(({ waits }, i) => {
      return `${i === 0 ? 'the table' : `partition ${i}`}: ${waits.count} writes, the longest took ${waits.longestMs.toFixed()} ms (${(alone[i] ?? 0).toFixed()} ms before the run)`
    })
    process.stdout.write(`${[...notes, ...reported, slowWrites(log), ...lockWaits(log)].join('\n')}\n`)
    expect(finished).toMatchObject({ exitCode: 0, totals: { detached: '4' } })
    const query = {
      kind: 'query',
      from: place.url,
      table: 'rides',
      query: 'SELECT count(*) AS n FROM rides WHERE id < 900000000',
      limit: 10,
      format: 'table',
    } as const
    expect((await countedBy(query)).counted).toBe(String(4 * ROWS))
  })
})

/** Executes one statement after the other, each in its own transaction, until the table is gone or `stop`. */
async function writer(url: string, sql: (n: number) => string) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const waits = { count: 0, longestMs: 0 }
  let isOver = false
  const work = (async () => {
    for (let n = 0; !isOver; n++) {
      const begun = performance.now()
      const isGone = await client.query(sql(n)).then(
        () => false,
        () => true,
      )
      waits.longestMs = Math.max(waits.longestMs, performance.now() - begun)
      waits.count++
      if (isGone) return
      await sleep(PAUSE_MS)
    }
  })()
  const stop = async (): Promise<void> => {
    isOver = true
    await work
    await client.end()
  }
  return { waits, stop }
}

/** Lock waits in PostgreSQL's log: the number of each kind, and the longest one that ended. */
function lockWaits(log: string): readonly string[] {
  const byLock = new Map<string, number[]>()
  for (const [, lock = '', ms] of log.matchAll(/ acquired (\w+ on \w+).*? after ([\d.]+) ms/gu)) {
    byLock.set(lock, [...(byLock.get(lock) ?? []), Number(ms)])
  }
  const reported = [...byLock].map(([lock, waited]) => {
    return `${lock}: ${waited.length} waits above ${LOGGED_FROM_MS} ms, the longest took ${Math.max(...waited).toFixed()} ms`
  })
  return reported.length === 0 ? [`no wait for a lock above ${LOGGED_FROM_MS} ms`] : reported
}

/** The writers' statements in PostgreSQL's log: the writers measure more, because they also wait for a processor. */
function slowWrites(log: string): string {
  const took = [
    ...log.matchAll(/duration: ([\d.]+) ms {2}\w+[^:]*: (?:UPDATE rides_\d SET note|INSERT INTO rides VALUES)/gu),
  ].map(([, ms]) => Number(ms))
  if (took.length === 0) return `the server took ${LOGGED_FROM_MS} ms for no write`
  return `the server took more than ${LOGGED_FROM_MS} ms for ${took.length} writes, and ${Math.max(...took).toFixed()} ms for the longest`
}
