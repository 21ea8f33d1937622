/** The reads of a terminal as tokens, with the waits that decide when what is not whole never will be. */
import { InputGrammar, type Token } from './input-grammar.ts'

/**
 * Asks for brackets around pastes, and for silence of the mouse and of the focus, which a program before may have left
 * talking.
 */
export const ENTER_INPUT = '\u001b[?1000;1002;1003;1004;1005;1006;1015;1016l\u001b[?2004h'
export const LEAVE_INPUT = '\u001b[?2004l'

/**
 * A hand does not follow the escape key with another one so fast, and a terminal sends the rest of a sequence at once.
 */
const ESCAPE_MS = 50
/**
 * A slow line may cut a sequence; of all keys only alt with one of `[ O P X ] ^ _` begins like one, and is bound
 * nowhere.
 */
const SEQUENCE_MS = 500
/** A paste comes from a terminal far away in pieces. */
const PASTE_MS = 1000
/**
 * Keys typed into a sequence or paste that never ends are swallowed for so long at most. A piece larger than a hand
 * types starts the time again.
 */
const SEQUENCE_IN_ALL_MS = 2000
const PASTE_IN_ALL_MS = 10_000
const NO_HAND_BYTES = 64
/** A terminal hands over no more at once (macOS 1,024 bytes, Linux 4,095): behind so many comes the rest of them. */
const FULL_BYTES = 1000
const REST_MS = 100

const SWALLOWED: Token = { kind: 'swallowed' }

export class TerminalInput {
  readonly #stdin: NodeJS.ReadableStream
  readonly #take: (read: readonly Token[]) => void
  readonly #grammar = new InputGrammar()
  #timer: NodeJS.Timeout | null = null
  #late: NodeJS.Immediate | null = null
  #reads = 0
  /** Whether the beginning of what is not whole came together with something else. */
  #isCarried = false
  #givenUpAt = 0
  #restUntil = 0

  /** @param take gets the tokens of each read, and those that a wait has ended */
  constructor(stdin: NodeJS.ReadableStream, take: (read: readonly Token[]) => void) {
    this.#stdin = stdin
    this.#take = take
  }

  /** Hears the terminal until `close`. */
  open(): void {
    this.#stdin.on('data', this.#read)
    this.#stdin.resume()
  }

  close(): void {
    this.#stdin.off('data', this.#read)
    this.#stdin.pause()
    this.forget()
  }

  /** Drops what is not whole, after another program had the terminal. */
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
    const isNew = was !== this.#grammar.waiting || tokens.length > 0 || bytes.length >= NO_HAND_BYTES
    if (isOpen) this.#wait(now, isNew)
    if (tokens.length > 0) this.#take(tokens)
  }

  /** @param isNew whether what waits has begun now, or comes in pieces that no hand types */
  #wait(now: number, isNew: boolean): void {
    const { waiting } = this.#grammar
    const isPaste = waiting === 'paste'
    if (isNew) this.#givenUpAt = now + (isPaste ? PASTE_IN_ALL_MS : SEQUENCE_IN_ALL_MS)
    const quiet = waiting === 'escape' ? ESCAPE_MS : isPaste ? PASTE_MS : SEQUENCE_MS
    this.#timer = setTimeout(this.#waited, Math.max(0, Math.min(quiet, this.#givenUpAt - now)))
  }

  readonly #waited = (): void => {
    const reads = this.#reads
    // Where the program was busy, the rest may have come and not been read yet.
    this.#late = setImmediate(() => {
      this.#late = null
      if (reads !== this.#reads) return
      const tokens = [...this.#grammar.end()]
      if (this.#isCarried && tokens.length > 0) tokens.unshift(SWALLOWED)
      this.#isCarried = false
      if (tokens.length > 0) this.#take(tokens)
    })
  }

  #stopWaiting(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#late !== null) clearImmediate(this.#late)
    this.#timer = null
    this.#late = null
  }
}
