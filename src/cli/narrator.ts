/** The story of a run in lines, as data: a fold of events into blocks, which a face then writes, colours and groups. */
import type { Event } from '../model/event.ts'
import type { ErrorInfo } from '../shared/errors.ts'
import { ERROR_CODES } from '../shared/errors.ts'
import { bytesText, clockText, durationText, grouped, oneLine, plural } from './format.ts'
import { PaceFold } from './pace.ts'
import { SummaryFold } from './summary.ts'
import { pad } from './text-table.ts'

export type Word =
  | ('start' | 'plan' | 'resume' | 'at' | 'ok' | 'note' | 'retry' | 'FAILED' | 'DIFFERS' | 'refused' | 'proved')
  | ('end' | 'next' | 'do' | 'exit')

export type Block = {
  readonly elapsed: string
  readonly word: Word
  readonly text: string
  /** Indented lines below: where, cause, do, log, catalog. */
  readonly details: readonly (readonly [label: string, text: string])[]
  /** Set on blocks about one table, and on those that tell of a problem. */
  readonly table?: string
  readonly code?: string
  readonly problem: boolean
}

type Of<T extends Event['type']> = Extract<Event, { type: T }>
type Extra = Partial<Pick<Block, 'details' | 'table' | 'code' | 'problem'>>

const PROGRESS_EVERY_MS = 10_000
/** Differences printed one by one; the rest is counted, and JSON lines hold them all. */
const MAX_DIFFERENCES = 20
const CHUNK_WORDS: Readonly<Record<string, string>> = { action: 'commit', check: 'version', row: 'chunk' }

/** where, cause and do of an error. */
function errorDetails(error: ErrorInfo): Block['details'] {
  return [
    ...(error.where === undefined ? [] : [['where', error.where] as const]),
    ...(error.reason === undefined ? [] : [['cause', error.reason] as const]),
    ...(error.hint === undefined ? [] : [['do', error.hint] as const]),
  ]
}

export class Narrator {
  readonly #verbose: boolean
  readonly #pace = new PaceFold()
  readonly #summary = new SummaryFold()
  readonly #from = new Map<string, string>()
  #startedAt: number | null = null
  #lastProgress: number | null = null
  #command = ''
  #source = ''
  #resumes: string | null = null
  #baseline = '0'
  #subjectWidth = 16
  #firstChecked: string | null = null
  #shownDifferences = 0
  #hiddenDifferences = 0
  #reported = new Set<string>()

  /** @param origin time that counts as 0:00; else that of the first event */
  constructor(verbose: boolean, origin: number | null = null) {
    this.#verbose = verbose
    this.#startedAt = origin
  }

  /** The blocks an event adds to the story, in order. */
  event(event: Event): readonly Block[] {
    const at = Date.parse(event.ts)
    this.#startedAt ??= at
    this.#lastProgress ??= at
    this.#pace.event(event, at)
    this.#summary.event(event)
    const elapsed = clockText(at - this.#startedAt)
    const block = (word: Word, text: string, extra: Extra = {}): Block => ({
      elapsed,
      word,
      text: oneLine(text),
      problem: false,
      ...extra,
      details: (extra.details ?? []).map(([label, line]) => [label, oneLine(line)] as const),
    })
    return [...this.#progress(event, at, block), ...this.#tell(event, block)]
  }

  #tell(event: Event, block: (word: Word, text: string, extra?: Extra) => Block): readonly Block[] {
    switch (event.type) {
      case 'run.started':
        return this.#start(event, block)
      case 'plan.ready':
        return this.#plan(event, block)
      case 'table.started':
        this.#from.set(event.table, event.fromVersion)
        return this.#verbose
          ? [block('note', `${this.#subject(event.table)}v${event.fromVersion}..v${event.toVersion} begins`)]
          : []
      case 'table.finished':
        return this.#table(event, block)
      case 'chunk.retried': {
        const wait = `try ${event.attempt} in ${durationText(event.waitMs)}`
        const what = `${this.#subject(event.table)}${event.chunk}  ${event.error.code} ${event.error.message}; ${wait}`
        return [block('retry', what, { table: event.table })]
      }
      case 'chunk.failed':
        // The error comes again with the table or the run; here it is only detail.
        return this.#verbose
          ? [block('note', `${this.#subject(event.table)}${event.chunk}  ${event.error.code} ${event.error.message}`)]
          : []
      case 'verify.check':
        return this.#check(event, block)
      case 'verify.mismatch':
        return this.#mismatch(event, block)
      case 'question':
        if (event.same) return []
        return [
          block('DIFFERS', `${event.title}: files and SQL give different answers`, {
            problem: true,
            code: 'DIFFERENCES',
            details: event.difference === undefined ? [] : [['cause', event.difference]],
          }),
        ]
      case 'log': {
        if (event.level === 'debug' && !this.#verbose) return []
        const subject = event.table === undefined ? '' : this.#subject(event.table)
        const details: Block['details'] = event.hint === undefined ? [] : [['do', event.hint]]
        const error = event.level === 'error'
        return [block(error ? 'FAILED' : 'note', subject + event.message, { details, problem: error })]
      }
      case 'run.finished':
        return this.#finish(event, block)
      default:
        return []
    }
  }

  #start(event: Of<'run.started'>, block: (word: Word, text: string) => Block): readonly Block[] {
    this.#command = event.command
    this.#source = event.source ?? ''
    this.#resumes = event.resumes ?? null
    this.#baseline = event.baseline?.done ?? '0'
    if (event.runId === null) return []
    const where = [event.source ?? '', event.target === undefined ? '' : `-> ${event.target}`].filter(
      (part) => part !== '',
    )
    return [block('start', `${[event.command, ...where].join(' ')}  run ${event.runId}  sluice ${event.tool}`)]
  }

  #plan(event: Of<'plan.ready'>, block: (word: Word, text: string) => Block): readonly Block[] {
    const chunkWord = CHUNK_WORDS[event.unit] ?? 'chunk'
    const many = event.tables !== '1' || event.unit !== 'question'
    const facts = [
      ...(many ? [plural(event.tables, 'table')] : []),
      ...(event.unit === 'question' ? [] : [plural(event.chunks, chunkWord)]),
      `${event.estimated ? 'about ' : ''}${plural(event.total, event.unit)}`,
      ...(event.bytes === '0' ? [] : [`${bytesText(event.bytes)}${event.unit === 'action' ? ' of logs' : ''}`]),
    ]
    const excluded =
      event.excluded.length === 0 ? '' : `; ${event.excluded.length} excluded (${event.excluded.join(', ')})`
    const blocks = [block('plan', facts.join(', ') + excluded)]
    if (this.#resumes !== null) {
      const percent =
        Number(event.total) > 0 ? Math.min(99, Math.floor((Number(this.#baseline) * 100) / Number(event.total))) : null
      const stopped = percent === null ? '' : ` stopped at ${percent} %`
      const there = `${plural(this.#baseline, event.unit)} ${this.#baseline === '1' ? 'is' : 'are'} in the catalog`
      blocks.push(block('resume', `run ${this.#resumes}${stopped}: ${there}`))
    }
    return blocks
  }

  #table(event: Of<'table.finished'>, block: (word: Word, text: string, extra?: Extra) => Block): readonly Block[] {
    const { table, error } = event
    const subject = this.#subject(table)
    if (event.status === 'failed' || event.status === 'refused') {
      const what = error === undefined ? event.status : `${error.code} ${error.message}`
      if (error !== undefined) this.#reported.add(`${error.code} ${error.message}`)
      const details = error === undefined ? [] : errorDetails(error)
      const code = error?.code ?? 'INTERNAL'
      return [
        block(event.status === 'failed' ? 'FAILED' : 'refused', subject + what, {
          table,
          details,
          code,
          problem: true,
        }),
      ]
    }
    const version = event.version === undefined ? '' : `v${event.version}`
    const blocks: Block[] = []
    if (event.status === 'ok') {
      const range = version === '' ? '' : `v${this.#from.get(table) ?? event.historyFrom ?? '0'}..${version}`
      const files =
        event.files === undefined
          ? ''
          : `${grouped(event.files).padStart(7)} ${event.files === '1' ? 'file ' : 'files'}`
      const bytes = event.bytes === undefined ? '' : `  ${bytesText(event.bytes).padStart(9)}`
      const facts = `${pad(range, 11)}${files}${bytes}  ${durationText(event.ms).padStart(6)}`
      blocks.push(block('ok', subject + facts, { table }))
    } else if (event.status === 'current') {
      blocks.push(block('ok', `${subject}${version} is in the catalog already`, { table }))
    } else {
      const why = error === undefined ? '' : `: ${error.message}`
      blocks.push(block('note', `${subject}${event.status}${why}`, { table }))
    }
    const notes = [...(event.notes ?? [])]
    const from = event.historyFrom ?? '0'
    if (from !== '0' && event.status === 'ok' && !notes.some((note) => note.includes('answers from'))) {
      notes.unshift(`answers from v${from}: the log holds nothing older`)
    }
    return [...blocks, ...notes.map((note) => block('note', subject + note, { table }))]
  }

  #check(event: Of<'verify.check'>, block: (word: Word, text: string, extra?: Extra) => Block): readonly Block[] {
    const subject = this.#subject(`v${event.version} ${event.check}`, 24)
    if (!event.equal) {
      const details: Block['details'] = [
        ['log', event.log],
        ['catalog', event.catalog],
      ]
      const text = `${subject}${event.witness}`
      return [block('DIFFERS', text, { details, table: event.table, code: 'DIFFERENCES', problem: true })]
    }
    this.#firstChecked ??= event.version
    // Every sampled version has the same checks: the latest is told, the others are counted at the end.
    if (event.version !== this.#firstChecked && !this.#verbose) return []
    return [
      block('ok', `${subject}${event.log} = ${event.catalog}${this.#verbose ? `  (${event.witness})` : ''}`, {
        table: event.table,
      }),
    ]
  }

  #mismatch(event: Of<'verify.mismatch'>, block: (word: Word, text: string, extra?: Extra) => Block): readonly Block[] {
    if (this.#shownDifferences >= MAX_DIFFERENCES && !this.#verbose) {
      this.#hiddenDifferences += 1
      return []
    }
    this.#shownDifferences += 1
    const field =
      event.field === event.check || event.field === '' ? '' : `${event.path === undefined ? '' : '  '}${event.field}`
    const details: Block['details'] = [
      ['log', event.log],
      ['catalog', event.catalog],
    ]
    const text = `${this.#subject(`v${event.version} ${event.check}`, 24)}${event.path ?? ''}${field}`
    return [block('DIFFERS', text, { details, table: event.table, code: 'DIFFERENCES', problem: true })]
  }

  #finish(event: Of<'run.finished'>, block: (word: Word, text: string, extra?: Extra) => Block): readonly Block[] {
    const blocks: Block[] = []
    const { error } = event
    const summed = error !== undefined && ['verify', 'stopped'].includes(ERROR_CODES[error.code])
    const alone = error !== undefined && !summed && !this.#reported.has(`${error.code} ${error.message}`)
    if (alone) {
      blocks.push(
        block(event.exitCode === 6 ? 'refused' : 'FAILED', error.message, {
          details: errorDetails(error),
          code: error.code,
          problem: true,
        }),
      )
    }
    if (this.#hiddenDifferences > 0) {
      blocks.push(
        block('note', `and ${plural(this.#hiddenDifferences, 'difference')} more; --verbose or --json shows all`),
      )
    }
    const proof = this.#summary.proof()
    if (proof !== null && event.status === 'ok') blocks.push(block('proved', `${this.#source}  ${proof}`.trimStart()))
    for (const file of event.wrote ?? []) blocks.push(block('note', `wrote ${file}`))
    if (event.runId !== null || !alone) blocks.push(block('end', this.#summary.text(event, this.#command)))
    if (summed && error.hint !== undefined) blocks.push(block('do', error.hint))
    if (event.resumeCommand !== undefined) blocks.push(block('next', event.resumeCommand))
    const why = error === undefined ? '' : summed ? error.message : error.code
    blocks.push(block('exit', `${event.exitCode.toString().padEnd(2)} ${why}`.trimEnd()))
    return blocks
  }

  #progress(event: Event, at: number, block: (word: Word, text: string) => Block): readonly Block[] {
    if (!event.type.startsWith('chunk.') || at - (this.#lastProgress ?? at) < PROGRESS_EVERY_MS) return []
    this.#lastProgress = at
    const pace = this.#pace.now()
    const facts = [
      pace.percent === null ? 'estimating' : `${pace.percent} %`,
      ...(pace.tables > 1 ? [`${pace.tablesDone}/${pace.tables} tables`] : []),
      `${grouped(pace.done)}/${grouped(pace.total)}${pace.estimated ? ' est.' : ''}`,
      ...(pace.perSecond === null ? [] : [`${grouped(Math.round(pace.perSecond))}/s`]),
      ...(pace.leftMs === null ? [] : [`${clockText(pace.leftMs)} left`]),
    ]
    return [block('at', facts.join('  '))]
  }

  /** Pads a subject so that facts stand below each other; the column grows with the longest name so far. */
  #subject(name: string, least = 16): string {
    this.#subjectWidth = Math.max(this.#subjectWidth, least, Math.min(40, name.length))
    return `${pad(oneLine(name), this.#subjectWidth)}  `
  }
}
