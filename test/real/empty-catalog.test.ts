/** An empty file, as `mktemp` makes one, is a database without tables for SQLite and DuckDB. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openCatalogDatabase } from '../../src/engine/run/registry.ts'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'

test.each(['sqlite', 'duckdb'])('%s opens an empty file as an empty database', async (kind) => {
  using folder = temporaryFolder()
  const file = join(folder.path, 'empty.db')
  writeFileSync(file, '')
  const url = `${kind}:///${file}`
  {
    await using reading = await openCatalogDatabase(url, 'read')
    expect(await reading.all('SELECT 1')).toEqual([[1]])
  }
  {
    await using writing = await openCatalogDatabase(url, 'write')
    await writing.write((transaction) => transaction.script('CREATE TABLE t (a INTEGER)'))
  }
  await using again = await openCatalogDatabase(url, 'read')
  expect(await again.all('SELECT count(*) FROM t')).toEqual([[0]])
  const target = join(folder.path, 'target.db')
  writeFileSync(target, '')
  await using store = await openCopyStore(`${kind}:///${target}`, { mode: 'write' })
  expect(store).toBeDefined()
})
