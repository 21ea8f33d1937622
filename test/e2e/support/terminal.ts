/** The program in terminals: starts them, kills those that are left, and checks that they are restored. */
import { afterEach, expect } from 'vitest'
import type { PtyApp } from '../../tui/support/pty.ts'
import { inTerminal } from './program.ts'

let open: PtyApp[] = []

/** The program in a pseudo terminal, killed after the test if it still runs. */
export function start(cwd: string, args: readonly string[], columns = 80, rows = 24): PtyApp {
  const app = inTerminal(cwd, args, columns, rows)
  open.push(app)
  return app
}

/** Call once in every file that starts terminals. */
export function endLeftovers(): void {
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
}

const ESC = '\u001b'

/** Checks that the normal screen is active, the cursor visible and lines wrap, as a shell needs it. */
export async function expectRestored(app: PtyApp): Promise<void> {
  // The exit of a process is reported before its last output has arrived.
  await app.until(() => !app.alternate() && /exit {5}\d/.test(closing(app)))
  const raw = app.raw()
  for (const [mode, on] of [
    ['?25', 'h'],
    ['?7', 'h'],
    ['?1049', 'l'],
    ['?2004', 'l'],
  ] as const) {
    const other = on === 'h' ? 'l' : 'h'
    expect(raw.lastIndexOf(`${ESC}[${mode}${on}`), mode).toBeGreaterThan(raw.lastIndexOf(`${ESC}[${mode}${other}`))
  }
}

// oxlint-disable-next-line no-control-regex
const COLOURS = /\u001b\[[\d;]*m/g

/** Text on the normal screen after the UI has closed, without wrapping and colors. */
export function closing(app: PtyApp): string {
  const raw = app.raw()
  const left = raw.slice(raw.lastIndexOf(`${ESC}[?1049l`) + `${ESC}[?1049l`.length)
  return left.replaceAll('\r\n', '\n').replaceAll(COLOURS, '')
}
