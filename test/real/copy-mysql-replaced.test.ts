/** A table of MySQL that is dropped and created again within the second of its creation. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CopyStore } from '../../src/model/copy/port.ts'
import { openMysqlCopy } from '../../src/stores/mysql/copy/index.ts'
import { makePlace, missing, type Place } from '../support/copy-systems.ts'
import { SIGNAL } from './copy-mysql-kit.ts'

const why = await missing('mysql')

describe.skipIf(why !== '')(`a table that is created again within one second${why}`, () => {
  let place: Place
  let store: CopyStore
  beforeAll(async () => {
    place = await makePlace('mysql', '')
    store = await openMysqlCopy(place.url)
  })
  afterAll(() => store[Symbol.asyncDispose]())

  test('is not taken for the one that a view has read', { timeout: 60_000 }, async () => {
    for (let i = 0; i < 3; i++) {
      const create = 'CREATE TABLE t (id INT PRIMARY KEY)'
      await place.sql(
        'DROP TABLE IF EXISTS t',
        'DO SLEEP(1.02 - MICROSECOND(NOW(6)) / 1000000)',
        create,
        'INSERT INTO t VALUES (1)',
      )
      const [spec] = await store.tables('t', SIGNAL)
      if (spec === undefined) throw new Error('there is no table')
      await using view = await store.source(SIGNAL)
      const rows = async (): Promise<bigint> =>
        (
          await view.digest(
            {
              table: spec,
              columns: spec.columns.map((column) => ({ name: column.name, as: column.type, column })),
              range: { by: 'all' },
              where: null,
              ordered: false,
            },
            SIGNAL,
          )
        ).rows
      expect(await rows()).toBe(1n)
      await place.sql('DROP TABLE t', create)
      await expect(rows()).rejects.toMatchObject({
        code: expect.stringMatching(/CONNECTION_LOST|SOURCE_GONE/) as unknown,
      })
    }
  })
})
