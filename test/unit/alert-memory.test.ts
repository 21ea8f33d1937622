/** Which alerts are open across runs: with two programs at the same time, and with a damaged file. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import Database from 'better-sqlite3'
import { memoryOfMachine, memoryOfProgram } from '../../src/app/alerts/memory.ts'
import type { AlertKey } from '../../src/model/run/alert.ts'
import { CONFIRM_MS } from '../../src/model/run/alert-memory.ts'
import { sqliteAlertMemory } from '../../src/stores/sqlite/alert-memory.ts'

let folder = ''
const said: string[] = []
const say = (what: string): void => void said.push(what)
const key: AlertKey = { scope: 'fsck', cause: 'fsck', table: 't' }

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-alert-memory-'))
  said.length = 0
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test.each([
  ['of a program', () => memoryOfProgram()],
  ['of a machine', () => memoryOfMachine(folder, say)],
])('memory %s: an alert is new once and cleared once', async (_, open) => {
  await using memory = open()
  expect(await memory.end(key)).toEqual({ is: 'none' })
  expect(await memory.begin(key, 5)).toEqual({ is: 'new', since: 5 })
  expect(await memory.begin(key, 9)).toEqual({ is: 'stands', since: 5 })
  for (const other of [{ scope: 'other' }, { cause: 'failed' }, { table: 'u' }] as const)
    expect(await memory.begin({ ...key, ...other }, 7)).toEqual({ is: 'new', since: 7 })
  expect(await memory.end(key)).toEqual({ is: 'cleared', since: 5 })
  expect(await memory.end(key)).toEqual({ is: 'none' })
})

test('an alert or its end is sent again after a minute by any program, unless its sending was confirmed', async () => {
  let now = 1_000_000
  const wait = (ms: number): number => (now += ms)
  const open = () => sqliteAlertMemory(join(folder, 'alerts.db'), { now: () => now })
  await using first = open()
  await using second = open()
  expect(await first.begin(key, 5)).toEqual({ is: 'new', since: 5 })
  wait(CONFIRM_MS)
  expect(await second.begin(key, 9)).toEqual({ is: 'stands', since: 5 })
  wait(1)
  expect(await second.begin(key, 9)).toEqual({ is: 'new', since: 5 })
  expect(await first.begin(key, 9)).toEqual({ is: 'stands', since: 5 })
  await second.sent(key, 'raised')
  wait(2 * CONFIRM_MS)
  expect(await first.begin(key, 9)).toEqual({ is: 'stands', since: 5 })

  expect(await first.end(key)).toEqual({ is: 'cleared', since: 5 })
  expect(await second.end(key)).toEqual({ is: 'none' })
  wait(CONFIRM_MS + 1)
  expect(await second.end(key)).toEqual({ is: 'cleared', since: 5 })
  // It begins again before its end is confirmed; that confirmation does not belong to the new alert.
  expect(await first.begin(key, 20)).toEqual({ is: 'new', since: 20 })
  await second.sent(key, 'cleared')
  await first.sent(key, 'raised')
  expect(await second.begin(key, 21)).toEqual({ is: 'stands', since: 20 })
  expect((await first.end(key)).is).toBe('cleared')
  await first.sent(key, 'cleared')
  wait(2 * CONFIRM_MS)
  expect(await second.end(key)).toEqual({ is: 'none' })
})

test('the file of an older program is converted, and its alerts count as sent', async () => {
  const file = join(folder, 'alerts.db')
  const older = new Database(file)
  older.exec(`CREATE TABLE standing (scope TEXT NOT NULL, cause TEXT NOT NULL, subject TEXT NOT NULL, since_ms INTEGER NOT NULL,
    PRIMARY KEY (scope, cause, subject)) WITHOUT ROWID; INSERT INTO standing VALUES ('fsck', 'fsck', 't', 5)`)
  older.close()
  await using memory = memoryOfMachine(folder, say)
  expect(await memory.begin(key, 9)).toEqual({ is: 'stands', since: 5 })
  expect(await memory.end(key)).toEqual({ is: 'cleared', since: 5 })
})

test('the memory outlives its program and is readable for this user only', async () => {
  await using first = memoryOfMachine(join(folder, 'state'), say)
  await first.begin(key, 5)
  await using second = memoryOfMachine(join(folder, 'state'), say)
  expect(await second.begin(key, 9)).toEqual({ is: 'stands', since: 5 })
  expect(statSync(join(folder, 'state', 'alerts.db')).mode & 0o777).toBe(0o600)
  expect(statSync(join(folder, 'state')).mode & 0o777).toBe(0o700)
  expect(said).toEqual([])
})

test('of programs that raise the same alert at once, exactly one sees it as new', async () => {
  const store = pathToFileURL(join(import.meta.dirname, '../../build/stores/sqlite/alert-memory.js')).href
  const script = `
    const { sqliteAlertMemory } = await import(${JSON.stringify(store)})
    const memory = sqliteAlertMemory(${JSON.stringify(join(folder, 'alerts.db'))})
    let won = 0
    for (let n = 0; n < 50; n++) if ((await memory.begin({ scope: 's', cause: 'fsck', table: String(n) }, n)).is === 'new') won++
    console.log(won)`
  const run = promisify(execFile)
  const programs = Array.from({ length: 3 }, () => run(process.execPath, ['--input-type=module', '-e', script]))
  const won = (await Promise.all(programs)).map(({ stdout }) => Number(stdout))
  expect(won.reduce((sum, one) => sum + one, 0)).toBe(50)
})

test('an alert that another program adds while this one waits for the lock counts as open', async () => {
  await using memory = memoryOfMachine(folder, say)
  await memory.begin({ ...key, table: 'first' }, 1)
  const script = `
    import Database from 'better-sqlite3'
    const database = new Database(${JSON.stringify(join(folder, 'alerts.db'))})
    database.exec('BEGIN IMMEDIATE')
    process.stdout.write('locked')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
    database.prepare("INSERT INTO standing (scope, cause, subject, since_ms, unsent_ms) VALUES ('fsck', 'fsck', 't', 7, ?)").run(Date.now())
    database.exec('COMMIT')`
  const other = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(other.stdout, 'data')
  expect(await memory.begin(key, 9)).toEqual({ is: 'stands', since: 7 })
})

test('a damaged file is renamed, counts as empty, and is reported', async () => {
  const file = join(folder, 'alerts.db')
  writeFileSync(file, 'no database at all, but longer than the head of one would have to be. '.repeat(20))
  await using memory = memoryOfMachine(folder, say)
  expect(await memory.begin(key, 5)).toEqual({ is: 'new', since: 5 })
  expect(said).toEqual([`${file} was damaged and was renamed: open alerts are sent again`])
  expect(readdirSync(folder).some((name) => name.startsWith('alerts.db.damaged-'))).toBe(true)
  await using next = memoryOfMachine(folder, say)
  expect((await next.begin(key, 9)).is).toBe('stands')
  expect(said).toHaveLength(1)
})

test('if no file can be created, the run continues and reports it', async () => {
  const file = join(folder, 'a file')
  writeFileSync(file, '')
  await using memory = memoryOfMachine(file, say)
  expect((await memory.begin(key, 5)).is).toBe('new')
  expect((await memory.begin(key, 5)).is).toBe('stands')
  expect(said).toHaveLength(1)
  expect(said[0]).toContain('the open alerts cannot be stored')
})
