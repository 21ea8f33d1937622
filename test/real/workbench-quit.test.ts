/**
 * Leaving the UI while DuckDB reads a checkpoint for it: its thread is not ended during the read, which would abort the
 * whole process.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const CHILD = join(import.meta.dirname, 'workbench-quit-child.mjs')
const FIXTURES = resolve(import.meta.dirname, '../../fixtures/lake')
const WITH_CHECKPOINT = ['sales/orders', 'events/clicks', 'finance/rates']

let lake = ''
beforeAll(() => {
  lake = mkdtempSync(join(tmpdir(), 'sluice-quit-'))
  for (let i = 0; i < 24; i++)
    symlinkSync(join(FIXTURES, WITH_CHECKPOINT[i % WITH_CHECKPOINT.length] ?? ''), join(lake, `t${i}`))
})
afterAll(() => rmSync(lake, { recursive: true, force: true }))

async function quitAfter(ms: number): Promise<string> {
  const child = spawn(process.execPath, [CHILD, lake, `sqlite:///${lake}/none.db`, String(ms)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  return `${code ?? signal ?? ''}${said}`
}

test('the process ends well whenever the UI is closed', { timeout: 120_000 }, async () => {
  for (let ms = 40; ms <= 320; ms += 40) expect(await quitAfter(ms)).toBe('0')
})
