/** Input of a terminal as tokens, with timeouts for incomplete input. */
import { InputGrammar, type InputToken } from './input-grammar.ts'

/** Enables brackets around pastes, and disables reports of mouse and focus that an earlier program may have enabled. */
export const ENTER_INPUT = '\u001b[?1000;1002;1003;1004;1005;1006;1015;1016l\u001b[?2004h'
export const LEAVE_INPUT = '\u001b[?2004l'

/** Wait after escape: no user presses another key so fast, and a terminal sends the rest of a sequence at once. */
const ESCAPE_MS = 50
/**
 * Wait within a sequence, which a slow line may split. The only keys that begin like a sequence are alt with
 * `[ O P X ] ^ _`, which no action uses.
 */
const SEQUENCE_MS = 500
/** Wait within a paste, which a distant terminal sends in pieces. */
const PASTE_MS = 1000
/** Maximum time to drop keys in an unfinished sequence or paste. A piece of `LEAST_PASTE_BYTES` or more restarts it. */
const SEQUENCE_IN_ALL_MS = 2000
const PASTE_IN_ALL_MS = 10_000
const LEAST_PASTE_BYTES = 64
/** A read of this size may be incomplete: terminals deliver at most 1,024 bytes (macOS) or 4,095 (Linux) at once. */
const FULL_BYTES = 1000
const REST_MS = 100

const SWALLOWED: InputToken = { kind: 'swallowed' }

export class TerminalInput {
  readonly #stdin: NodeJS.ReadableStream
  readonly #take: (read: readonly InputToken[]) => void
  readonly #grammar = new InputGrammar()
  #timer: NodeJS.Timeout | null = null
  #immediate: NodeJS.Immediate | null = null
  #reads = 0
  /** True if the beginning of the incomplete input arrived together with other input. */
  #isCarried = false
  #givenUpAt = 0
  #restUntil = 0

  /** @param take is called with the tokens of each read, and with the tokens of input that a timeout has ended */
  constructor(stdin: NodeJS.ReadableStream, take: (read: readonly InputToken[]) => void) {
    this.#stdin = stdin
    this.#take = take
  }

  /** Reads the terminal until `close`. */
  open(): void {
    this.#stdin.on('data', this.#read)
    this.#stdin.resume()
  }

  close(): void {
    this.#stdin.off('data', this.#read)
    this.#stdin.pause()
    this.forget()
  }

  /** Drops incomplete input; called after another program has used the terminal. */
  forget(): void {
    this.#stopWaiting()
    this.#grammar.end()
    this.#isCarried = false
  }

  readonly #read = (chunk: Buffer | string): void => {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    const now = performance.now()
    const was = this.#grammar.waiting
    this.#reads += 1
    this.#stopWaiting()
    const tokens = [...this.#grammar.push(bytes)]
    const isRest = was === 'nothing' && now < this.#restUntil
    if (isRest || (this.#isCarried && tokens.length > 0)) tokens.unshift(SWALLOWED)
    const isOpen = this.#grammar.waiting !== 'nothing'
    if (tokens.length > 0) {
      this.#isCarried = isOpen
      if (isOpen) tokens.push(SWALLOWED)
    }
    if (bytes.length >= FULL_BYTES && tokens.at(-1)?.kind === 'text') this.#restUntil = now + REST_MS
    const isNew = was !== this.#grammar.waiting || tokens.length > 0 || bytes.length >= LEAST_PASTE_BYTES
    if (isOpen) this.#wait(now, isNew)
    if (tokens.length > 0) this.#take(tokens)
  }

  /** @param isNew true if the wait begins now, or if the input is larger than a user types */
  #wait(now: number, isNew: boolean): void {
    const { waiting } = this.#grammar
    const isPaste = waiting === 'paste'
    if (isNew) this.#givenUpAt = now + (isPaste ? PASTE_IN_ALL_MS : SEQUENCE_IN_ALL_MS)
    const quiet = waiting === 'escape' ? ESCAPE_MS : isPaste ? PASTE_MS : SEQUENCE_MS
    this.#timer = setTimeout(this.#waited, Math.max(0, Math.min(quiet, this.#givenUpAt - now)))
  }

  readonly #waited = (): void => {
    const reads = this.#reads
    // If the program was busy, the rest of the input may have arrived, but was not read yet.
    this.#immediate = setImmediate(() => {
      this.#immediate = null
      if (reads !== this.#reads) return
      const tokens = [...this.#grammar.end()]
      if (this.#isCarried && tokens.length > 0) tokens.unshift(SWALLOWED)
      this.#isCarried = false
      if (tokens.length > 0) this.#take(tokens)
    })
  }

  #stopWaiting(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#immediate !== null) clearImmediate(this.#immediate)
    this.#timer = null
    this.#immediate = null
  }
}
