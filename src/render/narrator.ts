/** Folds the events of a run into blocks, which a UI then writes, colours and groups. */
import type { Event, EventOf } from '../model/run/event.ts'
import { ERROR_CODES } from '../shared/errors.ts'
import { sizeText, clockText, durationText, grouped, plural } from '../shared/figures.ts'
import { visible } from '../shared/visible.ts'
import { PaceFold, paceText } from './pace.ts'
import { SummaryFold } from './summary.ts'
import { pad } from './cells.ts'
import { errorDetails, SubjectColumn, reportAt, withoutReported, type Block, type MakeBlock } from './block.ts'
import { ArchiveLines } from './archive-lines.ts'
import { CdmLines } from './cdm-lines.ts'
import { CopyLines } from './copy-lines.ts'
import { cutoverLines } from './cutover-lines.ts'
import { FollowLines } from './follow-lines.ts'
import { FsckLines } from './fsck-lines.ts'
import { decommissionBlocks } from './decommission-lines.ts'
import { PartitionLines } from './partition-lines.ts'
import { ProofLines } from './proof-lines.ts'
import { ScriptLines } from './script-lines.ts'
import { runSteered } from './steering-lines.ts'
import { workerEventLines } from './worker-lines.ts'

const PROGRESS_EVERY_MS = 10_000
const CHUNK_WORDS: Readonly<Record<string, string>> = { action: 'commit', check: 'version', row: 'chunk' }

type Step = Extract<Event, { type: 'partition.step' }>

const STEPS: Readonly<Record<Step['step'], string>> = {
  index: 'index',
  check: 'check',
  validate: 'validation',
  switch: 'switch',
  after: 'last steps',
  slice: 'slice',
  revert: 'revert',
  clear: 'clean-up',
}

export class Narrator {
  readonly #verbose: boolean
  /** True for a step of a larger command, which is reported in fewer lines. */
  readonly #brief: boolean
  readonly #pace = new PaceFold()
  readonly #summary: SummaryFold
  readonly #from = new Map<string, string>()
  #startedAt: number | null = null
  #lastProgress: number | null = null
  #command = ''
  #source = ''
  #resumes: string | null = null
  #baseline = '0'
  readonly #subjects = new SubjectColumn()
  readonly #proofs: ProofLines
  readonly #copies: CopyLines
  readonly #fsck: FsckLines
  readonly #archives: ArchiveLines
  readonly #partitions: PartitionLines
  readonly #follow: FollowLines
  readonly #cdm = new CdmLines()
  readonly #script = new ScriptLines()
  #comparing: EventOf<'diff.progress'> | null = null
  #recounting: EventOf<'look.progress'> | null = null
  readonly #reported = new Set<string>()
  readonly notified = new Set<string>()

  /**
   * @param origin time shown as 0:00, ms since the epoch; default: time of the first event
   * @param brief true for a step of a larger command
   * @param dryRun true if only the plan was requested
   */
  constructor(verbose: boolean, origin: number | null = null, brief = false, dryRun = false) {
    this.#verbose = verbose
    this.#brief = brief
    this.#startedAt = origin
    this.#summary = new SummaryFold(dryRun)
    this.#proofs = new ProofLines(this.#subjects, verbose, brief)
    this.#fsck = new FsckLines(this.#subjects, verbose)
    const onReported = (error: string): void => void this.#reported.add(error)
    this.#copies = new CopyLines({ subjects: this.#subjects, verbose, dryRun, onReported })
    this.#partitions = new PartitionLines(this.#subjects)
    this.#follow = new FollowLines(this.#subjects)
    this.#archives = new ArchiveLines({ subjects: this.#subjects, verbose, dryRun, onReported })
  }

  /** The blocks of an event, in order. */
  event(event: Event): readonly Block[] {
    const at = Date.parse(event.ts)
    this.#startedAt ??= at
    this.#lastProgress ??= at
    this.#pace.event(event, at)
    this.#summary.event(event)
    const elapsed = clockText(at - this.#startedAt)
    const block = reportAt(elapsed)
    const migrators = this.#cdm.event(event).map((line) => block('note', line))
    const archives = this.#archives.event(event, at, block)
    const partitions = this.#partitions.event(event, at, block)
    return [
      ...this.#progress(event, at, block),
      ...migrators,
      ...archives,
      ...partitions,
      ...decommissionBlocks(event, this.#subjects, block),
      ...inPlaceBlocks(event, this.#subjects, block),
      ...this.#follow.event(event, at, block),
      ...cutoverLines(event, block),
      ...workerEventLines(event, block),
      ...this.report(event, at, block),
    ]
  }

  report(event: Event, at: number, block: MakeBlock): readonly Block[] {
    switch (event.type) {
      case 'run.started':
        return this.#start(event, block)
      case 'plan.ready':
        return event.copies === undefined ? this.#plan(event, block) : this.#copies.plan(event, block)
      case 'copy.started':
        return this.#copies.started(event, at, block)
      case 'throttle.on':
        return this.#copies.throttled(event, this.#pace.now().perSecond, block)
      case 'throttle.off':
        return this.#copies.released(block)
      case 'run.steered':
        return [block('note', runSteered(event, isArchiving(this.#command) ? 'bytes' : 'rows'))]
      case 'table.steered':
        return this.#copies.steered(event, block)
      case 'chunk.released':
        return this.#copies.free(event, block)
      case 'look.difference':
        return this.#copies.differs(event, block)
      case 'index.started':
      case 'index.done':
      case 'index.failed':
        return this.#copies.object(event, block)
      case 'row.aside':
        return this.#copies.onQuarantined(event, block)
      case 'rows.fallback':
        this.#script.fellBack(event)
        return []
      case 'copy.summary':
        return this.#script.summary(event, block)
      case 'chunk.done':
        return this.#isCopy() ? this.#copies.done(event, at, block) : []
      case 'chunk.started':
        return this.#isCopy() ? this.#copies.begins(event, block) : []
      case 'table.started':
        this.#from.set(event.table, event.fromVersion)
        return this.#verbose
          ? [block('note', `${this.#subjects.pad(event.table)}v${event.fromVersion}..v${event.toVersion} begins`)]
          : []
      case 'table.finished':
        return this.#copies.finished(event, block) ?? this.#table(event, block)
      case 'chunk.retried': {
        if (this.#isCopy()) return this.#copies.retried(event, block)
        const wait = `try ${event.attempt} in ${durationText(event.waitMs)}`
        const what = `${this.#subjects.pad(event.table)}${event.chunk}  ${event.error.code} ${event.error.message}; ${wait}`
        return [block('retry', what, { table: event.table })]
      }
      case 'chunk.failed':
        if (this.#isCopy()) return this.#copies.chunkFailed(event, block)
        // The table or the run reports the error again, so here it is printed only with `--verbose`.
        return this.#verbose
          ? [
              block(
                'note',
                `${this.#subjects.pad(event.table)}${event.chunk}  ${event.error.code} ${event.error.message}`,
              ),
            ]
          : []
      case 'verify.check':
      case 'verify.mismatch':
      case 'question':
        return this.#proofs.event(event, block)
      case 'fsck.finding':
      case 'fsck.checked':
      case 'fsck.progress':
        return this.#fsck.event(event, at, block)
      case 'log': {
        if (event.level === 'debug' && !this.#verbose) return []
        const subject = event.table === undefined ? '' : this.#subjects.pad(event.table)
        const details: Block['details'] = event.hint === undefined ? [] : [['do', event.hint]]
        const error = event.level === 'error'
        this.notified.add(`${event.table ?? ''}\n${event.message}`)
        return [block(error ? 'FAILED' : 'note', subject + event.message, { details, problem: error })]
      }
      case 'run.finished':
        return this.#finish(event, block)
      default:
        return []
    }
  }

  #isCopy(): boolean {
    return this.#command === 'copy'
  }

  #start(event: EventOf<'run.started'>, block: MakeBlock): readonly Block[] {
    this.#command = event.command
    this.#source = event.source ?? ''
    this.#resumes = event.resumes ?? null
    this.#baseline = event.baseline?.done ?? '0'
    if (event.runId === null) return []
    const where = [event.source ?? '', event.target === undefined ? '' : `-> ${event.target}`].filter(
      (part) => part !== '',
    )
    return [
      block(
        'start',
        `${[event.command.replace(/^(archive|partition|lifecycle)-/, '$1 '), ...where].join(' ')}  run ${event.runId}  sluice ${event.tool}`,
      ),
    ]
  }

  #plan(event: EventOf<'plan.ready'>, block: MakeBlock): readonly Block[] {
    const chunkWord = isArchiving(this.#command) ? 'partition' : (CHUNK_WORDS[event.unit] ?? 'chunk')
    const facts = [
      ...(event.unit === 'question' ? [] : [plural(event.tables, 'table')]),
      ...(event.unit === 'question' || event.unit === 'commit' || event.chunks === '0'
        ? []
        : [plural(event.chunks, chunkWord)]),
      `${event.estimated ? 'about ' : ''}${plural(event.total, event.unit)}`,
      ...(event.bytes === '0'
        ? []
        : [`${sizeText(event.bytes)}${event.unit === 'action' || event.unit === 'commit' ? ' of logs' : ''}`]),
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

  #table(event: EventOf<'table.finished'>, block: MakeBlock): readonly Block[] {
    const { table, error } = event
    const subject = this.#subjects.pad(table)
    if (this.#command === 'diff' && error === undefined) {
      const facts = subject + (event.notes ?? []).join('; ')
      if (event.status === 'failed') return [block('DIFFERS', facts, { table, code: 'DIFFERENCES', problem: true })]
      return [block(event.status === 'ok' ? 'ok' : 'note', facts, { table })]
    }
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
      const bytes = event.bytes === undefined ? '' : `  ${sizeText(event.bytes).padStart(9)}`
      const facts = `${pad(range, 11)}${files}${bytes}  ${durationText(event.ms).padStart(6)}`
      blocks.push(block('ok', subject + facts, { table }))
    } else if (event.status === 'current') {
      blocks.push(block('ok', `${subject}${version} is already in the catalog`, { table }))
    } else {
      const why = error === undefined ? '' : `: ${error.message}`
      blocks.push(block('note', `${subject}${event.status}${why}`, { table }))
    }
    // The event repeats all notes, for readers that see only this event. Omit notes that were printed already.
    const notes = (event.notes ?? []).filter((note) => !this.notified.has(`${table}\n${note}`))
    const from = event.historyFrom ?? '0'
    if (from !== '0' && event.status === 'ok' && event.notes?.some((note) => note.includes('answers from')) !== true) {
      notes.unshift(`answers from v${from}: the catalog has no older versions`)
    }
    return [...blocks, ...notes.map((note) => block('note', subject + note, { table }))]
  }

  #finish(event: EventOf<'run.finished'>, block: MakeBlock): readonly Block[] {
    const blocks: Block[] = []
    const { error } = event
    const summed = error !== undefined && ['verify', 'stopped'].includes(ERROR_CODES[error.code])
    const isReported = error !== undefined && this.#reported.has(`${error.code} ${error.message}`)
    const alone = error !== undefined && !summed && !isReported
    if (alone) {
      blocks.push(
        block(event.exitCode === 6 ? 'refused' : 'FAILED', error.message, {
          details: errorDetails(error),
          code: error.code,
          problem: true,
        }),
      )
    }
    blocks.push(
      ...this.#proofs.hidden(block),
      ...this.#fsck.hidden(block),
      ...this.#copies.hidden(event, block),
      ...this.#copies.left(event, block),
      ...this.#script.weakWrites(block),
    )
    const proof = this.#summary.proof()
    if (proof !== null && event.status === 'ok' && this.#command === 'validate')
      blocks.push(block('proved', `${this.#source}  ${proof}`.trimStart()))
    if (this.#command === 'export-log' && event.status === 'ok' && event.proof !== undefined)
      blocks.push(block('proved', `equal to the catalog, ${event.proof}`))
    if (event.notChecked !== undefined && !this.#brief) blocks.push(block('note', event.notChecked))
    for (const file of event.wrote ?? []) blocks.push(block('note', `wrote ${file}`))
    if (event.runId !== null || !alone) blocks.push(block('end', this.#summary.text(event, this.#command)))
    if (summed && !isReported && error.hint !== undefined) blocks.push(block('do', error.hint))
    if (event.resumeCommand !== undefined) blocks.push(block('next', event.resumeCommand))
    const stopped = event.status === 'stopped' ? 'stopped; nothing is lost' : ''
    const summary = error === undefined ? stopped : withoutReported(error.message, this.#reported)
    const why = error === undefined || (summed && !isReported) ? summary : error.code
    blocks.push(block('exit', `${event.exitCode.toString().padEnd(2)} ${why}`.trimEnd()))
    return blocks
  }

  #progress(event: Event, at: number, block: MakeBlock): readonly Block[] {
    if (event.type === 'diff.progress') this.#comparing = event
    if (event.type === 'look.progress') this.#recounting = event
    if (
      !(event.type.startsWith('chunk.') || event.type === 'diff.progress' || event.type === 'look.progress') ||
      at - (this.#lastProgress ?? at) < PROGRESS_EVERY_MS
    )
      return []
    this.#lastProgress = at
    return [block('at', paceText(this.#pace.now()) + comparingText(this.#comparing) + recountingText(this.#recounting))]
  }
}

/**
 * Blocks for the steps of partitioning a table in place; empty for events of other operations.
 * Findings and statements are printed as for `partition plan`.
 */
export function inPlaceBlocks(event: Event, subjects: SubjectColumn, block: MakeBlock): readonly Block[] {
  if (event.type !== 'partition.step') return []
  const { table, step, status, detail } = event
  const mark = status === 'planned' ? 'plan' : status === 'done' || status === 'found' ? 'ok' : 'note'
  const before = status === 'found' ? ', done before' : status === 'again' ? ', not yet' : ''
  return [block(mark, `${subjects.pad(table)}${STEPS[step]}${before}: ${visible(detail)}`, { table })]
}

const isArchiving = (command: string): boolean => command === 'archive' || command === 'restore'

/** Progress of counting the rows of earlier chunks, at the end of a copy. */
function recountingText(event: EventOf<'look.progress'> | null): string {
  if (event === null || event.done === event.total) return ''
  return `  counting rows of earlier chunks, ${grouped(event.done)} of ${grouped(event.total)}`
}

/** Progress of a comparison: ranges, and differences so far. */
function comparingText(event: EventOf<'diff.progress'> | null): string {
  if (event === null) return ''
  const { step, ranges, left, differences, looked: inspected } = event
  const found = `  ${plural(differences, 'difference')} so far`
  if (inspected !== undefined) return `  ${step}, ${grouped(inspected)} of the target looked up${found}`
  if (step !== 'comparing') return `  ${step}${found}`
  return `  ${plural(ranges, 'range')} compared, ${left === '0' ? 'the last one continues' : `about ${grouped(left)} left`}${found}`
}
