/**
 * Splits the bytes of a terminal into characters, keys sent as sequences, and pastes between their brackets. Everything
 * else (reports of mouse and focus, answers about the device, colours and modes) is swallowed. A sequence may arrive in
 * pieces of any size. Memory is bounded: a sequence is kept up to the length of the longest key, a paste up to the
 * length of a text field. The caller decides when an incomplete sequence is given up.
 */
import { keyOfCsi, keyOfSs3 } from './key-sequences.ts'
import type { KeyPress } from './key-press.ts'

export type InputToken =
  /** Characters outside of any sequence, with control characters except the escape. */
  | { readonly kind: 'text'; readonly text: string }
  /** A key sent as a sequence. */
  | { readonly kind: 'key'; readonly press: KeyPress }
  /** The escape key. */
  | { readonly kind: 'esc' }
  /** A character with alt, or after an escape. */
  | { readonly kind: 'alt'; readonly name: string }
  /** @property text null for a paste that is too long */
  | { readonly kind: 'paste'; readonly text: string | null }
  | { readonly kind: 'swallowed' }

/** Maximum length of a paste; a longer one is dropped completely, because a part of an SQL statement may do harm. */
export const LONGEST_PASTE = 65_536
/** Maximum length of the parameters that are kept of a sequence; no key has longer ones. */
const LONGEST_KEPT = 64

/** Multi-byte characters in well-formed UTF-8, as their bytes. Bytes from 80 to 9f outside of them are C1 controls. */
const UTF8 =
  /(?:[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})+|[\xa0-\xff]/g
/** The beginning of an incomplete character. */
const BEGUN = /(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})$/

const PLAIN = /[^\u001b\u0080-\u009f]+/y
/** Ends a string, or begins another sequence inside of it. */
const STRING_END = /[\u0007\u0018\u001a\u001b\u009c]/g
const PASTE_END = /(?:\u001b\[|\u009b)201~/
const LONGEST_END = 6
/** The longest beginning of `PASTE_END` at the end of a text. */
const PASTE_ENDING = /(?:\u001b(?:\[(?:2(?:01?)?)?)?|\u009b(?:2(?:01?)?)?)$/

const ESC = '\u001b'
const SWALLOWED: InputToken = { kind: 'swallowed' }
/** Introducers after an escape, and as one C1 character. */
const CSI = ['[', '\u009b']
const SS3 = ['O', '\u008f']
/** DCS, SOS, OSC, PM and APC. */
const STRINGS = ['P', 'X', ']', '^', '_', '\u0090', '\u0098', '\u009d', '\u009e', '\u009f']
const isC1 = (char: string): boolean => char >= '\u0080' && char <= '\u009f'

type Place = 'ground' | 'escape' | 'intermediate' | 'csi' | 'ss3' | 'mouse' | 'string' | 'string-escape' | 'paste'

/** What the input waits for: nothing, the rest of an escape, of a sequence or a character, or of a paste. */
export type Waiting = 'nothing' | 'escape' | 'sequence' | 'paste'

export class InputGrammar {
  #place: Place = 'ground'
  /** True if a second escape came before the sequence, which means alt in rxvt. */
  #isDouble = false
  #parameters = ''
  /** Number of characters that a mouse report still lacks. */
  #left = 0
  #pieces: string[] = []
  #pasteLength = 0
  #pasteTail = ''
  /** Bytes of an incomplete character. */
  #begun = ''
  #tokens: InputToken[] = []

  get waiting(): Waiting {
    if (this.#place === 'ground') return this.#begun === '' ? 'nothing' : 'sequence'
    if (this.#place === 'escape' || this.#place === 'intermediate') return 'escape'
    return this.#place === 'paste' ? 'paste' : 'sequence'
  }

  /** The tokens that these bytes complete. */
  push(bytes: Uint8Array): readonly InputToken[] {
    const text = this.#decoded(bytes)
    let at = 0
    while (at < text.length) at = this.#step(text, at)
    return this.#taken()
  }

  /**
   * Ends incomplete input: an escape becomes the escape key, a paste is complete, a sequence or an incomplete character
   * is dropped.
   */
  end(): readonly InputToken[] {
    if (this.#begun !== '') this.#tokens.push(SWALLOWED)
    this.#begun = ''
    switch (this.#place) {
      case 'ground':
        break
      case 'escape':
        this.#escapes()
        break
      case 'intermediate':
        this.#endIntermediate()
        break
      case 'paste':
        this.#endPaste(PASTE_ENDING.exec(this.#pasteTail)?.[0].length ?? 0)
        break
      default:
        this.#tokens.push(SWALLOWED)
    }
    this.#place = 'ground'
    return this.#taken()
  }

  #taken(): readonly InputToken[] {
    const tokens = this.#tokens
    this.#tokens = []
    return tokens
  }

  #decoded(bytes: Uint8Array): string {
    const raw = this.#begun + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
    this.#begun = BEGUN.exec(raw.slice(-3))?.[0] ?? ''
    return raw
      .slice(0, raw.length - this.#begun.length)
      .replaceAll(UTF8, (found) => (found.length === 1 ? '\ufffd' : Buffer.from(found, 'latin1').toString('utf8')))
  }

  /** Processes the input from a position. @returns the position after it */
  #step(text: string, at: number): number {
    const char = String.fromCodePoint(text.codePointAt(at) ?? 0)
    switch (this.#place) {
      case 'ground':
        return this.#ground(text, at)
      case 'escape':
        return this.#afterEscape(char) ? at + char.length : at
      case 'intermediate':
        return this.#inIntermediate(char) ? at + char.length : at
      case 'csi':
        return this.#inCsi(char) ? at + char.length : at
      case 'ss3':
        return this.#inSs3(char) ? at + char.length : at
      case 'mouse':
        return this.#inMouse(char) ? at + char.length : at
      case 'string':
        return this.#inString(text, at)
      case 'string-escape':
        // Only a backslash completes ST, the end of the string. Any other character begins another sequence.
        this.#drop(char === '\\' ? 'ground' : 'escape')
        return char === '\\' ? at + 1 : at
      case 'paste':
        return this.#inPaste(text, at)
    }
  }

  #ground(text: string, at: number): number {
    PLAIN.lastIndex = at
    const plain = PLAIN.exec(text)?.[0]
    if (plain !== undefined) {
      this.#tokens.push({ kind: 'text', text: plain })
      return at + plain.length
    }
    const char = text[at] ?? ''
    this.#isDouble = false
    if (char === ESC) this.#place = 'escape'
    else if (!this.#introduced(char)) this.#tokens.push(SWALLOWED)
    return at + 1
  }

  /** @returns true if it begins a sequence */
  #introduced(char: string): boolean {
    this.#parameters = ''
    if (CSI.includes(char)) this.#place = 'csi'
    else if (SS3.includes(char)) this.#place = 'ss3'
    else if (STRINGS.includes(char)) this.#place = 'string'
    else return false
    return true
  }

  /** @returns true if the character was consumed, as in the methods below */
  #afterEscape(char: string): boolean {
    if (char === ESC) {
      if (this.#isDouble) this.#tokens.push({ kind: 'esc' })
      this.#isDouble = true
      return true
    }
    if (isC1(char)) {
      this.#escapes()
      this.#place = 'ground'
      return false
    }
    if (this.#introduced(char)) return true
    if (this.#isDouble) this.#tokens.push({ kind: 'esc' })
    if (char >= ' ' && char <= '/') {
      this.#keep(char)
      this.#place = 'intermediate'
      return true
    }
    this.#tokens.push({ kind: 'alt', name: altName(char) })
    this.#place = 'ground'
    return true
  }

  /** Such as `ESC ( B`, which selects a character set; a lone character after the escape is a key with alt. */
  #inIntermediate(char: string): boolean {
    if (char === ESC || isC1(char)) {
      this.#endIntermediate()
      this.#place = 'ground'
      return false
    }
    if (char >= ' ' && char <= '/') this.#keep(char)
    else this.#drop('ground')
    return true
  }

  #endIntermediate(): void {
    const [char = '', ...others] = this.#parameters
    this.#tokens.push(others.length === 0 ? { kind: 'alt', name: altName(char) } : SWALLOWED)
  }

  #escapes(): void {
    this.#tokens.push({ kind: 'esc' })
    if (this.#isDouble) this.#tokens.push({ kind: 'esc' })
  }

  #inCsi(char: string): boolean {
    const isFirstBracket = char === '[' && this.#parameters === ''
    if (isFirstBracket || (char >= ' ' && char <= '?')) {
      this.#keep(char)
      // rxvt ends a key sequence with `$` if shift is pressed; terminal answers with `$` have more than one number.
      if (/^[2-8]\$$/.test(this.#parameters)) this.#key(keyOfCsi(this.#parameters.slice(0, 1), '$'))
      return true
    }
    if (char < '@' || char > '~') return this.#broken(char)
    if (char === 'M' && this.#parameters === '') {
      this.#place = 'mouse'
      this.#left = 3
    } else if (char === '~' && this.#parameters === '200') {
      this.#place = 'paste'
      this.#pieces = ['']
      this.#pasteLength = 0
      this.#pasteTail = ''
    } else this.#key(keyOfCsi(this.#parameters, char))
    return true
  }

  #inSs3(char: string): boolean {
    if (char >= '0' && char <= ';') {
      this.#keep(char)
      return true
    }
    if (char < '@' || char > '~') return this.#broken(char)
    this.#key(keyOfSs3(this.#parameters, char))
    return true
  }

  /** Drops button, column and row of a mouse report, each 32 or more: a byte, or a UTF-8 character in mode 1005. */
  #inMouse(char: string): boolean {
    if (char < ' ') return this.#broken(char)
    this.#left -= 1
    if (this.#left === 0) this.#drop('ground')
    return true
  }

  #inString(text: string, at: number): number {
    STRING_END.lastIndex = at
    const end = STRING_END.exec(text)
    if (end === null) return text.length
    if (end[0] === ESC) this.#place = 'string-escape'
    else this.#drop('ground')
    return end.index + 1
  }

  #inPaste(text: string, at: number): number {
    const piece = text.slice(at)
    // The end of a paste may arrive in two pieces.
    const searched = this.#pasteTail + piece
    const end = PASTE_END.exec(searched)
    this.#pieces.push(piece)
    this.#pasteLength += piece.length
    if (end !== null) {
      const behind = searched.length - end.index
      this.#endPaste(behind)
      return text.length - behind + end[0].length
    }
    this.#pasteTail = searched.slice(-LONGEST_END)
    if (this.#pasteLength > LONGEST_PASTE) this.#pieces = []
    return text.length
  }

  /** @param behind number of characters from the end mark on, which are not part of the paste */
  #endPaste(behind: number): void {
    const isLong = this.#pasteLength - behind > LONGEST_PASTE || this.#pieces.length === 0
    const whole = isLong ? '' : this.#pieces.join('')
    this.#tokens.push({ kind: 'paste', text: isLong ? null : whole.slice(0, whole.length - behind) })
    this.#pieces = []
    this.#place = 'ground'
  }

  /** A misplaced control character ends a sequence and is dropped with it; an escape or C1 control begins the next. */
  #broken(char: string): boolean {
    this.#drop('ground')
    return char !== ESC && !isC1(char)
  }

  #key(key: ReturnType<typeof keyOfCsi>): void {
    this.#tokens.push(key ?? SWALLOWED)
    this.#place = 'ground'
  }

  #keep(char: string): void {
    if (this.#parameters.length < LONGEST_KEPT) this.#parameters += char
  }

  #drop(next: Place): void {
    this.#tokens.push(SWALLOWED)
    this.#isDouble = false
    this.#place = next
  }
}

function altName(char: string): string {
  if (char === '\r' || char === '\n') return 'enter'
  if (char === '\t') return 'tab'
  if (char === ' ') return 'space'
  return char < ' ' || char === '\u007f' ? 'ctrl' : char
}
