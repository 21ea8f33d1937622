/** A query over more rows of the source than its memory holds. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import Sqlite from 'better-sqlite3'
import { expect, test } from 'vitest'
import { ask } from './archive-query-kit.ts'

const ROWS = 3_000_000

test.skipIf(process.env['SLUICE_TEST_ALL'] !== '1')(
  'rows of the source go to the disk when they do not fit',
  { timeout: 600_000 },
  async () => {
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
      expect(rows).toEqual(
        [[ROWS, ROWS, `${ROWS * 240}`]]
          .map((row) => row.map(String))
          .map(([a, b, c]) => [Number(a), Number(b), Number(c)]),
      )
      expect(sources.hotRows).toBe(String(ROWS))
      // The limit of DuckDB, and what Node needs beside it.
      expect((most - begun) / 2 ** 20).toBeLessThan(1700)
    } finally {
      fs.rmSync(folder, { recursive: true, force: true })
    }
  },
)
