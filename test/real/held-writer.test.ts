/**
 * In the two systems with one writer, statements that would wait for the program's own chunk are refused, and others
 * wait.
 */
import { expect, test } from 'vitest'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import type { ChunkRequest } from '../../src/model/copy/target-port.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import { withWriter } from '../../src/stores/common/with-writer.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'

const ITSELF = { code: 'INTERNAL', message: 'the program would wait for its own lock' }
const NOTE = [{ sql: 'INSERT INTO notes VALUES (?)', parameters: [1] }]

async function requestIn(store: CopyStore): Promise<ChunkRequest> {
  const { signal } = new AbortController()
  const ledger = await store.ledger()
  await ledger.batch([
    { sql: 'CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY)', parameters: [] },
    { sql: 'CREATE TABLE notes (n INTEGER)', parameters: [] },
  ])
  const [table] = await store.tables('t', signal)
  if (table === undefined) throw new Error('no table')
  const [column] = table.columns
  if (column === undefined) throw new Error('no column')
  const columns = [{ name: 'id', as: column.type, column }]
  return { table, columns, range: { by: 'all' }, onExisting: 'append', careful: false, cursor: null, signal }
}

test.each(['sqlite', 'duckdb'])('%s: a batch that would wait for its own chunk is refused at once', async (scheme) => {
  using folder = temporaryFolder()
  await using store = await openCopyStore(`${scheme}:///${folder.path}/${scheme}.db`, { mode: 'write' })
  const request = await requestIn(store)
  await using ledger = await store.ledger()
  let beside: Promise<unknown> = Promise.resolve()
  let go: () => void = () => undefined
  const opened = new Promise<void>((resolve) => (go = resolve))
  const others = (async (): Promise<void> => {
    await opened
    beside = ledger.batch(NOTE)
  })()
  await withWriter(store.target(), request, async (writer) => {
    await expect(ledger.batch(NOTE)).rejects.toMatchObject(ITSELF)
    await expect(withWriter(store.target(), request, async () => 1)).rejects.toMatchObject(ITSELF)
    go()
    await others
    // Reads never wait, and see committed rows.
    expect(await ledger.all('SELECT count(*) FROM notes')).toEqual([[0]])
    await writer.write([['7']])
  })
  // A write by another task waited, and was written after the chunk had ended.
  await beside
  expect(await ledger.all('SELECT count(*) FROM notes')).toEqual([[1]])
  expect(await ledger.all('SELECT count(*) FROM t')).toEqual([[0]])
})
