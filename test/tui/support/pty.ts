/** The compiled app in a pseudo terminal. */
import { existsSync, mkdtempSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import xterm from '@xterm/headless'
import * as nodePty from 'node-pty'
import { KEYS } from './app.ts'

const root = new URL('../../../', import.meta.url).pathname
const TIMEOUT_MS = 30_000
/** Longest wait (ms) for the program to read a key. */
const READ_MS = 5000
const COUNT_READS = `${root}test/tui/support/count-reads.mjs`

export type PtyApp = {
  readonly pid: number
  screen(): string
  raw(): string
  bytes(): number
  alternate(): boolean
  type(...keys: string[]): void
  press(keys: readonly string[], wanted: string | RegExp | ((screen: string) => boolean)): Promise<void>
  until(wanted: string | RegExp | ((screen: string) => boolean)): Promise<void>
  resize(columns: number, rows: number): void
  ended: Promise<{ readonly exitCode: number; readonly signal: number | undefined }>
  kill(signal: NodeJS.Signals): void
  /** Closes the terminal, like a closed window. */
  hangUp(): void
}

export type PtyOptions = {
  readonly columns?: number
  readonly rows?: number
  /** Script that Node runs; default: the UI with the fake workbench. */
  readonly script?: string
  readonly args?: readonly string[]
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

/** Starts the app without variables of the test run that would change the drawing. */
export function openPty(options: PtyOptions = {}): PtyApp {
  const columns = options.columns ?? 80
  const rows = options.rows ?? 24
  const dropped = new Set([
    'CI',
    'CONTINUOUS_INTEGRATION',
    'FORCE_COLOR',
    'NO_COLOR',
    'GITHUB_ACTIONS',
    'NODE_ENV',
    'VITEST',
  ])
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !dropped.has(name)))
  const terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true })
  const script = options.script ?? `${root}test/tui/pty-app.mjs`
  const state = mkdtempSync(join(tmpdir(), 'sluice-state-'))
  const reads = join(state, 'reads')
  const child = nodePty.spawn(process.execPath, ['--import', COUNT_READS, script, ...(options.args ?? [])], {
    cols: columns,
    rows,
    cwd: options.cwd ?? root,
    name: 'xterm-256color',
    // Its own state folder: the state of an earlier session must not affect this one.
    env: {
      ...env,
      TZ: 'UTC',
      FORCE_COLOR: '1',
      XDG_STATE_HOME: state,
      SLUICE_TEST_READS: reads,
      ...options.env,
    },
  })
  let raw = ''
  let pending = 0
  let over = false
  child.onData((data) => {
    raw += data
    pending += 1
    terminal.write(data, () => {
      pending -= 1
    })
  })
  const ended = new Promise<{ exitCode: number; signal: number | undefined }>((resolve) => {
    child.onExit((e) => {
      over = true
      resolve({ exitCode: e.exitCode, signal: e.signal })
    })
  })
  const screen = (): string => {
    const buffer = terminal.buffer.active
    return Array.from(
      { length: terminal.rows },
      (_, i) => buffer.getLine(buffer.baseY + i)?.translateToString(true) ?? '',
    ).join('\n')
  }
  const until = async (wanted: string | RegExp | ((s: string) => boolean)): Promise<void> => {
    const seen = (s: string): boolean =>
      typeof wanted === 'string' ? s.includes(wanted) : wanted instanceof RegExp ? wanted.test(s) : wanted(s)
    const end = Date.now() + TIMEOUT_MS
    for (let inspected = -1; ;) {
      // The screen changes only when something was written.
      if (pending === 0 && inspected !== raw.length) {
        inspected = raw.length
        if (seen(screen())) return
      }
      if (Date.now() > end)
        throw new Error(`never seen${over ? ' (the app has ended)' : ''}: ${String(wanted)}\n${screen()}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  // Each key is a separate read, as typed: the next one is written after the program has read the last.
  let typing = Promise.resolve()
  let typed = 0
  const typeOne = async (key: string): Promise<void> => {
    if (over) return
    child.write(key)
    typed += Buffer.byteLength(key)
    const end = Date.now() + READ_MS
    while (!over && Date.now() < end && (statSync(reads, { throwIfNoEntry: false })?.size ?? 0) < typed) await sleep(2)
  }
  const type = (...keys: string[]): void => {
    for (const key of keys) typing = typing.then(() => typeOne(KEYS[key] ?? key))
  }
  return {
    pid: child.pid,
    screen,
    raw: () => raw,
    bytes: () => Buffer.byteLength(raw),
    alternate: () => terminal.buffer.active.type === 'alternate',
    type,
    until,
    press: async (keys, wanted) => {
      type(...keys)
      await typing
      await until(wanted)
    },
    resize: (c, r) => {
      terminal.resize(c, r)
      child.resize(c, r)
    },
    ended,
    kill: (signal) => {
      process.kill(child.pid, signal)
    },
    hangUp: () => {
      ;(child as unknown as { destroy(): void }).destroy()
    },
  }
}

/** Whether the app is compiled: the pty tests need build/. */
export const compiled = existsSync(`${process.env['SLUICE_BUILD'] ?? `${root}build`}/tui/run-tui.js`)
