/**
 * Splits the bytes of a connection into whole messages of PostgreSQL's protocol, in blocks; an incomplete message waits
 * for its remaining bytes. Blocks are parts of a few large buffers, into which the connection is read. Separate buffers
 * for each read would take most of the garbage collector's time.
 */
import { broken } from './pgoutput.ts'

/** Bytes of a message header: the type letter, and the length. */
export const HEADER = 5
/** Largest message that a server can send. */
const MOST = 2 ** 30 + HEADER
/** Size of a buffer, in bytes. It is small, because rows that are not processed yet keep the whole buffer in memory. */
const BUFFER = 256 * 1024
/** Free bytes for one read of the connection. */
const READ_BYTES = 32 * 1024

/** @param at start of the message, with its header @param end start of the next message */
export type Visit = (data: Buffer, at: number, end: number) => void

export class ReplicationFrames {
  #buffer = Buffer.allocUnsafeSlow(BUFFER)
  /** Start of the current message. */
  #from = 0
  /** End of the received bytes. */
  #to = 0
  /** Bytes of the current message, as far as known. */
  #need = HEADER

  /** Bytes of the incomplete message. */
  get waiting(): number {
    return this.#to - this.#from
  }

  /** Buffer for the next bytes of the connection; report their number with `addRead`. */
  readBuffer(): Buffer {
    this.#reserve(READ_BYTES)
    return this.#buffer.subarray(this.#to)
  }

  /**
   * @param bytes number of bytes read into `readBuffer`
   * @param visit is called for each whole message
   * @returns all whole messages in one block; null if there is none yet
   * @throws SluiceError BAD_STREAM
   */
  addRead(bytes: number, visit: Visit): Buffer | null {
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
    // Small messages after a large one would keep its large buffer in memory.
    if (data.length > BUFFER) this.#renew(BUFFER)
    return data.subarray(from, at)
  }

  /** As `addRead`, for bytes that were read elsewhere. */
  addBytes(given: Buffer, visit: Visit): Buffer | null {
    this.#reserve(given.length)
    given.copy(this.#buffer, this.#to)
    return this.addRead(given.length, visit)
  }

  #reserve(bytes: number): void {
    if (this.#buffer.length - this.#to >= bytes) return
    // Double the buffer each time: copying a large message at each read would take hours.
    this.#renew(Math.max(BUFFER, Math.min(this.#need + READ_BYTES, 2 * this.waiting)))
    if (this.#buffer.length - this.#to < bytes) this.#renew(this.#to + bytes)
  }

  #renew(length: number): void {
    const fresh = Buffer.allocUnsafeSlow(Math.max(length, this.waiting + READ_BYTES))
    const to = this.#buffer.copy(fresh, 0, this.#from, this.#to)
    this.#buffer = fresh
    this.#from = 0
    this.#to = to
  }
}
