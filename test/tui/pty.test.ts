import { afterEach, describe, expect, it } from 'vitest'
import type { PtyApp } from './support/pty.ts'
import { compiled, openPty } from './support/pty.ts'

let open: PtyApp[] = []
const start = (options?: Parameters<typeof openPty>[0]): PtyApp => {
  const app = openPty(options)
  open.push(app)
  return app
}

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
const settled = async (app: PtyApp): Promise<void> => {
  for (let before = -1; before !== app.bytes();) {
    before = app.bytes()
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
}

/** An unwritten cell and a blank look the same. */
const words = (screen: string): string => screen.replaceAll(/ +$/gm, '')

const ready = async (app: PtyApp): Promise<void> => {
  await app.until('213 commits')
}

describe.runIf(compiled)('in a pty', () => {
  it('moves, filters and opens, and loses no key of a burst in one chunk', async () => {
    const app = start()
    await ready(app)
    expect(app.alternate()).toBe(true)
    await app.press(['jjjjj'], '› finance/rates')
    await app.press(['down', 'down', 'up'], '› iot/readings')
    await app.press(['G'], '› bi/cube.duckdb')
    await app.press(['g'], '› crm/accounts')
    await app.press(['pagedown'], /› (?!crm)/)
    await app.press(['home'], '› crm/accounts')
    await app.press(['/', 'sales !orders'], /filter sales !orders/)
    expect(app.screen()).not.toContain('sales/orders ')
    await app.press(['enter', 'j', 'enter'], 'Tables › sales/returns › overview')
    await app.press([']', ']'], '[History]')
    await app.press(['esc', 'esc'], '14 tables')
  })

  it('accepts a pasted statement, and lists earlier ones', async () => {
    const app = start()
    await ready(app)
    await app.press(['5'], 'no answer yet')
    await app.press(['select id,\r  name\rfrom orders;\r'], 'from orders;')
    // A pasted line break is no enter: only a typed one after the end runs the statement.
    expect(app.screen()).toContain('no answer yet')
    await app.press(['\u0006', 'count'], 'history / count')
    await app.press(['esc'], (screen) => !screen.includes('history /'))
    await app.press(['enter'], 'running')
    await app.press(['ctrl-c'], 'it has ended where it ran')
    await app.press(['shift-tab', '1'], '14 tables')
  })

  it('filters files with where, and clears the filter again', async () => {
    const app = start()
    await ready(app)
    await app.press(['/', 'orders', 'enter', 'enter', ']', ']', ']'], '300,000 files')
    await app.press(['w', 'id = 7', 'enter'], '312 files')
    expect(app.screen()).toContain('w edit · ctrl-u clear')
    await app.press(['ctrl-u'], '300,000 files')
    await app.press(['w', 'up'], 'where id = 7')
    await app.press(['esc'], 'every file')
    await app.press(['w', '!!', 'enter'], 'a comparison was expected')
    await app.press(['t', '1800', 'enter'], 'as of v1800')
    await app.press(['t', 'yesterday', 'enter'], 'a version (1839) or a time')
  })

  it('rolls back only with the typed name and the second button', async () => {
    const app = start()
    await ready(app)
    await app.press(['r'], 'the log can be imported again completely')
    await app.press(['crm/accounts', 'enter'], 'cancelled: crm/accounts stays')
    await app.press(['r'], 'the log can be imported again completely')
    await app.press(['crm/account', 'tab', 'enter'], 'needs the name')
    await app.press(['s', 'enter'], 'ok, exit 0')
  })

  it('does not offer a rollback if the log cannot be imported again', async () => {
    const app = start()
    await ready(app)
    await app.press(['/', 'ledger', 'enter', 'r'], 'the log holds two files less')
    await app.until('Forget …')
    await app.press(['tab'], '[ Forget … ]')
    expect(app.screen()).not.toContain('Roll back ]')
  })

  it('redraws at every size', async () => {
    const app = start()
    await ready(app)
    const before = app.screen()
    app.resize(200, 50)
    await app.until('nothing runs')
    await app.until('what needs you')
    app.resize(30, 8)
    await app.until('Too small for sluice: 30×8.')
    expect(app.screen().split('\n').slice(2).join('').trim()).toBe('')
    app.resize(80, 24)
    await app.until((s) => s === before)
  })

  it('stops on ctrl-c, and exits with 130', async () => {
    const app = start()
    await ready(app)
    await app.press(['/', 'rates', 'enter', 'i'], 'enter starts')
    await app.press(['enter'], 'WORKER')
    await app.press(['ctrl-c'], 'stopped, exit 130')
    expect(app.alternate()).toBe(true)
    app.type('ctrl-c')
    expect((await app.ended).exitCode).toBe(130)
    await app.until('left with 130')
    expect(app.alternate()).toBe(false)
    expect(app.raw().lastIndexOf('\u001b[?25h')).toBeGreaterThan(app.raw().lastIndexOf('\u001b[?25l'))
  })

  it('aborts on the second ctrl-c', async () => {
    const app = start()
    await ready(app)
    await app.press(['/', 'rates', 'enter', 'i'], 'enter starts')
    await app.press(['enter'], 'WORKER')
    await app.press(['ctrl-c', 'ctrl-c'], 'ABORTED aborted on request')
  })

  it('exits with 0 on q, and has drawn only in the 16 colors of the terminal', async () => {
    const app = start()
    await ready(app)
    // oxlint-disable-next-line no-control-regex
    expect(app.raw()).toMatch(/\u001b\[3[0-7]m/)
    expect(app.raw()).not.toContain('\u001b[38;')
    app.type('q')
    expect((await app.ended).exitCode).toBe(0)
    expect(app.alternate()).toBe(false)
  })

  it('stops the run on SIGTERM, and exits with 143', async () => {
    const app = start()
    await ready(app)
    await app.press(['/', 'rates', 'enter', 'i'], 'enter starts')
    await app.press(['enter'], 'WORKER')
    app.kill('SIGTERM')
    expect((await app.ended).exitCode).toBe(143)
    expect(app.alternate()).toBe(false)
    expect(app.raw()).toContain('STOPPED')
    expect(app.raw().lastIndexOf('\u001b[?2004l')).toBeGreaterThan(app.raw().lastIndexOf('\u001b[?2004h'))
  })

  it('restores the terminal when it crashes', async () => {
    const app = start({ args: ['--crash'] })
    expect((await app.ended).exitCode).toBe(70)
    await app.until('crashed: boom')
    expect(app.alternate()).toBe(false)
    expect(app.raw().lastIndexOf('\u001b[?2004l')).toBeGreaterThan(app.raw().lastIndexOf('\u001b[?2004h'))
  })

  it('restores the terminal when a screen cannot be drawn', async () => {
    const app = start({ args: ['--cannot-draw-help'] })
    await ready(app)
    app.type('?')
    expect((await app.ended).exitCode).toBe(70)
    await app.until('crashed: boom while drawing')
    expect(app.alternate()).toBe(false)
  })

  it('shows the same after many keys as after a full redraw', async () => {
    const app = start({ columns: 120, rows: 40 })
    await app.until('file size')
    const screens: readonly (readonly [string, RegExp])[] = [
      ['jjjjj', /› finance\/rates/],
      [']', /\[Schema\]/],
      ['?', /Keys/],
      ['\u001b', /\[Schema\]/],
      ['5', /no answer yet/],
      ['\u001b[Z', /rows|no answer/],
      ['1', /\[1 Tables\]/],
      ['kk]', /\[History\]/],
      [':', /: /],
      ['comp', /compare/],
      ['\u001b', /\[History\]/],
    ]
    for (const [keys, seen] of screens) {
      await app.press([keys], seen)
      await settled(app)
      const stepwise = words(app.screen())
      app.resize(100, 30)
      app.resize(120, 40)
      await app.until((s) => words(s) === stepwise)
    }
  })

  it('writes nothing while idle, and little for a key', async () => {
    const app = start({ columns: 200, rows: 50 })
    await app.until('213')
    await app.until('file size')
    let before = -1
    // The first answers may still arrive. Output once a second would never leave such a pause.
    while (before !== app.bytes()) {
      before = app.bytes()
      await new Promise((resolve) => setTimeout(resolve, 1500))
    }
    app.type(']')
    await app.until('[Schema]')
    const schema = app.bytes()
    await app.press(['?'], 'Keys')
    await app.press(['esc'], /what needs you/)
    expect(schema - before).toBeLessThan(12_000)
    expect(app.raw().split('\u001b[?2026h').length).toBeLessThan(40)
  })

  it('writes no color codes with NO_COLOR', async () => {
    const app = start({ env: { NO_COLOR: '1' } })
    await ready(app)
    await app.press(['j', 'enter'], 'overview')
    // oxlint-disable-next-line no-control-regex
    expect(app.raw()).not.toMatch(/\u001b\[[0-9;]*[1-9][0-9;]*m/)
  })
})
