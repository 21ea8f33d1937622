/**
 * The stream that Ink writes to. In debug mode Ink 6.8 writes all that it has drawn, that is each changed row with its
 * mark. This class keeps the screen and writes only differences, inside a synchronized update. Ink's own incremental
 * rendering puts rows one line too low on screens shorter than the terminal; its full repaint writes twenty times the
 * bytes and clears the scrollback.
 */
import { Writable } from 'node:stream'
import { markedRow } from './row-mark.ts'
import { rowDiff } from './row-diff.ts'

const BEGIN = '\u001b[?2026h'
const END = '\u001b[?2026l'
const CLEAR = '\u001b[2J'

/** Size of a terminal; an unset size of 0×0 counts as 80×24. */
export function terminalSize(out: { readonly columns?: number; readonly rows?: number }): {
  columns: number
  rows: number
} {
  const columns = out.columns ?? 0
  const rows = out.rows ?? 0
  return columns > 0 && rows > 0 ? { columns, rows } : { columns: 80, rows: 24 }
}

export class ScreenWriter extends Writable {
  readonly isTTY = true
  readonly #out: NodeJS.WriteStream
  #shown: readonly string[] = []
  #frame: readonly string[] = []
  #open = true
  #full = false
  #held = false
  #clear = true

  constructor(out: NodeJS.WriteStream) {
    super({ decodeStrings: false })
    this.#out = out
    out.on('drain', this.#drained)
  }

  get columns(): number {
    return terminalSize(this.#out).columns
  }

  get rows(): number {
    return terminalSize(this.#out).rows
  }

  override _write(chunk: unknown, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    const text = typeof chunk === 'string' ? chunk : String(chunk)
    // Ink also writes cursor sequences, and '' to wait for the stream. These are not frames.
    if (this.#open && text !== '' && !text.startsWith('\u001b[?25')) {
      const frame = [...this.#frame]
      for (const line of text.split('\n')) {
        const marked = markedRow(line)
        if (marked !== null) frame[marked.row] = marked.text
      }
      this.#frame = frame
      this.#paint()
    }
    callback()
  }

  /** Forgets the shown screen: the next frame is written in full. */
  forget(): void {
    this.#shown = []
    this.#clear = true
  }

  /** Writes the last frame again, in full. */
  repaint(): void {
    this.forget()
    this.#paint()
  }

  /** True: stops writing while the shell has the terminal. False: writes the newest frame in full. */
  hold(held: boolean): void {
    this.#held = held
    if (!held) this.repaint()
  }

  /** Stops writing permanently: the program no longer owns the screen. */
  close(): void {
    this.#open = false
    this.#out.off('drain', this.#drained)
  }

  readonly #drained = (): void => {
    this.#full = false
    this.#paint()
  }

  #paint(): void {
    // On a slow line, frames are dropped. The newest frame is written when the stream is ready again.
    if (!this.#open || this.#held || this.#full || this.#frame.length === 0) return
    const { columns, rows: height } = terminalSize(this.#out)
    const rows = Math.min(height, Math.max(this.#frame.length, this.#shown.length))
    let out = this.#clear ? CLEAR : ''
    for (let i = 0; i < rows; i += 1) {
      const row = this.#frame[i] ?? ''
      const old = this.#shown[i]
      if (row === (old ?? '')) continue
      const cells = old === undefined ? null : rowDiff(old, row, i + 1, columns)
      // Erase before writing: erasing after a full row would delete its last cell.
      const whole = `\u001b[${i + 1};1H\u001b[2K${row}\u001b[0m`
      out += cells === null || cells.length > whole.length ? whole : cells
    }
    this.#shown = this.#frame
    this.#clear = false
    if (out !== '') this.#full = !this.#out.write(BEGIN + out + END)
  }
}
