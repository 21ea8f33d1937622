/**
 * The read view of the source (a snapshot, if the system has them) that all readers share. A new one replaces it if its
 * server fails.
 */
import { asSluiceError, type SluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { SourceView } from '../../model/copy/source-port.ts'
import { forwarded, presentMembers } from '../../stores/common/optional-members.ts'
import { isOverload } from './workers/failure.ts'

export class SourceViews implements AsyncDisposable {
  readonly #source: CopyStore
  readonly #signal: AbortSignal
  #current: Promise<SourceView> | null = null
  readonly #old: SourceView[] = []
  /** Number of read views opened. With more than one, the copy is not a single snapshot of the source. */
  count = 0
  /** Awaited for every new read view before rows are read in it. */
  beforeReading: () => Promise<unknown> = async () => undefined

  constructor(source: CopyStore, signal: AbortSignal) {
    this.#source = source
    this.#signal = signal
  }

  async current(): Promise<SourceView> {
    this.#current ??= this.#open()
    try {
      return await this.#current
    } catch (error) {
      this.#current = null
      throw error
    }
  }

  /**
   * Drops the read view if an error means that it is lost, so that the next call opens another. An error for one table,
   * or from an overloaded server, keeps a view that is still valid.
   * @returns true for the first caller that reported the loss
   */
  async renew(broken: SourceView, error: SluiceError): Promise<boolean> {
    if (!error.retryable || (isOverload(error) && broken.isValid?.() === true)) return false
    const current = this.#current
    if (current === null || (await current.catch(() => broken)) !== broken) return false
    if (this.#current !== current) return false
    this.#current = null
    this.#old.push(broken)
    return true
  }

  /** True if the view is still the current one. */
  async has(view: SourceView): Promise<boolean> {
    return (await this.#current?.catch(() => null)) === view
  }

  /** Runs a query whose rows are not copied. If its read view is lost, `count` does not include this view. */
  async ask<T>(body: (view: SourceView) => Promise<T>): Promise<T> {
    const view = await this.current()
    try {
      return await body(view)
    } catch (thrown) {
      const error = asSluiceError(thrown)
      if (error.kind === 'source' && error.retryable && !isOverload(error) && (await this.renew(view, error)))
        this.count--
      throw thrown
    }
  }

  /** Closes all read views, so that none holds locks or old rows at the source. `count` begins at 0 again. */
  async release(): Promise<void> {
    await this.#close()
    this.count = 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close()
  }

  async #close(): Promise<void> {
    const last = this.#current === null ? null : await this.#current.catch(() => null)
    this.#current = null
    for (const view of [...this.#old.splice(0), ...(last === null ? [] : [last])]) {
      try {
        await view[Symbol.asyncDispose]()
      } catch {
        // Ignore errors of closing: if the server is gone, so is its read view.
      }
    }
  }

  async #open(): Promise<SourceView> {
    const view = await this.#source.source(this.#signal)
    try {
      await this.beforeReading()
    } catch (error) {
      await Promise.resolve(view[Symbol.asyncDispose]()).catch(() => undefined)
      throw error
    }
    this.count++
    return view
  }
}

/**
 * Opens a read view per query. A lasting view would keep its locks while another session locks the same table. If an
 * exclusive lock, such as that of TRUNCATE, is requested in between, the sessions would wait for each other for ever.
 */
export function viewPerQuery(views: SourceViews): Pick<SourceViews, 'ask'> {
  return {
    ask: async (body) => {
      try {
        return await views.ask(body)
      } finally {
        await views.release()
      }
    },
  }
}

/** The run's view of the source, for callers that dispose of the view they get: dispose does nothing here. */
export function sharedView(view: SourceView): SourceView {
  return {
    point: view.point,
    extent: (table, where, exact) => view.extent(table, where, exact),
    cut: (table, within, where, rows, signal) => view.cut(table, within, where, rows, signal),
    read: (request, size, signal) => view.read(request, size, signal),
    digest: (request, signal) => view.digest(request, signal),
    last: (table, range, where, signal) => view.last(table, range, where, signal),
    ...presentMembers<SourceView>({
      exported: view.exported ?? null,
      isValid: forwarded(view, 'isValid'),
      frames: forwarded(view, 'frames'),
      csv: forwarded(view, 'csv'),
      counts: forwarded(view, 'counts'),
      clockApartMs: forwarded(view, 'clockApartMs'),
    }),
    [Symbol.asyncDispose]: async () => undefined,
  }
}
