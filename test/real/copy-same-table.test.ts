/**
 * The target's table is recreated between two runs, and filled in part: chunks that the ledger calls done are missing,
 * and a copy must not report success.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { expectNothingToDo, of } from '../fault/copy-kit.ts'
import { copyOf, makePlace, missing, perform, type Place, type Ran, type System } from '../support/copy-systems.ts'
import { CASSANDRA_AVAILABLE, CASSANDRA_MISSING } from '../support/servers/cassandra.ts'
import { newKeyspace } from '../support/servers/cassandra-kit.ts'
import { copyBetween, started } from './cassandra-target-kit.ts'

const ROWS = 400
const TABLE = 'CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(50))'
const ANEW = ['DROP TABLE t', TABLE, "INSERT INTO t VALUES (390, 'other')"]
const MARK = "SELECT target_mark FROM migration_plans WHERE table_name = 't'"

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-same-table-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Room = { readonly copy: CopyOperation; readonly source: Place; readonly target: Place }

async function room(system: System): Promise<Room> {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace(system, folder)]
  const rows = Array.from({ length: ROWS }, (_, i) => `(${i + 1}, 'row ${i + 1}')`)
  await source.sql(TABLE, `INSERT INTO t VALUES ${rows.join(', ')}`)
  return { copy: copyOf(source, target, 't', { chunkRows: 100, workers: 1 }), source, target }
}

/** Copies one chunk and stops. */
async function begin(copy: CopyOperation): Promise<void> {
  const interrupt = new Interrupter()
  const onEvent = ({ type }: { readonly type: string }): void => {
    if (type === 'chunk.done') interrupt.requestStop()
  }
  expect((await perform(copy, { interrupt, onEvent })).finished).toMatchObject({
    exitCode: 75,
    totals: { proved: '1' },
  })
}

/** MySQL identifies a table by the second of its creation. */
async function change({ target }: Room, statements: readonly string[]): Promise<void> {
  if (target.system === 'mysql') await sleep(1100)
  await target.sql(...statements)
}

describe.each(['postgresql', 'sqlite', 'mysql'] as const)('in %s', { timeout: 60_000 }, (system) => {
  async function refused({ copy, target }: Room): Promise<void> {
    const before = await target.rows('SELECT * FROM t ORDER BY id')
    const ran = await perform(copy)
    expect(ran.finished).toMatchObject({
      exitCode: 5,
      error: {
        code: 'PLAN_CHANGED',
        message: expect.stringMatching(
          system === 'postgresql' ? /t is not the table/ : /t does not have all rows that were copied/,
        ),
        reason: expect.stringMatching(
          /it was recreated since; .* rows of t|it was recreated or altered since, and has 1 rows/,
        ),
      },
    })
    expect(of(ran.events, 'chunk.started')).toEqual([])
    expect(await target.rows('SELECT * FROM t ORDER BY id')).toEqual(before)
  }

  test('a finished copy is refused until --restart begins it again', async (context) => {
    const why = await missing(system)
    context.skip(why !== '', why)
    const one = await room(system)
    const { copy, source, target } = one
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0 })
    await change(one, ANEW)
    await refused(one)
    // It is refused until --restart confirms the intention.
    await refused(one)
    const again = await perform({ ...copy, restart: true, onExisting: 'upsert' })
    expect(again.finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
    const select = 'SELECT * FROM t ORDER BY id'
    expect(await target.rows(select)).toEqual(await source.rows(select))
    await expectNothingToDo({ ...copy, onExisting: 'upsert' })
  })

  test('an altered table keeps its identity, and a table in an older ledger is accepted', async (context) => {
    const why = await missing(system)
    context.skip(why !== '', why)
    const one = await room(system)
    const { copy, target } = one
    await begin(copy)
    const [[mark] = []] = await target.rows(MARK)
    expect(mark).toEqual(expect.any(String))
    const analyze = system === 'mysql' ? 'ANALYZE TABLE t' : 'ANALYZE t'
    await change(one, ['ALTER TABLE t ADD COLUMN more INTEGER', 'CREATE INDEX t_by_name ON t (name)', analyze])
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
    await expectNothingToDo(copy)
    // A missing identity is recorded by the next run, and applies from then on.
    await target.sql('ALTER TABLE migration_plans DROP COLUMN target_mark', 'UPDATE migration_ledger SET version = 1')
    await change(one, ANEW)
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 1, error: { code: 'COUNTS_DIFFER' } })
    const [[noted] = []] = await target.rows(MARK)
    expect(noted).toEqual(expect.any(String))
    await change(one, ANEW)
    await refused(one)
  })
})

test('an older ledger gets the column in DuckDB, too', async () => {
  const { copy, target } = await room('duckdb')
  await begin(copy)
  await target.sql('ALTER TABLE migration_plans DROP COLUMN target_mark', 'UPDATE migration_ledger SET version = 1')
  expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
  expect(await target.rows(MARK)).toEqual([[null]])
})

/** Notes of a run about a copy that begins again. */
const notes = ({ events }: Ran): readonly string[] =>
  events.flatMap((event) => (event.type === 'log' && event.message.includes('begins again') ? [event.message] : []))

describe('source and target are both dropped and created again, as in a rehearsal', { timeout: 60_000 }, () => {
  test.each(['postgresql', 'duckdb'] as const)('all rows are copied again into %s', async (system) => {
    const why = await missing('postgresql')
    if (why !== '') return
    const [source, target] = [await makePlace('postgresql', folder), await makePlace(system, folder)]
    const name = system === 'duckdb' ? 't' : 'public.t'
    const copy = copyOf(source, target, 't', { chunkRows: 100, workers: 1 })
    const made = (v: string): readonly string[] => [
      'DROP TABLE IF EXISTS t',
      TABLE,
      `INSERT INTO t SELECT i, '${v} ' || i FROM generate_series(1, ${ROWS}) i`,
    ]
    const select = 'SELECT id, name FROM t ORDER BY id'
    for (const [v, isWhole] of [
      ['first', true],
      ['second', false],
      ['third', true],
    ] as const) {
      await source.sql(...made(v))
      await target.sql(`DROP TABLE IF EXISTS ${name}`)
      // The dropped target may be that of an interrupted copy, too.
      if (!isWhole) await begin(copy)
      else {
        const ran = await perform(copy)
        expect(ran.finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
        expect(notes(ran)).toEqual(
          v === 'first'
            ? []
            : ['public.t and its target table are not the tables that were copied before: the copy begins again'],
        )
        expect(await target.rows(select)).toEqual(await source.rows(select))
        await expectNothingToDo(copy)
      }
    }
    // One side alone is no rehearsal: the target may have rows of the old table, or lack rows that the ledger has.
    await source.sql(...made('fourth'))
    const kept = await target.rows(select)
    const alone = await perform(copy)
    expect(alone.finished).toMatchObject({ exitCode: 5, error: { code: 'PLAN_CHANGED' } })
    expect([notes(alone), await target.rows(select)]).toEqual([[], kept])
    if (system === 'duckdb') return
    // Rows in the new table are not overwritten, and two concurrent runs begin again only once.
    await target.sql('DROP TABLE t', TABLE, "INSERT INTO t VALUES (390, 'other')")
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 1, error: { code: 'CHUNKS_FAILED' } })
    expect(await target.rows('SELECT name FROM t WHERE id = 390')).toEqual([['other']])
    await source.sql(...made('fifth'))
    await target.sql('DROP TABLE t', TABLE)
    const both = await Promise.all([perform(copy), perform(copy)])
    expect(both.map(({ finished }) => [finished.exitCode, finished.error])).toEqual([
      [0, undefined],
      [0, undefined],
    ])
    expect(both.flatMap(notes)).toHaveLength(1)
    expect(await target.rows(select)).toEqual(await source.rows(select))
  })
})

describe.skipIf(!CASSANDRA_AVAILABLE)(`in Cassandra ${CASSANDRA_MISSING}`, { timeout: 120_000 }, () => {
  test('a table that was created again is refused, an altered one is not', async () => {
    const { source } = await room('sqlite')
    await using target = await newKeyspace()
    const copy = copyBetween(source.url, target.url, ['t'], { chunkRows: 100, workers: 1 })
    await begin(copy)
    await target.cql('ALTER TABLE t ADD more int')
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
    const once = await perform(copy)
    expect([once.finished.exitCode, started(once)]).toEqual([0, 0])
    await target.cql('DROP TABLE t', 'CREATE TABLE t (id bigint PRIMARY KEY, name text)')
    await target.cql("INSERT INTO t (id, name) VALUES (390, 'other')")
    const ran = await perform(copy)
    expect(ran.finished).toMatchObject({
      exitCode: 5,
      error: { code: 'PLAN_CHANGED', message: expect.stringMatching(/t is not the table/) },
    })
    expect(started(ran)).toBe(0)
    const again = await perform({ ...copy, restart: true, onExisting: 'upsert' })
    expect(again.finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
  })
  test('a recreated source and target are copied again, together with the files of the Cassandra Data Migrator', async () => {
    await using source = await newKeyspace()
    await using target = await newKeyspace()
    const make = 'CREATE TABLE t (id bigint PRIMARY KEY, name text)'
    const copy = copyBetween(source.url, target.url, ['t'], {
      workers: 1,
      ring: { splits: 4 },
      onExisting: 'upsert',
      track: {},
      againWhenDone: true,
    })
    for (const [v, count] of [
      ['first', 3],
      ['second', 5],
    ] as const) {
      for (const side of [source, target]) await side.cql('DROP TABLE IF EXISTS t', make)
      for (let id = 1; id <= count; id++) await source.cql(`INSERT INTO t (id, name) VALUES (${id}, '${v}')`)
      const ran = await perform(copy)
      expect(ran.finished).toMatchObject({ exitCode: 0, totals: { written: String(count) } })
      expect(notes(ran)).toHaveLength(v === 'first' ? 0 : 1)
      expect((await target.rows('SELECT id, name FROM t')).length).toBe(count)
    }
  })
})
