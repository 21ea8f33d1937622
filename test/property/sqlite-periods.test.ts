/** Periods of times that SQLite stores as texts: its SQL condition compared with the canonical form. */
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { canonicalInstant } from '../../src/model/copy/canonical-time.ts'
import type { ColumnType } from '../../src/model/copy/column-type.ts'
import { compareCanonicalTimes } from '../../src/stores/common/time-bounds.ts'
import { sqliteTimeCondition } from '../../src/stores/sqlite/archive/time.ts'

const database = new Database(':memory:')
afterAll(() => database.close())
database.exec('CREATE TABLE t (at TEXT)')

const two = (most: number) => fc.integer({ min: 0, max: most }).map((n) => String(n).padStart(2, '0'))
/** Few days and few times of day, so that bounds and values are often equal. */
const day = fc.constantFrom('2024-02-28', '2024-02-29', '2024-03-01', '2023-12-31', '2024-01-01')
const clock = fc.oneof(
  fc.constantFrom('00:00:00', '00:00', '23:59:59', '22:00', '22:00:00', '23:59:59.999999', '00:00:00.5', '00:00:00.50'),
  fc.tuple(two(23), two(59), two(59)).map((parts) => parts.join(':')),
)
const offsets = [
  '',
  'Z',
  ' Z',
  '+02:00',
  ' -05:30',
  '+00:00',
  '+0200',
  '-01',
  '+14:00',
  '-12:00',
  '+01:30:15',
  '-233015',
] as const
const local = fc.oneof(
  day,
  fc.tuple(day, fc.constantFrom(' ', 'T'), clock).map((parts) => parts.join('')),
)

const withZone = fc.tuple(local, fc.constantFrom(...offsets)).map((parts) => parts.join(''))
const withoutZone = fc
  .tuple(local, fc.boolean())
  .map(([text, marked]) => (marked && text.length > 10 ? `${text}Z` : text))

const bound = fc.option(fc.tuple(day, clock).map(([date, time]) => canonicalInstant(`${date} ${time}`, false)))

test.each<readonly [string, ColumnType, fc.Arbitrary<string>, boolean]>([
  ['moments with offsets', { kind: 'timestamp', zone: true, digits: 6 }, withZone, true],
  ['texts', { kind: 'text' }, withoutZone, true],
  ['times on a wall', { kind: 'timestamp', zone: false, digits: 6 }, local, false],
])('%s', (_, type, values, zone) => {
  const insert = database.prepare('INSERT INTO t VALUES (?)')
  fc.assert(
    fc.property(fc.array(values, { minLength: 1, maxLength: 20 }), bound, bound, (texts, from, to) => {
      const condition = sqliteTimeCondition({ name: 'at', type, native: 'TEXT', nullable: true }, from, to)
      database.exec('DELETE FROM t')
      for (const text of texts) insert.run(text)
      const found = database.prepare(`SELECT at FROM t WHERE ${condition}`).pluck().all() as string[]
      const wanted = texts.filter((text) => {
        const at = canonicalInstant(text, zone)
        return (
          (from === null || compareCanonicalTimes(at, from) >= 0) && (to === null || compareCanonicalTimes(at, to) < 0)
        )
      })
      expect(found.toSorted()).toEqual(wanted.toSorted())
    }),
    { numRuns: 600 },
  )
})
