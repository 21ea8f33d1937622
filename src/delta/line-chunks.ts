/** Lines out of bytes, and objects out of lines: what reading JSON needs before there is any JSON. */

/** A JavaScript string cannot be longer. */
export const MAX_LINE = 512 << 20
/** Text of one object that is spread over several lines; more than this is no pretty-printed action but a broken file. */
const MAX_SPREAD = 64 << 20
const LF = 10

/** Follows braces and strings over the lines of one pretty-printed object. */
export class Spread {
  #text = ''
  #depth = 0
  readonly line: number

  constructor(line: number) {
    this.line = line
  }

  /** Takes the next line. Says whether the object is complete, needs more, or can never become one. */
  take(text: string): 'complete' | 'more' | 'broken' {
    this.#text = this.#text === '' ? text : `${this.#text}\n${text}`
    if (this.#text.length > MAX_SPREAD) return 'broken'
    let inString = false
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (inString) {
        if (code === 0x5c) i++
        else if (code === 0x22) inString = false
      } else if (code === 0x22) inString = true
      else if (code === 0x7b || code === 0x5b) this.#depth++
      else if (code === 0x7d || code === 0x5d) {
        this.#depth--
        // Something after the object's own end on the same line is no JSON either way; parsing says so.
        if (this.#depth <= 0 && text.slice(i + 1).trim() !== '') return 'broken'
      }
    }
    // A string cannot go over the end of a line in JSON.
    if (inString || this.#depth < 0) return 'broken'
    return this.#depth === 0 ? 'complete' : 'more'
  }

  get text(): string {
    return this.#text
  }
}

/** Cuts a stream of bytes at line breaks: every buffer but the last ends with one. */
export async function* wholeLines(chunks: AsyncIterable<Buffer>, tooLong: () => Error): AsyncGenerator<Buffer> {
  let held: Buffer[] = []
  let length = 0
  for await (const chunk of chunks) {
    const last = chunk.lastIndexOf(LF)
    if (last === -1) {
      held.push(chunk)
      length += chunk.length
      if (length > MAX_LINE) throw tooLong()
      continue
    }
    if (held.length === 0) yield last === chunk.length - 1 ? chunk : chunk.subarray(0, last + 1)
    else {
      // Only the line that goes over the border is copied, not the chunk behind it.
      const first = chunk.indexOf(LF)
      yield Buffer.concat([...held, chunk.subarray(0, first + 1)])
      if (first !== last) yield chunk.subarray(first + 1, last + 1)
    }
    held = last === chunk.length - 1 ? [] : [chunk.subarray(last + 1)]
    length = chunk.length - last - 1
  }
  if (held.length > 0) yield held.length === 1 ? (held[0] as Buffer) : Buffer.concat(held)
}
