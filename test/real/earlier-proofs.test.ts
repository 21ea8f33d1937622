/** What a run reports for chunks of earlier runs is what those runs proved, and no more. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { copyOf, makePlace, perform, type Place, type Ran } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-earlier-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function places(key = ' PRIMARY KEY'): Promise<readonly [source: Place, target: Place]> {
  const source = await makePlace('sqlite', folder)
  const rows = Array.from({ length: 100 }, (_, at) => `(${at}, 'v${at}')`)
  await source.sql(`CREATE TABLE t (id INTEGER${key}, v TEXT)`, `INSERT INTO t VALUES ${rows.join(', ')}`)
  return [source, await makePlace('sqlite', folder)]
}

/** Proof, totals and notes of a run. */
function said({ finished, events }: Ran): Readonly<Record<string, unknown>> {
  const notes = events.flatMap((event) => (event.type === 'table.finished' ? (event.notes ?? []) : []))
  const checksums = events.flatMap((event) => (event.type === 'chunk.skipped' ? [event.checksum?.target] : []))
  return {
    exitCode: finished.exitCode,
    proof: finished.proof,
    totals: finished.totals,
    notes: notes.join('\n'),
    checksums,
  }
}

const WEAK = [
  { first: 'none', next: {}, proof: 'count', note: 'of 4 chunks were copied' },
  { first: 'none', next: { noLook: true }, proof: 'none', note: '(4 with --verify none)' },
  { first: 'none', next: { verify: 'count' }, proof: 'count', note: '(4 with --verify none)' },
  { first: 'count', next: {}, proof: 'count', note: '(4 compared by the number of rows only)' },
] as const

test.each(WEAK)('after --verify $first and $next chunks are no better proved', async ({ first, next, proof, note }) => {
  const [source, target] = await places()
  const weak = { chunkRows: 30, verify: first } as const
  expect((await perform(copyOf(source, target, 't', weak))).finished).toMatchObject({ exitCode: 0, proof: first })
  await target.sql("UPDATE t SET v = 'another' WHERE id = 50")
  const ran = await perform(copyOf(source, target, 't', { chunkRows: 30, ...next }))
  const field = first === 'none' ? 'unproved' : 'counted'
  expect(said(ran)).toMatchObject({
    exitCode: 0,
    proof,
    totals: { proved: '0', earlier: '4', [field]: '4' },
    notes: expect.stringContaining(note) as unknown,
    checksums: ['', '', '', ''],
  })
  expect(ran.events).toContainEqual(
    expect.objectContaining({ type: 'copy.started', done: { chunks: '4', rows: '100', unproved: '4' } }),
  )
  // The comparison finds the row, and its chunks are proved from then on.
  expect((await perform(copyOf(source, target, 't', { chunkRows: 30, again: true }))).finished.exitCode).toBe(0)
  expect(await target.rows('SELECT v FROM t WHERE id = 50')).toEqual([['v50']])
  const last = said(await perform(copyOf(source, target, 't', { chunkRows: 30 })))
  expect(last).toMatchObject({ exitCode: 0, notes: expect.stringContaining('were proved') as unknown })
  expect(last['totals']).not.toHaveProperty(field)
})

test('a difference that --again cannot repair is reported by every later run', async () => {
  const [source, target] = await places()
  const copy = copyOf(source, target, 't', { chunkRows: 30 })
  expect((await perform(copy)).finished.exitCode).toBe(0)
  // Triggers: the repair of each of two rows breaks the other one.
  const breaks = (one: number, other: number): string =>
    `CREATE TRIGGER g${one} AFTER UPDATE ON t WHEN NEW.id = ${one} AND NEW.v <> 'broken' BEGIN UPDATE t SET v = 'broken' WHERE id = ${other}; END`
  await target.sql(breaks(50, 51), breaks(51, 50))
  await source.sql("UPDATE t SET v = 'newer' WHERE id = 50")
  const again = copyOf(source, target, 't', { chunkRows: 30, again: true })
  expect((await perform(again)).finished.exitCode).toBe(1)
  for (const _ of [1, 2]) {
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 1, error: { code: 'DIFFERENCES' } })
  }
  await target.sql('DROP TRIGGER g50', 'DROP TRIGGER g51')
  expect((await perform(again)).finished.exitCode).toBe(0)
  expect((await perform(copy)).finished.exitCode).toBe(0)
})

test('a table without a key is proved at its end, and not by its chunks', async () => {
  const [source, target] = await places('')
  const copy = copyOf(source, target, 't', { chunkRows: 30, workers: 1 })
  const stop = new AbortController()
  let done = 0
  const first = await perform(copy, {
    interrupt: { stop: stop.signal, abort: new AbortController().signal },
    onEvent: ({ type }) => {
      if (type === 'chunk.done' && ++done === 2) stop.abort()
    },
  })
  expect(first.finished).toMatchObject({ status: 'stopped', totals: { proved: '0' } })
  const whole = await perform(copy)
  const { chunks } = whole.finished.totals
  expect(whole.finished).toMatchObject({ exitCode: 0, proof: 'chunk', totals: { proved: chunks, earlier: '0' } })
})

test('rows whose key is NULL are not added to existing rows of the target', async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  await source.sql('CREATE TABLE t (id TEXT PRIMARY KEY, v TEXT)', "INSERT INTO t VALUES ('a', 'a'), (NULL, 'n')")
  await target.sql('CREATE TABLE t (id TEXT PRIMARY KEY, v TEXT)', "INSERT INTO t VALUES (NULL, 'x'), (NULL, 'y')")
  const copy = copyOf(source, target, 't', { onExisting: 'append' })
  const { finished } = await perform(copy)
  expect(finished).toMatchObject({
    exitCode: 1,
    error: { message: expect.stringContaining('the target already has 2 rows with a NULL key') as unknown },
  })
  expect(await target.rows('SELECT v FROM t WHERE id IS NULL ORDER BY v')).toEqual([['x'], ['y']])
  await target.sql('DELETE FROM t WHERE id IS NULL')
  expect((await perform(copy)).finished.exitCode).toBe(0)
})
