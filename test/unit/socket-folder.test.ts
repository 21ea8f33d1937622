/**
 * The folder of control sockets belongs to its user only, whoever created it. The other user is real: a program under
 * another uid.
 */
import { execFile } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { askRun } from '../../src/engine/copy/workers/ask-run.ts'
import { controlSocketPath, openControlSocket } from '../../src/engine/copy/workers/control-socket.ts'
import { Steering } from '../../src/engine/copy/workers/steering.ts'
import { joinRun } from '../../src/app/live/join.ts'
import { LocalRuns } from '../../src/app/live/machine-runs.ts'
import type { SluiceError } from '../../src/shared/errors.ts'

const RUN = '1763625990000000007'
const OTHER = 65_534
const isRoot = process.getuid?.() === 0
const steering = (): Steering => new Steering(4, null, undefined, new AbortController().signal)

let shared = ''
let folder = ''
const before = process.env['XDG_RUNTIME_DIR']
beforeEach(() => {
  // Like /tmp: every user may create new files.
  shared = mkdtempSync(join(tmpdir(), 'sluice-shared-'))
  chmodSync(shared, 0o1777)
  process.env['XDG_RUNTIME_DIR'] = shared
  folder = dirname(controlSocketPath(RUN))
})
afterEach(() => {
  if (before === undefined) delete process.env['XDG_RUNTIME_DIR']
  else process.env['XDG_RUNTIME_DIR'] = before
  rmSync(shared, { recursive: true, force: true })
})

type Met = { readonly socket: string; readonly folder: string }

/** Result of a program of another user that queries the run and reads its folder. */
async function asOther(): Promise<Met> {
  const program = `
    const answer = { socket: '', folder: '' }
    try { require('fs').readdirSync(${JSON.stringify(folder)}); answer.folder = 'read' } catch (error) { answer.folder = error.code }
    const end = (how) => { answer.socket = how; console.log(JSON.stringify(answer)); process.exit() }
    const socket = require('net').connect(${JSON.stringify(controlSocketPath(RUN))}, () => socket.write('{"get":true}\\n'))
    socket.on('data', () => end('answered'))
    socket.on('error', (error) => end(error.code))`
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', program], {
    uid: OTHER,
    gid: OTHER,
    cwd: '/',
    env: {},
    timeout: 20_000,
  })
  return JSON.parse(stdout) as Met
}

/** Commands that search for runs report the folder and find no run. */
async function expectUnheard(words: RegExp): Promise<void> {
  await expect(joinRun(RUN)).rejects.toMatchObject({ code: 'TARGET_DENIED', message: expect.stringMatching(words) })
  expect(await askRun(RUN)).toBeNull()
  const runs = new LocalRuns(null)
  expect(await runs.list(10)).toEqual([])
  runs.close()
}

describe.runIf(isRoot)('another user', () => {
  test('cannot query a run or see that it exists', async () => {
    await using socket = await openControlSocket(RUN, steering())
    expect(socket).toBeDefined()
    expect(await asOther()).toEqual({ socket: 'EACCES', folder: 'EACCES' })
    // With open permissions the same program finds the run: only the permissions exclude it.
    chmodSync(folder, 0o755)
    chmodSync(controlSocketPath(RUN), 0o666)
    expect(await asOther()).toEqual({ socket: 'answered', folder: 'read' })
  })

  test('cannot take over the socket by making the folder first, and its content is ignored', async () => {
    mkdirSync(folder, { mode: 0o777 })
    chmodSync(folder, 0o777)
    chownSync(folder, OTHER, OTHER)
    const reported: SluiceError[] = []
    await using socket = await openControlSocket(RUN, steering(), null, (error) => reported.push(error))
    expect(socket).toBeDefined()
    expect(reported).toMatchObject([
      { code: 'TARGET_DENIED', message: expect.stringMatching(/belongs to another user/) },
    ])
    expect(existsSync(controlSocketPath(RUN))).toBe(false)
    await expectUnheard(/belongs to another user/)
  })

  test('cannot redirect the socket by a symbolic link to another folder', async () => {
    const ours = mkdtempSync(join(tmpdir(), 'sluice-ours-'))
    chmodSync(ours, 0o755)
    symlinkSync(ours, folder)
    const { lchownSync } = await import('node:fs')
    lchownSync(folder, OTHER, OTHER)
    const reported: SluiceError[] = []
    await using socket = await openControlSocket(RUN, steering(), null, (error) => reported.push(error))
    expect(socket).toBeDefined()
    expect(reported).toMatchObject([{ code: 'TARGET_DENIED' }])
    expect(existsSync(join(ours, `run-${RUN}.sock`))).toBe(false)
    expect(statSync(ours).mode & 0o777).toBe(0o755)
    await expectUnheard(/belongs to another user/)
    rmSync(ours, { recursive: true })
  })
})

test('a folder that other users may write to is ignored, and the next run restricts its mode', async () => {
  mkdirSync(folder)
  chmodSync(folder, 0o777)
  await expectUnheard(/other users may write to the folder/)
  await using socket = await openControlSocket(RUN, steering())
  expect(socket).toBeDefined()
  expect(statSync(folder).mode & 0o777).toBe(0o700)
  expect(await askRun(RUN)).toEqual({ paused: false, rate: null, command: null })
})
