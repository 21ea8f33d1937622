/**
 * Runs of other programs on the Runs screen: they appear automatically, can be joined, steered and left; ended ones
 * show their result and their curve.
 */
import { afterEach, expect, it } from 'vitest'
import type { CurvePoint, JoinedRun, MachineRun } from '../../src/app/workbench.ts'
import { uiCommands } from '../../src/cli/ui/commands.ts'
import type { CommandPort } from '../../src/app/command-port.ts'
import type { Event, EventBody } from '../../src/model/run/event.ts'
import { fakeWorkbench, NOW } from './fake-workbench.mjs'
import type { App } from './support/app.ts'
import { openApp } from './support/app.ts'
import * as told from './support/copy-events.ts'

let open: App[] = []
afterEach(async () => {
  for (const app of open) await app.quit()
  open = []
})

const LIVE: MachineRun = {
  run: '1795420000000000001',
  kind: 'copy',
  commandLine: told.COMMAND,
  folder: null,
  source: 'postgresql://app@db/shop',
  target: 'sqlite:///shop.db',
  about: told.TABLE,
  begunAt: NOW - 10_000,
  host: 'here',
  state: 'live',
  canJoin: true,
  end: null,
  doneBy: null,
}
const ENDED: MachineRun = {
  ...LIVE,
  run: '1795410000000000001',
  begunAt: NOW - 7_200_000,
  state: 'ended',
  canJoin: false,
  end: {
    endedAt: NOW - 3_600_000,
    status: 'stopped',
    exitCode: 75,
    totals: { written: '1234567' },
    resumeCommand: 'sluice copy --goes-on',
    error: null,
  },
}
const BROKEN: MachineRun = {
  ...ENDED,
  run: '1795400000000000001',
  begunAt: NOW - 9_200_000,
  state: 'broken off',
  end: null,
}
const FAR: MachineRun = {
  ...BROKEN,
  run: '1795390000000000001',
  begunAt: NOW - 9_300_000,
  state: 'elsewhere',
  host: 'mars',
}

/** A run of another program that the test controls. */
function elsewhere(id = LIVE.run, next: JoinedRun | null = null) {
  let seq = 0
  const event = (body: EventBody): Event => ({
    v: 1,
    seq: ++seq,
    ts: new Date(NOW - 10_000 + seq * 100).toISOString(),
    runId: id,
    ...body,
  })
  const calls: string[] = []
  const listeners = new Set<(event: Event) => void>()
  let end: (code: number) => void = () => undefined
  const done = new Promise<number>((resolve) => (end = resolve))
  const call =
    (name: string) =>
    (...given: readonly unknown[]): void =>
      void calls.push([name, ...given.map((one) => JSON.stringify(one))].join(' '))
  const snapshot = [
    { type: 'run.started', command: 'copy', tool: '1' } as const,
    told.planned([told.planLine(told.TABLE, told.ROWS)]),
    told.begun(),
    told.started(1, 1),
    told.done(1, 1),
    told.started(2, 1),
  ].map(event)
  const run: JoinedRun = {
    about: {
      runId: id,
      operation: told.COPY,
      commandLine: told.COMMAND,
      tool: '1',
      host: 'here',
      pid: 4711,
      startedAt: new Date(LIVE.begunAt).toISOString(),
    },
    operation: told.COPY,
    snapshot,
    done,
    again: () => next,
    subscribe: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    onRefused: () => undefined,
    leave: call('leave'),
    stop: call('stop'),
    abort: call('abort'),
    pause: call('pause'),
    workers: call('workers'),
    rate: call('rate'),
    steer: call('steer'),
  }
  const say = (body: EventBody): void => {
    for (const listener of listeners) listener(event(body))
  }
  return { run, calls, say, end }
}

function start(
  listed: MachineRun[],
  joined: JoinedRun | null = null,
  curve: readonly CurvePoint[] = [],
  commands?: CommandPort,
): App {
  const machine = {
    list: async () => [...listed],
    curve: async () => curve,
    join: async () => joined ?? Promise.reject(new Error('gone')),
  }
  const fake = Object.assign(fakeWorkbench({ hold: true }), { machine })
  const app = openApp({ columns: 120, rows: 40, fake, ...(commands === undefined ? {} : { commands }) })
  open.push(app)
  return app
}

const copiedText = (app: App): string => Buffer.from(/52;c;([\w+/=]*)/.exec(app.raw())?.[1] ?? '', 'base64').toString()

it('lists live, ended and interrupted runs of all machines, the newest first, and a new run appears', async () => {
  const listed = [ENDED, BROKEN, FAR]
  const app = start(listed)
  await app.until('213')
  await app.press(['2'], 'broke off')
  const screen = app.screen()
  const order = [ENDED, BROKEN, FAR].map(({ run }) => screen.indexOf(run))
  expect(order).toEqual(order.toSorted((a, b) => a - b))
  expect(screen).toContain('on mars')
  await app.press(['j'], /› 12:04/)
  listed.unshift(LIVE)
  await app.until('enter joins it')
  // The cursor stays on its run.
  expect(app.screen()).toMatch(/› 12:04/)
  expect(app.screen()).toMatch(/live +copy/)
})

it('joins a live run with all past events, steers it, and leaves it running', async () => {
  const there = elsewhere()
  const app = start([LIVE], there.run)
  await app.until('213')
  await app.press(['2'], 'enter joins it')
  await app.press(['g', 'enter'], 'read 50,000')
  there.say(told.done(2, 1))
  await app.until('read 100,000')
  app.type('p')
  await expect.poll(() => there.calls).toEqual(['pause true'])
  there.say({ type: 'run.steered', paused: true })
  // A stop needs a confirmation.
  await app.press(['x'], 'process 4711 on here')
  expect(app.screen()).toContain(`Run ${LIVE.run}`)
  await app.press(['enter'], 'read 100,000')
  expect(there.calls).toEqual(['pause true'])
  await app.press(['x'], 'process 4711 on here')
  await app.press(['down', 'enter'], 'stopping after')
  // ctrl-c returns to the list, and stops nothing.
  await app.press(['ctrl-c'], 'the run continues')
  expect(there.calls).toEqual(['pause true', 'stop'])
  await app.press(['enter'], 'read 100,000')
  there.say({
    type: 'run.finished',
    status: 'stopped',
    exitCode: 75,
    totals: {},
    ms: 1,
    resumeCommand: 'sluice copy x',
  })
  there.end(75)
  await app.until('stopped')
})

it('hints the keys of a joined run on the smallest screen, and shows all choices of a dialog completely', async () => {
  const there = elsewhere()
  const app = start([LIVE], there.run)
  await app.until('213')
  await app.press(['2'], 'enter joins it')
  await app.press(['g', 'enter'], 'read 50,000')
  app.resize(40, 10)
  await app.until(/p pause {2}.*x stop/)
  await app.press(['x'], 'Stop a run')
  expect(app.screen()).toMatch(/Go back, let it run +│?\n.*Stop after the running chunks +│?\n/)
})

it('a joined run that was left is not opened again by the key of the screen', async () => {
  const there = elsewhere()
  const app = start([LIVE], there.run)
  await app.until('213')
  await app.press(['2'], 'enter joins it')
  await app.press(['g', 'enter'], 'read 50,000')
  await app.press(['1'], '[1 Tables]')
  await app.press(['2'], /running +copy .*joined/)
  app.type('x', 'X')
  await app.press(['g', 'enter'], 'read 50,000')
  await app.press(['2'], /running +copy .*joined/)
  await app.press(['1'], '[1 Tables]')
  await app.press(['2'], /running +copy .*joined/)
  expect(there.calls).toEqual([])
})

it('a dialog on a run that has ended does not abort another run', async () => {
  const there = elsewhere()
  const app = start([LIVE], there.run)
  await app.until('213')
  // A run of this program is active, too.
  await app.press(['v'], /validat/)
  await app.press(['2'], /Runs/)
  await app.press(['2'], 'enter joins it')
  await app.press(['g', 'j', 'enter'], 'read 50,000')
  await app.press(['X'], 'Abort the run')
  there.say({ type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 1 })
  there.end(0)
  await app.until('It has just ended')
  await app.press(['down', 'enter'], 'the run has ended')
  expect(app.fake.runsStarted.flatMap(({ calls }) => calls)).not.toContain('abort')
})

it('a run that was joined again after a lost connection is steered, not the run of this program', async () => {
  const later = elsewhere()
  const there = elsewhere(LIVE.run, later.run)
  const app = start([LIVE], there.run)
  await app.until('213')
  await app.press(['v'], /validat/)
  await app.press(['2'], /Runs/)
  await app.press(['2'], 'enter joins it')
  await app.press(['g', 'j', 'enter'], 'read 50,000')
  there.end(0)
  await app.settled()
  app.type('p')
  await expect.poll(() => later.calls).toEqual(['pause true'])
  expect(there.calls).toEqual([])
  expect(app.fake.runsStarted.flatMap(({ calls }) => calls)).toEqual([])
})

const OTHER: MachineRun = { ...LIVE, run: '1795420000000000999', begunAt: NOW - 5_000 }

it('attach ends with the result of its run, not of another one that was opened from the list', async () => {
  const [later, other] = [elsewhere(), elsewhere(OTHER.run)]
  const asked = elsewhere(LIVE.run, later.run)
  const machine = { list: async () => [LIVE, OTHER], curve: async () => [], join: async () => other.run }
  const fake = Object.assign(fakeWorkbench({ hold: true }), { machine })
  const heard: unknown[] = []
  const onEvent = (_: number, event: Event): void => void heard.push([event.runId, event.seq])
  const app = openApp({ columns: 120, rows: 40, fake, onEvent, initial: { joined: asked.run, leaveWhenDone: true } })
  await app.until('read 50,000')
  await app.press(['esc'], OTHER.run)
  await app.press(['g', 'enter'], `Runs › ${OTHER.run}`)
  other.say({ type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 1 })
  other.end(0)
  await app.until('ok, exit 0')
  // A run that is joined again repeats its events.
  asked.end(0)
  await app.settled()
  later.say({ type: 'run.finished', status: 'failed', exitCode: 3, totals: {}, ms: 1 })
  later.end(3)
  expect(await app.result).toEqual({ exitCode: 3, isStillRunning: false })
  expect(heard).toEqual([1, 2, 3, 4, 5, 6, 7].map((seq) => [LIVE.run, seq]))
})

it('neither q nor the end of the run that attach shows ends a run of this program', async () => {
  const there = elsewhere()
  const machine = { list: async () => [LIVE], curve: async () => [], join: async () => there.run }
  const fake = Object.assign(fakeWorkbench({ hold: true }), { machine })
  const app = openApp({ columns: 120, rows: 40, fake, initial: { joined: there.run, leaveWhenDone: true } })
  await app.until('q leave')
  await app.press(['1'], '213')
  await app.press(['v'], /validat/)
  await app.press(['1'], '[1 Tables]')
  await app.press(['q'], 'A run is active')
  await app.press(['esc'], (screen) => !screen.includes('A run is active'))
  there.end(0)
  await app.settled()
  const own = fake.runsStarted.find(({ operation }) => operation.kind === 'validate')
  expect(own?.calls).toEqual([])
  own?.finish(0)
  expect((await app.result).exitCode).toBe(0)
})

it('the copied command of a run in another folder changes to that folder', async () => {
  const there = elsewhere()
  const app = start([LIVE], { ...there.run, about: { ...there.run.about, folder: '/data/in here' } })
  await app.until('213')
  await app.press(['2'], 'enter joins it')
  await app.press(['g', 'enter'], 'read 50,000')
  await app.press(['y'], 'copied: command')
  expect(copiedText(app)).toBe(`cd '/data/in here' && ${told.COMMAND}`)
})

it('y copies the command of the run under the cursor of the list', async () => {
  const app = start([LIVE, ENDED], elsewhere().run)
  await app.until('213')
  await app.press(['2'], ENDED.run)
  await app.press(['G', 'y'], 'copied')
  expect(copiedText(app)).toContain('sluice copy')
})

it('an ended run shows its result, its totals and its curve', async () => {
  const curve = Array.from({ length: 50 }, (_, i) => ({
    at: ENDED.begunAt + i * 1000,
    done: i * i * 10,
    bytes: 0,
    lag: null,
  }))
  const commands = await uiCommands({ env: {}, program: 'npx --no sluice' }, { secrets: [], urls: [] })
  const app = start([ENDED], null, curve, commands)
  await app.until('213')
  await app.press(['2'], ENDED.run)
  await app.press(['G', 'enter'], '1,234,567')
  expect(app.screen()).toContain('sluice copy --goes-on')
  expect(app.screen()).toMatch(/█/)
  await app.press(['y'], 'copied: command')
  // With the program name of this machine.
  expect(copiedText(app)).toBe('npx --no sluice copy --goes-on')
})

it('shows copies of every open ledger, also of other machines, and queries a shown one again', async () => {
  const machine = { list: async () => [], curve: async () => [], join: async () => Promise.reject(new Error('gone')) }
  const app = openApp({
    columns: 120,
    rows: 40,
    fake: Object.assign(fakeWorkbench({ hold: 'all', database: 'postgresql://app@db/shop' }), { machine }),
  })
  open.push(app)
  await expect.poll(() => app.fake.runsStarted.map(({ operation }) => operation.kind)).toContain('discover-database')
  app.fake.runsStarted.find(({ operation }) => operation.kind === 'discover-database')?.finish(0)
  app.type('2')
  const asked = async (count: number): Promise<void> => {
    await expect
      .poll(() => app.fake.runsStarted.filter(({ operation }) => operation.kind === 'copy-runs'))
      .toHaveLength(count)
  }
  await asked(1)
  const row = {
    type: 'copy.run',
    run: '1795390000000000001',
    operation: 'copy',
    source: 'sqlite:///shop.db',
    target: 'postgresql://app@db/shop',
    status: 'running',
    rows: '5000',
    host: 'mars',
    startedAt: new Date(NOW - 1000).toISOString(),
  } as const
  app.fake.runsStarted.at(-1)?.emit(row)
  app.fake.runsStarted.at(-1)?.finish(0)
  await app.until('on mars')
  await app.press(['g', 'enter'], 'the ledger of postgresql://app@db/shop')
  await asked(2)
  expect(app.fake.runsStarted.at(-1)?.operation).toMatchObject({ runId: row.run })
  app.fake.runsStarted.at(-1)?.finish(0, { totals: { chunks: '44', proved: '17' } })
  await app.until('17')
})
