/** How a run reports chunks that it skips: both sides are counted, and rows added or deleted since are named. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Event } from '../../src/model/run/event.ts'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import { copyOf, makePlace, missing, perform, type Place, type Ran, type System } from '../support/copy-systems.ts'
import { CASSANDRA_AVAILABLE } from '../support/servers/cassandra.ts'
import { newKeyspace } from '../support/servers/cassandra-kit.ts'
import { startCopy } from '../fault/copy-kit.ts'

const TARGETS = ['postgresql', 'sqlite', 'mysql', 'duckdb', 'd1', 'cassandra'] as const
const ROWS = 400

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-look-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Target = { readonly url: string; readonly erase: (from: number, to: number) => Promise<void> }

async function sourceOf(system: System = 'postgresql'): Promise<Place> {
  const place = await makePlace(system, folder)
  const rows = Array.from({ length: ROWS }, (_, i) => `(${i + 1}, 'row ${i + 1}')`)
  await place.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(50))',
    `INSERT INTO t VALUES ${rows.join(', ')}`,
  )
  return place
}

async function targetOf(system: (typeof TARGETS)[number]): Promise<Target> {
  if (system !== 'cassandra') {
    const place = await makePlace(system, folder)
    return { url: place.url, erase: (from, to) => place.sql(`DELETE FROM t WHERE id BETWEEN ${from} AND ${to}`) }
  }
  const keyspace = await newKeyspace()
  const erase = async (from: number, to: number): Promise<void> => {
    for (let id = from; id <= to; id++)
      await keyspace.link.client.execute(`DELETE FROM "${keyspace.name}".t WHERE id = ${id}`)
  }
  return { url: keyspace.url, erase }
}

/** Runs in a process of its own, which is killed after this number of chunks, before it starts another one. */
async function killedAfter(copy: CopyOperation, chunks: number): Promise<void> {
  const killedBy = { type: 'chunk.done', times: chunks } as const
  const { signal, events } = await startCopy({ ...copy, workers: 1 }, { killedBy }).ended
  expect([signal, events.filter(({ type }) => type === 'chunk.done').length]).toEqual(['SIGKILL', chunks])
}

const of = <T extends Event['type']>({ events }: Ran, type: T) =>
  events.filter((event): event is Extract<Event, { type: T }> => event.type === type)

const notes = (ran: Ran): string =>
  of(ran, 'table.finished')
    .flatMap((event) => event.notes ?? [])
    .join('\n')

describe.each(TARGETS)('from PostgreSQL to %s', { timeout: 120_000 }, (system) => {
  test('rows that the target lost between two runs are named, by chunk if its range applies in the target', async (context) => {
    const why = [
      await missing('postgresql'),
      system === 'cassandra' ? (CASSANDRA_AVAILABLE ? '' : 'no Cassandra') : await missing(system),
    ].join('')
    context.skip(why !== '', why)
    const [source, target] = [await sourceOf(), await targetOf(system)]
    const copy = copyOf(source, target, 't', { chunkRows: 50 })
    await killedAfter(copy, 7)
    await target.erase(11, 20)
    const resumed = await perform(copy)
    const [chunk, rows] =
      system === 'cassandra' ? ['the table', 'expected 400, found 390'] : ['chunk 1', 'expected 50, found 40']
    expect(resumed.finished).toMatchObject({
      exitCode: 1,
      totals: { chunks: '8', proved: '1', earlier: '7', looked: '7' },
      error: { code: 'COUNTS_DIFFER', message: expect.stringMatching(new RegExp(`${chunk}.*: ${rows}$`)) },
    })
    const reason = system === 'cassandra' ? expect.stringContaining('by the hash of their key') : undefined
    expect(resumed.finished.error?.reason).toEqual(reason)
    expect(of(resumed, 'look.difference')).toHaveLength(1)
    expect(notes(resumed)).toMatch(
      /^7 of 8 chunks were proved on \d{4}-\d\d-\d\d, with their values at that time; their counts were compared now; --again/,
    )
    // The same again, when nothing is left to do.
    const again = await perform(copy)
    expect(again.finished).toMatchObject({
      exitCode: 1,
      proof: 'count',
      totals: { proved: '0', earlier: '8', looked: '8' },
    })
    expect(of(again, 'chunk.started')).toEqual([])
    const accepted = await perform({ ...copy, acceptDifference: ['t'] })
    expect(accepted.finished).toMatchObject({ exitCode: 0 })
    expect(of(accepted, 'look.difference')).toMatchObject([{ accepted: true }])
    const after = await perform(copy)
    expect(after.finished).toMatchObject({ exitCode: 0, totals: { proved: '0', looked: '8' } })
    expect(notes(after)).toMatch(/differences of -10 rows were accepted on \d{4}-\d\d-\d\d by tester/)
    await target.erase(399, 399)
    expect((await perform(copy)).finished).toMatchObject({
      exitCode: 1,
      error: { message: expect.stringContaining(system === 'cassandra' ? 'expected 390, found 389' : 'chunk 8') },
    })
    const unlooked = await perform({ ...copy, noLook: true })
    expect(unlooked.finished).toMatchObject({ exitCode: 0, proof: 'earlier', totals: { proved: '0', looked: '0' } })
    expect(notes(unlooked)).toContain('they were not compared now')
  })
})

test('rows of an upsert that the source has deleted are named, and changes of the source are reported as such', async () => {
  const [source, place] = [await sourceOf('sqlite'), await makePlace('sqlite', folder)]
  const copy = copyOf(source, place, 't', { chunkRows: 50, onExisting: 'upsert' })
  expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { proved: '8' } })
  await source.sql('DELETE FROM t WHERE id = 7')
  const anew = await perform({ ...copy, restart: true })
  expect(anew.finished).toMatchObject({ exitCode: 0, totals: { proved: '8', read: '399' } })
  expect(notes(anew)).toContain('the target holds 1 row more than the source in the ranges that were copied')
  const same = await perform(copy)
  expect(same.finished).toMatchObject({ exitCode: 0 })
  expect(notes(same)).toContain(
    'and are unchanged since earlier runs: the target holds 1 row more than the source; --again',
  )
  expect(notes(same)).not.toContain('in the ranges that were copied')
  await source.sql('DELETE FROM t WHERE id = 60')
  const changed = await perform(copy)
  expect(changed.finished).toMatchObject({
    exitCode: 1,
    error: { message: expect.stringContaining('has changed since') },
  })
  expect(of(changed, 'look.difference')).toMatchObject([
    { chunk: '2', side: 'source', sourceBefore: '50', source: '49' },
  ])
})

test('an extra row does not compensate for a missing one, and its later removal is reported as such', async () => {
  const [source, place] = [await sourceOf('sqlite'), await makePlace('sqlite', folder)]
  const copy = copyOf(source, place, 't', { chunkRows: 50 })
  expect((await perform(copy)).finished).toMatchObject({ exitCode: 0 })
  await source.sql('DELETE FROM t WHERE id = 7')
  await place.sql('DELETE FROM t WHERE id = 390')
  expect((await perform({ ...copy, acceptDifference: ['t'] })).finished).toMatchObject({ exitCode: 0 })
  const after = await perform(copy)
  expect(notes(after)).toContain('the target holds 1 row more than the source, and in other chunks 1 row fewer')
  expect(notes(after)).toContain('differences of +1 and -1 rows were accepted')
  const repaired = await perform({ ...copy, again: true })
  expect(repaired.finished).toMatchObject({ exitCode: 0 })
  await place.sql('DELETE FROM t WHERE id = 7')
  const gone = await perform(copy)
  expect(gone.finished).toMatchObject({ exitCode: 1, error: { code: 'COUNTS_DIFFER' } })
  expect(JSON.stringify(gone.finished)).toContain(
    'expected 50 (49 as in the source, and 1 that only the target had), found 49',
  )
  await place.sql("INSERT INTO t (id, name) VALUES (7, 'late')")
  const removed = await perform({ ...copy, again: true, deleteExtra: true })
  expect(removed.finished).toMatchObject({ exitCode: 0, totals: { removed: '1' } })
  expect(notes(removed)).not.toContain('more than the source')
})

test("refused rows appear in the guide's queries, and the same command retries them", async () => {
  const [source, place] = [await sourceOf('sqlite'), await makePlace('sqlite', folder)]
  await place.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(50) CHECK (name <> 'row 7'))")
  const copy = copyOf(source, place, 't', { chunkRows: 50 })
  expect((await perform(copy)).finished).toMatchObject({ exitCode: 1, error: { code: 'ROWS_ASIDE' } })
  const failed =
    "SELECT start_id, end_id, error_message FROM migration_checkpoints WHERE table_name = 't' AND status = 'failed'"
  expect(await place.rows(failed)).toEqual([['1', '50', expect.stringContaining('7: ')]])
  expect((await perform(copy)).finished).toMatchObject({ exitCode: 1, error: { code: 'ROWS_ASIDE' } })
  await source.sql("UPDATE t SET name = 'mended' WHERE id = 7")
  const repaired = await perform(copy)
  expect(repaired.finished).toMatchObject({ exitCode: 0, totals: { written: '400', quarantined: '0', earlier: '8' } })
  expect(await place.rows(failed)).toEqual([])
  expect(await place.rows('SELECT name FROM t WHERE id = 7')).toEqual([['mended']])
})
