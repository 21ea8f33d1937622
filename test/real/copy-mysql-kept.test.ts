/** What MySQL and MariaDB hold and other systems know otherwise: keys of enums, JSON word for word, geometry, columns that rights hide. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Event } from '../../src/model/event.ts'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'

let folder = ''
let absent = ''
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-kept-'))
  absent = await missing('mysql')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const lineOf = (events: readonly Event[]) => {
  const [line] = events.flatMap((event) => (event.type === 'plan.ready' ? (event.copies ?? []) : []))
  if (line === undefined) throw new Error('no plan')
  return line
}
const diffOf = (from: Place, to: Place, table: string) =>
  ({ kind: 'diff', from: from.url, to: to.url, tables: [table], rename: {}, workers: 1 }) as never

describe('a key with an enum', () => {
  const TARGETS = ['mysql', 'postgresql', 'sqlite', 'duckdb'] as const
  test.for(TARGETS)('is the key in %s', { timeout: 30_000 }, async (to, { skip }) => {
    skip(absent !== '' || (await missing(to)) !== '', absent)
    const source = await makePlace('mysql', folder)
    // Sorted by number: zebra, ant, 'q''x', and not by their letters.
    await source.sql(
      `CREATE TABLE k (kind ENUM('zebra','ant','q''x') NOT NULL, id INT NOT NULL, note VARCHAR(10), PRIMARY KEY (kind, id))`,
      `INSERT INTO k SELECT ELT(1 + seq % 3, 'zebra', 'ant', 'q''x'), seq, CONCAT('n', seq) FROM seq_1_to_60`,
      `CREATE TABLE one (kind ENUM('b','a','c') PRIMARY KEY, n INT)`,
      `INSERT INTO one VALUES ('a', 1), ('b', 2), ('c', 3)`,
      `CREATE TABLE s (flags SET('w','r','x') PRIMARY KEY, n INT)`,
      `INSERT INTO s VALUES ('', 0), ('w', 1), ('r', 2), ('w,r', 3), ('x', 4), ('w,r,x', 7)`,
    )
    const target = await makePlace(to, folder)
    const copy = { ...copyOf(source, target, '', { chunkRows: 2 }), tables: ['k', 'one', 's'] }
    const ran = await perform(copy)
    expect(ran.finished).toMatchObject({ exitCode: 0, totals: { written: '69' } })
    const lines = ran.events.flatMap((event) => (event.type === 'plan.ready' ? (event.copies ?? []) : []))
    expect(lines.map(({ key }) => key.join()).toSorted()).toEqual(['flags', 'kind', 'kind,id'])
    expect(await target.rows('SELECT kind, id, note FROM k ORDER BY id')).toEqual(
      await source.rows('SELECT kind, id, note FROM k ORDER BY id'),
    )
    expect(await target.rows('SELECT flags, n FROM s ORDER BY n')).toEqual(
      await source.rows('SELECT flags, n FROM s ORDER BY n'),
    )
    // A chunk a pair of rows: nothing was copied as one piece because nobody could cut it.
    expect(ran.finished.totals['chunks']).toBe(String(31 + 2 + 4))
    await source.sql(`INSERT INTO k VALUES ('q''x', 1000, 'late')`)
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0 })
    expect((await perform(diffOf(source, target, 'k'))).finished).toMatchObject({ exitCode: 0 })
  })

  test('a copy that was begun without it goes on without it', async ({ skip }) => {
    skip(absent !== '', absent)
    const source = await makePlace('mysql', folder)
    await source.sql(
      `CREATE TABLE one (kind ENUM('b','a','c') PRIMARY KEY, n INT)`,
      `INSERT INTO one VALUES ('a', 1), ('b', 2)`,
    )
    const target = await makePlace('sqlite', folder)
    expect((await perform(copyOf(source, target, 'one', { key: [] }))).finished.exitCode).toBe(0)
    expect((await perform(copyOf(source, target, 'one'))).finished).toMatchObject({ exitCode: 0 })
  })
})
