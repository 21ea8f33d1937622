/** Takes over the terminal, and restores it however the program ends. After `kill -9` the user must run `reset`. */
import { writeSync } from 'node:fs'
import { ENTER_INPUT, LEAVE_INPUT } from '../../shared/terminal/terminal-input.ts'

const ENTER = `\u001b[?1049h\u001b[?25l\u001b[?7l${ENTER_INPUT}\u001b[2J\u001b[H`
const LEAVE = `\u001b[0m\u001b[?2026l${LEAVE_INPUT}\u001b[?7h\u001b[?25h\u001b[?1049l`

export type ExitHandlers = {
  /** SIGINT from outside; in raw mode ctrl-c is a key. */
  readonly interrupt: () => void
  /** SIGTERM, SIGHUP, or a lost terminal. */
  readonly terminate: (signal: 'SIGTERM' | 'SIGHUP') => void
  /** An uncaught exception. */
  readonly crash: (error: unknown) => void
}

export class Takeover {
  readonly #stdin: NodeJS.ReadStream
  readonly #stdout: NodeJS.WriteStream
  readonly #handlers: ExitHandlers
  #taken = false
  #lastInterrupt = Number.NEGATIVE_INFINITY
  #isHungUp = false

  constructor(stdin: NodeJS.ReadStream, stdout: NodeJS.WriteStream, ways: ExitHandlers) {
    this.#stdin = stdin
    this.#stdout = stdout
    this.#handlers = ways
  }

  /** Switches to raw mode, bracketed paste and the alternate screen; turns cursor and line wrap off. */
  enter(): void {
    this.#take()
    this.#listeners('on')
  }

  /** Restores the normal screen. */
  leave(): void {
    this.#restore()
    this.#listeners('off')
  }

  #listeners(turn: 'on' | 'off'): void {
    const program: NodeJS.EventEmitter = process
    program[turn]('exit', this.#restore)
    program[turn]('SIGINT', this.#onInterrupt)
    program[turn]('SIGTERM', this.#onTerminate)
    program[turn]('SIGHUP', this.#onHangup)
    program[turn]('uncaughtException', this.#onCrash)
    program[turn]('unhandledRejection', this.#onCrash)
    const [stdin, stdout]: readonly [NodeJS.EventEmitter, NodeJS.EventEmitter] = [this.#stdin, this.#stdout]
    stdin[turn]('end', this.#onHangup)
    stdin[turn]('error', this.#onHangup)
    stdout[turn]('error', this.#onHangup)
  }

  /** Restores the terminal and stops the program until the shell continues it. @param back called when it continues */
  suspend(back: () => void): void {
    this.#restore()
    process.once('SIGCONT', () => {
      this.#take()
      back()
    })
    process.kill(process.pid, 'SIGTSTP')
  }

  #take(): void {
    this.#taken = true
    if (this.#stdin.isTTY) this.#stdin.setRawMode(true)
    this.#stdout.write(ENTER)
  }

  readonly #restore = (): void => {
    if (!this.#taken) return
    this.#taken = false
    try {
      if (this.#stdin.isTTY) this.#stdin.setRawMode(false)
    } catch {
      // The terminal is gone; there is nothing to restore.
    }
    // Written synchronously: a process that exits does not wait for a stream.
    const fd = 'fd' in this.#stdout && typeof this.#stdout.fd === 'number' ? this.#stdout.fd : null
    try {
      if (fd === null) this.#stdout.write(LEAVE)
      else writeSync(fd, LEAVE)
    } catch {
      // The terminal is gone.
    }
  }

  readonly #onInterrupt = (): void => {
    // npm and pnpm deliver the same ctrl-c twice.
    const now = performance.now()
    if (now - this.#lastInterrupt < 1000) return
    this.#lastInterrupt = now
    this.#handlers.interrupt()
  }

  readonly #onTerminate = (): void => {
    this.#handlers.terminate('SIGTERM')
  }

  readonly #onHangup = (): void => {
    // A closed terminal ends stdin, sends SIGHUP and fails writes. A second request would abort the run.
    if (this.#isHungUp) return
    this.#isHungUp = true
    this.#handlers.terminate('SIGHUP')
  }

  readonly #onCrash = (error: unknown): void => {
    this.#restore()
    this.#handlers.crash(error)
  }
}

/** Sequence that copies `text` to the terminal's clipboard, also over ssh (OSC 52). */
export function clipboardSequence(text: string): string {
  return `\u001b]52;c;${Buffer.from(text, 'utf8').toString('base64')}\u0007`
}
