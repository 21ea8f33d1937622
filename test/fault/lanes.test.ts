/**
 * Large tables of a batch in their own threads: the catalog is that of a serial import, whatever stops, fails or is
 * killed meanwhile.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commitName } from '../../src/delta/log-path.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { ALL, BACKEND, catalogUrl, makeRoom, shareOf } from '../support/backend.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import {
  BATCH_ROWS,
  batchInto,
  COMMITS,
  FILES_A_COMMIT,
  dumpOf,
  dumpOfOneByOne,
  overlapped,
  writeTable,
  type Batch,
} from './lanes-kit.ts'

const CHILD = resolve(import.meta.dirname, 'lanes-child.mjs')
const DYING = pathToFileURL(resolve(import.meta.dirname, 'dying-lane.mjs'))
const LAST = COMMITS - 1
/** Files of every commit, a txn of all but the first, ten removes of every second, protocol and metadata. */
const ACTIONS = COMMITS * FILES_A_COMMIT + LAST + (COMMITS / 2) * 10 + 2
const ACTIVE = COMMITS * FILES_A_COMMIT - (COMMITS / 2) * 10

const finished = ({ events }: Batch) => events.filter((event) => event.type === 'table.finished')
const statuses = (batch: Batch) => Object.fromEntries(finished(batch).map(({ table, status }) => [table, status]))

describe.skipIf(BACKEND === 'duckdb')('worker threads (none for DuckDB, whose file only one program can open)', () => {
  /** Tables that no test changes. */
  let lake: Folder
  let all: readonly string[]
  let two: readonly string[]
  /** The catalog of the first two, imported one after the other. */
  let expectedOfTwo: string
  beforeAll(async () => {
    lake = temporaryFolder()
    all = ['a', 'b', 'c'].map((name) => writeTable(lake.path, name))
    two = all.slice(0, 2)
    expectedOfTwo = await dumpOfOneByOne(join(lake.path, 'one.db'), two)
  })
  afterAll(() => lake[Symbol.dispose]())

  test('parallel imports of tables have the same catalog as serial ones', async () => {
    using folder = temporaryFolder()
    const expected = await dumpOfOneByOne(join(folder.path, 'one.db'), all)
    // The first table waits until the second has begun, however slowly its thread starts.
    const control = { paused: false, lanes: null }
    let started = 0
    const onEvent = ({ type }: { readonly type: string }): void => {
      if (type === 'table.started') started++
      control.paused = started === 1
    }
    const batch = await batchInto(join(folder.path, 'two.db'), all, { control, onEvent })
    expect(statuses(batch)).toEqual({ a: 'ok', b: 'ok', c: 'ok' })
    expect(overlapped(batch.events)).toBe(true)
    for (const { result, error } of batch.outcomes.values()) {
      expect(error).toBeNull()
      expect(result).toMatchObject({ status: 'completed', version: LAST, files: ACTIVE, actions: ACTIONS })
    }
    expect(await dumpOf(join(folder.path, 'two.db'))).toBe(expected)
    // Events of each table are in order, whatever events of the other come in between.
    for (const name of ['a', 'b', 'c']) {
      const own = batch.events.flatMap((event) => ('table' in event && event.table === name ? [event.type] : []))
      expect(own.filter((type) => type !== 'chunk.progress')).toEqual([
        'table.started',
        'chunk.started',
        'chunk.done',
        'table.finished',
      ])
      expect(own.indexOf('chunk.progress')).toBeGreaterThan(1)
    }
    const again = await batchInto(join(folder.path, 'two.db'), all)
    expect(statuses(again)).toEqual({ a: 'current', b: 'current', c: 'current' })
  })

  test('a stop reaches both threads, and the same batch resumes', async () => {
    using folder = temporaryFolder()
    const file = join(folder.path, 'two.db')
    const interrupter = new Interrupter()
    const deadline = new SluiceError('DEADLINE', 'the time of --max-runtime (1s) has ended')
    const onEvent = ({ type }: { readonly type: string }): void => {
      if (type === 'chunk.progress') interrupter.requestStop(deadline)
    }
    const cut = await batchInto(file, two, { interrupter, onEvent })
    const [first] = [...cut.outcomes.values()]
    expect(Object.values(statuses(cut))).toContain('stopped')
    expect(first?.result?.status).toBe('stopped')
    // Null if the stop came before its first batch.
    expect(first?.result?.version ?? -1).toBeLessThan(LAST)
    const rest = await batchInto(file, two)
    expect(statuses(rest)).toEqual({ a: 'ok', b: 'ok' })
    expect([...rest.outcomes.values()].some(({ result }) => result?.resumed === true)).toBe(true)
    expect(await dumpOf(file)).toBe(expectedOfTwo)
  })

  test('an abort reaches a thread with its reason, and rolls back the current batch', async () => {
    using folder = temporaryFolder()
    const file = join(folder.path, 'two.db')
    const interrupter = new Interrupter()
    const onEvent = ({ type }: { readonly type: string }): void => {
      if (type === 'chunk.progress') interrupter.requestAbort(new SluiceError('ABORTED', 'enough of it'))
    }
    const cut = await batchInto(file, two, { interrupter, onEvent })
    const errors = [...cut.outcomes.values()].map(({ error }) => error)
    expect(errors.map((error) => [error?.kind, error?.code, error?.message])).toContainEqual([
      'stopped',
      'ABORTED',
      'enough of it',
    ])
    await batchInto(file, two)
    expect(await dumpOf(file)).toBe(expectedOfTwo)
  })

  test('a pause stops both threads between two batches', async () => {
    using folder = temporaryFolder()
    const control = { paused: false, lanes: null }
    let held = 0
    let seen = 0
    const onEvent = ({ type }: { readonly type: string }): void => {
      if (type === 'table.finished' && control.paused) held = -1
      if (type !== 'chunk.progress' || ++seen > 1) return
      control.paused = true
      setTimeout(() => {
        held++
        control.paused = false
      }, 800)
    }
    const batch = await batchInto(join(folder.path, 'two.db'), two, { control, onEvent })
    expect(held).toBe(1)
    expect(statuses(batch)).toEqual({ a: 'ok', b: 'ok' })
  })

  test('a corrupt table fails alone', async () => {
    using folder = temporaryFolder()
    const paths = ['a', 'b', 'c'].map((name) => writeTable(folder.path, name))
    const bad = join(folder.path, 'b', '_delta_log', commitName(15))
    writeFileSync(bad, readFileSync(bad, 'utf8').replace('"add":{"path"', '"add":{"path" '.slice(0, -3)))
    const expected = await dumpOfOneByOne(join(folder.path, 'one.db'), paths)
    const batch = await batchInto(join(folder.path, 'two.db'), paths)
    expect(statuses(batch)).toEqual({ a: 'ok', b: 'failed', c: 'ok' })
    const { error } = batch.outcomes.get('b') ?? {}
    expect(error?.code).toBe('BAD_ACTION')
    expect(error?.kind).toBe('source')
    expect(error?.where).toContain(commitName(15))
    expect(await dumpOf(join(folder.path, 'two.db'))).toBe(expected)
  })

  test.each(['loud', 'silent'])('a thread that fails (%s) fails only its table', async (how) => {
    using folder = temporaryFolder()
    const file = join(folder.path, 'two.db')
    const url = new URL('postgresql://app:s3cr3t-word@127.0.0.1/x')
    if (how === 'silent') url.searchParams.set('application_name', 'silent')
    const batch = await batchInto(file, two, { split: { entry: DYING }, threadUrl: url.href })
    expect(statuses(batch)).toEqual({ a: 'failed', b: 'failed' })
    for (const event of finished(batch)) {
      expect(event.error?.code).toBe('INTERNAL')
      expect(event.error?.message).toMatch(/^the thread of this import ended/)
    }
    expect(JSON.stringify(batch.events)).not.toContain('s3cr3t-word')
    expect(statuses(await batchInto(file, two))).toEqual({ a: 'ok', b: 'ok' })
  })

  test('a thread without a connection leaves its table to a thread that has one', async () => {
    using folder = temporaryFolder()
    const threadUrl = catalogUrl(join(folder.path, 'no', 'such.db')).replace(/:\/\/(?=[^/])[^@]*@/, '://nobody:wrong@')
    const batch = await batchInto(join(folder.path, 'two.db'), two, { threadUrl })
    expect(statuses(batch)).toEqual({ a: 'ok', b: 'ok' })
    expect(await dumpOf(join(folder.path, 'two.db'))).toBe(expectedOfTwo)
  })

  test('a batch completes after kill -9 of the whole process at any event', { timeout: 240_000 }, async () => {
    using folder = temporaryFolder()
    for (const [i, at] of shareOf([1, 3, 5, 6, 7, 8], 2).entries()) {
      const file = join(folder.path, `killed-${at}.db`)
      const url = await makeRoom(file)
      const run = (nth: number) =>
        spawnSync(process.execPath, [CHILD, url, String(BATCH_ROWS), String(nth), ...two], { encoding: 'utf8' })
      expect(run(at).signal).toBe('SIGKILL')
      // Killed again meanwhile: every second time, beginning with the first.
      if (ALL || i % 2 === 0) run(6)
      const end = await batchInto(file, two)
      expect(finished(end).map(({ error }) => error ?? null)).toEqual([null, null])
      expect(await dumpOf(file), `killed at event ${at}`).toBe(expectedOfTwo)
    }
  })
})
