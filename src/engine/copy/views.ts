/** The look at the source that all readers share; another one takes its place where the first is lost with its server. */
import type { CopyStore, SourceView } from '../../stores/copy-port.ts'

export class Views implements AsyncDisposable {
  readonly #source: CopyStore
  readonly #signal: AbortSignal
  #current: Promise<SourceView> | null = null
  readonly #old: SourceView[] = []
  /** How many looks there were: more than one, and the copy shows no single moment of the source. */
  count = 0

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

  /** A reader failed with its view. Whoever says so first makes room for the next one; the others find it made. */
  async renew(broken: SourceView): Promise<void> {
    const current = this.#current
    if (current === null || (await current.catch(() => broken)) !== broken) return
    if (this.#current !== current) return
    this.#current = null
    this.#old.push(broken)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const last = this.#current === null ? null : await this.#current.catch(() => null)
    for (const view of [...this.#old, ...(last === null ? [] : [last])]) {
      try {
        await view[Symbol.asyncDispose]()
      } catch {
        // Its server is gone, and the view with it.
      }
    }
  }

  async #open(): Promise<SourceView> {
    const view = await this.#source.source(this.#signal)
    this.count++
    return view
  }
}
