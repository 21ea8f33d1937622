/** Archive results for GitHub: a summary table of partitions, and annotations for errors. */
import type { Event } from '../../model/run/event.ts'
import { forecastText, printedSizes } from '../../render/archive-lines.ts'
import type { ErrorInfo } from '../../shared/errors.ts'
import { durationText, grouped, plural } from '../../shared/figures.ts'
import { alarmText } from '../../render/partition-lines.ts'

type StateEvent = Extract<Event, { type: 'archive.state' }>

export const ARCHIVE_SUMMARY_COLUMNS = ['table', 'partition', 'state', 'rows', 'size', 'took', 'notes']

export type Annotation = {
  readonly kind: 'error' | 'warning'
  readonly title: string
  readonly message: string
  /**
   * Code of the error that this annotation shows, with its message if it has one. The end of the run does not show this
   * error again.
   */
  readonly reported?: string
}

/** Collects the last state of each partition, merged with its earlier events. */
export class ArchiveRows {
  readonly #partitions = new Map<string, StateEvent>()

  readonly #forecasts: string[] = []

  /** Forecasts, one line per table. */
  get forecasts(): readonly string[] {
    return this.#forecasts
  }

  event(event: Event): void {
    if (event.type === 'archive.forecast') this.#forecasts.push(`${event.table}: ${forecastText(event)}`)
    if (event.type !== 'archive.state') return
    const key = `${event.table}\n${event.partition}`
    const before = this.#partitions.get(key)
    this.#partitions.set(key, { ...before, ...event, ms: event.ms + (before?.ms ?? 0) })
  }

  /** Cells of the totals row; null if nothing was exported. @param ms of the whole run */
  total({ totals, ms }: Extract<Event, { type: 'run.finished' }>): readonly string[] | null {
    const { rows = '0', sourceBytes, bytes, partitions = '0' } = totals
    if (this.#partitions.size === 0 || rows === '0' || sourceBytes === undefined) return null
    return [
      'all',
      plural(partitions, 'partition'),
      '',
      grouped(rows),
      printedSizes(sourceBytes, bytes),
      durationText(ms),
      '',
    ]
  }

  /** Cells of the summary, one row per partition. */
  rows(): readonly (readonly string[])[] {
    return [...this.#partitions.values()].map(({ table, partition, state, rows, sourceBytes, bytes, ms, error }) => [
      table,
      partition,
      state,
      rows === undefined ? '' : grouped(rows),
      printedSizes(sourceBytes, bytes),
      durationText(ms),
      error === undefined ? '' : `${error.code} ${error.message}`,
    ])
  }
}

/** Annotation for an event that needs attention; null for others. */
export function annotationOf(event: Event): Annotation | null {
  if (event.type === 'archive.state' && event.error !== undefined) {
    const { table, partition, error } = event
    return {
      kind: 'error',
      title: `${table} ${partition}: ${error.code}`,
      message: errorText(error),
      reported: `${error.code} ${error.message}`,
    }
  }
  if (event.type === 'archive.finding' && event.finding !== 'stray file' && event.finding !== 'swept file') {
    const { table, partition, path, finding, detail } = event
    const where = [partition, path].filter((part) => part !== undefined).join(' ')
    return {
      kind: 'error',
      title: `${table}: ${finding}`,
      message: `${where} ${detail}`.trim(),
      reported: 'DIFFERENCES',
    }
  }
  if (event.type === 'partition.alarm') {
    return { kind: 'error', title: `${event.table}: ${event.alarm}`, message: alarmText(event) }
  }
  if (event.type === 'archive.planned' && event.status === 'blocked') {
    const { table, partition, note = '' } = event
    return { kind: 'warning', title: `${table} ${partition} is blocked`, message: note }
  }
  return null
}

export function errorText(error: ErrorInfo): string {
  return [error.message, error.where ?? '', error.hint === undefined ? '' : `do: ${error.hint}`]
    .filter((part) => part !== '')
    .join('\n')
}
