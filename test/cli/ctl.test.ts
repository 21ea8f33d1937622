/** `sluice ctl` with the control socket of the engine. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { controlRequest } from '../../src/cli/runs/ctl.ts'
import { main } from '../../src/cli/main.ts'
import { controlSocketPath, openControlSocket } from '../../src/engine/copy/workers/control-socket.ts'
import { Steering } from '../../src/engine/copy/workers/steering.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { eventSchema } from './event-schema.ts'
import { fakeContext } from './surroundings.ts'

const RUN = '1763625990000000000'
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-ctl-'))
  vi.stubEnv('XDG_RUNTIME_DIR', folder)
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})

type Result = { readonly code: number; readonly out: string; readonly err: string }

async function ctl(...words: readonly string[]): Promise<Result> {
  const around = fakeContext({ env: { XDG_RUNTIME_DIR: folder } })
  const code = await main(['ctl', ...words], around)
  return { code, out: around.out(), err: around.err() }
}

const steering = (): Steering => new Steering(4, null, undefined, new AbortController().signal)

describe('settings', () => {
  it.each([
    [[], { get: true }],
    [['workers=8', 'rate=5000'], { set: { workers: 8, rate: 5000 } }],
    [['rate=off', 'stop'], { set: { rate: null, stop: true } }],
    [['pause'], { set: { paused: true } }],
    [['resume'], { set: { paused: false } }],
    [['pause=public.a', 'skip=b=c'], { set: { pause: 'public.a', skip: 'b=c' } }],
    [['pause=a', 'pause=b#3', 'retry=c'], { set: { pause: ['a', 'b#3'], retry: 'c' } }],
    [['paused=no'], { set: { paused: false } }],
    [['workers', '8', 'rate', '5000', 'pause'], { set: { workers: 8, rate: 5000, paused: true } }],
    [['rate', 'off', 'stop'], { set: { rate: null, stop: true } }],
    [['pause', 'stop'], { set: { paused: true, stop: true } }],
    [['pause', 'public.a', 'skip', 'b/3'], { set: { pause: 'public.a', skip: 'b#3' } }],
    [['pause', 'a', 'pause', 'b', 'retry', 'c/12'], { set: { pause: ['a', 'b'], retry: 'c#12' } }],
    [['pause', 'workers=2', 'resume'], null],
    [['skip=a/3', 'skip', 'b#4'], { set: { skip: ['a/3', 'b#4'] } }],
  ])('%j', (words, expected) => {
    if (expected === null) expect(() => controlRequest(words)).toThrow('paused is set twice')
    else expect(controlRequest(words)).toEqual(expected)
  })
  it.each([
    ['workers=0', 'workers must be a whole number from 1 to 64, not 0'],
    ['workers=', 'workers must be a whole number from 1 to 64, not '],
    ['rate=fast', 'rate must be a whole number of at least 1, not fast'],
    ['worker=3', 'worker is not a setting (workers?)'],
    ['stopp', 'stopp is not a setting (stop?)'],
    ['skip', 'skip needs a table: skip TABLE'],
    ['workers', 'workers needs a number: workers N'],
    ['pause=', 'pause= needs the name of a table'],
    ['paused=perhaps', 'paused takes true or false, not perhaps'],
  ])('%s is refused', (word, message) => {
    expect(() => controlRequest([word])).toThrow(message)
    expect(() => controlRequest(['rate=1', 'rate=2'])).toThrow('rate is set twice')
  })
})

describe('a run', () => {
  it('is queried and steered', async () => {
    const wheel = steering()
    wheel.tables = ['public.a', 'public.b', 'other.b']
    const options: unknown[] = []
    wheel.onOptions = (request) => options.push(request)
    await using socket = await openControlSocket(RUN, wheel)
    expect(socket).toBeDefined()
    const asked = await ctl(RUN)
    expect(asked).toMatchObject({ code: 0 })
    expect(asked.out.split('\n')[0]).toMatch(/^run +workers +rate +paused/)
    expect(asked.out).toContain(`${RUN}        4  NULL  false`)
    expect(asked.err).toMatch(/exit {5}0\n$/)
    expect(await ctl(RUN, 'workers=8', 'rate=5000', 'pause=public.a')).toMatchObject({ code: 0 })
    expect(wheel).toMatchObject({ workersNow: 8, rateNow: 5000 })
    expect(wheel.table('public.a')).toBe('paused')
    expect(await ctl(RUN, 'skip=a', 'skip=other.b', 'retry=public.b#12', 'resume=public.b#3')).toMatchObject({
      code: 0,
    })
    expect(wheel.leavesOut('public.a')).toBe(true)
    expect(wheel.takeRetries('public.b')).toEqual([{ act: 'retry', table: 'public.b', chunk: '12' }])
    // An ambiguous table is refused, and nothing of such a request is applied.
    const unclear = await ctl(RUN, 'workers=2', 'pause=b')
    expect(unclear).toMatchObject({ code: 2 })
    expect(unclear.err).toContain('several tables of this run are called b')
    expect((await ctl(RUN, 'skip=nowhere')).err).toContain('its tables are public.a, public.b, other.b')
    expect(wheel.workersNow).toBe(8)
    expect((await ctl(RUN, 'stop')).out).toMatch(/true\n$/)
    expect(wheel.stop.aborted).toBe(true)
    expect(options).toHaveLength(8)
  })
  it('answers as JSON lines', async () => {
    await using socket = await openControlSocket(RUN, steering())
    expect(socket).toBeDefined()
    const { code, out } = await ctl(RUN, '--json')
    const events = out
      .trimEnd()
      .split('\n')
      .map((line) => eventSchema.parse(JSON.parse(line)))
    expect(code).toBe(0)
    expect(events.map(({ type }) => type)).toEqual(['run.started', 'columns', 'row', 'run.finished'])
    expect(events[2]).toMatchObject({ values: [RUN, 4, null, 'false', '', '', 'false'] })
  })
  it('may refuse a request', async () => {
    const server = net.createServer((socket) => {
      socket.on('data', () =>
        socket.write('{"ok":false,"error":{"code":"BAD_FLAG","message":"not now","hint":"later"}}\n'),
      )
    })
    const file = controlSocketPath(RUN)
    mkdirSync(path.dirname(file), { recursive: true })
    await new Promise<void>((resolve) => server.listen(file, resolve))
    const { code, err } = await ctl(RUN, 'workers=2')
    expect(code).toBe(2)
    expect(err).toContain('FAILED   not now\n     do       later\n')
    await new Promise((resolve) => server.close(resolve))
  })
  it('that is not running is named', async () => {
    const { code, err } = await ctl(RUN)
    expect(code).toBe(2)
    expect(err).toContain(`run ${RUN} is not running on this machine`)
    expect((await ctl('last')).err).toContain('RUN last is not the id of a run')
    // The file that a killed run leaves.
    const file = controlSocketPath(RUN)
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, '')
    expect((await ctl(RUN)).err).toContain(`run ${RUN} is not running on this machine`)
  })
  it.skipIf(process.getuid?.() !== 0)('of another user is left alone', async () => {
    const file = controlSocketPath(RUN)
    mkdirSync(path.dirname(file), { recursive: true })
    const { chownSync } = await import('node:fs')
    chownSync(path.dirname(file), 12_345, 12_345)
    expect(await ctl(RUN)).toMatchObject({ code: 4 })
  })
})

it('without a run, all active runs are listed', async () => {
  expect(await ctl()).toMatchObject({ code: 0, out: '' })
  const other = '1763625990000000001'
  await using first = await openControlSocket(RUN, steering())
  await using second = await openControlSocket(other, steering())
  expect([first, second]).toHaveLength(2)
  writeFileSync(controlSocketPath('17'), '')
  const { code, out } = await ctl()
  expect(code).toBe(0)
  expect(out.split('\n').map((line) => line.split(' ')[0])).toEqual(['run', other, RUN, ''])
})

it(
  'a stopped process is listed as not answering, and late requests are not applied',
  // A run counts as silent after five seconds; the rest is for slow machines.
  { timeout: 120_000 },
  async () => {
    const wheel = steering()
    const other = '1763625990000000001'
    await using first = await openControlSocket(RUN, wheel)
    expect(first).toBeDefined()
    // Like a program after kill -STOP: the system accepts the connection and buffers its bytes, but the program reads
    // nothing.
    const heard = new Set<net.Socket>()
    let isOver = false
    const still = net.createServer({ pauseOnConnect: true }, (socket) => {
      // A connection that arrives after the client has left would never end, because its end is not read.
      if (isOver) socket.destroy()
      else heard.add(socket)
    })
    await new Promise<void>((resolve) => still.listen(controlSocketPath(other), resolve))
    const { code, out } = await ctl()
    expect(code).toBe(0)
    expect(out).toMatch(new RegExp(`${other}.* does not answer\\n${RUN} +4 `))
    isOver = true
    for (const socket of heard) socket.destroy()
    await new Promise((resolve) => still.close(resolve))
    const late = net.createConnection(controlSocketPath(RUN))
    late.write(`${JSON.stringify({ set: { paused: true }, until: Date.now() - 1 })}\n`)
    const [answer] = (await once(late, 'data')) as [Buffer]
    late.destroy()
    expect(answer.toString()).toContain('the request came too late')
    expect(wheel.isPaused).toBe(false)
  },
)

it('an unknown chunk is refused, and resuming a table does not resume its skipped chunks', async () => {
  const wheel = steering()
  wheel.tables = ['t']
  await using socket = await openControlSocket(RUN, wheel)
  expect(socket).toBeDefined()
  wheel.noteLastChunk('t', 61n)
  const wrong = await ctl(RUN, 'skip', 't/99999')
  expect(wrong).toMatchObject({ code: 2 })
  expect(wrong.err).toContain('t has no chunk 99999')
  expect(await ctl(RUN, 'skip', 't/61', 'pause', 't/3')).toMatchObject({ code: 0 })
  expect(await ctl(RUN, 'resume', 't')).toMatchObject({ code: 0 })
  expect(wheel.chunks('t', 'skipped')).toEqual(['61'])
  expect(wheel.chunks('t', 'paused')).toEqual([])
  await ctl(RUN, 'resume', 't/61')
  expect(wheel.leavesOut('t')).toBe(false)
})

it('a setting without a run is refused', async () => {
  expect((await ctl('workers=8')).code).toBe(2)
  expect(() => controlRequest(['x'])).toThrow(SluiceError)
})
