/** Long queries: over more source rows than memory holds, and over tables that `archive run` has archived in part. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import Sqlite from 'better-sqlite3'
import { expect, test } from 'vitest'
import { POSTGRES_AVAILABLE, startPostgres } from '../support/servers/postgresql.ts'
import { ask, bookingRows, QUARTERS, QUESTIONS, referenceRows, untouched } from './archive-query-kit.ts'
import { psql } from './copy-postgresql-kit.ts'
import { perform } from './operation-kit.ts'

const ALL = process.env['SLUICE_TEST_ALL'] === '1'
const ROWS = 3_000_000

test.skipIf(!ALL)('source rows that exceed memory are written to disk', { timeout: 600_000 }, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-test-large-'))
  try {
    const file = path.join(folder, 'large.db')
    const db = new Sqlite(file)
    db.exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; CREATE TABLE bookings (id INTEGER PRIMARY KEY, a TEXT, b TEXT);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
        INSERT INTO bookings SELECT i, hex(randomblob(100)), hex(randomblob(120)) FROM n`)
    db.close()
    let most = 0
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().rss)
    }, 50)
    const begun = process.memoryUsage().rss
    const { rows, sources } = await ask(
      `sqlite:///${file}`,
      'SELECT count(*), count(DISTINCT a), sum(length(b)) FROM bookings',
    )
    clearInterval(watch)
    expect(rows.map((row) => row.map(Number))).toEqual([[ROWS, ROWS, ROWS * 240]])
    expect(sources.hotRows).toBe(String(ROWS))
    // The limit of DuckDB, and what Node itself needs.
    expect((most - begun) / 2 ** 20).toBeLessThan(1700)
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
})

test.skipIf(!ALL || !POSTGRES_AVAILABLE)(
  'a query over rows that `archive` took out of PostgreSQL, and over those that it left',
  { timeout: 300_000 },
  async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-test-archived-'))
    const rows = bookingRows(1500)
    await using server = await startPostgres()
    await server.createDatabase('bookings')
    const url = server.url('bookings')
    const by = await psql(url)
    try {
      await by.run(`CREATE TABLE bookings (id bigint, day date, amount numeric(10,2), note text, customer text, seen timestamp)
          PARTITION BY RANGE (day);
        ${QUARTERS.map(({ label, from, to }) => `CREATE TABLE "${label}" PARTITION OF bookings FOR VALUES FROM ('${from}') TO ('${to}');`).join('')}
        CREATE TABLE others PARTITION OF bookings DEFAULT; INSERT INTO bookings VALUES ${rows.join(', ')}`)
      const common = { partitions: [], asText: [], detach: true, drop: false, dryRun: false }
      const archive = {
        kind: 'archive',
        from: url,
        tables: ['bookings'],
        to: folder,
        olderThan: '1q',
        ...common,
      } as const
      const { finished } = await perform(archive)
      expect(finished.totals).toMatchObject({ detached: '4' })
      using reference = await untouched(rows)
      for (const question of QUESTIONS) {
        expect((await ask(url, question)).rows, question).toEqual(await referenceRows(reference, question))
      }
      const { sources } = await ask(
        url,
        "SELECT sum(id) FROM bookings WHERE day >= '2024-04-10' AND day < '2024-05-01'",
      )
      expect(sources).toMatchObject({ partitions: { read: '1', of: '4' }, hotRows: '0' })
    } finally {
      await by.close()
      fs.rmSync(folder, { recursive: true, force: true })
    }
  },
)
