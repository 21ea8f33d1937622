/** Which rows of a screen are not on the terminal yet. */
import type { Line } from './draw/line.ts'
import { sameLine } from './row.tsx'

export class DrawnRows {
  #shown: readonly Line[] = []

  /** The rows of `lines` that differ from what was shown last, each with its place from 0. */
  missing(lines: readonly Line[]): readonly { readonly line: Line; readonly row: number }[] {
    return lines.flatMap((line, row) => {
      const old = this.#shown[row]
      return old !== undefined && sameLine(old, line) ? [] : [{ line, row }]
    })
  }

  /** `lines` have been handed over. What React has thrown away before it was shown never counts. */
  show(lines: readonly Line[]): void {
    this.#shown = lines
  }
}
