/** Splits bytes into lines, and finds objects that span several lines, before JSON is parsed. */

/** Longest line, bytes: a JavaScript string cannot be longer. */
export const MAX_LINE = 512 << 20
/**
 * Longest text of one object over several lines, in characters: a longer one is a broken file, not a pretty-printed
 * action.
 */
const MAX_OBJECT_LENGTH = 64 << 20
const LF = 10

/** Tracks braces and strings over the lines of one pretty-printed object. */
export class MultiLineObject {
  #text = ''
  #depth = 0
  readonly line: number

  constructor(line: number) {
    this.line = line
  }

  /** Adds the next line. Returns whether the object is complete, needs more lines, or can never be complete. */
  take(text: string): 'complete' | 'more' | 'broken' {
    this.#text = this.#text === '' ? text : `${this.#text}\n${text}`
    if (this.#text.length > MAX_OBJECT_LENGTH) return 'broken'
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
        // Text after the object's end on the same line is never valid JSON; the parser reports it.
        if (this.#depth <= 0 && text.slice(i + 1).trim() !== '') return 'broken'
      }
    }
    // A JSON string cannot contain a line break.
    if (inString || this.#depth < 0) return 'broken'
    return this.#depth === 0 ? 'complete' : 'more'
  }

  get text(): string {
    return this.#text
  }
}

/** Cuts a stream of bytes at line breaks: every buffer except the last ends with a line break. */
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
      // Copy only the line that spans two chunks, not the rest of the chunk.
      const first = chunk.indexOf(LF)
      yield Buffer.concat([...held, chunk.subarray(0, first + 1)])
      if (first !== last) yield chunk.subarray(first + 1, last + 1)
    }
    held = last === chunk.length - 1 ? [] : [chunk.subarray(last + 1)]
    length = chunk.length - last - 1
  }
  if (held.length > 0) yield held.length === 1 ? (held[0] as Buffer) : Buffer.concat(held)
}
