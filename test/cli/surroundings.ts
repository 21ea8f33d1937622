/**
 * The context of a command, without a process: streams in memory, a stopped clock, an engine that replays recorded
 * events.
 */
import { EventEmitter } from 'node:events'
import { PassThrough, Writable } from 'node:stream'
import type { EnginePort, CliContext, TuiPort } from '../../src/cli/ports.ts'
import type { Event } from '../../src/model/run/event.ts'
import type { Operation } from '../../src/app/operations/list.ts'

/** Keeps all written text. */
export class Memory extends Writable {
  text = ''
  override _write(chunk: Buffer | string, _encoding: string, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
}

/** A stream whose reader closes it after the given number of bytes. */
export class Leaving extends Writable {
  text = ''
  readonly #after: number
  readonly #code: string
  constructor(after: number, code: string = 'EPIPE') {
    super()
    this.#after = after
    this.#code = code
  }
  override _write(chunk: Buffer | string, _encoding: string, done: (error?: Error) => void): void {
    if (this.text.length >= this.#after) {
      done(Object.assign(new Error(`write ${this.#code}`), { code: this.#code }))
      return
    }
    this.text += chunk.toString()
    done()
  }
}

export type Started = { readonly operation: Operation; readonly commandLine: string; readonly tool: string }

/** An engine that records the operations it is given, and replays events. */
export function playingEngine(
  play: (
    operation: Operation,
    options: Parameters<EnginePort['runOperation']>[1],
  ) => readonly Event[] | Promise<readonly Event[]>,
): { readonly engine: EnginePort; readonly started: Started[] } {
  const started: Started[] = []
  const engine: EnginePort = {
    runOperation: async (operation, options) => {
      started.push({ operation, commandLine: options.commandLine, tool: options.tool })
      const events = await play(operation, options)
      for (const event of events) options.onEvent(event)
      const last = events.at(-1)
      if (last?.type !== 'run.finished') throw new Error('the engine broke down')
      return last
    },
    openWorkbench: () => Promise.reject(new Error('no workbench here')),
    distribute: () => Promise.reject(new Error('no queue here')),
    steerShared: () => Promise.reject(new Error('no queue here')),
  }
  return { engine, started }
}

export type Fake = CliContext & { readonly out: () => string; readonly err: () => string; readonly died: number[] }

export type FakeOptions = {
  readonly env?: Readonly<Record<string, string>>
  readonly tty?: boolean
  readonly engine?: EnginePort
  readonly tui?: TuiPort
  readonly stdout?: Writable & { text: string }
}

export function fakeContext(options: FakeOptions = {}): Fake {
  const stdout = options.stdout ?? new Memory()
  const stderr = new Memory()
  const died: number[] = []
  const { tty = false } = options
  return {
    env: options.env ?? {},
    stdin: new PassThrough() as unknown as NodeJS.ReadStream,
    stdout: stdout as unknown as NodeJS.WriteStream,
    stderr: stderr as unknown as NodeJS.WriteStream,
    stdinTTY: tty,
    stdoutTTY: tty,
    colorTalk: false,
    clock: { now: () => Date.parse('2026-11-20T12:04:16.204Z'), ticks: () => 0 },
    signals: new EventEmitter(),
    die: (exitCode) => void died.push(exitCode),
    loadEngine: () =>
      options.engine === undefined ? Promise.reject(new Error('no engine')) : Promise.resolve(options.engine),
    loadTui: () => (options.tui === undefined ? Promise.reject(new Error('no UI')) : Promise.resolve(options.tui)),
    out: () => stdout.text,
    err: () => stderr.text,
    died,
  }
}

/** Types like a user: each key is a separate read. */
export function typed(around: CliContext, text: string): void {
  for (const key of text) around.stdin.emit('data', Buffer.from(key))
}
