/** Text output without the UI: messages on stderr, results on stdout. */
import pc from 'picocolors'
import type { RowFormat } from '../../model/run/row-format.ts'
import type { ArchiveColumnsEvent } from '../../model/archive/events.ts'
import type { Event } from '../../model/run/event.ts'
import { historyText } from '../../model/follow/sign-off-text.ts'
import { ARCHIVE_PLAN, storedColumnsText } from '../../render/archive-listings.ts'
import { CheckLines, LifecycleLines } from '../../render/check-lines.ts'
import { cellsOf } from '../../render/column.ts'
import { COPY_PLAN, DIFFERENCE_COLUMNS, differenceRows, typeMap } from '../../render/copy-listings.ts'
import type { Frontend } from './frontend.ts'
import { declarationOfCommand } from '../../app/operations/facts.ts'
import { listingOf, RUNS_HERE, PLAN, QUESTION_HEADER, questionRow } from '../../render/listings.ts'
import { Narrator } from '../../render/narrator.ts'
import type { Block, LineWord } from '../../render/block.ts'
import type { Output } from './output.ts'
import { withProgram } from './program-name.ts'
import { PartitionPlanText } from '../../render/partition-plan-lines.ts'
import { RingLines } from '../../render/ring-lines.ts'
import { rowWriter } from '../../render/row-writer.ts'
import { oneLine, visible } from '../../shared/visible.ts'
import { ScheduleText } from './schedule-text.ts'
import { tableWriter, type TableWriter } from '../../render/text-table.ts'

export type TextOptions = {
  readonly quiet: boolean
  readonly verbose: boolean
  /** True: keywords on stderr are coloured. */
  readonly color: boolean
  /** True: entries of a table with details are folded into groups of GitHub's log. */
  readonly github: boolean
  readonly redact: (text: string) => string
  /** How hints call the program. */
  readonly program?: string
  /** How rows of a query are written; default: a table. */
  readonly rowFormat?: RowFormat
  /** Width of the terminal on stdout in cells; absent without a terminal. */
  readonly room?: number
  /** True: only the plan is requested, and is the result. */
  readonly dryRun?: boolean
  /** True to print progress lines; `false` for output that is read after the run. Default `true`. */
  readonly progress?: boolean
}

/**
 * `LINES_IN_QUIET`: lines that --quiet keeps. The output of a scheduled command is mailed, and must name the database.
 * `LAST_WORDS`: lines that are left out for a step of a larger command.
 */
const LINES_IN_QUIET: ReadonlySet<LineWord> = new Set(['start', 'end'])
const LAST_WORDS: ReadonlySet<LineWord> = new Set(['next', 'do', 'exit'])

/** Breaks text that GitHub's runner would execute: `##[x]` anywhere, `::x::` at the start of a line. */
export function escapeGithub(text: string): string {
  return text.replaceAll('##[', '#\u200B#[').replaceAll(/^(\s*)::/gm, '$1\u200B::')
}

function painter(color: boolean): (word: LineWord, text: string) => string {
  const paint = pc.createColors(color)
  return (word, text) => {
    if (word === 'FAILED' || word === 'DIFFERS' || word === 'ALARM') return paint.bold(paint.red(text))
    if (word === 'refused' || word === 'retry') return paint.yellow(text)
    if (word === 'ok' || word === 'proved') return paint.cyan(text)
    return word === 'at' || word === 'note' ? paint.dim(text) : text
  }
}

/** A block as text: `0:02 FAILED   legacy/broken  LOG_GAP ...`, and its detail lines, indented. */
export function blockText(
  block: Block,
  paint: (word: LineWord, text: string) => string = (_word, text) => text,
): string {
  const head = `${block.elapsed} ${paint(block.word, block.word.padEnd(8))} ${block.text}`.trimEnd()
  return [head, ...block.details.map(([label, text]) => `     ${label.padEnd(8)} ${text}`)].join('\n')
}

export function textFrontend(output: Output, options: TextOptions): Frontend {
  let origin: number | null = null
  const { dryRun = false } = options
  let narrator = new Narrator(options.verbose, null, false, dryRun)
  const paint = painter(options.color)
  const guard = options.github ? escapeGithub : (text: string): string => text
  const data = (text: string): void => output.data(guard(options.redact(text)))
  let listing: TableWriter | null = null
  // Query results are never cut.
  const rows = rowWriter(options.rowFormat ?? 'table', data)
  const runsHere = rowWriter('table', data, { room: options.room, columns: RUNS_HERE })
  let questions = 0
  /** Stored column types; printed after the plan. */
  const stored: ArchiveColumnsEvent[] = []
  const checks = new CheckLines()
  const rings = new RingLines()
  const phases = new LifecycleLines()
  const plans = new PartitionPlanText(data)
  const schedules = new ScheduleText((lines) => textFrontend(lines, { ...options, color: false, progress: false }))
  let listingCommand = false
  let listsRuns = false
  let mailed = false
  let follows = false

  const wanted = (block: Block): boolean => {
    if (block.word === 'at' && options.progress === false) return false
    if (options.quiet) return block.problem || block.word === 'exit' || (mailed && LINES_IN_QUIET.has(block.word))
    return !(listingCommand && block.word === 'start')
  }
  const report = (block: Block): void => {
    if (!wanted(block)) return
    const text = guard(withProgram(options.redact(blockText(block, paint)), options.program))
    const grouped = options.github && block.table !== undefined && block.details.length > 0
    output.talk(grouped ? `::group::${text.replace(/\n|$/, '\n')}\n::endgroup::\n` : `${text}\n`)
  }
  const results = (event: Event): void => {
    if (event.type === 'plan.ready' && event.details !== undefined) {
      const plan = tableWriter(PLAN, data)
      for (const line of event.details) plan.row(cellsOf(PLAN, line))
      plan.end()
      return
    }
    if (event.type === 'plan.ready' && event.copies !== undefined && dryRun) {
      const plan = tableWriter(COPY_PLAN, data)
      for (const line of event.copies) plan.row(cellsOf(COPY_PLAN, line))
      plan.end()
      for (const { table, to, columns } of event.copies) {
        if (columns.length > 0) data(`\n${visible(`${table} -> ${to}`)}\n${typeMap(columns).join('\n')}\n`)
      }
      return
    }
    if (event.type === 'archive.planned' && dryRun) {
      listing ??= tableWriter(ARCHIVE_PLAN, data)
      listing.row(cellsOf(ARCHIVE_PLAN, event))
      return
    }
    if (event.type === 'archive.columns' && dryRun) {
      stored.push(event)
      return
    }
    if (event.type === 'follow.started') follows = true
    if (event.type === 'difference') {
      // The narrator prints differences of a stream as lines. A table would be printed only at the end of the run.
      if (follows) return
      listing ??= tableWriter(DIFFERENCE_COLUMNS, data)
      for (const row of differenceRows(event)) listing.row(row)
      return
    }
    if (event.type === 'follow.history') {
      data(historyText(event.history))
      return
    }
    if (event.type === 'run.report') {
      data(event.text)
      return
    }
    const said = schedules.text(event)
    if (said !== null) {
      data(said)
      return
    }
    if (event.type === 'check') {
      data(checks.lines(event))
      return
    }
    if (event.type === 'lifecycle.phase') {
      data(phases.lines(event))
      return
    }
    if (event.type === 'lifecycle.config') {
      if (event.file === undefined) data(event.text)
      return
    }
    const picture = rings.lines(event)
    if (picture !== null) {
      data(picture)
      return
    }
    if (plans.event(event)) return
    const written = listsRuns ? runsHere : rows
    if (event.type === 'columns') return written.columns(event.columns)
    if (event.type === 'row') return written.row(event.values)
    if (event.type === 'statement') {
      data(`${event.sql};\n`)
      return
    }
    if (event.type === 'question') {
      if (questions === 0) data(QUESTION_HEADER)
      questions += 1
      data(oneLine(questionRow(event).trimEnd()) + '\n')
      return
    }
    const kind = listingOf(event)
    if (kind === null) return
    listing ??= tableWriter(kind.columns, data, options.room)
    const row = kind.row(event)
    if (row !== null) listing.row(row)
  }
  const endListing = (): void => {
    rows.end()
    runsHere.end()
    plans.end()
    listing?.end()
    listing = null
    for (const event of stored.splice(0)) data(`\n${storedColumnsText(event)}`)
  }

  return {
    event: (event, part) => {
      if (event.type === 'run.started') {
        listingCommand = printsOnly(event.command)
        listsRuns = event.command === 'runs'
        mailed = event.command === 'partition-ensure'
        questions = 0
        follows = false
        origin ??= Date.parse(event.ts)
        narrator = new Narrator(options.verbose, origin, part, dryRun)
      }
      results(event)
      // In a terminal both streams share the screen: print the table before the last lines.
      if (event.type === 'run.finished') endListing()
      for (const block of narrator.event(event)) {
        if (!part || !LAST_WORDS.has(block.word)) report(block)
      }
      // Later events belong to the larger command, not to this step.
      if (part && event.type === 'run.finished') narrator = new Narrator(options.verbose, origin)
    },
    close: endListing,
  }
}

/** True for a command without a start line, because its output is its result. `ctl` has no declaration. */
function printsOnly(command: string): boolean {
  const display = declarationOfCommand(command)?.display
  return display === 'listing' || display === 'answer' || command === 'ctl'
}
