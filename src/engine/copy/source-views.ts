/** The look at the source that all readers share; another one takes its place where the first is lost with its server. */
import { asSluiceError, type SluiceError } from '../../shared/errors.ts'
import type { CopyStore, SourceView } from '../../model/copy/port.ts'
import { isPressure } from './workers/failure.ts'

export class Views implements AsyncDisposable {
  readonly #source: CopyStore
  readonly #signal: AbortSignal
  #current: Promise<SourceView> | null = null
  readonly #old: SourceView[] = []
  /** How many looks there were: more than one, and the copy shows no single moment of the source. */
  count = 0
  /** Done with every look before anything is read by it. */
  settle: () => Promise<unknown> = async () => undefined

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
   * Makes room for another view where an error says that this one is lost. A table that cannot be read, or not now, takes the snapshot from no other table.
   * @returns whether this caller was the first to say so; the others find it made
   */
  async renew(broken: SourceView, error: SluiceError): Promise<boolean> {
    if (!error.retryable || (isPressure(error) && broken.stands?.() === true)) return false
    const current = this.#current
    if (current === null || (await current.catch(() => broken)) !== broken) return false
    if (this.#current !== current) return false
    this.#current = null
    this.#old.push(broken)
    return true
  }

  /** Whether a view is still the one that is read by. */
  async has(view: SourceView): Promise<boolean> {
    return (await this.#current?.catch(() => null)) === view
  }

  /** Asks something of which nothing is copied. A look that is lost over it is none that the copy shows. */
  async ask<T>(body: (view: SourceView) => Promise<T>): Promise<T> {
    const view = await this.current()
    try {
      return await body(view)
    } catch (thrown) {
      const error = asSluiceError(thrown)
      if (error.kind === 'source' && error.retryable && !isPressure(error) && (await this.renew(view, error)))
        this.count--
      throw thrown
    }
  }

  /** Closes every look, so that none holds locks or old rows at the source. The next that is asked for is a new one, and the first. */
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
        // Its server is gone, and the view with it.
      }
    }
  }

  async #open(): Promise<SourceView> {
    const view = await this.#source.source(this.#signal)
    try {
      await this.settle()
    } catch (error) {
      await Promise.resolve(view[Symbol.asyncDispose]()).catch(() => undefined)
      throw error
    }
    this.count++
    return view
  }
}

/**
 * Every answer has a look of its own. One that lasted would keep its locks while another session asks for the same table, and whoever wants it for himself in
 * between, as a TRUNCATE does, would have both wait for ever.
 */
export function askingOnce(views: Views): Pick<Views, 'ask'> {
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
