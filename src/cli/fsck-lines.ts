/** What `fsck` found, as lines: findings with both sides, notes, and for each kind once what helps. */
import type { Event } from '../model/event.ts'
import type { Block, SubjectColumn, Tell } from './block.ts'
import { bytesText, grouped, plural } from './format.ts'

type Of<T extends Event['type']> = Extract<Event, { type: T }>

/** Printed one by one of each kind; the rest is counted, and JSON lines hold them all. */
const MOST = 20
const WIDTH = 16

export class FsckLines {
  readonly #subjects: SubjectColumn
  readonly #verbose: boolean
  readonly #told = new Map<string, number>()
  #hidden = 0

  constructor(subjects: SubjectColumn, verbose: boolean) {
    this.#subjects = subjects
    this.#verbose = verbose
  }

  event(event: Of<'fsck.finding' | 'fsck.checked'>, block: Tell): readonly Block[] {
    return event.type === 'fsck.checked' ? this.#checked(event, block) : this.#finding(event, block)
  }

  /** A line about what was not printed. */
  hidden(block: Tell): readonly Block[] {
    if (this.#hidden === 0) return []
    return [block('note', `and ${plural(this.#hidden, 'finding')} more; --verbose or --json shows all`)]
  }

  #finding(event: Of<'fsck.finding'>, block: Tell): readonly Block[] {
    const told = this.#told.get(event.finding) ?? 0
    this.#told.set(event.finding, told + 1)
    if (told >= MOST && !this.#verbose) {
      this.#hidden += 1
      return []
    }
    const size = event.bytes === undefined ? '' : `  ${bytesText(event.bytes)}`
    const where = event.path === undefined ? '' : `${event.path}  `
    const text = `${this.#subjects.pad(event.finding, WIDTH)}${where}${event.detail}${size}`
    const details: Block['details'] = told === 0 ? [['do', event.hint]] : []
    if (event.level === 'note') return [block('note', text, { details, table: event.table })]
    return [block('DIFFERS', text, { details, table: event.table, code: 'DIFFERENCES', problem: true })]
  }

  #checked({ check, looked, of, findings, detail, table }: Of<'fsck.checked'>, block: Tell): readonly Block[] {
    const all = looked === of ? grouped(of) : `${grouped(looked)} of ${grouped(of)}`
    const wrong = findings === '0' ? '' : `, ${plural(findings, 'finding')}`
    const text = `${this.#subjects.pad(check, WIDTH)}${all}${wrong}  ${detail}`
    // Of nothing that was looked at nothing is said to be sound.
    const isSound = findings === '0' && (looked !== '0' || of === '0')
    return [block(isSound ? 'ok' : 'note', text, { table })]
  }
}
