/** The last lines of a run in one sentence: what was done, proved or listed. A fold of its events. */
import type { Event, EventBody } from '../model/event.ts'
import { durationText, grouped, plural } from './format.ts'

type RunFinished = Extract<EventBody, { type: 'run.finished' }>

const ROWS: Readonly<Record<string, readonly [one: string, many: string]>> = {
  table: ['table', 'tables'],
  source: ['database file', 'database files'],
  file: ['file', 'files'],
  commit: ['commit', 'commits'],
  change: ['change', 'changes'],
  run: ['run', 'runs'],
}

export class SummaryFold {
  readonly tables = new Map<string, number>()
  readonly #rows = new Map<string, number>()
  readonly #versions = new Set<string>()
  readonly #differentFiles = new Set<string>()
  #unreadable = 0
  #planOnly = false
  #checks = 0
  #equal = 0
  #differences = 0
  #actions = 0n
  #questions = { all: 0, same: 0, sql: 0, files: 0, even: 0, runs: 0 }

  event(event: Event): void {
    switch (event.type) {
      case 'plan.ready':
        this.#planOnly = event.details !== undefined
        break
      case 'table.finished':
        this.tables.set(event.status, (this.tables.get(event.status) ?? 0) + 1)
        this.#actions += BigInt(event.actions ?? 0)
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

  /** Checks of a validation that came out equal, or null when nothing was checked. */
  proof(): string | null {
    if (this.#checks === 0 || this.#equal < this.#checks || this.#differences > 0) return null
    return `${plural(this.#checks, 'check')} equal at ${plural(this.#versions.size, 'version')}`
  }

  /** What stands behind `end`. */
  text(finished: RunFinished, command: string): string {
    if (this.#planOnly && finished.status === 'ok') return 'this was the plan; nothing was changed'
    const parts = [
      this.#tablesText(finished),
      this.#questionsText(),
      this.#checksText(command),
      this.#rowsText(),
    ].filter((part) => part !== '')
    const noProof = finished.proof === 'none' ? '  nothing was proved (proof none)' : ''
    if (parts.length > 0) return parts.join('; ') + noProof
    const totals = Object.entries(finished.totals).map(([name, value]) => `${name} ${grouped(value)}`)
    const outcome = finished.status === 'ok' ? 'done' : finished.status
    return `${totals.length === 0 ? `${command} ${outcome}` : totals.join(', ')} in ${durationText(finished.ms)}${noProof}`
  }

  #tablesText(finished: RunFinished): string {
    if (this.tables.size === 0) return ''
    const words = ['ok', 'current', 'failed', 'refused', 'stopped', 'skipped']
      .filter((status) => this.tables.has(status))
      .map((status) => `${grouped(this.tables.get(status) ?? 0)} ${status}`)
    const all = finished.totals['tables'] ?? [...this.tables.values()].reduce((sum, n) => sum + n, 0)
    const actions = BigInt(finished.totals['actions'] ?? this.#actions)
    const rate = finished.ms > 0 ? Math.round((Number(actions) * 1000) / finished.ms) : 0
    const done = actions > 0n ? `  ${plural(actions, 'action')}  ${grouped(rate)}/s` : ''
    return `${words.join(', ')} of ${grouped(all)} in ${durationText(finished.ms)}${done}`
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

  #checksText(command: string): string {
    if (this.#checks === 0 && this.#differences === 0) return ''
    if (command !== 'validate' && this.#differences === 0) {
      return `${grouped(this.#equal)} of ${plural(this.#checks, 'check')} passed`
    }
    const files = this.#differentFiles.size === 0 ? '' : ` in ${plural(this.#differentFiles.size, 'file')}`
    const differences = this.#differences === 0 ? '' : `${plural(this.#differences, 'difference')}${files}; `
    const versions = plural(this.#versions.size, 'version')
    return `${differences}${grouped(this.#equal)} of ${plural(this.#checks, 'check')} equal at ${versions}`
  }

  #rowsText(): string {
    const texts = [...this.#rows].map(([type, rows]) => plural(rows, ...(ROWS[type] ?? (['row', 'rows'] as const))))
    if (texts.length === 0) return ''
    return texts.join(', ') + (this.#unreadable === 0 ? '' : `, ${this.#unreadable} not readable`)
  }
}
