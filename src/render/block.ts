/** One entry of a run's report: a line that begins with a keyword (`LineWord`), and indented detail lines. */
import type { ErrorInfo } from '../shared/errors.ts'
import { pointedIn, pointerLines } from '../shared/pointed.ts'
import { oneLine, visible } from '../shared/visible.ts'
import { cells, pad } from './cells.ts'

/** Maximum width, in cells, of an excerpt with a caret and of a list of names; with a label it fits most terminals. */
const WIDTH = 100

export type LineWord =
  | ('start' | 'plan' | 'resume' | 'at' | 'ok' | 'note' | 'retry' | 'throttle' | 'quarantine')
  | ('FAILED' | 'DIFFERS' | 'ALARM' | 'refused' | 'proved')
  | ('end' | 'next' | 'do' | 'exit')

export type Block = {
  readonly elapsed: string
  readonly word: LineWord
  readonly text: string
  /** Indented lines below `text`, with the labels where, cause, do, log or catalog. */
  readonly details: readonly (readonly [label: string, text: string])[]
  /** `table`: set on blocks about one table. `code`: set on blocks that report a problem with a code. */
  readonly table?: string
  readonly code?: string
  readonly problem: boolean
}

/** Options of a class that prints the lines of an operation. */
export type LinesOptions = {
  readonly subjects: SubjectColumn
  readonly verbose: boolean
  /** True if only the plan was requested, which is printed on stdout. */
  readonly dryRun: boolean
  /** Called with errors that need not be repeated at the end: `CODE message`. */
  readonly onReported: (error: string) => void
}

/** Makes a block at a fixed time of the run. */
export type MakeBlock = (
  word: LineWord,
  text: string,
  extra?: Partial<Pick<Block, 'details' | 'table' | 'code' | 'problem'>>,
) => Block

/** A `MakeBlock` for the given elapsed time. */
export function reportAt(elapsed: string): MakeBlock {
  return (word, text, extra = {}) => {
    const pointed = pointedIn(text)
    const pointer = pointed === null ? [] : pointerLines(pointed, WIDTH, cells).map((line) => ['', line] as const)
    return {
      elapsed,
      word,
      text: oneLine(pointed?.words ?? text),
      problem: false,
      ...extra,
      details: [...pointer, ...(extra.details ?? [])].map(([label, line]) => [label, oneLine(line)] as const),
    }
  }
}

/** Detail lines of an error, with the labels `where`, `cause` and `do`. */
export function errorDetails(error: ErrorInfo): Block['details'] {
  return [
    ...(error.where === undefined ? [] : [['where', error.where] as const]),
    ...(error.reason === undefined ? [] : [['cause', error.reason] as const]),
    ...(error.hint === undefined ? [] : hintLines(error.code, error.hint)),
  ]
}

/**
 * Removes the cause at the end of a message if an earlier line has already reported this cause.
 * @param reported earlier errors, as `CODE message`
 */
export function withoutReported(message: string, reported: Iterable<string>): string {
  for (const earlier of reported) {
    const cause = `: ${earlier.slice(earlier.indexOf(' ') + 1)}`
    if (message.endsWith(cause)) return message.slice(0, -cause.length)
  }
  return message
}

/** Lines of a hint. The hint of a wrong condition is wrapped, because it lists every column. */
function hintLines(code: ErrorInfo['code'], hint: string): Block['details'] {
  if (code !== 'BAD_PREDICATE') return [['do', hint]]
  return wrapped(hint, WIDTH).map((row, at) => [at === 0 ? 'do' : '', row] as const)
}

/** Pads subjects so that facts are aligned; the column grows with the longest name so far. */
export class SubjectColumn {
  #width = 16

  pad(name: string, least = 16): string {
    this.#width = Math.max(this.#width, least, Math.min(40, name.length))
    return `${pad(visible(name), this.#width)}  `
  }
}

/** Rows of at most `most` characters, broken at spaces; a longer word stays whole. */
function wrapped(text: string, most: number): readonly string[] {
  const rows: string[] = []
  for (const word of text.split(' ')) {
    const last = rows.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= most) rows[rows.length - 1] = `${last} ${word}`
    else rows.push(word)
  }
  return rows
}
