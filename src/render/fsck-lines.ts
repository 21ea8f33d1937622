/** Results of `fsck` as lines: findings with both sides, notes, and the remedy once for each kind. */
import type { EventOf } from '../model/run/event.ts'
import type { Block, SubjectColumn, MakeBlock } from './block.ts'
import { sizeText, clockText, grouped, plural } from '../shared/figures.ts'

/** How often the progress of a check is reported, ms. */
const REPORT_EVERY_MS = 10_000

const STEPS = {
  listing: 'objects listed',
  files: 'files',
  sample: 'files of the sample',
  checkpoints: 'checkpoints',
  history: 'commits',
} as const

/** Number of findings of each kind that are printed; further ones are only counted, and JSON lines have all of them. */
const MOST = 20
const WIDTH = 16

export class FsckLines {
  readonly #subjects: SubjectColumn
  readonly #verbose: boolean
  readonly notified = new Map<string, number>()
  #hidden = 0
  reportedAt: number | null = null
  /** The running step: its name, and time and progress at its first event. */
  #step: { readonly name: string; readonly at: number; readonly done: number } | null = null

  constructor(subjects: SubjectColumn, verbose: boolean) {
    this.#subjects = subjects
    this.#verbose = verbose
  }

  event(
    event: EventOf<'fsck.finding' | 'fsck.checked' | 'fsck.progress'>,
    at: number,
    block: MakeBlock,
  ): readonly Block[] {
    if (event.type === 'fsck.progress') return this.#progress(event, at, block)
    return event.type === 'fsck.checked' ? this.#checked(event, block) : this.#finding(event, block)
  }

  /** A line with the number of findings that were not printed. */
  hidden(block: MakeBlock): readonly Block[] {
    if (this.#hidden === 0) return []
    return [block('note', `and ${plural(this.#hidden, 'finding')} more; --verbose or --json shows all`)]
  }

  #progress(event: EventOf<'fsck.progress'>, at: number, block: MakeBlock): readonly Block[] {
    this.reportedAt ??= at
    if (this.#step?.name !== event.step) this.#step = { name: event.step, at, done: Number(event.done) }
    if (at - this.reportedAt < REPORT_EVERY_MS) return []
    this.reportedAt = at
    return [block('at', progressText(event, this.#step.done, at - this.#step.at))]
  }

  #finding(event: EventOf<'fsck.finding'>, block: MakeBlock): readonly Block[] {
    const reported = this.notified.get(event.finding) ?? 0
    this.notified.set(event.finding, reported + 1)
    if (reported >= MOST && !this.#verbose) {
      this.#hidden += 1
      return []
    }
    const size = event.bytes === undefined ? '' : `  ${sizeText(event.bytes)}`
    const where = event.path === undefined ? '' : `${event.path}  `
    const text = `${this.#subjects.pad(event.finding, WIDTH)}${where}${event.detail}${size}`
    const details: Block['details'] = reported === 0 ? [['do', event.hint]] : []
    if (event.level === 'note') return [block('note', text, { details, table: event.table })]
    return [block('DIFFERS', text, { details, table: event.table, code: 'DIFFERENCES', problem: true })]
  }

  #checked(
    { check, looked: inspected, of, findings, detail, table }: EventOf<'fsck.checked'>,
    block: MakeBlock,
  ): readonly Block[] {
    const all = inspected === of ? grouped(of) : `${grouped(inspected)} of ${grouped(of)}`
    const wrong = findings === '0' ? '' : `, ${plural(findings, 'finding')}`
    const text = `${this.#subjects.pad(check, WIDTH)}${all}${wrong}  ${detail}`
    // A check that inspected none of its objects is not reported as sound.
    const isSound = findings === '0' && (inspected !== '0' || of === '0')
    return [block(isSound ? 'ok' : 'note', text, { table })]
  }
}

/**
 * @param from `done` at the first event of the step
 * @param ms time since the first event
 */
function progressText({ step, done, total, bytes }: EventOf<'fsck.progress'>, from: number, ms: number): string {
  const [inspected, all] = [Number(done), Number(total ?? 0)]
  const rate = ms < 1000 ? 0 : ((inspected - from) * 1000) / ms
  return [
    ...(all === 0 ? [] : [`${Math.min(99, Math.floor((inspected * 100) / all))} %`]),
    `${grouped(done)}${all === 0 ? '' : ` of ${grouped(all)}`} ${STEPS[step]}`,
    ...(bytes === '0' ? [] : [sizeText(bytes)]),
    ...(rate < 1 ? [] : [`${grouped(Math.round(rate))}/s`]),
    ...(rate === 0 || all <= inspected ? [] : [`${clockText(((all - inspected) * 1000) / rate)} left`]),
  ].join('  ')
}
