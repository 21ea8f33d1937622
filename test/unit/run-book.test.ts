/** The run history: bounded, readable for this user only, and never an obstacle to a run. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'
import { RunRecorder } from '../../src/app/live/run-recorder.ts'
import { LocalRuns } from '../../src/app/live/machine-runs.ts'
import type { Event, EventBody } from '../../src/model/run/event.ts'
import { KEPT_RUNS, type RecordedEnd, type RecordedRun } from '../../src/model/run/run-history.ts'
import { thisProcess } from '../../src/shared/owner.ts'
import { openRunHistory, runHistoryFile } from '../../src/stores/run-history.ts'

const folderOf = (): string => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-book-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return path.join(folder, 'state')
}
const booked = (no: number): RecordedRun => ({
  run: String(no),
  kind: 'copy',
  commandLine: 'sluice copy',
  folder: '/data/in here',
  source: null,
  target: null,
  about: 'orders',
  begunAt: no,
  owner: thisProcess(),
})

test('keeps the newest runs, and points only of these', async () => {
  const folder = folderOf()
  using book = await openRunHistory(runHistoryFile(folder))
  for (let no = 1; no <= KEPT_RUNS + 5; no++) {
    book.begin(booked(no))
    book.sample(String(no), { at: no, done: no, bytes: 0, lag: null })
  }
  expect(book.list(5000)).toHaveLength(KEPT_RUNS)
  expect(book.list(1)).toMatchObject([{ run: String(KEPT_RUNS + 5), end: null }])
  expect([book.curve('5'), book.curve('6').length]).toEqual([[], 1])
  for (const name of readdirSync(folder)) expect(statSync(path.join(folder, name)).mode & 0o077).toBe(0)
  expect(statSync(folder).mode & 0o077).toBe(0)
})

test('a curve is thinned to every second point, and a run whose program has ended is listed as broken off', async () => {
  const folder = folderOf()
  let now = 1_000_000
  const clock = { now: () => now, ticks: () => now }
  let seq = 0
  const event = (body: EventBody): Event => ({ v: 1, seq: ++seq, ts: '2026-11-20T12:00:00.000Z', runId: '7', ...body })
  const done = { type: 'chunk.done', table: 't', worker: 1, unit: 'row', ms: 1 } as const
  using book = await openRunHistory(runHistoryFile(folder))
  const dead = { ...thisProcess(), started: '1' }
  book.begin({ ...booked(8), owner: dead })
  book.begin({ ...booked(9), owner: { ...dead, machine: 'another', host: 'far' } })
  for (let at = 0; at < 300; at++) book.sample('8', { at, done: at, bytes: 0, lag: null })
  book.thinCurve('8')
  expect(book.curve('8').map(({ at }) => at)).toEqual(Array.from({ length: 150 }, (_, i) => 2 * i))
  const keeper = new RunRecorder(folder, booked(7), clock)
  keeper.take(event({ ...done, chunk: '1', done: '10' }))
  now += 5000
  keeper.take(event({ ...done, chunk: '2', done: '5' }))
  keeper.take(event({ type: 'run.finished', status: 'ok', exitCode: 0, totals: { rows: '15' }, ms: 1 }))
  await keeper[Symbol.asyncDispose]()
  expect(book.curve('7').at(-1)).toEqual({ at: now, done: 15, bytes: 0, lag: null })
  const runs = new LocalRuns(folder, { XDG_RUNTIME_DIR: folder })
  const listed = await runs.list(10)
  runs.close()
  expect(listed.map(({ run, state, host }) => ({ run, state, host }))).toEqual([
    { run: '9', state: 'elsewhere', host: 'far' },
    { run: '8', state: 'broken off', host: thisProcess().host },
    { run: '7', state: 'ended', host: thisProcess().host },
  ])
  expect(listed[2]?.end).toMatchObject({ status: 'ok', totals: { rows: '15' } })
})

test('a history of an older program gets the new column, and commands have the folder of the run', async () => {
  const folder = folderOf()
  mkdirSync(folder)
  const older = new Database(runHistoryFile(folder))
  older.exec(`CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, kind TEXT NOT NULL, command TEXT NOT NULL, source TEXT, target TEXT, about TEXT NOT NULL,
    begun_ms INTEGER NOT NULL, machine TEXT, host TEXT, pid INTEGER, process_started TEXT,
    ended_ms INTEGER, status TEXT, exit_code INTEGER, totals TEXT, resume TEXT, error TEXT);
    INSERT INTO runs (run_id, kind, command, about, begun_ms) VALUES ('1', 'copy', 'sluice copy old', '', 1)`)
  older.close()
  using book = await openRunHistory(runHistoryFile(folder))
  const resumeCommand = 'sluice copy --to=sqlite:./a.db'
  for (const one of [booked(2), { ...booked(3), folder: process.cwd() }]) {
    book.begin(one)
    book.end(one.run, { endedAt: 9, status: 'stopped', exitCode: 75, totals: {}, resumeCommand, error: null })
  }
  const runs = new LocalRuns(folder, { XDG_RUNTIME_DIR: folder })
  const listed = await runs.list(10)
  runs.close()
  expect(listed.map(({ commandLine, end }) => [commandLine, end?.resumeCommand])).toEqual([
    ['sluice copy', resumeCommand],
    ["cd '/data/in here' && sluice copy", `cd '/data/in here' && ${resumeCommand}`],
    ['sluice copy old', undefined],
  ])
})

test('a run that a later one has finished is marked as done by it', async () => {
  const folder = folderOf()
  using book = await openRunHistory(runHistoryFile(folder))
  const stopped = { endedAt: 9, status: 'stopped', exitCode: 75, totals: {}, resumeCommand: 'sluice copy', error: null }
  const ok = { endedAt: 9, status: 'ok', exitCode: 0, totals: {}, resumeCommand: null, error: null }
  const killed = { ...booked(2), owner: { ...thisProcess(), pid: 2 ** 30, started: 'never' } }
  const others: readonly RecordedRun[] = [
    { ...booked(4), commandLine: 'sluice copy --table other' },
    { ...booked(5), folder: '/data/elsewhere' },
    booked(6),
    booked(7),
  ]
  for (const one of [booked(1), killed, booked(3), ...others]) book.begin(one)
  for (const run of ['1', '3', '7']) book.end(run, stopped)
  for (const run of ['4', '5', '6']) book.end(run, ok)
  const runs = new LocalRuns(folder, { XDG_RUNTIME_DIR: folder })
  const listed = await runs.list(10)
  runs.close()
  expect(listed.map(({ run, doneBy }) => [run, doneBy])).toEqual([
    ['7', null],
    ['6', null],
    ['5', null],
    ['4', null],
    ['3', '6'],
    ['2', '6'],
    ['1', '6'],
  ])
})

test('a cutover ends earlier commands on its stream: sign-off and follow are marked as done', async () => {
  const folder = folderOf()
  using book = await openRunHistory(runHistoryFile(folder))
  const stream = '1795445013682791745'
  const next = (resumeCommand: string | null, switched = '0'): RecordedEnd => ({
    endedAt: 9,
    status: 'ok',
    exitCode: 0,
    totals: { switched },
    resumeCommand,
    error: null,
  })
  const cutover = (run: number): RecordedRun => ({ ...booked(run), kind: 'cutover', about: stream })
  for (const run of [1, 2]) book.begin(booked(run))
  for (const run of [3, 4]) book.begin({ ...cutover(run), commandLine: `sluice cutover ${stream} --unsigned` })
  book.begin({ ...booked(5), kind: 'follow', commandLine: 'sluice follow 1795445133585262401', about: '' })
  book.end('1', next(`sluice sign-off ${stream} --to x`))
  book.end('2', next('sluice sign-off 1795445013682791799 --to x'))
  // This dry run has not switched any table.
  book.end('3', next(null))
  book.end('4', next('sluice follow 1795445133585262401 --to x', '1'))
  const runs = new LocalRuns(folder, { XDG_RUNTIME_DIR: folder })
  const listed = await runs.list(10)
  runs.close()
  const done = new Map(listed.map(({ run, doneBy }) => [run, doneBy]))
  expect([done.get('1'), done.get('2'), done.get('4')]).toEqual(['4', null, null])
  expect(listed.find(({ run }) => run === '4')?.about).toBe(`stream ${stream}`)
})

test.each([
  [
    'no book at all',
    (file: string) => writeFileSync(file, 'what a disk made of it, long enough for a header '.repeat(20)),
  ],
  ['cut short', (file: string) => truncateSync(file, 5000)],
])('a damaged history (%s) is reported, and renamed by the next run', async (_how, damage) => {
  const folder = folderOf()
  const file = runHistoryFile(folder)
  const written = await openRunHistory(file)
  for (let no = 1; no <= 200; no++) written.begin(booked(no))
  written[Symbol.dispose]()
  damage(file)
  const env = { XDG_RUNTIME_DIR: folder }
  const runs = new LocalRuns(folder, env)
  onTestFinished(() => runs.close())
  expect(await runs.list(10)).toEqual([])
  expect(runs.trouble()).toMatchObject({ code: 'TARGET_CORRUPT', where: file, exitCode: 4 })
  const keeper = new RunRecorder(folder, booked(7), { now: () => 1, ticks: () => 1 })
  await keeper[Symbol.asyncDispose]()
  // A list that has reported the damaged file reads the new one.
  expect(await runs.list(10)).toMatchObject([{ run: '7' }])
  expect(runs.trouble()).toBeNull()
  expect(runs.renamedFiles()).toEqual([expect.stringMatching(/runs\.db\.damaged-\d+$/)])
})

test('a history that cannot be written is no error', async () => {
  const folder = folderOf()
  writeFileSync(folder, 'a file where the folder has to be')
  const keeper = new RunRecorder(folder, booked(7), { now: () => 1, ticks: () => 1 })
  await keeper[Symbol.asyncDispose]()
  expect(await new LocalRuns(folder, { XDG_RUNTIME_DIR: folder }).list(10)).toEqual([])
})
