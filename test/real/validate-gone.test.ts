/** The folder of a table in a catalog is gone: `validate` names the ways out, as `sync` does. */
import { renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { add, METADATA, PROTOCOL, temporaryFolder, writeLog } from '../support/catalog-kit.ts'
import { openCatalogDatabase } from '../../src/engine/run/registry.ts'
import { importOf, perform, validateOf } from './operation-kit.ts'

test('the hint of validate names a way out if the log is gone', async () => {
  using work = temporaryFolder()
  const table = join(work.path, 'table')
  const catalog = `sqlite:///${work.path}/catalog.db`
  writeLog(table, [[PROTOCOL, METADATA, add('a.parquet')]])
  expect((await perform(importOf(table, catalog))).finished.status).toBe('ok')
  renameSync(table, `${table}-elsewhere`)
  const { error } = (await perform(validateOf(table, catalog))).finished
  expect(error).toMatchObject({ code: 'NO_LOG' })
  expect(error?.hint).toMatch(/import PATH --table-id \S+ --moved.*rollback \S+ --forget --confirm=/)
})

test('the hint of validate does not name sync if the log ends before the version of the catalog', async () => {
  using work = temporaryFolder()
  const table = join(work.path, 'table')
  const catalog = `sqlite:///${work.path}/catalog.db`
  writeLog(table, [[PROTOCOL, METADATA, add('a.parquet')], [add('b.parquet')], [add('c.parquet')]])
  expect((await perform(importOf(table, catalog))).finished.status).toBe('ok')
  rmSync(join(table, '_delta_log/00000000000000000002.json'))
  const { error } = (await perform(validateOf(table, catalog))).finished
  expect(error).toMatchObject({ code: 'LOG_GAP' })
  expect(error?.hint).toMatch(/^restore the missing commits; .*rollback \S+ --forget/)
})

test.each(['{"importId":"1', 'null', '7', '{"importId":"x"}'])(
  'validate and import name a cursor that cannot be read, and the way out: %s',
  async (cursor) => {
    using work = temporaryFolder()
    const table = join(work.path, 'table')
    const catalog = `sqlite:///${work.path}/catalog.db`
    writeLog(table, [[PROTOCOL, METADATA, add('a.parquet')]])
    expect((await perform(importOf(table, catalog))).finished.status).toBe('ok')
    const set = async (to: string | null): Promise<void> => {
      await using database = await openCatalogDatabase(catalog, 'write')
      await database.write((transaction) => transaction.run('UPDATE delta_tables SET "cursor" = ?', [to]))
    }
    await set(cursor)
    for (const one of [validateOf(table, catalog), importOf(table, catalog)]) {
      const { error } = (await perform(one)).finished
      expect(error).toMatchObject({ code: 'TARGET_CORRUPT' })
      expect(error?.hint).toContain('set cursor to NULL')
    }
    await set(null)
    for (const one of [importOf(table, catalog), validateOf(table, catalog)])
      expect((await perform(one)).finished.exitCode).toBe(0)
  },
)
