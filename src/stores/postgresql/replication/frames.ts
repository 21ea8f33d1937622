/** Bytes of a connection as whole messages of PostgreSQL's protocol, in blocks; what has no end yet waits for the rest. */
import { broken } from './pgoutput.ts'

/** A letter, and the length of all that follows it. */
export const HEADER = 5
/** The largest message that a server can send. */
const MOST = 2 ** 30 + HEADER

/** @param at where the message begins, with its header @param end where the next one begins */
export type Visit = (data: Buffer, at: number, end: number) => void

export class Frames {
  #pieces: Buffer[] = []
  #have = 0
  /** Bytes that the message under way has, as far as it is known. */
  #need = 0

  /** Bytes of a message that has no end yet. */
  get waiting(): number {
    return this.#have
  }

  /**
   * @param visit sees each message that is whole
   * @returns all of them in one block; null where none is whole yet
   * @throws SluiceError BAD_STREAM
   */
  take(given: Buffer, visit: Visit): Buffer | null {
    this.#pieces.push(given)
    this.#have += given.length
    // A large message comes in thousands of pieces: joining them at each one would take hours.
    if (this.#have < this.#need) return null
    const data = this.#pieces.length === 1 ? given : Buffer.concat(this.#pieces)
    let at = 0
    let need = HEADER
    while (data.length - at >= HEADER) {
      need = 1 + data.readUInt32BE(at + 1)
      if (need < HEADER || need > MOST) throw broken(`a message has a length of ${need - 1}`)
      if (data.length - at < need) break
      visit(data, at, at + need)
      at += need
      need = HEADER
    }
    this.#have = data.length - at
    this.#need = need
    this.#pieces = this.#have === 0 ? [] : [data.subarray(at)]
    return at === 0 ? null : data.subarray(0, at)
  }
}
