/** A running copy reports its state and is steered over a control socket. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, statSync, utimesSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import { controlSocketPath, openControlSocket } from '../../src/engine/copy/workers/control-socket.ts'
import { controlRun } from '../../src/cli/runs/ctl.ts'
import { joinRequestedRun } from '../../src/cli/runs/run-attach.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { Steering } from '../../src/engine/copy/workers/steering.ts'
import { joinRun, type EndOf } from '../../src/app/live/join.ts'
import { LiveRun } from '../../src/app/live/live-run.ts'
import type { Event, EventBody } from '../../src/model/run/event.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { thisProcess } from '../../src/shared/owner.ts'

const RUN = `test-${process.pid}`

async function ask(...requests: readonly unknown[]): Promise<unknown[]> {
  const socket = connect(controlSocketPath(RUN))
  socket.setEncoding('utf8')
  let text = ''
  for (const request of requests) socket.write(`${typeof request === 'string' ? request : JSON.stringify(request)}\n`)
  return new Promise((resolve, reject) => {
    socket.on('error', reject)
    socket.on('data', (piece: string) => {
      text += piece
      const lines = text.split('\n').slice(0, -1)
      if (lines.length < requests.length) return
      socket.destroy()
      resolve(lines.map((line) => JSON.parse(line) as unknown))
    })
  })
}

test('the socket passes workers, rate, pauses and a stop to the run, and refuses invalid requests', async () => {
  const steering = new Steering(4, null, undefined, new AbortController().signal)
  steering.tables = ['a', 'b']
  const reported: unknown[] = []
  steering.onOptions = (request) => reported.push(request)
  await using socket = await openControlSocket(RUN, steering)
  expect(socket).toBeDefined()
  expect(statSync(dirname(controlSocketPath(RUN))).mode & 0o077).toBe(0)
  const [state] = await ask({ get: true })
  expect(state).toEqual({
    ok: true,
    state: { workers: 4, rate: null, paused: false, pausedTables: [], skippedTables: [], stopping: false },
  })
  await ask({ set: { workers: 8, rate: 500 } }, { set: { paused: true, pause: 'a' } })
  expect(steering.workersNow).toBe(8)
  expect(steering.rateNow).toBe(500)
  expect(steering.isPaused).toBe(true)
  expect(steering.table('a')).toBe('paused')
  await ask({ set: { paused: false, resume: 'a', skip: 'b', rate: null } })
  expect([steering.table('a'), steering.table('b'), steering.rateNow]).toEqual([null, 'skipped', null])
  const wrong = await ask(
    { set: { workers: 0 } },
    { set: { workers: 2, speed: 9 } },
    'no JSON',
    {},
    { set: { pause: 'c' } },
  )
  for (const answer of wrong) expect(answer).toMatchObject({ ok: false, error: { code: 'BAD_FLAG' } })
  // Valid fields of an invalid request are not applied either.
  expect(steering.workersNow).toBe(8)
  expect(steering.stop.aborted).toBe(false)
  await ask({ set: { stop: true } })
  expect(steering.stop.aborted).toBe(true)
  expect(reported).toContainEqual({ act: 'rate', rate: 500 })
})

test('a run with apply workers reports their number as lanes, and no workers', () => {
  const steering = new Steering(4, null, undefined, new AbortController().signal)
  steering.refusal = () => null
  steering.honour({ act: 'lanes', lanes: 3 })
  expect(steering.state()).toMatchObject({ lanes: 3 })
  expect(steering.state()).not.toHaveProperty('workers')
})

/** A run that viewers join by its socket. */
async function watchedRun(id: string, reported: (run: LiveRun) => void) {
  const emitted: EventBody[] = []
  const live = await LiveRun.open(SYNC, {
    runId: id,
    interrupt: NEVER,
    commandLine: 'sluice sync --watch',
    tool: '0',
    host: 'here',
    startedAt: '2026-11-20T12:00:00.000Z',
    clock: systemClock,
    owner: thisProcess(),
    emit: (body) => emitted.push(body),
  })
  reported(live)
  return { live, emitted }
}

const SYNC = {
  kind: 'sync',
  tables: [],
  catalog: 'postgresql://me:s3cret@db/x',
  watch: true,
  intervalMs: 1000,
  batchSize: 10,
  parallel: 1,
} as const
let seq = 0
const event = (body: EventBody): Event => ({ v: 1, seq: ++seq, ts: '2026-11-20T12:00:00.000Z', runId: RUN, ...body })
const note = (message: string): Event => event({ type: 'log', level: 'note', message })
const FINISHED = { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 1 } as const

test('a viewer gets past and new events without passwords, and can leave without stopping the run', async () => {
  const id = String(process.pid)
  const { live, emitted } = await watchedRun(id, (run) => {
    run.take(event({ type: 'run.started', command: 'sync', tool: '0' }))
    run.take(note('s3cret is out'))
  })
  const joined = await joinRun(id)
  expect(joined.about).toMatchObject({ runId: id, operation: { kind: 'sync', catalog: 'postgresql://me@db/x' } })
  expect(joined.snapshot.map(({ type }) => type)).toEqual(['run.started', 'log'])
  expect(JSON.stringify([joined.about, joined.snapshot])).not.toContain('s3cret')
  const heard: Event[] = []
  joined.subscribe((one) => heard.push(one))
  joined.pause(true)
  await expect.poll(() => emitted).toEqual([{ type: 'run.steered', paused: true }])
  expect(live.control.paused).toBe(true)
  const left = await joinRun(id)
  left.leave()
  live.take(note('goes on'))
  const refused: string[] = []
  joined.onRefused((message) => refused.push(message))
  joined.workers(3)
  await expect.poll(() => refused).toEqual(['this run does not accept workers from another program'])
  joined.stop()
  await expect.poll(() => live.interrupt.stop.aborted).toBe(true)
  expect(live.interrupt.abort.aborted).toBe(false)
  joined.abort()
  await expect.poll(() => live.interrupt.abort.aborted).toBe(true)
  live.take(event(FINISHED))
  await live[Symbol.asyncDispose]()
  expect(await joined.done).toBe(0)
  expect(heard.map(({ type }) => type)).toEqual(['log', 'run.finished'])
  await expect(joinRun(id)).rejects.toMatchObject({ code: 'NO_SUCH_PATH' })
})

test('a viewer that does not read is dropped with a reason, and the run buffers little for it', async () => {
  const id = String(process.pid + 1_000_000)
  const { live } = await watchedRun(id, (run) => run.take(event({ type: 'run.started', command: 'sync', tool: '0' })))
  const socket = connect(controlSocketPath(id))
  socket.write('{"watch":true}\n')
  await new Promise((resolve) => socket.once('readable', resolve))
  const message = 'x'.repeat(10_000)
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < 3000; i++) live.take(note(message))
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(12_000_000)
  let text = ''
  socket.setEncoding('utf8')
  socket.on('data', (piece: string) => (text += piece))
  await new Promise((resolve) => socket.once('close', resolve))
  expect(text.trimEnd().split('\n').at(-1)).toBe('{"dropped":"the events were not read in time; join again"}')
  expect((await joinRun(id)).snapshot.length).toBeLessThan(600)
  await live[Symbol.asyncDispose]()
})

/** A viewer whose connection breaks while the run continues, as after SIGSTOP: its program has read nothing. */
async function suspendedViewer(id: string, folder: string, endOf?: EndOf) {
  const { live } = await watchedRun(id, (run) => run.take(event({ type: 'run.started', command: 'sync', tool: '0' })))
  const env = { XDG_RUNTIME_DIR: folder }
  const path = controlSocketPath(id, env)
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const cut: (() => void)[] = []
  const between = createServer((viewer) => {
    const run = connect(controlSocketPath(id))
    viewer.pipe(run).pipe(viewer)
    for (const socket of [viewer, run]) socket.on('error', () => undefined)
    cut.push(
      () => viewer.destroy(),
      () => run.destroy(),
    )
  }).listen(path)
  await new Promise((resolve) => between.once('listening', resolve))
  const joined = await joinRun(id, env, endOf)
  return { live, joined, between, lose: () => cut.splice(0).forEach((one) => one()) }
}

test('a viewer that lost its connection while the run continues joins it again', async () => {
  using folder = temporaryFolder()
  const { live, joined, between, lose } = await suspendedViewer(String(process.pid + 3_000_000), folder.path)
  lose()
  expect(await joined.done).toBe(0)
  const again = joined.again()
  expect(again?.snapshot.map(({ type }) => type)).toEqual(['run.started'])
  const heard: Event[] = []
  again?.subscribe((one) => heard.push(one))
  live.take(event({ ...FINISHED, exitCode: 3 }))
  await live[Symbol.asyncDispose]()
  expect(await again?.done).toBe(3)
  expect(heard.map(({ type }) => type)).toEqual(['run.finished'])
  between.close()
})

test('a viewer that lost its connection before the end of the run gets the end from the run history', async () => {
  const end = { endedAt: 1, status: 'failed', exitCode: 3, totals: { rows: '7' }, resumeCommand: null, error: 'no' }
  using folder = temporaryFolder()
  const id = String(process.pid + 4_000_000)
  const { live, joined, between, lose } = await suspendedViewer(id, folder.path, async () => end)
  const heard: Event[] = []
  joined.subscribe((one) => heard.push(one))
  between.close()
  lose()
  expect(await joined.done).toBe(3)
  expect(joined.again()).toBeNull()
  expect(heard).toMatchObject([
    { type: 'log', message: 'no' },
    { type: 'run.finished', status: 'failed', exitCode: 3, totals: { rows: '7' } },
  ])
  await live[Symbol.asyncDispose]()
})

test('the socket of a killed run is removed if it is old and nothing listens', async () => {
  const path = controlSocketPath(String(process.pid + 2_000_000))
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const program = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
  spawnSync(process.execPath, ['-e', program, path])
  expect(existsSync(path)).toBe(true)
  // A young socket may belong to a run that is starting.
  await expect(controlRun(path, { get: true })).rejects.toMatchObject({ code: 'NO_SUCH_PATH' })
  expect(existsSync(path)).toBe(true)
  utimesSync(path, 1, 1)
  await expect(controlRun(path, { get: true })).rejects.toMatchObject({ code: 'NO_SUCH_PATH' })
  expect(existsSync(path)).toBe(false)
})

test('a run that does not answer does not hide one that answers', async () => {
  using folder = temporaryFolder()
  const env = { XDG_RUNTIME_DIR: folder.path }
  const socketPath = (run: string): string => controlSocketPath(run, env)
  mkdirSync(dirname(socketPath('0')), { recursive: true, mode: 0o700 })
  const silent = createServer().listen(socketPath('7'))
  const refuses = createServer((socket) => socket.end('{"ok":true,"state":{"command":"copy"}}\n')).listen(
    socketPath('8'),
  )
  await Promise.all([silent, refuses].map((server) => new Promise((resolve) => server.once('listening', resolve))))
  // The second run is chosen; it reports that it cannot be watched.
  const thrown: unknown = await joinRequestedRun({ run: null, env, socketPath }).catch((error: unknown) => error)
  expect(String(thrown)).not.toContain('2 runs are active on this machine')
  for (const server of [silent, refuses]) server.close()
}, 30_000)
