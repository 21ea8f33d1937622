/** Tables of MariaDB with INVISIBLE columns, also as their key: no step leaves their values out. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandsOf, TABLE } from '../support/archive-places.ts'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'

const why = await missing('mysql')
let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-invisible-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const COLUMNS = `id int NOT NULL AUTO_INCREMENT INVISIBLE PRIMARY KEY, at datetime NOT NULL, v varchar(9),
  secret int NOT NULL INVISIBLE DEFAULT 7, twice int AS (secret * 2) INVISIBLE`

async function stage(): Promise<Place> {
  const place = await makePlace('mysql', folder)
  await place.sql(
    `CREATE TABLE ${TABLE} (${COLUMNS})`,
    `INSERT INTO ${TABLE} (id, at, v, secret) VALUES (3, '2020-01-05', 'a', 1), (5, '2020-05-05', 'b', 2), (9, '2099-05-05', 'c', 3)`,
  )
  return place
}

const rowsOf = async (place: Place): Promise<string> =>
  JSON.stringify((await place.rows(`SELECT id, v, secret FROM ${TABLE} ORDER BY id`)).map((row) => row.map(String)))

describe.skipIf(why !== '')(`an INVISIBLE column ${why}`, () => {
  test.for(['mysql', 'postgresql', 'sqlite'] as const)(
    'is copied, compared and streamed into %s',
    { timeout: 90_000 },
    async (system, { skip }) => {
      const absent = await missing(system)
      skip(absent !== '', absent)
      const [source, target] = [await stage(), await makePlace(system, folder)]
      const copy = copyOf(source, target, TABLE, {
        follow: { cdc: 'trigger', until: 'caught-up' },
        with: ['defaults'],
      })
      const begun = await perform(copy)
      expect(begun.finished, JSON.stringify(begun.finished.error)).toMatchObject({ exitCode: 0 })
      expect(await rowsOf(target)).toBe(await rowsOf(source))
      await source.sql(
        `INSERT INTO ${TABLE} (at, v, secret) VALUES ('2021-01-01', 'd', 4)`,
        `INSERT INTO ${TABLE} (at, v) VALUES ('2021-01-01', 'e')`,
        `UPDATE ${TABLE} SET secret = 33 WHERE id = 3`,
        `UPDATE ${TABLE} SET id = 6 WHERE id = 5`,
        `DELETE FROM ${TABLE} WHERE id = 9`,
      )
      const more = await perform(copyOf(source, target, TABLE, { follow: { cdc: 'trigger', until: 'equal' } }))
      expect(more.finished, JSON.stringify(more.finished.error)).toMatchObject({ exitCode: 0 })
      expect(await rowsOf(target)).toBe(await rowsOf(source))
      expect(await rowsOf(target)).toContain('"33"')
    },
  )

  test('is archived and restored', { timeout: 90_000 }, async () => {
    const place = await stage()
    const before = await rowsOf(place)
    const { run, drop, verify, restore } = commandsOf({ place, form: 'plain', to: join(folder, 'archive') })
    for (const one of [run, drop, verify]) {
      const { finished } = await perform(one)
      expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0 })
    }
    expect(await place.rows(`SELECT id FROM ${TABLE}`)).toEqual([['9']])
    const back = await perform(restore)
    expect(back.finished, JSON.stringify(back.finished.error)).toMatchObject({ exitCode: 0 })
    expect(await rowsOf(place)).toBe(before)
  })
})
