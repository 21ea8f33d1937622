/**
 * `copy --again`: copied rows are compared with the present source, and differences are written, as `diff --fix` does.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Event } from '../../src/model/run/event.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { ALL, firstAndToday } from '../support/backend.ts'
import { copyOf, makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-again-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Of<T extends Event['type']> = Extract<Event, { type: T }>
const all = <T extends Event['type']>({ events }: Ran, type: T): readonly Of<T>[] =>
  events.filter((one): one is Of<T> => one.type === type)

const runIdOf = ({ events }: Ran): string => events[0]?.runId ?? ''
const undo = (target: Place, run: Ran): Promise<Ran> =>
  perform({ kind: 'diff-undo', runId: runIdOf(run), to: target.url, tables: [] })

const rowsOf = (place: Place): Promise<unknown> => place.rows('SELECT id, name, n FROM t ORDER BY id')
const values = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, i) => `(${from + i}, 'näme ${from + i}', ${(from + i) * 3})`).join(', ')

const PAIRS = [
  ['postgresql', 'postgresql'],
  ['postgresql', 'sqlite'],
  ['sqlite', 'duckdb'],
  ['sqlite', 'd1'],
  ['mysql', 'mysql'],
  ...(ALL
    ? ([
        ['sqlite', 'sqlite'],
        ['sqlite', 'mysql'],
        ['mysql', 'postgresql'],
        ['postgresql', 'd1'],
      ] as const)
    : []),
] as const

describe.each(firstAndToday(PAIRS))('%s to %s', (from, to) => {
  test('a finished copy is compared, repaired and proved again', { timeout: 60_000 }, async (context) => {
    for (const system of [from, to]) {
      const why = await missing(system)
      context.skip(why !== '', why)
    }
    const source = await makePlace(from, folder)
    const target = await makePlace(to, folder)
    await source.sql(
      'CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(50) NOT NULL, n INTEGER)',
      `INSERT INTO t VALUES ${values(1, 1000)}`,
    )
    const copy = copyOf(source, target, 't', { chunkRows: 100 })
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { chunks: '10' } })

    // No change: all rows are read, and none is written.
    const same = await perform({ ...copy, again: true })
    expect(same.finished).toMatchObject({
      exitCode: 0,
      totals: {
        chunks: '10',
        proved: '10',
        read: '1000',
        written: '0',
        skipped: '1000',
        compared: '10',
        differed: '0',
      },
    })
    expect(all(same, 'chunk.done')).toHaveLength(10)
    expect(all(same, 'chunk.skipped')).toHaveLength(0)

    const before = await rowsOf(target)
    await target.sql(
      'DELETE FROM t WHERE id BETWEEN 11 AND 210',
      "UPDATE t SET name = 'other' WHERE id = 500",
      "INSERT INTO t VALUES (5000, 'only here', 1)",
    )
    await source.sql('DELETE FROM t WHERE id = 700', `INSERT INTO t VALUES ${values(1001, 1010)}`)
    const changed = await rowsOf(target)
    const again = await perform({ ...copy, again: true })
    expect(again.finished.error).toBeUndefined()
    // Key 5000 is among the new rows of the source: that chunk is compared, too.
    expect(again.finished).toMatchObject({
      exitCode: 0,
      totals: { read: '1009', written: '211', compared: '11', differed: '5', mended: '211', removed: '0', extra: '2' },
    })
    expect(all(again, 'table.finished')[0]?.notes?.join('\n')).toContain('2 rows of the target are not in the source')
    expect(await target.rows('SELECT COUNT(*) FROM t')).toEqual([['1011']])

    const clean = await perform({ ...copy, again: true, deleteExtra: true })
    expect(clean.finished).toMatchObject({ exitCode: 0, totals: { written: '0', removed: '2', extra: '0' } })
    expect(await rowsOf(target)).toEqual(await rowsOf(source))
    const compared = await perform({ ...copy, kind: 'diff', limit: 10, fix: false, deleteExtra: false })
    expect(compared.finished.exitCode).toBe(0)

    // Both runs are undone, the last one first.
    expect((await undo(target, clean)).finished).toMatchObject({ exitCode: 0, totals: { undone: '2' } })
    expect((await undo(target, again)).finished).toMatchObject({ exitCode: 0, totals: { undone: '211' } })
    expect(await rowsOf(target)).toEqual(changed)
    expect(before).not.toEqual(changed)
  })
})

/** A finished copy of `rows` rows from SQLite to SQLite. */
async function copied(rows: number): Promise<{
  readonly source: Place
  readonly target: Place
  readonly copy: ReturnType<typeof copyOf>
}> {
  const source = await makePlace('sqlite', folder)
  const target = await makePlace('sqlite', folder)
  await source.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER)',
    `INSERT INTO t VALUES ${values(1, rows)}`,
  )
  const copy = copyOf(source, target, 't', { chunkRows: 500 })
  expect((await perform(copy)).finished.exitCode).toBe(0)
  return { source, target, copy }
}

test('more than 1000 rows are counted, and removed only if their table is named', async () => {
  const { source, target, copy } = await copied(100)
  await target.sql(`INSERT INTO t VALUES ${values(101, 1101)}`)
  const asked = await perform({ ...copy, again: true, deleteExtra: true })
  expect(asked.finished).toMatchObject({
    exitCode: 1,
    totals: { removed: '0' },
    error: {
      code: 'ROWS_EXTRA',
      message: '1001 rows of t are not in the source; none of them was removed',
      hint: 'add --confirm=t to remove them',
    },
  })
  expect(await target.rows('SELECT COUNT(*) FROM t')).toEqual([['1101']])
  const other = await perform({ ...copy, again: true, deleteExtra: true, confirm: 'u' })
  expect(other.finished.error?.code).toBe('ROWS_EXTRA')
  const named = await perform({ ...copy, again: true, deleteExtra: true, confirm: 't' })
  expect(named.finished).toMatchObject({ exitCode: 0, totals: { removed: '1001', extra: '0' } })
  expect(await rowsOf(target)).toEqual(await rowsOf(source))
  expect((await undo(target, named)).finished).toMatchObject({ exitCode: 0, totals: { undone: '1001' } })
  expect(await target.rows('SELECT COUNT(*) FROM t')).toEqual([['1101']])
})

test('progress counts a row once, although chunks with surplus rows are read again for their removal', async () => {
  const { source, target, copy } = await copied(1500)
  await source.sql('DELETE FROM t WHERE id % 3 = 0')
  const removed = await perform({ ...copy, again: true, deleteExtra: true })
  expect(removed.finished).toMatchObject({ exitCode: 0, totals: { removed: '500', extra: '0' } })
  expect(all(removed, 'chunk.done').reduce((sum, { read }) => sum + Number(read), 0)).toBe(1000)
  expect(JSON.stringify(removed.events)).toContain('removing 500 rows not in the source')
  expect(await rowsOf(target)).toEqual(await rowsOf(source))
})

test('more than 1000 rows of each of two tables: the next command confirms the first of them', async () => {
  const { source, target } = await copied(100)
  await source.sql(
    'CREATE TABLE u (id INTEGER PRIMARY KEY, name TEXT, n INTEGER)',
    `INSERT INTO u VALUES ${values(1, 9)}`,
  )
  const both = copyOf(source, target, 't', { tables: ['t', 'u'], again: true, deleteExtra: true })
  expect((await perform(both)).finished.exitCode).toBe(0)
  await target.sql(`INSERT INTO t VALUES ${values(101, 1101)}`, `INSERT INTO u VALUES ${values(101, 1101)}`)
  const asked = await perform(both)
  expect(asked.finished).toMatchObject({
    exitCode: 1,
    error: {
      code: 'ROWS_EXTRA',
      message: '2 of 2 tables have rows that are not in the source; none of them was removed',
    },
    resumeCommand: expect.stringMatching(/ --confirm=t$/),
  })
  expect(JSON.stringify(asked.events)).not.toContain('--delete-extra removes')
  const one = await perform({ ...both, confirm: 't' })
  expect(one.finished).toMatchObject({
    exitCode: 1,
    error: { code: 'ROWS_EXTRA', hint: 'add --confirm=u to remove them' },
  })
  expect((await perform({ ...both, confirm: 'u' })).finished).toMatchObject({ exitCode: 0 })
  expect(await rowsOf(target)).toEqual(await rowsOf(source))
})

test('its plan reports what is compared, and changes nothing', async () => {
  const { target, copy } = await copied(100)
  await target.sql('DELETE FROM t WHERE id > 10')
  const plan = await perform({ ...copy, again: true, dryRun: true })
  expect(plan.finished.exitCode).toBe(0)
  expect(all(plan, 'plan.ready')[0]?.copies?.[0]?.notes).toEqual([
    'one chunk of earlier runs (100 rows) is compared on both sides: rows that are missing or differ are written, rows that the source lacks are counted, but not removed',
  ])
  expect(await target.rows('SELECT COUNT(*) FROM t')).toEqual([['10']])
})

test('a table without a key, and a source that may hide rows, are refused before any change', async (context) => {
  const { target, source, copy } = await copied(10)
  await source.sql('CREATE TABLE k (n INTEGER)', 'INSERT INTO k VALUES (1)')
  const keyless = copyOf(source, target, 'k')
  await perform(keyless)
  expect((await perform({ ...keyless, again: true })).finished.error).toMatchObject({
    code: 'UNSUPPORTED_KEY',
    hint: 'copy all of it again with --restart and without --again, or name unique columns with --key',
  })
  await target.sql("INSERT INTO t VALUES (50, 'extra', 1)")
  const some = await makePlace('sqlite', folder)
  const half = copyOf(source, some, 't', { where: 'id < 5' })
  await perform(half)
  const refused = await perform({ ...half, again: true, deleteExtra: true })
  expect(refused.finished.error).toMatchObject({
    code: 'BAD_FLAG',
    reason: 'only rows that fit --where are read from the source',
  })
  expect((await perform({ ...half, again: true })).finished).toMatchObject({ exitCode: 0, totals: { extra: '0' } })

  // Rows that a policy hides would look like missing rows of the source.
  const why = await missing('postgresql')
  context.skip(why !== '', why)
  const hidden = await makePlace('postgresql', folder)
  const role = `reader_${Math.random().toString(36).slice(2, 10)}`
  await hidden.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER)',
    `INSERT INTO t VALUES ${values(1, 10)}`,
    `CREATE ROLE ${role} LOGIN PASSWORD 'pw'`,
    `GRANT SELECT ON t TO ${role}`,
  )
  const url = new URL(hidden.url)
  url.username = role
  url.password = 'pw'
  const into = await makePlace('sqlite', folder)
  const policy = copyOf({ url: url.toString() }, into, 't')
  expect((await perform(policy)).finished.error).toBeUndefined()
  await hidden.sql('ALTER TABLE t ENABLE ROW LEVEL SECURITY', 'CREATE POLICY p ON t USING (id < 3)')
  const short = await perform({ ...policy, again: true, deleteExtra: true })
  expect(short.finished.exitCode).toBe(3)
  expect(JSON.stringify(short.finished.error)).toContain('row-level security')
  expect(await into.rows('SELECT COUNT(*) FROM t')).toEqual([['10']])
  await hidden.sql(`DROP OWNED BY ${role}`, `DROP ROLE ${role}`)
  expect(copy.tables).toEqual(['t'])
})

test('a row that the target refuses is quarantined until the target accepts it', async () => {
  const { source, target, copy } = await copied(20)
  await target.sql(
    "CREATE TRIGGER no BEFORE INSERT ON t WHEN NEW.name = 'bad' BEGIN SELECT RAISE(ABORT, 'no bad ones'); END",
  )
  await source.sql("UPDATE t SET name = 'bad' WHERE id = 7")
  const refused = await perform({ ...copy, again: true })
  expect(refused.finished).toMatchObject({
    exitCode: 1,
    totals: { read: '20', quarantined: '1' },
    error: { code: 'ROWS_ASIDE' },
  })
  expect(await target.rows('SELECT row_key FROM migration_quarantine WHERE replayed_ms IS NULL')).toEqual([['["7"]']])
  await target.sql('DROP TRIGGER no')
  const taken = await perform({ ...copy, again: true })
  expect(taken.finished).toMatchObject({ exitCode: 0, totals: { quarantined: '0', mended: '1' } })
  expect(await target.rows('SELECT row_key FROM migration_quarantine WHERE replayed_ms IS NULL')).toEqual([])
  expect(await rowsOf(target)).toEqual(await rowsOf(source))
})

test('a stopped run reports it; uncopied rows are copied first, and copied ones are compared', async () => {
  const { source, target, copy } = await copied(20)
  const slow = { ...copy, workers: 1, chunkRows: 50 }
  await source.sql(
    'DROP TABLE IF EXISTS u',
    'CREATE TABLE u (id INTEGER PRIMARY KEY, n INTEGER)',
    `INSERT INTO u SELECT id * 10 + n.i, 1 FROM t, (SELECT 0 AS i UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) n`,
  )
  const half = { ...slow, tables: ['u'] }
  const stopAfter = (type: 'chunk.done') => {
    const interrupt = new Interrupter()
    return { interrupt, onEvent: (event: Event) => (event.type === type ? interrupt.requestStop() : undefined) }
  }
  expect((await perform(half, stopAfter('chunk.done'))).finished).toMatchObject({
    exitCode: 75,
    totals: { proved: '1' },
  })
  await target.sql('UPDATE u SET n = 2')
  const stopped = await perform({ ...half, again: true }, stopAfter('chunk.done'))
  // The first copied chunk ends the run: nothing was compared yet, and proofs of earlier runs do not count.
  expect(stopped.finished).toMatchObject({
    exitCode: 75,
    totals: { compared: '0', mended: '0', proved: '1', chunks: '4' },
  })
  const done = await perform({ ...half, again: true })
  expect(done.finished).toMatchObject({
    exitCode: 0,
    totals: { chunks: '4', proved: '4', compared: '2', mended: '50' },
  })
  const select = 'SELECT id, n FROM u ORDER BY id'
  expect(await target.rows(select)).toEqual(await source.rows(select))
  await target.sql('UPDATE u SET n = 3')
  const early = await perform({ ...half, again: true }, stopAfter('chunk.done'))
  expect(early.finished).toMatchObject({
    exitCode: 75,
    status: 'stopped',
    totals: { compared: '1', mended: '50', proved: '1' },
  })
  const rest = await perform({ ...half, again: true })
  expect(rest.finished).toMatchObject({ exitCode: 0, totals: { compared: '4', mended: '150' } })
  expect(await target.rows(select)).toEqual(await source.rows(select))
  // The stopped run and the resumed one count as one.
  expect((await undo(target, rest)).finished).toMatchObject({ exitCode: 0, totals: { undone: '200' } })
  expect(await target.rows('SELECT DISTINCT n FROM u')).toEqual([['3']])
})
