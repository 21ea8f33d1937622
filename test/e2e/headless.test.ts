/**
 * The real program without a terminal: signals, kill -9, time limits, a reader that closes stdout, and two runs on the
 * same table.
 */
import { spawnSync } from 'node:child_process'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Event } from '../../src/model/run/event.ts'
import { openSqlite } from '../../src/stores/sqlite/sql-database.ts'
import { dumpOf } from '../fault/lanes-kit.ts'
import { ALL } from '../support/backend.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import * as program from './support/program.ts'
import {
  BIN,
  cleanEnv,
  DEMO_LAKE,
  digestOf,
  hasProgress,
  makeTable,
  run,
  START,
  type Headless,
} from './support/program.ts'

let folder: Folder
let cwd = ''
/** Large enough that a run can be interrupted. */
let table = ''
let undisturbed = ''
let started: Headless[] = []

beforeAll(async () => {
  folder = temporaryFolder()
  cwd = folder.path
  table = makeTable(cwd, 'table', 16_000)
  cpSync(DEMO_LAKE, join(cwd, 'lake'), { recursive: true, preserveTimestamps: true })
  await run(cwd, importWords('clean'))
  undisturbed = await digestOf(join(cwd, 'clean.db'))
})
afterAll(() => folder[Symbol.dispose]())
afterEach(async () => {
  for (const { child, ended } of started) {
    child.kill('SIGKILL')
    await ended
  }
  started = []
})

function headless(args: readonly string[]): Headless {
  const one = program.headless(cwd, args)
  started.push(one)
  return one
}

const catalogOf = (name: string): string => join(cwd, `${name}.db`)
const importWords = (name: string, what = table): readonly string[] => [
  'import',
  what,
  '--database-url',
  `sqlite:///${name}.db`,
  '--batch-size',
  '1000',
  '--json',
]

function lastOf(events: readonly Event[]): Extract<Event, { type: 'run.finished' }> {
  const last = events.at(-1)
  if (last?.type !== 'run.finished') throw new Error(`the last event is ${last?.type ?? 'none'}`)
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1))
  return last
}

/** The content of a catalog without its runs, which differ because each attempt at a failing table adds one. */
async function tablesOf(name: string): Promise<readonly string[]> {
  const lines = (await dumpOf(catalogOf(name))).split('\n')
  return lines.filter((line) => !line.startsWith('migration_status '))
}

/** Runs the same command to its end. */
async function expectGoesOn(name: string, resumes = true): Promise<void> {
  const { code, events } = await run(cwd, importWords(name))
  expect(code).toBe(0)
  const [first] = events()
  if (resumes) expect(first).toHaveProperty('resumes')
  expect(await digestOf(catalogOf(name))).toBe(undisturbed)
}

describe('a signal', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 143],
  ] as const)('%s stops cleanly with exit code %i, and the printed command resumes', async (signal, code) => {
    const one = headless(importWords(signal))
    await one.until(hasProgress)
    one.child.kill(signal)
    expect(await one.ended).toEqual({ code, signal: null })
    const last = lastOf(one.events())
    expect(last).toMatchObject({ status: 'stopped', exitCode: code })
    const printed = ['sluice', ...importWords(signal)].filter((word) => word !== '--json')
    expect(last.resumeCommand?.split(' ')).toEqual(printed)
    expect(one.err()).toContain('stopping after the running batch')
    await expectGoesOn(signal)
  })

  it('repeated SIGINT ends the run with 130, at this batch or a later one', async () => {
    const one = headless(importWords('twice'))
    await one.until(hasProgress)
    one.child.kill('SIGINT')
    await one.until(({ err }) => err().includes('stopping after the running batch'))
    // A repeat within one second counts as the same key press.
    const again = setInterval(() => one.child.kill('SIGINT'), 200)
    const ended = await one.ended
    clearInterval(again)
    expect(ended).toEqual({ code: 130, signal: null })
    expect(lastOf(one.events())).toMatchObject({ status: 'stopped', exitCode: 130 })
    await expectGoesOn('twice', false)
  })

  it('after repeated kill -9 every run takes the lease over at once and resumes', { timeout: 60_000 }, async () => {
    const done: number[] = []
    for (let i = 0; i < 3; i++) {
      const one = headless(importWords('often'))
      await one.until(hasProgress)
      const [first] = one.events()
      done.push(first?.type === 'run.started' ? Number(first.baseline?.done ?? 0) : -1)
      one.child.kill('SIGKILL')
      expect(await one.ended).toEqual({ code: null, signal: 'SIGKILL' })
    }
    expect(done[0]).toBe(0)
    expect(done).toEqual(done.toSorted((a, b) => a - b))
    expect(new Set(done).size).toBe(done.length)
    await expectGoesOn('often')
  })
})

it('--max-runtime ends a run with 75, and the same command resumes', async () => {
  const one = await run(cwd, [...importWords('short'), '--max-runtime', '100ms'])
  expect(one.code).toBe(75)
  expect(lastOf(one.events())).toMatchObject({ status: 'stopped', exitCode: 75 })
  await expectGoesOn('short', false)
})

describe('a reader that closes stdout', () => {
  const shell = (line: string): { readonly status: number | null; readonly stdout: string; readonly stderr: string } =>
    spawnSync('/bin/bash', ['-c', line], { cwd, env: { ...cleanEnv(), NODE: process.execPath, BIN }, encoding: 'utf8' })

  it.each(['', '--json'])('of a list %s: the exit code is 0', (flag) => {
    const { stdout, stderr } = shell(
      `"$NODE" "$BIN" files ${table} --database-url sqlite:///clean.db ${flag} | head -1; echo "$PIPESTATUS" >&2`,
    )
    expect(stdout.trimEnd().split('\n')).toHaveLength(1)
    expect(stderr.trimEnd().split('\n').at(-1)).toBe('0')
    expect(stderr).not.toMatch(/EPIPE|cannot be written|bug/)
  })

  it('of an import: the import is completed', async () => {
    const { stdout, stderr } = shell(
      `"$NODE" "$BIN" ${importWords('unread').join(' ')} | head -1; echo "$PIPESTATUS" >&2`,
    )
    expect(stdout).toContain('run.started')
    expect(stderr).toBe('0\n')
    expect(await digestOf(catalogOf('unread'))).toBe(undisturbed)
  })
})

/** Stops a program while it has the lease of its table, but no lock on the catalog file. */
async function stopBetweenBatches({ child }: Headless, catalog: string): Promise<void> {
  for (;;) {
    child.kill('SIGSTOP')
    // The process may run a little longer.
    await new Promise((resolve) => setTimeout(resolve, 20))
    if (mayWrite(catalog)) return
    child.kill('SIGCONT')
    await new Promise((resolve) => setTimeout(resolve, 1))
    if (child.exitCode !== null) throw new Error('it has ended before it could be stopped')
  }
}

function mayWrite(catalog: string): boolean {
  const database = new Database(catalog, { timeout: 0 })
  try {
    database.exec('BEGIN IMMEDIATE; ROLLBACK')
    return true
  } catch {
    return false
  } finally {
    database.close()
  }
}

const notesOf = (one: Headless): string =>
  one
    .events()
    .flatMap((event) => (event.type === 'log' ? [event.message] : []))
    .join()

describe('two programs at once', () => {
  it('imports of one table: the second names the lease owner, and with --wait it waits and finds the table current', async () => {
    const one = headless(importWords('held'))
    await one.until(hasProgress)
    await stopBetweenBatches(one, catalogOf('held'))
    const refused = await run(cwd, importWords('held'))
    expect(refused.code).toBe(5)
    const { error } = lastOf(refused.events())
    expect(error).toMatchObject({ code: 'TABLE_LOCKED', retryable: true })
    expect(error?.message).toContain(`sluice import ${table}`)
    expect(error?.where).toContain(`process ${one.child.pid}`)
    const two = headless([...importWords('held'), '--wait', '60s'])
    await two.until((so) => notesOf(so).includes('waits: '))
    expect(notesOf(two)).toContain(`process ${one.child.pid}`)
    one.child.kill('SIGCONT')
    const both = [one, two]
    expect(await Promise.all(both.map(({ ended }) => ended))).toEqual([
      { code: 0, signal: null },
      { code: 0, signal: null },
    ])
    const statuses = both.map((each) => each.events().find((event) => event.type === 'table.finished')?.status)
    expect(statuses).toEqual(['ok', 'current'])
    expect(await digestOf(catalogOf('held'))).toBe(undisturbed)
  })

  it(
    'batch imports into one catalog file: both have the same result, and nothing is duplicated',
    { timeout: 60_000 },
    async () => {
      const words = ['batch-import', 'lake', '--recursive', '--json', '--database-url']
      expect(await run(cwd, [...words, 'sqlite:///alone.db'])).toMatchObject({ code: 1 })
      for (let round = 0; round < (ALL ? 2 : 1); round++) {
        const url = `sqlite:///both-${round}.db`
        const one = headless([...words, url])
        await one.until((so) => so.events().some(({ type }) => type === 'table.started'))
        const both = [one, headless([...words, url])]
        // One table is broken on purpose; no other may fail.
        expect(await Promise.all(both.map(({ ended }) => ended))).toMatchObject([{ code: 1 }, { code: 1 }])
        for (const each of both) {
          expect(lastOf(each.events()).totals).toMatchObject({ tables: '6', failed: '1', refused: '1' })
        }
        const shown = await run(cwd, ['migration-status', '--json', '--database-url', url])
        const completed = shown.events().filter((event) => event.type === 'run' && event.status === 'completed')
        expect(completed).toHaveLength(4)
        expect(await tablesOf(`both-${round}`)).toEqual(await tablesOf('alone'))
      }
    },
  )

  it('a reader during an import never sees a part of a version', { timeout: 60_000 }, async () => {
    const one = headless(importWords('read'))
    await one.until((so) => so.events().some(({ type }) => type === 'chunk.started'))
    await using database = openSqlite(catalogOf('read'), 'read')
    const seen = new Set<number | null>()
    let over = false
    void one.ended.then(() => (over = true))
    while (!over) {
      const rows = await database.all(
        `SELECT t.current_version, t.num_files, t.num_bytes, count(f.path), coalesce(sum(f.size), 0)
         FROM delta_tables t LEFT JOIN delta_active_files f ON f.table_id = t.table_id GROUP BY t.table_id`,
      )
      for (const [version, files, bytes, active, size] of rows) {
        seen.add(version as number | null)
        expect([active, size], `at version ${String(version)}`).toEqual([files ?? 0, bytes ?? 0])
      }
      // The exit of the other process is noticed only between two queries.
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect((await one.ended).code).toBe(0)
    // The reader saw versions during the import, and not only before or after it.
    expect(seen.size).toBeGreaterThan(3)
    expect(await digestOf(catalogOf('read'))).toBe(undisturbed)
  })
})

it('npm start passes arguments and exit codes on', async () => {
  const listed = await run(cwd, ['discover', 'lake', '--recursive'], START)
  expect(listed).toMatchObject({ code: 0 })
  expect(listed.out.trim().split('\n').length).toBeGreaterThan(6)
  expect(await run(cwd, ['discover', 'nowhere'], START)).toMatchObject({ code: 2 })
  expect(await run(cwd, ['import', 'lake/staging/managed', '--database-url', 'sqlite:///x.db'], START)).toMatchObject({
    code: 6,
  })
})
