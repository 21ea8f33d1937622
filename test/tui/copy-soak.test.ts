import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { compiled } from './support/pty.ts'

describe.runIf(compiled)('a copy of 50,000 chunks', () => {
  it('needs no more memory at its end than halfway', { timeout: 120_000 }, async () => {
    const script = new URL('soak-copy.mjs', import.meta.url).pathname
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', script], {
      env: { ...process.env, NODE_ENV: 'production', TZ: 'UTC' },
    })
    const reported = JSON.parse(stdout) as { readonly grown: number; readonly buffers: number; readonly exit: number }
    expect(reported.exit).toBe(0)
    expect(reported.grown).toBeLessThan(1_500_000)
    // Some bytes per chunk, for its state and its position.
    expect(reported.buffers).toBeLessThan(4_000_000)
  })
})
