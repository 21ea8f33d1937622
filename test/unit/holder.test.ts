import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, test } from 'vitest'
import { isAlive } from '../../src/engine/holder.ts'

describe('whether a process lives', () => {
  const started: ChildProcess[] = []
  afterEach(() => started.splice(0).forEach((child) => child.kill('SIGKILL')))

  test('this one and PID 1 do, one that was never there does not', () => {
    expect(isAlive(process.pid)).toBe(true)
    expect(isAlive(1)).toBe(true)
    expect(isAlive(2 ** 22 + 1)).toBe(false)
  })

  test.skipIf(process.platform !== 'linux')('one that was killed and that nobody reaped does not', async () => {
    // The shell becomes a program that never asks after its child.
    const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] })
    started.push(parent)
    const pid = Number((await createInterface(parent.stdout)[Symbol.asyncIterator]().next()).value)
    expect(isAlive(pid)).toBe(true)
    process.kill(pid, 'SIGKILL')
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false)
    expect(() => process.kill(pid, 0)).not.toThrow()
  })
})
