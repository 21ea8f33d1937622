/** Detects a silent connection: a dead network raises no error, and cannot be distinguished from a slow server. */
import type { Duplex } from 'node:stream'

export class SilenceWatch {
  readonly #socket: Duplex
  readonly #limitMs: number
  readonly #stillWorking: () => Promise<boolean>
  #timer: NodeJS.Timeout | null = null
  #waiting = 0

  /**
   * @param limitMs silence after which the connection is checked, ms
   * @param stillWorking returns true if the server still works on the statement, such as an index build; it must use
   * another connection
   */
  constructor(socket: Duplex, limitMs: number, stillWorking: () => Promise<boolean>) {
    this.#socket = socket
    this.#limitMs = limitMs
    this.#stillWorking = stillWorking
    socket.on('data', () => this.noteActivity())
  }

  /** Call when a statement begins to wait for its reply, and `end` when the wait ends. */
  begin(): void {
    if (this.#waiting++ > 0) return
    this.#timer = setTimeout(() => void this.#silent(), this.#limitMs)
    this.#timer.unref()
  }

  end(): void {
    if (--this.#waiting > 0 || this.#timer === null) return
    clearTimeout(this.#timer)
    this.#timer = null
  }

  /** Call for each sign that the connection works: bytes received, or bytes that the server took. */
  noteActivity(): void {
    this.#timer?.refresh()
  }

  async #silent(): Promise<void> {
    const timer = this.#timer
    const working = await this.#stillWorking().catch(() => false)
    // The wait ended during the check.
    if (timer === null || this.#timer !== timer) return
    if (working) {
      timer.refresh()
      return
    }
    const seconds = this.#limitMs / 1000
    const error = new Error(`no answer from the server for ${seconds} seconds`)
    this.#socket.destroy(Object.assign(error, { code: 'ETIMEDOUT' }))
  }
}
