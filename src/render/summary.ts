/** Folds the events of a run into its last lines: what was done, proved or listed, in one sentence. */
import { WorkPace } from '../model/copy/work-pace.ts'
import type { Event, EventBody } from '../model/run/event.ts'
import { archiveText } from './archive-summary.ts'
import { sizeText, durationText, grouped, plural } from '../shared/figures.ts'
import { partitionOutcomeText } from './partition-lines.ts'
import { partitionPlanText } from './partition-plan-lines.ts'

type RunFinished = Extract<EventBody, { type: 'run.finished' }>

const ROWS: Readonly<Record<string, readonly [one: string, many: string]>> = {
  table: ['table', 'tables'],
  source: ['database file', 'database files'],
  file: ['file', 'files'],
  commit: ['commit', 'commits'],
  change: ['change', 'changes'],
  run: ['run', 'runs'],
  'copy.run': ['run', 'runs'],
  'copy.chunk': ['chunk', 'chunks'],
  'quarantine.row': ['row quarantined', 'rows quarantined'],
  slot: ['slot', 'slots'],
  relation: ['table', 'tables'],
  archived: ['partition', 'partitions'],
}

export class SummaryFold {
  readonly #tables = new Map<string, string>()
  readonly #pace = new WorkPace()
  readonly #rows = new Map<string, number>()
  readonly #versions = new Set<string>()
  readonly #differentFiles = new Set<string>()
  #unreadable = 0
  #planOnly: boolean
  #checks = 0
  #equal = 0
  #differences = 0
  #actions = 0n
  /** Changes that were applied before this run, by table of a stream. */
  readonly #before = new Map<string, bigint>()
  #questions = { all: 0, same: 0, sql: 0, files: 0, even: 0, runs: 0 }

  /** @param dryRun true if only the plan was requested */
  constructor(dryRun = false) {
    this.#planOnly = dryRun
  }

  event(event: Event): void {
    this.#pace.fold(event)
    switch (event.type) {
      case 'plan.ready':
        this.#planOnly ||= event.details !== undefined
        break
      case 'table.finished':
        // If a table was retried, its last result counts.
        this.#tables.set(event.table, event.status)
        this.#actions += BigInt(event.actions ?? 0)
        break
      case 'follow.counted':
        if (!this.#before.has(event.table))
          this.#before.set(
            event.table,
            [event.inserts, event.updates, event.deletes, event.truncates].reduce((sum, one) => sum + BigInt(one), 0n),
          )
        break
      case 'verify.check':
        this.#checks += 1
        this.#versions.add(event.version)
        if (event.equal) this.#equal += 1
        break
      case 'verify.mismatch':
        this.#differences += 1
        this.#versions.add(event.version)
        if (event.path !== undefined) this.#differentFiles.add(event.path)
        break
      case 'question':
        this.#questions.all += 1
        this.#questions.runs = event.runs
        this.#questions[event.faster] += 1
        if (event.same) this.#questions.same += 1
        break
      default:
        if (event.type === 'table' && !event.readable) this.#unreadable += 1
        if (ROWS[event.type] !== undefined) this.#rows.set(event.type, (this.#rows.get(event.type) ?? 0) + 1)
    }
  }

  /** Text such as `12 checks equal at 3 versions`; null if a check differed, or nothing was checked. */
  proof(): string | null {
    if (this.#checks === 0 || this.#equal < this.#checks || this.#differences > 0) return null
    return `${plural(this.#checks, 'check')} equal at ${plural(this.#versions.size, 'version')}`
  }

  /** Text of the line `end`: the result of the run. */
  text(finished: RunFinished, command: string): string {
    const archived = archiveText(finished, command, this.#planOnly)
    if (archived !== null) return archived
    const partitioned = partitionPlanText(finished, command) ?? partitionOutcomeText(finished, command)
    if (partitioned !== null) return partitioned
    if (this.#planOnly && finished.status === 'ok') return 'this was the plan; nothing was changed'
    if (this.#planOnly && finished.totals['refused'] !== undefined) {
      return `${refusedText(finished.totals, command)}; this was the plan, and nothing was changed`
    }
    if (command === 'fsck' && finished.totals['files'] !== undefined) return fsckText(finished)
    if (command === 'sign-off' && finished.totals['notChecked'] !== undefined) return signOffText(finished)
    if (command === 'export-log' && finished.totals['commits'] !== undefined) return this.#exportText(finished)
    if (command === 'ctl' && finished.status === 'ok' && finished.totals['runs'] !== undefined)
      return `${plural(finished.totals['runs'], 'run')} on this machine`
    const parts = [
      command === 'copy' && (finished.totals['tables'] ?? '1') === '1' ? '' : this.#tablesText(finished),
      this.#copiedText(finished),
      command === 'diff' ? differenceText(finished) : '',
      this.#questionsText(),
      this.#checksText({ command, totals: finished.totals }),
      this.#rowsText(finished),
    ].filter((part) => part !== '')
    const noProof = finished.proof === 'none' ? '  nothing was proved (proof none)' : ''
    if (parts.length > 0) return parts.join('; ') + noProof
    const totals = Object.entries(finished.totals).map(([name, value]) => `${name} ${grouped(value)}`)
    const outcome = finished.status === 'ok' ? 'done' : finished.status
    // `archive-run` is shown as `archive run`, as the user types it.
    const words = command.replace(/^(archive|partition|lifecycle)-/, '$1 ')
    return `${totals.length === 0 ? `${words} ${outcome}` : totals.join(', ')} in ${durationText(finished.ms)}${noProof}`
  }

  #tablesText(finished: RunFinished): string {
    if (this.#tables.size === 0) return ''
    const counts = new Map<string, number>()
    for (const status of this.#tables.values()) counts.set(status, (counts.get(status) ?? 0) + 1)
    const words = ['ok', 'current', 'failed', 'refused', 'stopped', 'skipped']
      .filter((status) => counts.has(status))
      .map((status) => `${grouped(counts.get(status) ?? 0)} ${status === 'skipped' ? 'left out' : status}`)
    const all = finished.totals['tables'] ?? this.#tables.size
    const actions = BigInt(finished.totals['actions'] ?? this.#actions)
    const rate = finished.ms > 0 ? Math.round((Number(actions) * 1000) / finished.ms) : 0
    const done = actions > 0n ? `  ${plural(actions, 'action')}  ${grouped(rate)}/s` : ''
    return `${words.join(', ')} of ${grouped(all)}${unsearchedText(finished)} in ${durationText(finished.ms)}${done}`
  }

  /** Mean speed of this run; empty if the run did too little to measure it. */
  #paceText(): string {
    const mean = this.#pace.mean()
    if (mean === null) return ''
    const volume = mean.bytes === 0 ? '' : `  ${sizeText(Math.round(mean.bytes))}/s`
    return `  ${grouped(Math.round(mean.rows))} rows/s${volume}`
  }

  #questionsText(): string {
    const { all, same, sql, files, even, runs } = this.#questions
    if (all === 0) return ''
    const winners = [
      ...(sql > 0 ? [`SQL faster in ${sql}`] : []),
      ...(files > 0 ? [`files${sql > 0 ? '' : ' faster'} in ${files}`] : []),
      ...(even > 0 ? [`even in ${even}`] : []),
    ]
    return `${plural(all, 'question')}, ${plural(runs, 'run')} each, ${plural(same, 'equal answer')}; ${winners.join(', ')}`
  }

  #checksText({ command, totals }: { command: string; totals: RunFinished['totals'] }): string {
    if (this.#checks === 0 && this.#differences === 0) return ''
    if (command !== 'validate' && this.#differences === 0) {
      return `${grouped(this.#equal)} of ${plural(this.#checks, 'check')} passed`
    }
    const files = this.#differentFiles.size === 0 ? '' : ` in ${plural(this.#differentFiles.size, 'file')}`
    const differences = this.#differences === 0 ? '' : `${plural(this.#differences, 'difference')}${files}; `
    const versions = plural(this.#versions.size, 'version')
    const { checkpoints, checkpointsUnreadable = '0', checkpointsInLog = '0' } = totals
    const unread = checkpointsUnreadable === '0' ? '' : `, ${grouped(checkpointsUnreadable)} not readable`
    const inspected =
      checkpoints === undefined || checkpointsInLog === '0'
        ? ''
        : `; ${grouped(checkpoints)} of ${plural(checkpointsInLog, 'checkpoint')} compared${unread}`
    return `${differences}${grouped(this.#equal)} of ${plural(this.#checks, 'check')} equal at ${versions}${inspected}`
  }

  #exportText({ totals, status, ms }: RunFinished): string {
    const { commits = '0', bytes = '0', identical = '0', checkpoints = '0' } = totals
    const same = identical === commits ? 'all' : grouped(identical)
    const kept = commits === '0' ? '' : `, ${same} in the bytes of the original`
    const log = `${plural(commits, 'commit')}, ${sizeText(bytes)}${kept}; ${plural(checkpoints, 'checkpoint')}`
    const outcome = status === 'ok' ? 'written' : 'not written'
    return `${log}; ${this.#checksText({ command: 'validate', totals: {} })}; ${outcome} in ${durationText(ms)}`
  }

  /** Rows copied and changes applied by this run; without the copy if the run only applied changes. */
  #copiedText(finished: RunFinished): string {
    const { read, changes } = finished.totals
    const copied =
      read === '0' && changes !== undefined ? '' : copiedText(finished, this.#pace.chunks) + this.#paceText()
    if (changes === undefined) return copied
    if (this.#before.size === 0)
      return copied === '' ? `${plural(changes, 'change')} applied since the stream began` : copied
    let applied = BigInt(changes)
    for (const before of this.#before.values()) applied -= before
    // If a table is copied again, its counts restart at 0, so the difference would be wrong.
    if (applied < 0n) return copied
    return [copied, `${plural(applied, 'change')} applied`].filter((part) => part !== '').join('; ')
  }

  #rowsText(finished: RunFinished): string {
    const texts = [...this.#rows].map(([type, rows]) => {
      // The list shows some of the rows; the total counts all of them.
      const all = type === 'quarantine.row' ? (finished.totals['rows'] ?? rows) : rows
      return plural(all, ...(ROWS[type] ?? (['row', 'rows'] as const)))
    })
    if (texts.length === 0) return ''
    const unreadable = this.#unreadable === 0 ? '' : `, ${this.#unreadable} not readable`
    return texts.join(', ') + unreadable + unsearchedText(finished)
  }
}

function signOffText({ totals, ms }: RunFinished): string {
  const { tables = '0', rows = '0', ok = '0', failed = '0', differing = '0', notChecked = '0' } = totals
  const differ = differing === '0' ? '' : `, ${grouped(differing)} with differences`
  const checks = `${plural(ok, 'check')} ok, ${grouped(failed)} failed${differ}, ${grouped(notChecked)} not checked`
  return `${plural(tables, 'table')}, ${plural(rows, 'row')}; ${checks} in ${durationText(ms)}`
}

/** Number of folders that could not be searched for tables. */
function unsearchedText({ totals: { unsearched } }: RunFinished): string {
  return unsearched === undefined ? '' : `, ${plural(unsearched, 'folder')} not searched`
}

/** What prevents the run: number of tables that cannot be copied or imported, or of findings that block it. */
function refusedText(
  { refused = '0', failed = '0', tables, findings }: RunFinished['totals'],
  command: string,
): string {
  if (tables !== undefined) {
    const hindered = BigInt(refused) + BigInt(failed)
    return `${grouped(hindered)} of ${plural(tables, 'table')} cannot be ${command.endsWith('import') ? 'imported' : 'copied'}`
  }
  if (findings === undefined) return `${grouped(refused)} refused`
  return `${grouped(refused)} of ${plural(findings, 'finding')} ${refused === '1' ? 'blocks' : 'block'} the run`
}

/**
 * Numbers of rows read, written, skipped and quarantined, over all runs that filled the same tables.
 * @param chunksNow number of chunks that this run has copied
 */
function copiedText({ status, totals }: RunFinished, chunksNow: number): string {
  const { read, written, skipped, quarantined, chunks = '0', proved = '0', earlier = '0' } = totals
  const done = (BigInt(proved) + BigInt(earlier)).toString()
  if (read === undefined || written === undefined || skipped === undefined || quarantined === undefined) return ''
  const sum = `read ${grouped(read)} = written ${grouped(written)} + ${totals['compared'] === undefined ? 'skipped' : 'equal'} ${grouped(skipped)} + quarantined ${grouped(quarantined)}${surplusText(totals)}`
  if (chunksNow === 0 && status === 'ok' && chunks === done && chunks !== '0')
    return `nothing was left to do; totals of earlier runs: ${sum}`
  return status === 'ok' || chunks === done ? sum : `${grouped(done)} of ${plural(chunks, 'chunk')} done, ${sum}`
}

/** With `--again`: rows of the target that are not in the source. */
function surplusText({ removed = '0', extra = '0' }: RunFinished['totals']): string {
  return [
    ...(removed === '0' ? [] : [`; ${grouped(removed)} removed from the target`]),
    ...(extra === '0' ? [] : [`; ${grouped(extra)} only in the target`]),
  ].join('')
}

function differenceText({ totals, ms }: RunFinished): string {
  const { rows, missing, extra, different, fixed = '0', undone } = totals
  if (undone !== undefined) return `${plural(undone, 'repair')} undone in ${durationText(ms)}`
  if (missing === undefined || extra === undefined || different === undefined) return ''
  const compared = rows === undefined ? '' : `${plural(rows, 'row')} of the source compared: `
  const repaired = fixed === '0' ? '' : `; ${grouped(fixed)} repaired`
  const before = fixed === '0' ? '' : 'before the repair '
  return `${compared}${before}${grouped(missing)} missing in the target, ${grouped(extra)} extra, ${grouped(different)} different${repaired}`
}

/** Result of fsck: numbers of findings and notes, and of the files, footers and vectors that were read. */
function fsckText({ totals, ms }: RunFinished): string {
  const {
    files = '0',
    checked = '0',
    vectors = '0',
    footers = '0',
    rowsRead = '0',
    deep = '0',
    findings = '0',
    notes = '0',
  } = totals
  const listed = checked === files ? plural(files, 'file') : `${grouped(checked)} of ${plural(files, 'file')}`
  const none = deep === '1' ? 'no file could be read for its rows' : 'no rows were read (--deep reads them)'
  const of = rowsRead === checked ? '' : ` of ${grouped(checked)}`
  const rows = rowsRead === '0' ? none : `rows of ${plural(rowsRead, 'file')}${of} read`
  const inspected = `${listed} listed, ${plural(footers, 'footer')} and ${plural(vectors, 'deletion vector')} read, ${rows}`
  return `v${totals['version']}: ${plural(findings, 'finding')}, ${plural(notes, 'note')}; ${inspected}; ${durationText(ms)}`
}
