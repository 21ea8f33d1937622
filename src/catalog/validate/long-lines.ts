/** Finds lines above the import's limit. Catalogs of older programs may have them, and may need too much memory. */
import { SluiceError } from '../../shared/errors.ts'
import { MOST_CHARACTERS } from '../most-characters.ts'
import { forgetCommand } from '../location-hints.ts'
import type { LinesPiece } from './read-lines.ts'

const LF = 10

type LongLine = { readonly place: string; readonly characters: number; readonly most: number }

export class LongLines {
  readonly #tableId: string
  readonly #label: string
  #longest: LongLine | null = null

  constructor(tableId: string, label: string) {
    this.#tableId = tableId
    this.#label = label
  }

  /** Records long lines of a log file. */
  piece(path: string, { firstLine, body }: LinesPiece): void {
    if (body.length <= MOST_CHARACTERS.metaData) return
    for (let [start, line] = [0, firstLine]; start < body.length; line++) {
      const found = body.indexOf(LF, start)
      const end = found === -1 ? body.length : found
      // A line has no more characters than bytes.
      if (end - start > MOST_CHARACTERS.metaData) {
        const text = body.toString('utf8', start, end)
        const isMetadata = /^\s*\{\s*"metaData"/.test(text)
        this.text(`${path}:${line}`, text, MOST_CHARACTERS[isMetadata ? 'metaData' : 'other'])
      }
      start = end + 1
    }
  }

  /** Records a long line or value. Of two with the same length the later one is kept: the log is loaded last. */
  text(place: string, { length: characters }: string, most: number = MOST_CHARACTERS.other): void {
    if (characters <= most || characters < (this.#longest?.characters ?? 0)) return
    this.#longest = { place, characters, most }
  }

  /**
   * @returns the error to throw: an error that names the longest line, if memory ran out and a line is above the limit;
   * otherwise `thrown`
   */
  explain(thrown: unknown): unknown {
    const long = this.#longest
    if (long === null || !(thrown instanceof SluiceError) || thrown.code !== 'NO_SPACE') return thrown
    return new SluiceError(
      'BAD_ACTION',
      `${long.place}: the line has ${long.characters} characters, and the limit of a catalog is ${long.most}`,
      {
        where: `${this.#label}/_delta_log`,
        reason: `it was imported before this limit, and a longer line may not fit into the memory of the validator: ${thrown.message}`,
        hint: `remove the long value from the table, and write a checkpoint with the engine that owns the table; then remove the table from the catalog and import it again: ${forgetCommand(this.#tableId)}`,
        cause: thrown,
      },
    )
  }
}
