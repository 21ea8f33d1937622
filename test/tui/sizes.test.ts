/**
 * Whole screens in a pty, at common sizes: nothing is wider or longer than the terminal, and each has its header and
 * footer.
 */
import { afterEach, describe, expect, it } from 'vitest'
import { width } from '../../src/render/screen-text.ts'
import { expectGolden } from './support/golden.ts'
import { compiled, openPty, type PtyApp } from './support/pty.ts'

const SIZES = [
  [40, 10],
  [80, 24],
  [120, 40],
  [200, 50],
] as const

/** Keys, the screen they open, and its text at every size. */
const SCREENS: readonly (readonly [name: string, keys: readonly string[], seen: RegExp])[] = [
  ['tables', [], /crm\/accounts/],
  ['overview', ['enter'], /protocol|v212/],
  ['schema', [']'], /customer|id +/],
  ['history', [']'], /WRITE|MERGE/],
  ['files', [']'], /files/],
  ['partitions', [']'], /PARTITION/],
  ['features', [']'], /FEATURE/],
  ['runs', ['esc', 'esc', '2'], /STARTED|import/],
  ['compare', ['3'], /Compare|ask|compar/],
  ['log', ['4'], /Log|line/],
  ['ask', ['5'], /answer|Type/],
  ['tables again', ['\u001b[Z', '1'], /crm\/accounts/],
  ['help', ['?'], /Keys/],
  ['palette', ['esc', ':'], /: /],
  ['filter', ['esc', '/', 'sales'], /sales/],
]

let open: PtyApp[] = []

afterEach(async () => {
  for (const app of open) {
    try {
      app.kill('SIGKILL')
    } catch {
      // The process has ended already.
    }
    await app.ended
  }
  open = []
})

/** Waits until nothing more is written. */
async function settled(app: PtyApp): Promise<void> {
  for (let before = -1; before !== app.bytes();) {
    before = app.bytes()
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

describe.runIf(compiled).each(SIZES)('at %i×%i', (columns, rows) => {
  it('each screen fills the terminal and no more', async () => {
    const app = openPty({ columns, rows })
    open.push(app)
    for (const [name, keys, seen] of SCREENS) {
      for (const key of keys) {
        app.type(key)
        // Directly after an escape the next key would be read as alt and the key.
        await settled(app)
      }
      await app.until(seen)
      await settled(app)
      const lines = app.screen().split('\n')
      expect(lines, name).toHaveLength(rows)
      for (const line of lines) expect(width(line), `${name}: ${line}`).toBeLessThanOrEqual(columns)
      expect(app.screen(), name).not.toMatch(/undefined|NaN|Infinity|\[object/)
      if (!['help', 'palette'].includes(name)) {
        expect(lines[0], name).toMatch(/^ sluice/)
        expect(lines.at(-1)?.trim(), name).not.toBe('')
      }
      if (columns === 40) expectGolden(`${name.replaceAll(' ', '-')}-40x10`, app.screen().replaceAll(/ +$/gm, ''))
    }
    app.type('esc')
    await settled(app)
    app.type('q')
    expect((await app.ended).exitCode).toBe(0)
  }, 90_000)
})
