/** Measured waits: writers on every partition and on the table all the time, while all partitions leave. Prints the longest waits; asserts that all leave and no row is lost. */
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
/** Rows of each partition, about 400 bytes each. */
const ROWS = Number(process.env['SLUICE_TEST_ROWS'] ?? 200_000)

describe.skipIf(!POSTGRES_OWN || !ALL)('measured waits of writers (needs a server of its own)', () => {
  let folder = ''
  let server: PostgresServer
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-waits-'))
    server = await startPostgres()
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  test('every partition leaves', { timeout: 1_200_000 }, async () => {
    const place = await placeOn('postgresql', server.url('postgres'))
    await place.sql(
      'CREATE TABLE rides (id bigint NOT NULL, at timestamp NOT NULL, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)',
      "CREATE TABLE rides_new PARTITION OF rides FOR VALUES FROM ('2090-01-01') TO ('2091-01-01')",
    )
    for (const [i, from] of QUARTERS.slice(0, -1).entries()) {
      await place.sql(
        `CREATE TABLE rides_${i} PARTITION OF rides FOR VALUES FROM ('${from}') TO ('${QUARTERS[i + 1]}')`,
        `INSERT INTO rides SELECT ${i} * 10000000 + n, '${from}'::timestamp + n * interval '10 seconds', repeat(md5(n::text), 10) FROM generate_series(1, ${ROWS}) n`,
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
    // What the machine does to a writer by itself.
    for (const { waits } of [onParent, ...onPartitions]) while (waits.count < 500) await sleep(20)
    const alone = [onParent, ...onPartitions].map(({ waits }) => waits.longestMs)
    for (const { waits } of [onParent, ...onPartitions]) waits.longestMs = 0
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
    const told = [onParent, ...onPartitions].map(({ waits }, i) => {
      return `${i === 0 ? 'the table' : `partition ${i}`}: ${waits.count} writes, the longest took ${waits.longestMs.toFixed()} ms (${(alone[i] ?? 0).toFixed()} ms before the run)`
    })
    process.stdout.write(`${[...notes, ...told].join('\n')}\n`)
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

/** One statement after the other, each its own transaction, until the table is gone or it is stopped. */
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
    }
  })()
  const stop = async (): Promise<void> => {
    isOver = true
    await work
    await client.end()
  }
  return { waits, stop }
}
