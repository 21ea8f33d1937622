/** Writes a run into this machine's run history. Errors never affect the run: what cannot be written is left out. */
import type { Event } from '../../model/run/event.ts'
import type { Clock } from '../../shared/clock.ts'
import type { RecordedRun, RunHistory } from '../../model/run/run-history.ts'
import { isDamaged, openRunHistory, runHistoryFile, renameDamagedFile } from '../../stores/run-history.ts'
import { RunProgress } from './run-progress.ts'

/** Limit of points of a curve. At the limit every second point is removed, and the interval doubles. */
const POINTS = 300
const FIRST_MS = 1000

export class RunRecorder implements AsyncDisposable {
  readonly #run: RecordedRun
  readonly #clock: Clock
  readonly #pulse = new RunProgress()
  readonly #opened: Promise<RunHistory | null>
  #history: RunHistory | null = null
  #everyMs = FIRST_MS
  #points = 0
  #lastAt = 0
  #timer: ReturnType<typeof setInterval> | null = null
  #finished: Extract<Event, { type: 'run.finished' }> | null = null

  readonly #erases: boolean

  /**
   * @param folder folder of the run history; created if missing
   * @param erases true if the run erases rows: messages of earlier runs may name their keys
   */
  constructor(folder: string, run: RecordedRun, clock: Clock, erases = false) {
    this.#erases = erases
    this.#run = run
    this.#clock = clock
    this.#opened = this.#open(runHistoryFile(folder))
  }

  take(event: Event): void {
    this.#pulse.take(event)
    if (event.type === 'run.finished') this.#finished = event
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const book = await this.#opened
    if (this.#timer !== null) clearInterval(this.#timer)
    const { run } = this.#run
    const finished = this.#finished
    this.#write(() => {
      this.#sample()
      if (finished === null) return
      const { status, exitCode, totals, resumeCommand = null, error } = finished
      const endedAt = Math.round(this.#clock.now())
      if (this.#erases && exitCode === 0) book?.forgetErrors()
      book?.end(run, { endedAt, status, exitCode, totals, resumeCommand, error: error?.message ?? null })
    })
    this.#write(() => book?.[Symbol.dispose]())
  }

  async #open(file: string): Promise<RunHistory | null> {
    try {
      const book = await openHistory(file, this.#run)
      this.#history = book
      this.#timer = setInterval(() => {
        if (this.#clock.now() - this.#lastAt >= this.#everyMs - FIRST_MS / 10) this.#write(() => this.#sample())
      }, FIRST_MS).unref()
      return book
    } catch {
      return null
    }
  }

  #sample(): void {
    const book = this.#history
    if (book === null) return
    const { run } = this.#run
    const at = Math.round(this.#clock.now())
    this.#lastAt = at
    const { done, bytes, lag } = this.#pulse
    book.sample(run, { at, done, bytes, lag })
    this.#points += 1
    if (this.#points < POINTS) return
    book.thinCurve(run)
    this.#points = Math.ceil(this.#points / 2)
    this.#everyMs *= 2
  }

  #write(what: () => void): void {
    try {
      what()
    } catch {
      // A full disk or a concurrent writer only leaves a gap in the curve.
    }
  }
}

/** @returns a run history that contains the run; a damaged history is renamed and replaced */
async function openHistory(file: string, run: RecordedRun, isNew = false): Promise<RunHistory> {
  let book: RunHistory | null = null
  try {
    book = await openRunHistory(file)
    book.begin(run)
    return book
  } catch (error) {
    book?.[Symbol.dispose]()
    if (isNew || !isDamaged(error)) throw error
    renameDamagedFile(file)
    return await openHistory(file, run, true)
  }
}
