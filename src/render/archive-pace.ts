/** Folds archive events into the progress of a partition in its current step, its rate, and the time left. */
import type { ArchiveProgressEvent } from '../model/archive/events.ts'
import type { Event } from '../model/run/event.ts'
import { sizeText, clockText, grouped } from '../shared/figures.ts'

/** Rates are measured over this window, so that they reflect the current speed. */
const WINDOW_MS = 30_000

type Sample = { readonly at: number; readonly rows: number; readonly bytes: number }

export type StepPace = {
  readonly step: string
  readonly rows: number
  readonly total: number
  /** Whole percent, at most 99; null if the number of rows is unknown. */
  readonly percent: number | null
  readonly perSecond: number | null
  readonly bytesPerSecond: number | null
  readonly leftMs: number | null
  /**
   * Estimated number of finished partitions: those begun minus the number of workers. `of`: partitions of the plan; 0
   * without a plan.
   */
  readonly done: number
  readonly of: number
}

export class ArchivePace {
  readonly #samples = new Map<string, Sample[]>()
  readonly #planned = new Set<string>()
  readonly #begun = new Set<string>()
  #workers = 1

  event(event: Event, at: number): void {
    if (event.type === 'archive.planned') {
      if (event.status === 'due' || event.status === 'resume' || event.status === 'drop')
        this.#planned.add(nameOf(event))
    } else if (event.type === 'archive.forecast') {
      this.#workers = Math.max(this.#workers, event.workers)
    } else if (event.type === 'archive.progress') {
      this.#begun.add(nameOf(event))
      const key = keyOf(event)
      const samples = this.#samples.get(key) ?? []
      samples.push({ at, rows: Number(event.rows), bytes: Number(event.bytes) })
      while (samples.length > 2 && (samples[1]?.at ?? at) <= at - WINDOW_MS) samples.shift()
      this.#samples.set(key, samples)
    } else if (event.type === 'archive.state') {
      const name = nameOf(event)
      this.#begun.add(name)
      for (const key of this.#samples.keys()) if (key.startsWith(`${name}\n`)) this.#samples.delete(key)
    }
  }

  /** Pace of the step of an event. */
  of(event: ArchiveProgressEvent): StepPace {
    const samples = this.#samples.get(keyOf(event)) ?? []
    const [first] = samples
    const last = samples.at(-1)
    const seconds = first === undefined || last === undefined ? 0 : (last.at - first.at) / 1000
    const perSecond = rate((last?.rows ?? 0) - (first?.rows ?? 0), seconds)
    const [rows, total] = [Number(event.rows), Number(event.total)]
    return {
      step: event.step,
      rows,
      total,
      percent: total > 0 ? Math.min(99, Math.floor((rows * 100) / total)) : null,
      perSecond,
      bytesPerSecond: rate((last?.bytes ?? 0) - (first?.bytes ?? 0), seconds),
      leftMs: perSecond !== null && total > rows ? ((total - rows) * 1000) / perSecond : null,
      done: Math.max(0, this.#begun.size - this.#workers),
      of: this.#planned.size,
    }
  }
}

/** `exporting  38 %  4,700,000/12,345,678 rows  310,000/s  31.0 MB/s  0:25 left  2/5 partitions` */
export function archivePaceText(pace: StepPace): string {
  return [
    pace.step,
    ...(pace.percent === null ? [] : [`${pace.percent} %`]),
    pace.total > 0 ? `${grouped(pace.rows)}/${grouped(pace.total)} rows` : `${grouped(pace.rows)} rows`,
    ...(pace.perSecond === null ? [] : [`${grouped(Math.round(pace.perSecond))}/s`]),
    ...(pace.bytesPerSecond === null ? [] : [`${sizeText(Math.round(pace.bytesPerSecond))}/s`]),
    ...(pace.leftMs === null ? [] : [`${clockText(pace.leftMs)} left`]),
    ...(pace.of > 1 ? [`${pace.done}/${pace.of} partitions`] : []),
  ].join('  ')
}

const rate = (amount: number, seconds: number): number | null => (seconds > 0 && amount > 0 ? amount / seconds : null)

type Named = { readonly table: string; readonly partition: string }

const nameOf = ({ table, partition }: Named): string => `${table}\n${partition}`
const keyOf = (event: ArchiveProgressEvent): string => `${nameOf(event)}\n${event.step}`
