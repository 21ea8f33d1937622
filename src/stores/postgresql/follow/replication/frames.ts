/**
 * Bytes of a connection as whole messages of PostgreSQL's protocol, in blocks; what has no end yet waits for the rest. Blocks are parts of a few large buffers, into which
 * the connection is read: a buffer for each reading, and another one where a message lies in two of them, were most of what the garbage collector had to free.
 */
import { broken } from './pgoutput.ts'

/** A letter, and the length of all that follows it. */
export const HEADER = 5
/** The largest message that a server can send. */
const MOST = 2 ** 30 + HEADER
/** Bytes of a buffer: rows that wait hold all of it. */
const BUFFER = 256 * 1024
/** Room for one reading of the connection. */
const ROOM = 32 * 1024

/** @param at where the message begins, with its header @param end where the next one begins */
export type Visit = (data: Buffer, at: number, end: number) => void

export class ReplicationFrames {
  #buffer = Buffer.allocUnsafeSlow(BUFFER)
  /** Where the message under way begins. */
  #from = 0
  /** Behind the last byte that came. */
  #to = 0
  /** Bytes that the message under way has, as far as it is known. */
  #need = HEADER

  /** Bytes of a message that has no end yet. */
  get waiting(): number {
    return this.#to - this.#from
  }

  /** Where the next bytes of the connection belong; `took` says how many came. */
  room(): Buffer {
    this.#reserve(ROOM)
    return this.#buffer.subarray(this.#to)
  }

  /**
   * @param bytes that were read into `room`
   * @param visit sees each message that is whole
   * @returns all of them in one block; null where none is whole yet
   * @throws SluiceError BAD_STREAM
   */
  took(bytes: number, visit: Visit): Buffer | null {
    const data = this.#buffer
    const end = this.#to + bytes
    this.#to = end
    // A large message comes in thousands of pieces.
    if (this.waiting < this.#need) return null
    const from = this.#from
    let at = from
    let need = HEADER
    while (end - at >= HEADER) {
      need = 1 + data.readUInt32BE(at + 1)
      if (need < HEADER || need > MOST) throw broken(`a message has a length of ${need - 1}`)
      if (end - at < need) break
      visit(data, at, at + need)
      at += need
      need = HEADER
    }
    this.#from = at
    this.#need = need
    if (at === from) return null
    // Small messages behind a large one would hold the room of that one.
    if (data.length > BUFFER) this.#renew(BUFFER)
    return data.subarray(from, at)
  }

  /** The same for bytes that were read elsewhere. */
  take(given: Buffer, visit: Visit): Buffer | null {
    this.#reserve(given.length)
    given.copy(this.#buffer, this.#to)
    return this.took(given.length, visit)
  }

  #reserve(bytes: number): void {
    if (this.#buffer.length - this.#to >= bytes) return
    // What is copied doubles each time: copying a large message at each reading would take hours.
    this.#renew(Math.max(BUFFER, Math.min(this.#need + ROOM, 2 * this.waiting)))
    if (this.#buffer.length - this.#to < bytes) this.#renew(this.#to + bytes)
  }

  #renew(length: number): void {
    const fresh = Buffer.allocUnsafeSlow(Math.max(length, this.waiting + ROOM))
    const to = this.#buffer.copy(fresh, 0, this.#from, this.#to)
    this.#buffer = fresh
    this.#from = 0
    this.#to = to
  }
}
