/** `diff --undo RUN` works without the source: it restores rows from the ledger of the target. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-undo-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const runIdOf = ({ events }: Ran): string => events[0]?.runId ?? ''
const undoOf = (target: Place, run: Ran): Promise<Ran> =>
  perform({ kind: 'diff-undo', runId: runIdOf(run), to: target.url, tables: [] })

describe.each(['sqlite', 'postgresql', 'mysql', 'duckdb'] as const)('%s', (system) => {
  test('rows are restored, and those that changed since the repair are kept', async (context) => {
    const why = await missing(system)
    context.skip(why !== '', why)
    const source = await makePlace('sqlite', folder)
    const target = await makePlace(system, folder)
    await source.sql(
      'CREATE TABLE t (a INTEGER, b TEXT, amount DECIMAL_TEXT(20,5), made TIMESTAMP_TEXT(6), raw BLOB, PRIMARY KEY (b, a))',
      `INSERT INTO t VALUES (9007199254740993, 'x''y', '1.50000', '2024-01-02 03:04:05.678901', x'00ff'), (2, 'ß', NULL, NULL, NULL), (3, 'c', '-0.00001', NULL, x'')`,
    )
    const copy = copyOf(source, target, 't', { rename: { amount: 'price' } })
    expect((await perform(copy)).finished.exitCode).toBe(0)
    const text = system === 'mysql' ? 'CHAR' : 'TEXT'
    const now = (): Promise<unknown> =>
      target.rows(`SELECT CAST(a AS ${text}), b, CAST(price AS ${text}), CAST(made AS ${text}) FROM t ORDER BY a`)
    await target.sql(
      'UPDATE t SET price = 7 WHERE a = 9007199254740993',
      'DELETE FROM t WHERE a = 2',
      "INSERT INTO t (a, b, price) VALUES (50, 'extra', 3)",
    )
    const before = await now()
    const repaired = await perform({ ...copy, kind: 'diff', limit: 10, fix: true, deleteExtra: true })
    expect(repaired.finished).toMatchObject({ exitCode: 0, totals: { fixed: '3' } })
    const undone = await undoOf(target, repaired)
    expect(undone.finished).toMatchObject({ exitCode: 0, totals: { undone: '3' } })
    expect(await now()).toEqual(before)

    const again = await perform({ ...copy, kind: 'diff', limit: 10, fix: true, deleteExtra: true })
    await target.sql('UPDATE t SET price = 8 WHERE a = 2')
    const partly = await undoOf(target, again)
    expect(partly.finished).toMatchObject({
      exitCode: 1,
      totals: { undone: '2', changed: '1' },
      error: { code: 'DIFFERENCES', message: 'one row was changed after the repair, so sluice did not restore it' },
    })
    expect(await target.rows('SELECT COUNT(*) FROM t WHERE a = 2')).toEqual([['1']])
  })
})

describe.each(['sqlite', 'postgresql', 'mysql', 'duckdb', 'd1'] as const)('%s', { timeout: 60_000 }, (system) => {
  // Column names that statements of the program may use for their own expressions.
  test.for([
    ['c0', 'c1'],
    ['k0', 'k1'],
    ['k', 'n'],
    ['t', 'there'],
    ['listed', 'listed_2'],
  ])('only the extra row is removed where the key columns are called %s, %s', async ([first, second], context) => {
    const why = await missing(system)
    context.skip(why !== '', why)
    const source = await makePlace('sqlite', folder)
    const target = await makePlace(system, folder)
    const rows = Array.from({ length: 50 }, (_, i) => `(${i}, 'b${i % 7}', 'row ${i}')`)
    await source.sql(
      `CREATE TABLE t (${first} INTEGER, ${second} VARCHAR(9), v VARCHAR(20), PRIMARY KEY (${first}, ${second}))`,
      `INSERT INTO t VALUES ${rows.join(', ')}`,
    )
    const copy = copyOf(source, target, 't')
    expect((await perform(copy)).finished.exitCode).toBe(0)
    await source.sql(`DELETE FROM t WHERE ${first} IN (11, 30)`, `UPDATE t SET v = 'new' WHERE ${first} = 12`)
    const repaired = await perform({ ...copy, kind: 'diff', limit: 10, fix: true, deleteExtra: true })
    expect(repaired.finished).toMatchObject({ exitCode: 0, totals: { fixed: '3' } })
    const held = (place: Place): Promise<unknown> => place.rows(`SELECT ${first}, ${second}, v FROM t ORDER BY 1`)
    expect(await held(target)).toEqual(await held(source))
    expect((await undoOf(target, repaired)).finished).toMatchObject({ exitCode: 0, totals: { undone: '3' } })
    expect(await target.rows('SELECT COUNT(*) FROM t')).toEqual([['50']])
  })
})

test.for(['sqlite', 'd1'] as const)(
  'an undo that %s refuses is completed by the next one',
  { timeout: 120_000 },
  async (system, { skip }) => {
    const why = await missing(system)
    skip(why !== '', why)
    const [source, target] = [await makePlace('sqlite', folder), await makePlace(system, folder)]
    await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)', 'INSERT INTO t VALUES (1, 1), (2, 2)')
    const copy = copyOf(source, target, 't')
    expect((await perform(copy)).finished.exitCode).toBe(0)
    await target.sql('UPDATE t SET n = 5')
    const repaired = await perform({ ...copy, kind: 'diff', limit: 10, fix: true, deleteExtra: false })
    expect(repaired.finished).toMatchObject({ exitCode: 0, totals: { fixed: '2' } })
    await target.sql("CREATE TRIGGER held BEFORE UPDATE ON t BEGIN SELECT RAISE(ABORT, 'held'); END")
    expect((await undoOf(target, repaired)).finished.exitCode).not.toBe(0)
    await target.sql('DROP TRIGGER held')
    expect((await undoOf(target, repaired)).finished).toMatchObject({ exitCode: 0, totals: { undone: '2' } })
    expect(await target.rows('SELECT n FROM t ORDER BY id')).toEqual([['5'], ['5']])
  },
)

test('an undo whose rows or columns are unknown is refused before anything is changed', async () => {
  const source = await makePlace('sqlite', folder)
  const target = await makePlace('sqlite', folder)
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)', 'INSERT INTO t VALUES (1, 1), (2, 2)')
  const copy = copyOf(source, target, 't')
  await target.sql('CREATE TABLE other (id INTEGER)')
  const nothing = await perform({ kind: 'diff-undo', runId: '17', to: target.url, tables: [] })
  expect(nothing.finished.error?.message).toContain('no ledger')
  await perform(copy)
  await target.sql('UPDATE t SET n = 5')
  const repaired = await perform({ ...copy, kind: 'diff', limit: 10, fix: true, deleteExtra: false })
  const elsewhere = await perform({ kind: 'diff-undo', runId: runIdOf(repaired), to: target.url, tables: ['u'] })
  expect(elsewhere.finished.error?.code).toBe('NO_SUCH_TABLE')
  await target.sql('ALTER TABLE t RENAME COLUMN n TO m')
  expect((await undoOf(target, repaired)).finished.error?.message).toBe(
    't no longer has column n, which its repaired rows had',
  )
  await target.sql('ALTER TABLE t RENAME COLUMN m TO n', 'DROP TABLE migration_repair_plans')
  expect((await undoOf(target, repaired)).finished).toMatchObject({
    exitCode: 5,
    error: { code: 'PLAN_CHANGED', message: 'the ledger does not have the columns of the repaired rows of t' },
  })
  expect(await target.rows('SELECT n FROM t ORDER BY id')).toEqual([['1'], ['2']])
})
