/** A running statement and the rows received so far. */
import { asSluiceError, SluiceError } from '../../shared/errors.ts'
import type { SqlRow } from '../../model/run/sql-port.ts'
import { askInto, type AnswerSink } from './pages.ts'
import type { AskCell, AskProgress, AskQuestion, Saved, SaveOptions } from './port.ts'
import { RowSpool } from './row-spool.ts'
import { saveRows } from './save.ts'

/** Interval of progress reports, ms. */
const REPORT_EVERY_MS = 200

export class RunningAnswer implements AsyncDisposable {
  readonly #cancel = new AbortController()
  readonly #leave = new AbortController()
  readonly report: (progress: AskProgress) => void
  readonly #began = performance.now()
  #spool: RowSpool | null = null
  #columns: readonly string[] | null = null
  #notes: readonly string[] = []
  #done: Pick<AskProgress, 'ms' | 'whole' | 'cancelled' | 'error'> | null = null
  notified = 0
  #busy: Promise<unknown> = Promise.resolve()
  readonly ended: Promise<void>

  /**
   * @param question a statement with full URLs
   * @param report called with the progress, at the start, at the end, and a few times per second
   * @param most size limit of the result, bytes
   */
  constructor(question: AskQuestion, report: (progress: AskProgress) => void, most?: number) {
    this.report = report
    this.ended = this.#run(question, most)
  }

  get progress(): AskProgress {
    const running = this.#cancel.signal.aborted ? 'cancelling' : 'running'
    const { ms, whole, cancelled, error } = this.#done ?? {
      ms: performance.now() - this.#began,
      whole: false,
      cancelled: false,
      error: null,
    }
    return {
      state: this.#done === null ? running : 'done',
      columns: this.#columns,
      rows: this.#spool?.rows ?? 0,
      bytes: this.#spool?.bytes ?? 0,
      ms,
      whole,
      cancelled,
      error,
      notes: this.#notes,
    }
  }

  /** Ends the statement on the server; then `ended` resolves. */
  cancel(): void {
    if (this.#done !== null || this.#cancel.signal.aborted) return
    this.#cancel.abort(new SluiceError('STOPPED', 'cancelled as requested'))
    this.report(this.progress)
  }

  async window(from: number, count: number): Promise<readonly (readonly AskCell[])[]> {
    return (await this.#spool?.window(from, count)) ?? []
  }

  async cell(row: number, column: number): Promise<AskCell> {
    return (await this.#spool?.cell(row, column)) ?? null
  }

  /** @throws SluiceError BAD_QUERY while the statement runs, or if rows are missing; otherwise as `saveRows` */
  save(options: SaveOptions): Promise<Saved> {
    const saving = this.#busy.then(async () => {
      const [spool, columns] = [this.#spool, this.#columns]
      if (this.#done?.whole !== true || spool === null || columns === null) {
        throw new SluiceError('BAD_QUERY', 'the answer cannot be saved: it is not complete', {
          hint: this.#done === null ? 'wait until the statement has ended' : 'run the statement again',
        })
      }
      return await saveRows({ spool, columns }, options, this.#leave.signal)
    })
    this.#busy = saving.catch(() => undefined)
    return saving
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cancel()
    this.#leave.abort(new SluiceError('ABORTED', 'the answer is no longer needed'))
    await this.ended
    await this.#busy
    await this.#spool?.[Symbol.asyncDispose]()
  }

  async #run(question: AskQuestion, most: number | undefined): Promise<void> {
    const beat = setInterval(() => this.report(this.progress), REPORT_EVERY_MS)
    let error: SluiceError | null = null
    try {
      const spool = await RowSpool.open(undefined, most)
      this.#spool = spool
      this.report(this.progress)
      await askInto(question, this.#sinkOf(spool), this.#cancel.signal)
    } catch (thrown) {
      error = asSluiceError(thrown)
    }
    clearInterval(beat)
    // Only the cancellation's own error proves that the statement has ended on the server.
    const cancelled = error?.code === 'STOPPED' && this.#cancel.signal.aborted
    this.#done = {
      ms: performance.now() - this.#began,
      whole: error === null,
      cancelled,
      error: cancelled ? null : (error?.info() ?? null),
    }
    this.report(this.progress)
  }

  #sinkOf(spool: RowSpool): AnswerSink {
    return {
      columns: (names, types) => {
        this.#columns = names
        spool.begin(names.length, types)
      },
      note: (text) => (this.#notes = [...this.#notes, text]),
      rows: async (rows: readonly SqlRow[]) => {
        const first = spool.rows === 0
        await spool.append(rows)
        if (first || performance.now() - this.notified >= REPORT_EVERY_MS) {
          this.notified = performance.now()
          this.report(this.progress)
        }
      },
    }
  }
}
