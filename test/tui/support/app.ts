/** The app in this process, drawn on a headless terminal: tests see the screen that a user would see. */
import { PassThrough } from 'node:stream'
import xterm from '@xterm/headless'
import { runTui } from '../../../src/tui/run-tui.tsx'
import type { TuiOptions, TuiResult } from '../../../src/tui/run-tui.tsx'
import type { Fake } from '../fake-workbench.mjs'
import { fakeWorkbench, NOW } from '../fake-workbench.mjs'

export const KEYS: Readonly<Record<string, string>> = {
  up: '\u001b[A',
  down: '\u001b[B',
  right: '\u001b[C',
  left: '\u001b[D',
  pageup: '\u001b[5~',
  pagedown: '\u001b[6~',
  home: '\u001b[H',
  end: '\u001b[F',
  enter: '\r',
  // As sent by terminals with the kitty protocol; a plain escape becomes a key only 50 ms later.
  esc: '\u001b[27u',
  tab: '\t',
  'shift-tab': '\u001b[Z',
  space: ' ',
  backspace: '\u007f',
  'ctrl-c': '\u0003',
  'ctrl-d': '\u0004',
  'ctrl-u': '\u0015',
  'ctrl-p': '\u0010',
  'ctrl-f': '\u0006',
  'ctrl-g': '\u0007',
  'ctrl-y': '\u0019',
}

export type Wanted = string | RegExp | ((screen: string) => boolean)

export type App = {
  readonly fake: Fake
  readonly result: Promise<TuiResult>
  /** Number of bytes written. */
  bytes(): number
  raw(): string
  screen(): string
  row(n: number): string
  type(...keys: string[]): void
  /** Types keys and waits for a screen. */
  press(keys: string | readonly string[], until: Wanted): Promise<void>
  until(wanted: Wanted): Promise<void>
  /** Waits until the app writes nothing more: many turns of the event loop without output. */
  settled(): Promise<void>
  resize(columns: number, rows: number): void
  clock: { now: number }
  quit(): Promise<TuiResult>
}

export type AppOptions = {
  readonly columns?: number
  readonly rows?: number
  readonly ascii?: boolean
  /** The terminal reports 0×0, like a pty without a size. */
  readonly unsized?: boolean
  readonly fake?: Fake
  readonly initial?: TuiOptions['initial']
  readonly onEvent?: TuiOptions['onEvent']
  readonly commands?: TuiOptions['commands']
  readonly lifecycle?: TuiOptions['lifecycle']
  readonly stores?: TuiOptions['stores']
  readonly memory?: TuiOptions['memory']
}

const TIMEOUT_MS = 8000

/** Opens the app over a fake workbench. */
export function openApp(options: AppOptions = {}): App {
  const columns = options.columns ?? 80
  const rows = options.rows ?? 24
  const fake = options.fake ?? fakeWorkbench()
  const terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 0 })
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: () => stdin,
    ref: () => stdin,
    unref: () => stdin,
  })
  const stdout = Object.assign(new PassThrough(), {
    isTTY: true,
    ...(options.unsized === true ? { columns: 0, rows: 0 } : { columns, rows }),
  })
  const written: Buffer[] = []
  let pending = 0
  stdout.on('data', (chunk: Buffer) => {
    written.push(chunk)
    pending += 1
    terminal.write(chunk, () => {
      pending -= 1
    })
  })
  const clock = { now: NOW }
  const result = runTui({
    restMs: 0,
    workbench: fake,
    tool: '0.1.0',
    ascii: options.ascii ?? false,
    stdin: stdin as unknown as NodeJS.ReadStream,
    stdout: stdout as unknown as NodeJS.WriteStream,
    clock: { now: () => clock.now, ticks: () => clock.now },
    ...(options.initial === undefined ? {} : { initial: options.initial }),
    ...(options.onEvent === undefined ? {} : { onEvent: options.onEvent }),
    ...(options.commands === undefined ? {} : { commands: options.commands }),
    ...(options.stores === undefined ? {} : { stores: options.stores }),
    ...(options.memory === undefined ? {} : { memory: options.memory }),
    ...(options.lifecycle === undefined ? {} : { lifecycle: options.lifecycle }),
  })
  const screen = (): string => {
    const buffer = terminal.buffer.active
    const lines = Array.from(
      { length: terminal.rows },
      (_, i) => buffer.getLine(buffer.baseY + i)?.translateToString(true) ?? '',
    )
    return lines.join('\n')
  }
  const until = async (wanted: Wanted): Promise<void> => {
    const end = Date.now() + TIMEOUT_MS
    const seen = (text: string): boolean =>
      typeof wanted === 'string' ? text.includes(wanted) : wanted instanceof RegExp ? wanted.test(text) : wanted(text)
    for (let inspected = -1; ;) {
      // The screen changes only when something was written.
      if (pending === 0 && inspected !== written.length) {
        inspected = written.length
        if (seen(screen())) return
      }
      if (Date.now() > end) throw new Error(`never seen: ${String(wanted)}\n${screen()}`)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
  const type = (...keys: string[]): void => {
    for (const key of keys) stdin.write(KEYS[key] ?? key)
  }
  return {
    fake,
    result,
    clock,
    bytes: () => written.reduce((sum, chunk) => sum + chunk.length, 0),
    raw: () => Buffer.concat(written).toString('utf8'),
    screen,
    row: (n) => screen().split('\n')[n - 1] ?? '',
    type,
    until,
    press: async (keys, wanted) => {
      for (const key of typeof keys === 'string' ? [keys] : keys) {
        type(key)
      }
      await until(wanted)
    },
    settled: async () => {
      for (let quiet = 0, seen = written.length; quiet < 30; quiet += 1) {
        await new Promise((resolve) => setImmediate(resolve))
        if (written.length !== seen || pending > 0) quiet = 0
        seen = written.length
      }
    },
    resize: (c, r) => {
      terminal.resize(c, r)
      Object.assign(stdout, { columns: c, rows: r })
      stdout.emit('resize')
    },
    quit: async () => {
      // While a run is active three are needed: stop, abort, quit.
      const again = setInterval(() => stdin.write('\u0003'), 20)
      const ended = await result
      clearInterval(again)
      return ended
    },
  }
}
