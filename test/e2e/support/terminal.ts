/** The program in terminals that are always given back: starts them, ends what is left, and looks at what they leave behind. */
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

/** To be called once in every file that starts terminals. */
export function endLeftovers(): void {
  afterEach(async () => {
    for (const app of open) {
      try {
        app.kill('SIGKILL')
      } catch {
        // It has ended by itself.
      }
      await app.ended
    }
    open = []
  })
}

const ESC = '\u001b'

/** The last line on the normal screen, a cursor that is seen, lines that wrap: what a shell needs to go on. */
export async function expectRestored(app: PtyApp): Promise<void> {
  // The end of a process is heard before its last words have come through the terminal.
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

/** What was printed on the normal screen after the UI had left, as it was written and not as a narrow terminal wraps it; without colours. */
export function closing(app: PtyApp): string {
  const raw = app.raw()
  const left = raw.slice(raw.lastIndexOf(`${ESC}[?1049l`) + `${ESC}[?1049l`.length)
  return left.replaceAll('\r\n', '\n').replaceAll(COLOURS, '')
}
