/** Folds the chunk events of a run into its progress, rate and time left. */
import type { Event } from '../model/run/event.ts'
import { sizeText, clockText, grouped, plural } from '../shared/figures.ts'

/** Rate and time left are measured over this window, so that they reflect the current speed. */
const WINDOW_MS = 30_000

type Sample = { readonly at: number; readonly done: number; readonly bytes: number; readonly share: number }
type Running = { readonly done: number; readonly bytes: number; readonly total: number }

export type ShownPace = {
  readonly done: number
  /** Null if the plan counts in another unit than the chunks, or was too low: then the remaining work is unknown. */
  readonly total: number | null
  readonly unit: string
  readonly estimated: boolean
  /** Whole percent, at most 99, because at 100 all work is proved and the run has ended. Null if unknown. */
  readonly percent: number | null
  readonly perSecond: number | null
  /** Null if no bytes are reported. */
  readonly bytesPerSecond: number | null
  readonly leftMs: number | null
  readonly tables: number
  readonly tablesDone: number
}

/**
 * A plan may count commits, because a listing shows their number. Its chunks then count actions, whose number is known
 * only after a read. The finished share is computed in commits, by the versions of each table, and the rate in actions.
 */
export class PaceFold {
  #baseline = 0
  #planned = 0
  #planUnit = ''
  #unit = ''
  #estimated = false
  #tables = 0
  #tablesDone = 0
  #finished = 0
  #finishedCommits = 0
  #finishedBytes = 0
  readonly notified = new Set<string>()
  readonly #commits = new Map<string, number>()
  readonly #running = new Map<string, Map<string, Running>>()
  #samples: Sample[] = []

  /** Processes one event; `at` is its time in ms. */
  event(event: Event, at: number): void {
    switch (event.type) {
      case 'run.started':
        this.#baseline = Number(event.baseline?.done ?? 0)
        break
      case 'plan.ready':
        this.#planned = Number(event.total)
        this.#planUnit = event.unit
        this.#estimated = event.estimated
        this.#tables = Number(event.tables)
        break
      case 'table.started':
        this.#commits.set(event.table, Number(event.toVersion) - Number(event.fromVersion) + 1)
        break
      case 'copy.started':
        // Rows of earlier runs are part of the share, but not of the rate.
        this.#baseline += Number(event.done.rows)
        break
      case 'diff.progress': {
        this.#unit = 'row'
        const { table, done, total } = event
        this.#chunks(table).set('', { done: Number(done), bytes: 0, total: Number(total) })
        break
      }
      case 'table.finished':
        // A comparison reports its finished work in no other event, so take it from its last progress event.
        this.#finished += this.#running.get(event.table)?.get('')?.done ?? 0
        // A failed table may be retried and finish again.
        if (!this.notified.has(event.table)) this.#tablesDone += 1
        this.notified.add(event.table)
        this.#finishedCommits += this.#commits.get(event.table) ?? 0
        this.#commits.delete(event.table)
        this.#running.delete(event.table)
        break
      case 'chunk.started':
        this.#unit = event.unit
        break
      case 'chunk.progress':
        this.#unit = event.unit
        this.#chunks(event.table).set(event.chunk, {
          done: Number(event.done),
          bytes: Number(event.bytes ?? 0),
          total: Number(event.total),
        })
        break
      case 'chunk.done':
        this.#unit = event.unit
        this.#chunks(event.table).delete(event.chunk)
        this.#finished += Number(event.done)
        this.#finishedBytes += Number(event.bytes ?? 0)
        break
      case 'run.summary':
        this.#tablesDone += Object.values(event.tables).reduce((sum, count) => sum + Number(count), 0)
        this.#addTotals(event)
        break
      case 'chunks.summary':
        this.#addTotals(event)
        break
      case 'chunk.failed':
      case 'chunk.released':
        this.#chunks(event.table).delete(event.chunk)
        break
      default:
        return
    }
    this.#samples.push({ at, done: this.#inThisRun(), bytes: this.#bytes(), share: this.#share() })
    while (this.#samples.length > 2 && (this.#samples[1]?.at ?? at) <= at - WINDOW_MS) this.#samples.shift()
  }

  now(): ShownPace {
    const share = this.#share()
    const first = this.#samples[0]
    const last = this.#samples.at(-1)
    const span = first === undefined || last === undefined ? 0 : (last.at - first.at) / 1000
    const gained = first === undefined || last === undefined ? 0 : last.done - first.done
    const moved = first === undefined || last === undefined ? 0 : last.bytes - first.bytes
    const nearer = first === undefined || last === undefined ? 0 : last.share - first.share
    const known = this.#planned > 0 && share <= 1
    return {
      done: this.#baseline + this.#inThisRun(),
      total: this.#sameUnit() && share <= 1 ? Math.max(this.#planned, this.#baseline + this.#inThisRun()) : null,
      unit: this.#unit,
      estimated: this.#estimated,
      percent: known ? Math.min(99, Math.floor(share * 100)) : null,
      perSecond: span > 0 && gained > 0 ? gained / span : null,
      bytesPerSecond: span > 0 && moved > 0 ? moved / span : null,
      leftMs: known && span > 0 && nearer > 0 ? ((1 - share) * span * 1000) / nearer : null,
      tables: this.#tables,
      tablesDone: this.#tablesDone,
    }
  }

  /** Adds chunks that are reported only as totals. */
  #addTotals({ work, bytes }: { readonly work: Readonly<Record<string, string>>; readonly bytes: string }): void {
    for (const [unit, done] of Object.entries(work)) {
      this.#unit = unit
      this.#finished += Number(done)
    }
    this.#finishedBytes += Number(bytes)
  }

  #sameUnit(): boolean {
    return this.#unit === '' || this.#planUnit === this.#unit
  }

  #chunks(table: string): Map<string, Running> {
    const known = this.#running.get(table)
    if (known !== undefined) return known
    const fresh = new Map<string, Running>()
    this.#running.set(table, fresh)
    return fresh
  }

  #inThisRun(): number {
    let sum = this.#finished
    for (const chunks of this.#running.values()) for (const { done } of chunks.values()) sum += done
    return sum
  }

  #bytes(): number {
    let sum = this.#finishedBytes
    for (const chunks of this.#running.values()) for (const { bytes } of chunks.values()) sum += bytes
    return sum
  }

  /** Finished share of the plan; more than 1 if an estimate was too low. */
  #share(): number {
    if (this.#planned <= 0) return 0
    if (this.#sameUnit()) return (this.#baseline + this.#inThisRun()) / this.#planned
    let commits = this.#finishedCommits
    for (const [table, chunks] of this.#running) {
      for (const { done, total } of chunks.values()) {
        commits += total > 0 ? (this.#commits.get(table) ?? 0) * Math.min(1, done / total) : 0
      }
    }
    return commits / this.#planned
  }
}

/** `63 %  9/14 tables  1,204,331/1,911,002 est.  41,200/s  0:17 left` */
export function paceText(pace: ShownPace): string {
  return [
    pace.percent === null ? 'estimating' : `${pace.percent} %`,
    ...(pace.tables > 1 ? [`${pace.tablesDone}/${pace.tables} tables`] : []),
    pace.total === null
      ? plural(pace.done, pace.unit)
      : `${grouped(pace.done)}/${grouped(pace.total)}${pace.estimated ? ' est.' : ''}`,
    ...(pace.perSecond === null || pace.perSecond < 10 ? [] : [`${grouped(Math.round(pace.perSecond))}/s`]),
    ...(pace.bytesPerSecond === null ? [] : [`${sizeText(Math.round(pace.bytesPerSecond))}/s`]),
    ...(pace.leftMs === null ? [] : [`${clockText(pace.leftMs)} left`]),
  ].join('  ')
}
