/** Background runs and their viewers: separate programs, started as users start them, and killed. */
import { spawn, type ChildProcess } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { joinRun } from '../../src/app/live/join.ts'
import type { Event } from '../../src/model/run/event.ts'
import { foldEvent } from '../../src/tui/run/fold.ts'
import { freshRun, type RunView } from '../../src/tui/run/run-view.ts'
import { COPY } from '../tui/support/copy-events.ts'
import { openPty, type PtyApp } from '../tui/support/pty.ts'

const BIN = new URL('../../dist/cli/bin.js', import.meta.url).pathname
const ROWS = 60_000
let folder = ''
let sockets = ''
let env: Record<string, string | undefined> = {}

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-attach-'))
  // The path of a socket has at most 107 bytes.
  sockets = mkdtempSync('/tmp/sl-')
  env = { ...process.env, XDG_RUNTIME_DIR: sockets, XDG_STATE_HOME: path.join(folder, 'state'), CI: '' }
  const source = new Database(path.join(folder, 'source.db'))
  source.exec(`CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT);
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS}) INSERT INTO orders SELECT i, 'note ' || i FROM n`)
  source.close()
})
afterAll(() => {
  for (const one of [folder, sockets]) rmSync(one, { recursive: true })
})

type Program = { readonly child: ChildProcess; readonly out: () => string; readonly code: Promise<number | null> }

const sluice = (...words: readonly string[]): Program => program(process.cwd(), process.execPath, BIN, ...words)

function program(cwd: string, file: string, ...words: readonly string[]): Program {
  const child = spawn(file, words, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  child.stdout.on('data', (piece) => (out += piece))
  child.stderr.on('data', (piece) => (out += piece))
  return { child, out: () => out, code: new Promise((resolve) => child.once('close', (code) => resolve(code))) }
}

async function said(...words: readonly string[]): Promise<string> {
  const asked = sluice(...words)
  expect(await asked.code, asked.out()).toBe(0)
  return asked.out()
}

function terminalOf(...words: readonly string[]): PtyApp {
  const { CI: _ci, ...around } = env
  const given = Object.entries(around).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
  return openPty({ script: BIN, args: words, env: Object.fromEntries(given) })
}

const urlOf = (name: string): string => `sqlite:///${path.join(folder, name)}`

const copyTo = (name: string, ...more: readonly string[]): readonly string[] => [
  'copy',
  `--from=${urlOf('source.db')}`,
  `--to=${urlOf(name)}`,
  '--table=orders',
  '--checkpoint-size=1000',
  '--rate=2000',
  '--background',
  ...more,
]

async function begun(name: string): Promise<string> {
  const started = sluice(...copyTo(name))
  expect(await started.code, started.out()).toBe(0)
  const run = /^run (\d+) continues in the background$/m.exec(started.out())?.[1] ?? ''
  expect(started.out()).toContain(`sluice attach ${run}`)
  return run
}

const eventsOf = (text: string): Event[] =>
  text
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as Event)

const folded = (events: readonly Event[]): RunView =>
  events.reduce((run, event) => foldEvent(run, event, Date.parse(event.ts)), freshRun(1, COPY, '', 0))

it('a background run continues when a viewer is killed, and the next viewer gets all events', async () => {
  const run = await begun('a.db')
  const logs = path.join(folder, 'state/sluice/runs')
  expect(readdirSync(logs)).toEqual([`run-${run}.log`])
  expect(statSync(path.join(logs, `run-${run}.log`)).mode & 0o077).toBe(0)
  const first = sluice('attach', run, '--json')
  await expect.poll(() => first.out(), { timeout: 20_000 }).toContain('"chunk.done"')
  first.child.kill('SIGKILL')
  await first.code
  const second = sluice('attach', '--json')
  await expect.poll(() => second.out(), { timeout: 20_000 }).toContain('"chunk.done"')
  // The run was slow until now, so that both viewers could join.
  expect(await sluice('ctl', run, 'rate', 'off').code).toBe(0)
  expect(await second.code, second.out().slice(-500)).toBe(0)
  const events = eventsOf(second.out())
  const view = folded(events)
  expect(view.copy?.tally()).toMatchObject({ read: ROWS, written: ROWS, proved: ROWS })
  expect(view.copy?.chunks()).toMatchObject({ all: 60, proved: 60, pending: 0 })
  expect(view.finished?.totals).toMatchObject({ written: String(ROWS), proved: '60' })
  await expect.poll(() => readFileSync(path.join(logs, `run-${run}.log`), 'utf8')).toMatch(/exit {5}0\n$/)
  const late = sluice('attach', run, '--ci')
  expect(await late.code).toBe(2)
  expect(late.out()).toMatch(new RegExp(`run ${run} ended \\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z with exit 0`))
  expect(await said('report', run)).toContain(run)
}, 60_000)

it('when a run is killed, its viewer reports the interruption and the command to continue', async () => {
  const run = await begun('b.db')
  const viewer = sluice('attach', run, '--ci')
  await expect.poll(() => viewer.out(), { timeout: 20_000 }).toContain('plan')
  const left = sluice('attach', run, '--ci')
  await expect.poll(() => left.out(), { timeout: 20_000 }).toContain('plan')
  left.child.kill('SIGINT')
  expect(await left.code).toBe(130)
  expect(left.out()).toContain(`run ${run} continues; to watch it again: sluice attach ${run}`)
  const shown = terminalOf('attach', run)
  await shown.until('orders')
  shown.type('q')
  await shown.ended
  expect(shown.raw()).toContain(`run ${run} continues; to watch it again: sluice attach ${run}`)
  const joined = await joinRun(run, env)
  joined.leave()
  process.kill(joined.about.pid, 'SIGKILL')
  expect(await viewer.code).toBe(75)
  expect(viewer.out()).toContain('the run was interrupted')
  expect(viewer.out()).toMatch(/next +sluice copy --from=sqlite:/)
  const none = sluice('attach', run, '--ci')
  expect(await none.code).toBe(2)
  expect(none.out()).toContain(`run ${run} is not running on this machine`)
}, 60_000)

it('the printed command continues a run in its own folder, from any folder', async () => {
  const own = path.join(folder, 'its own')
  const far = path.join(folder, 'far')
  for (const one of [own, far]) mkdirSync(one)
  symlinkSync(path.join(folder, 'source.db'), path.join(own, 'source.db'))
  const relative = (url: string): string => url.replace(`sqlite:///${folder}/`, 'sqlite:///')
  const inFolder = (cwd: string, ...words: readonly string[]) => program(cwd, process.execPath, BIN, ...words)
  const started = inFolder(own, ...copyTo('d.db').map(relative))
  expect(await started.code, started.out()).toBe(0)
  const run = /^run (\d+) continues/m.exec(started.out())?.[1] ?? ''
  const viewer = inFolder(far, 'attach', run, '--ci')
  await expect.poll(() => viewer.out(), { timeout: 20_000 }).toContain('plan')
  const joined = await joinRun(run, env)
  joined.leave()
  process.kill(joined.about.pid, 'SIGKILL')
  expect(await viewer.code).toBe(75)
  const command = /next +(cd .*)$/m.exec(viewer.out())?.[1] ?? ''
  expect(command).toBe(
    `cd '${own}' && sluice copy --from=sqlite:///source.db --to=sqlite:///d.db --table=orders --checkpoint-size=1000 --rate=2000`,
  )
  const nextIn = async (cwd: string): Promise<unknown> => {
    const listed = inFolder(cwd, 'runs', '--here', '--json')
    expect(await listed.code).toBe(0)
    const rows = eventsOf(listed.out()).flatMap((event) => (event.type === 'row' ? [event.values] : []))
    return rows.find(([id]) => id === run)?.at(-1)
  }
  expect(await nextIn(far)).toBe(command)
  expect(await nextIn(own)).toBe(command.replace(/^cd .* && /, ''))
  // As pasted into a shell.
  const pasted = command.replace('&& sluice', `&& '${process.execPath}' '${BIN}'`).replace('--rate=2000', '--ci')
  const again = program(far, 'sh', '-c', pasted)
  expect(await again.code, again.out()).toBe(0)
  expect([readdirSync(far), existsSync(path.join(own, 'd.db'))]).toEqual([[], true])
  const target = new Database(path.join(own, 'd.db'))
  expect(target.prepare('SELECT count(*) AS rows FROM orders').get()).toEqual({ rows: ROWS })
  target.close()
}, 60_000)

it('a background run prints its command as the program was called', async () => {
  const called = program(process.cwd(), 'env', 'SLUICE_PROGRAM=node bin.js', process.execPath, BIN, ...copyTo('h.db'))
  expect(await called.code, called.out()).toBe(0)
  const run = /^run (\d+) continues/m.exec(called.out())?.[1] ?? ''
  expect(called.out()).toContain(`look     node bin.js attach ${run}\n`)
  const joined = await joinRun(run, env)
  joined.leave()
  process.kill(joined.about.pid, 'SIGKILL')
})

it('a run that a signal ends has the same exit code in all outputs', async () => {
  const copying = sluice(...copyTo('e.db', '--json').filter((word) => word !== '--background'))
  await expect.poll(() => copying.out(), { timeout: 20_000 }).toContain('"chunk.done"')
  const run = eventsOf(copying.out())[0]?.runId ?? ''
  const viewer = sluice('attach', run, '--json')
  await expect.poll(() => viewer.out(), { timeout: 20_000 }).toContain('"chunk.done"')
  copying.child.kill('SIGTERM')
  expect(await copying.code).toBe(143)
  expect(await viewer.code).toBe(143)
  expect(eventsOf(viewer.out()).at(-1)).toMatchObject({ type: 'run.finished', status: 'stopped', exitCode: 143 })
  for (const where of ['--here', `--to=${urlOf('e.db')}`]) {
    const listed = eventsOf(await said('runs', where, '--json'))
    const codes = listed.flatMap((event) =>
      event.type === 'row' && event.values[0] === run
        ? [event.values[2]]
        : event.type === 'copy.run'
          ? [event.exitCode]
          : [],
    )
    expect(codes).toEqual([143])
  }
}, 60_000)

it('closing the terminal while a background run starts does not end the run', async () => {
  // The terminal is closed as soon as the program of the run exists, long before the run begins.
  const logs = path.join(folder, 'state/sluice/runs')
  mkdirSync(logs, { recursive: true })
  const before = new Set(readdirSync(logs))
  const terminal = terminalOf(...copyTo('f.db'))
  const news = (): readonly string[] => readdirSync(logs).filter((name) => !before.has(name))
  await expect.poll(news, { timeout: 20_000, interval: 2 }).toHaveLength(1)
  terminal.hangUp()
  // The log gets the name of the run, as without the hang-up.
  await expect.poll(news, { timeout: 20_000 }).toEqual([expect.stringMatching(/^run-\d+\.log$/)])
  await terminal.ended
  const run = /\d+/.exec(news()[0] ?? '')?.[0] ?? ''
  const joined = await joinRun(run, env)
  joined.stop()
  expect(await joined.done).toBe(75)
}, 60_000)

it('without a folder for its log, no background run begins, and the error names the folder', async () => {
  const state = path.join(folder, 'no folder')
  writeFileSync(state, '')
  const refused = program(process.cwd(), 'env', `XDG_STATE_HOME=${state}`, process.execPath, BIN, ...copyTo('g.db'))
  expect(await refused.code).toBe(2)
  expect(refused.out()).toContain('the log of a background run cannot be written')
  expect(refused.out()).toContain(state)
  expect(refused.out()).toContain('set XDG_STATE_HOME')
  expect(existsSync(path.join(folder, 'g.db'))).toBe(false)
})

it('a run that cannot begin fails at once, and so does a list with --background', async () => {
  const wrong = sluice(...copyTo('c.db', '--where', 'no such column > 1'))
  expect(await wrong.code).not.toBe(0)
  expect(wrong.out()).toMatch(/FAILED|refused/)
  const listing = sluice('runs', '--to', urlOf('a.db'), '--background')
  expect(await listing.code).toBe(2)
  expect(listing.out()).toContain('--background is for long runs')
})
