/** Reports of a terminal and pasted text, in a real pseudo terminal: neither is taken for a key. */
import { afterEach, describe, expect, it } from 'vitest'
import { compiled, openPty, type PtyApp } from './support/pty.ts'

const MOUSE = '\u001b[<35;10;6M'
const DEVICE = '\u001b[?1;2c\u001b[6;10R\u001b]11;rgb:ffff/ffff/ffff\u001b\\\u001bP>|xterm(380)\u001b\\'
const paste = (text: string): string => `\u001b[200~${text}\u001b[201~`

let app: PtyApp
const start = async (...args: readonly string[]): Promise<void> => {
  app = openPty({ args })
  await app.until('213 commits')
}
afterEach(async () => {
  try {
    app.kill('SIGKILL')
  } catch {
    // The process has ended already.
  }
  await app.ended
})

describe.runIf(compiled)('bytes of a terminal', () => {
  it('that are reports do not change the screen', async () => {
    await start()
    const before = app.screen()
    app.type(MOUSE, DEVICE, '\u001b[M !!', '\u001b[I', '\u001b[O')
    for (const byte of MOUSE + DEVICE) app.type(byte)
    await app.press(['j'], '› crm/contacts')
    await app.press(['k'], (screen) => screen === before)
  })

  it('that are pasted open nothing, and a note says that they were ignored', async () => {
    await start()
    await app.press([paste('import quite a long line:\r/x\u001b[Aq\r')], 'no text field is open')
    await app.press(['import quite a long line:\r'], 'several keys at once')
    expect(app.screen()).toContain('14 tables')
    await app.press(['j'], '› crm/contacts')
  })

  it('that are pasted into a field stay text, and confirm nothing', async () => {
    await start()
    await app.press(['5'], 'no answer yet')
    await app.press([paste('select 1;\u001bq\u0003\r'), MOUSE, 'x'], String.raw`select 1;\x1bq\x03`)
    await app.press(['shift-tab', '1', 'r'], 'the log can be imported again completely')
    await app.press(['tab', paste('crm/accounts\r')], 'crm/accounts▏')
    expect(app.screen()).toContain('[ Roll back ]')
    await app.press(['enter'], 'ok, exit 0')
  })

  it('that are a paste of 10 MB do not block the screen', async () => {
    await start()
    await app.press(['5'], 'no answer yet')
    await app.press([paste('drop table a;\r'.repeat(700_000))], 'longer than 65,536 characters')
    await app.press([paste('é'.repeat(60_000))], 'éééé')
    await app.press(['\u0015', 'x'], /› x/)
  })

  it('that are pasted without brackets, with escapes, do not quit', async () => {
    await start()
    await app.press(['abc\u001bq\u001b\u001bqq'], 'several keys at once')
    await app.press(['\u001bq'], 'alt-q does nothing here')
    app.type('q')
    expect((await app.ended).exitCode).toBe(0)
    expect(app.raw().lastIndexOf('\u001b[?2004l')).toBeGreaterThan(app.raw().lastIndexOf('\u001b[?2004h'))
  })

  it('are bracketed again after the program was suspended', async () => {
    await start()
    app.type('\u001a')
    await expect
      .poll(() => app.raw().lastIndexOf('\u001b[?2004l') - app.raw().lastIndexOf('\u001b[?2004h'))
      .toBeGreaterThan(0)
    // Without a shell the program is not stopped: only its output before and after is visible.
    app.kill('SIGCONT')
    await expect
      .poll(() => app.raw().lastIndexOf('\u001b[?2004h') - app.raw().lastIndexOf('\u001b[?2004l'))
      .toBeGreaterThan(0)
    await app.press([paste('x')], 'no text field is open')
  })

  it('an escape is a separate key', async () => {
    await start()
    await app.press(['?'], 'Keys')
    await app.press(['\u001b'], '14 tables')
  })
})
