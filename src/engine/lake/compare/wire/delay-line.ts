/**
 * One direction of a delayed connection: each byte leaves a fixed time after it arrived, in order. No byte waits for
 * the delay of an earlier one, so the delay does not limit the throughput.
 */
import type { Socket } from 'node:net'
import { callAt } from '../call-at.ts'

/** Maximum delayed bytes, more than a usual kernel's receive window; above it the sender is paused. */
const MOST_DELAYED_BYTES = 16 << 20

/** `data` null: the sender has ended, or the connection broke. */
type Piece = { readonly due: number; readonly data: Buffer | null; readonly broken: boolean }

export class DelayLine {
  readonly #from: Socket
  readonly #to: Socket
  readonly #delayMs: number
  #pieces: Piece[] = []
  /** Index of the first piece that has not left. */
  #next = 0
  #bytes = 0
  #waits = false
  #blocked = false
  #ended = false

  /**
   * Begins to read `from`, which must not have been read before.
   * @param delayMs whole delay of this direction, ms
   * @param onData called when bytes arrive
   */
  constructor(from: Socket, to: Socket, delayMs: number, onData: () => void = () => undefined) {
    this.#from = from
    this.#to = to
    this.#delayMs = delayMs
    from.on('data', (data: Buffer) => {
      onData()
      this.#arrived(data, false)
    })
    from.once('end', () => this.#end(false))
    from.once('close', () => this.#end(true))
    to.on('drain', () => {
      this.#blocked = false
      this.#leave()
    })
    // The socket may have closed before the listeners were added.
    if (from.destroyed) this.#end(true)
    else from.resume()
  }

  #end(broken: boolean): void {
    if (this.#ended) return
    this.#ended = true
    this.#arrived(null, broken)
  }

  #arrived(data: Buffer | null, broken: boolean): void {
    this.#pieces.push({ due: performance.now() + this.#delayMs, data, broken })
    this.#bytes += data?.length ?? 0
    if (this.#bytes > MOST_DELAYED_BYTES) this.#from.pause()
    this.#wait()
  }

  #wait(): void {
    const piece = this.#pieces[this.#next]
    if (this.#waits || this.#blocked || piece === undefined) return
    this.#waits = true
    callAt(piece.due, () => {
      this.#waits = false
      this.#leave()
    })
  }

  #leave(): void {
    for (;;) {
      const piece = this.#pieces[this.#next]
      if (this.#blocked || piece === undefined || piece.due > performance.now()) break
      this.#next++
      this.#pass(piece)
    }
    if (this.#next === this.#pieces.length || this.#next > 1000) {
      this.#pieces = this.#pieces.slice(this.#next)
      this.#next = 0
    }
    if (this.#bytes <= MOST_DELAYED_BYTES && this.#from.isPaused()) this.#from.resume()
    this.#wait()
  }

  #pass({ data, broken }: Piece): void {
    this.#bytes -= data?.length ?? 0
    if (this.#to.destroyed) return
    if (broken) this.#to.resetAndDestroy()
    else if (data === null) this.#to.end()
    else this.#blocked = !this.#to.write(data)
  }
}
