/** If one row of the source cannot be read, the comparison loses that row only, and not the table. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { copyOf, makePlace, perform } from '../support/copy-systems.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'sluice-unread-'))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

it('the unreadable row is named, and all other rows are compared and repaired', async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  await source.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, at DATETIME, v TEXT)',
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
     INSERT INTO t SELECT i, '2024-01-01 00:00:00', 'v' || i FROM n`,
  )
  const { finished: copied } = await perform(copyOf(source, target, 't'))
  expect(copied.error).toBeUndefined()
  await source.sql(`UPDATE t SET v = x'ff' WHERE id = 30000`)
  await target.sql(`UPDATE t SET v = 'other' WHERE id = 30001`, 'DELETE FROM t WHERE id = 7')
  const diff = (fix: boolean) =>
    perform({
      kind: 'diff',
      from: source.url,
      to: target.url,
      tables: ['t'],
      rename: {},
      workers: 2,
      limit: 10,
      fix,
      deleteExtra: fix,
    })
  const { finished, events } = await diff(false)
  const found = events.flatMap((event) =>
    event.type === 'difference' ? [`${event.key.join()} ${event.difference}`] : [],
  )
  expect(found.toSorted()).toEqual(['30001 different', '7 missing'])
  expect(finished.totals).toMatchObject({ rows: '40000', missing: '1', different: '1', extra: '0', errors: '1' })
  expect(finished.exitCode).toBe(1)
  expect(events.some((event) => event.type === 'log' && /cannot be read/.test(event.message))).toBe(true)
  const repaired = await diff(true)
  expect(repaired.finished.totals).toMatchObject({ fixed: '2', errors: '1', extra: '0' })
  // Whether the row differs is unknown, and no flag of diff would repair it.
  expect(repaired.finished.error).toMatchObject({
    message: 'one row could not be compared',
    hint: 'read the log: it names these rows, with the causes',
  })
  expect(await target.rows('SELECT count(*) FROM t WHERE id = 30000')).toEqual([['1']])
})
