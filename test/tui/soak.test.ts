import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { compiled } from './support/pty.ts'

describe.runIf(compiled)('a long run', () => {
  it('needs no more memory after 20,000 events than after 10,000', { timeout: 120_000 }, async () => {
    const script = new URL('soak.mjs', import.meta.url).pathname
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', script], {
      env: { ...process.env, NODE_ENV: 'production', TZ: 'UTC' },
    })
    const reported = JSON.parse(stdout) as { readonly grown: number; readonly half: number; readonly exit: number }
    expect(reported.exit).toBe(0)
    // The ring buffer of the log is full halfway; a leaked frame for each of 50 redraws would exceed this.
    expect(reported.grown).toBeLessThan(750_000)
  })
})
