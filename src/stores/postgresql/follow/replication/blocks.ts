/** Blocks of whole messages that wait for their reader. What was read bit by bit into one buffer is one block. */

export class Blocks {
  #queue: Buffer[] = []
  #bytes = 0

  /** Of all of them. */
  get bytes(): number {
    return this.#bytes
  }

  push(block: Buffer): void {
    this.#bytes += block.length
    const last = this.#queue.at(-1)
    if (last === undefined || last.buffer !== block.buffer || last.byteOffset + last.length !== block.byteOffset)
      this.#queue.push(block)
    else this.#queue[this.#queue.length - 1] = Buffer.from(last.buffer, last.byteOffset, last.length + block.length)
  }

  /** The oldest one; null where none waits. */
  shift(): Buffer | null {
    const block = this.#queue.shift()
    if (block === undefined) return null
    this.#bytes -= block.length
    return block
  }

  clear(): void {
    this.#queue = []
    this.#bytes = 0
  }
}
