/** Detects a connection that has gone silent, which raises no error: a dead network seems to be a slow server. */
import type { Duplex } from 'node:stream'

export class SilenceWatch {
  readonly #socket: Duplex
  readonly #limitMs: number
  readonly #stillWorking: () => Promise<boolean>
  #timer: NodeJS.Timeout | null = null
  #waiting = 0

  /**
   * @param limitMs silence after which the connection is checked
   * @param stillWorking asks over another connection if the server works on the statement, as while it builds an index
   */
  constructor(socket: Duplex, limitMs: number, stillWorking: () => Promise<boolean>) {
    this.#socket = socket
    this.#limitMs = limitMs
    this.#stillWorking = stillWorking
    socket.on('data', () => this.heard())
  }

  /** A statement begins to wait for its reply. */
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

  /** Call for each sign of life: bytes received, or bytes that the server took. */
  heard(): void {
    this.#timer?.refresh()
  }

  async #silent(): Promise<void> {
    const timer = this.#timer
    const working = await this.#stillWorking().catch(() => false)
    // The wait has ended meanwhile.
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
