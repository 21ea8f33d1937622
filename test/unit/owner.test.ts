import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import {
  processStatusOf,
  hasEnded,
  isAlive,
  newOwner,
  processStart,
  cpuOf,
  thisProcess,
  type ProcessIdentity,
  type ProcessProbe,
} from '../../src/shared/owner.ts'

const ON_LINUX = process.platform === 'linux'
const NEVER_THERE = 2 ** 22 + 1
const UNSHARE = ['--user', '--map-root-user', '--pid', '--fork', '--mount-proc']
const canUnshare = ON_LINUX && spawnSync('unshare', [...UNSHARE, 'true']).status === 0
if (!canUnshare) process.stderr.write('skipped, no unshare --pid here: another namespace of the same machine\n')

const started: ChildProcess[] = []
afterEach(() => started.splice(0).forEach((child) => child.kill('SIGKILL')))

/** A waiting program whose parent shell never reaps it. */
async function sleeper(): Promise<number> {
  const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] })
  started.push(parent)
  return Number((await createInterface(parent.stdout)[Symbol.asyncIterator]().next()).value)
}

describe('whether a process is running', () => {
  test('this process and PID 1 run, an unused number does not', () => {
    expect(isAlive(process.pid)).toBe(true)
    expect(isAlive(1)).toBe(true)
    expect(isAlive(NEVER_THERE)).toBe(false)
  })

  test.skipIf(!ON_LINUX)('a killed process that is not reaped does not run', async () => {
    const pid = await sleeper()
    expect(isAlive(pid)).toBe(true)
    process.kill(pid, 'SIGKILL')
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false)
    expect(() => process.kill(pid, 0)).not.toThrow()
  })
})

describe('the state of the process in a row', () => {
  const HERE: ProcessIdentity = { machine: 'boot/1', host: 'a', pid: 10, started: '500' }
  /** Process 10 is this one, 20 runs since tick 700, 30 runs with an unknown start, and 40 has ended. */
  const LOOK: ProcessProbe = {
    isAlive: (pid) => [10, 20, 30].includes(pid),
    startOf: (pid) => ({ 10: '500', 20: '700' })[pid] ?? null,
  }
  const row = (machine: string | null, host: string | null, pid: number | null, start: string | null = null) => ({
    machine,
    host,
    pid,
    started: start,
  })
  test.each([
    ['of this machine, and runs', row('boot/1', 'a', 20, '700'), 'lives'],
    ['this one', row('boot/1', 'a', 10, '500'), 'lives'],
    ['of this machine, and ended', row('boot/1', 'a', 40, '700'), 'ended'],
    ['of this machine under another name, and ended', row('boot/1', 'renamed', 40, '700'), 'ended'],
    ['of this machine, and its number is now of another one', row('boot/1', 'a', 20, '699'), 'ended'],
    ['of this machine, and its number is now this one’s', row('boot/1', 'a', 10, '499'), 'ended'],
    ['of this machine, and nobody says when that number began', row('boot/1', 'a', 30, '699'), 'lives'],
    ['of this machine, and the row does not say when it began', row('boot/1', 'a', 20), 'lives'],
    ['of another container of this name, whose number nobody has here', row('boot/2', 'a', 40, '700'), 'unknown'],
    ['of another container of this name, whose number another has here', row('boot/2', 'a', 20, '1'), 'unknown'],
    ['of this machine before it was started again', row('earlier/1', 'a', 40, '700'), 'unknown'],
    ['of another machine', row('other/1', 'b', 40, '700'), 'unknown'],
    ['of an older program on a machine of this name, and ended', row(null, 'a', 40), 'ended'],
    ['of an older program on a machine of this name, and its number runs', row(null, 'a', 20), 'lives'],
    ['of an older program elsewhere', row(null, 'b', 40), 'unknown'],
    ['of nobody', row(null, null, null), 'unknown'],
    ['of this machine without a number', row('boot/1', 'a', null), 'unknown'],
  ] as const)('%s', (_, one, fate) => {
    expect(processStatusOf(one, HERE, LOOK)).toBe(fate)
    expect(hasEnded(one, HERE, LOOK)).toBe(fate === 'ended')
  })

  test('without a machine id the host name decides, and a row with a machine id is another machine', () => {
    const here = { ...HERE, machine: null, started: null }
    expect(processStatusOf(row(null, 'a', 40), here, LOOK)).toBe('ended')
    expect(processStatusOf(row(null, 'b', 40), here, LOOK)).toBe('unknown')
    expect(processStatusOf(row('boot/1', 'a', 40), here, LOOK)).toBe('unknown')
  })
})

describe('this machine', () => {
  test('this process runs, and two owners of it differ', () => {
    const [one, other] = [newOwner('a'), newOwner('a')]
    expect(one.id).not.toBe(other.id)
    expect(one).toMatchObject(thisProcess('a'))
    expect(processStatusOf(one, thisProcess('a'))).toBe('lives')
  })

  test.skipIf(!ON_LINUX)('reports the machine id and the start time of a process', async () => {
    const { machine, started: since } = thisProcess('a')
    expect(machine).toMatch(/^[0-9a-f-]{36}\/\d+$/)
    expect(since).toMatch(/^\d+$/)
    const pid = await sleeper()
    expect(Number(processStart(pid))).toBeGreaterThan(Number(since))
    expect(processStart(NEVER_THERE)).toBeNull()
    const before = cpuOf(process.pid) ?? Infinity
    await expect.poll(() => cpuOf(process.pid), { interval: 0 }).toBeGreaterThan(before)
    expect(cpuOf(NEVER_THERE)).toBeNull()
  })

  test.skipIf(!ON_LINUX)('a killed process has ended, and so has one whose number another process got', async () => {
    const pid = await sleeper()
    const it = { ...thisProcess('a'), pid, started: processStart(pid) }
    expect(processStatusOf(it, thisProcess('a'))).toBe('lives')
    expect(processStatusOf({ ...it, started: String(Number(it.started) - 1) }, thisProcess('a'))).toBe('ended')
    process.kill(pid, 'SIGKILL')
    await expect.poll(() => processStatusOf(it, thisProcess('b')), { timeout: 10_000 }).toBe('ended')
  })

  test.skipIf(!canUnshare)('another PID namespace of the same machine counts as another machine', async () => {
    const program = `process.stdout.write(JSON.stringify([process.pid, require('fs').readlinkSync('/proc/self/ns/pid')]))`
    const { stdout } = await promisify(execFile)('unshare', [...UNSHARE, process.execPath, '-e', program])
    const [pid, namespace] = JSON.parse(stdout) as [number, string]
    const { machine } = thisProcess('a')
    const there = { machine: `${machine?.split('/')[0]}/${/\d+/.exec(namespace)?.[0]}`, host: 'a', pid, started: '1' }
    expect(pid).toBe(1)
    expect(there.machine).not.toBe(machine)
    expect(processStatusOf(there, thisProcess('a'))).toBe('unknown')
  })
})
