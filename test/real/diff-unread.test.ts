/** If one row of the source cannot be read, the comparison loses that row only, and not the table. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, expect, it } from 'vitest'
import type { DiffOperation } from '../../src/engine/copy/operations/diff/declaration.ts'
import { copyOf, makePlace, perform, type Place } from '../support/copy-systems.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'sluice-unread-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function diffOf(source: Place, target: Place, more: Pick<DiffOperation, 'fix' | 'deleteExtra'>): DiffOperation {
  return {
    kind: 'diff',
    from: source.url,
    to: target.url,
    tables: ['t'],
    rename: {},
    workers: 2,
    limit: 10,
    ...more,
  }
}

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
  const diff = (fix: boolean) => perform(diffOf(source, target, { fix, deleteExtra: fix }))
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

it('no hint removes rows of the target that may be those that could not be read', async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  for (const [place, value] of [
    [source, '9223372036854775807'],
    [target, '1'],
  ] as const)
    await place.sql('CREATE TABLE t (b BOOLEAN PRIMARY KEY)', `INSERT INTO t VALUES (${value})`)
  for (const fix of [false, true]) {
    const { finished } = await perform(diffOf(source, target, { fix, deleteExtra: false }))
    expect(finished.totals).toMatchObject({ missing: '0', extra: '1', errors: '1' })
    expect(finished.error?.hint).toContain('are kept: they may be rows of the source that could not be read')
  }
})

it('of many unreadable rows only --limit are named, and all are counted', async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  await source.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)',
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) INSERT INTO t SELECT i, 'v' || i FROM n",
  )
  expect((await perform(copyOf(source, target, 't'))).finished.exitCode).toBe(0)
  await source.sql(`UPDATE t SET v = x'ff' WHERE id > 20`)
  const { finished, events } = await perform(diffOf(source, target, { fix: false, deleteExtra: false }))
  expect(finished.totals).toMatchObject({ rows: '60', errors: '40' })
  const messages = events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
  expect(messages.filter((text) => text.includes('cannot be read, and is not compared'))).toHaveLength(10)
  expect(messages).toContain('30 more rows that cannot be read are counted but not listed')
})
