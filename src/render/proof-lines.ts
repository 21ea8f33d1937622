/** Proofs and comparisons as lines: equal checks, and differences with both sides. */
import type { EventOf } from '../model/run/event.ts'
import type { Block, SubjectColumn, MakeBlock } from './block.ts'
import { plural } from '../shared/figures.ts'

/** Number of differences that are printed; further ones are only counted, and JSON lines have all of them. */
const MAX_DIFFERENCES = 20

const SIDES = ['log', 'catalog'] as const

export class ProofLines {
  readonly #subjects: SubjectColumn
  readonly #verbose: boolean
  /** True for a step of a larger command: then equal checks are only counted. */
  readonly #brief: boolean
  #firstChecked: string | null = null
  #shown = 0
  #hidden = 0

  constructor(subjects: SubjectColumn, verbose: boolean, brief: boolean) {
    this.#subjects = subjects
    this.#verbose = verbose
    this.#brief = brief
  }

  event(event: EventOf<'verify.check' | 'verify.mismatch' | 'question'>, block: MakeBlock): readonly Block[] {
    if (event.type === 'verify.check') return this.#check(event, block)
    if (event.type === 'verify.mismatch') return this.#mismatch(event, block)
    if (event.same) return []
    const details: Block['details'] = event.difference === undefined ? [] : [['cause', event.difference]]
    const text = `${event.title}: files and SQL give different answers`
    return [block('DIFFERS', text, { problem: true, code: 'DIFFERENCES', details })]
  }

  /** A line about the differences that were not printed. */
  hidden(block: MakeBlock): readonly Block[] {
    if (this.#hidden === 0) return []
    return [block('note', `and ${plural(this.#hidden, 'difference')} more; --verbose or --json shows all`)]
  }

  #check(event: EventOf<'verify.check'>, block: MakeBlock): readonly Block[] {
    const subject = this.#subjects.pad(`v${event.version} ${event.check}`, 24)
    if (!event.equal) {
      const sides = event.sides ?? SIDES
      const details: Block['details'] = [
        [sides[0], event.log],
        [sides[1], event.catalog],
      ]
      // If both sides have the same number of rows, but different rows, say so: two equal numbers alone would seem to
      // be a mistake.
      const many =
        event.log === event.catalog ? '  the same number, but different; the differences are named below' : ''
      const text = `${subject}${event.witness}${many}`
      return [block('DIFFERS', text, { details, table: event.table, code: 'DIFFERENCES', problem: true })]
    }
    this.#firstChecked ??= event.version
    // Every sampled version has the same checks: those of the first checked version are printed, all are counted at
    // the end.
    if ((this.#brief || event.version !== this.#firstChecked) && !this.#verbose) return []
    const both = [event.log, event.catalog].filter((side) => side !== '').join(' = ')
    const witness = this.#verbose ? `  (${event.witness})` : ''
    return [block('ok', subject + both + witness, { table: event.table })]
  }

  #mismatch(event: EventOf<'verify.mismatch'>, block: MakeBlock): readonly Block[] {
    if (this.#shown >= MAX_DIFFERENCES && !this.#verbose) {
      this.#hidden += 1
      return []
    }
    this.#shown += 1
    const sides = event.sides ?? SIDES
    const field =
      event.field === event.check || event.field === '' ? '' : `${event.path === undefined ? '' : '  '}${event.field}`
    const details: Block['details'] = [
      [sides[0], event.log],
      [sides[1], event.catalog],
    ]
    const text = `${this.#subjects.pad(`v${event.version} ${event.check}`, 24)}${event.path ?? ''}${field}`
    return [block('DIFFERS', text, { details, table: event.table, code: 'DIFFERENCES', problem: true })]
  }
}
