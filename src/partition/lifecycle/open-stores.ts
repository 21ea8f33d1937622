/** Databases of a table's config entry, each opened once and read-only. */
import type { CopyStore } from '../../model/copy/port.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import { Ledgers } from '../../archive/work/find-ledger.ts'
import { openSourceStore } from '../../engine/copy/open-stores.ts'

/** Longest wait for a locked table. */
const INSPECT_WAIT_MS = 10_000

export type OpenStore = { readonly store: CopyStore; readonly database: LedgerDatabase; readonly ledgers: Ledgers }

export class OpenStores implements AsyncDisposable {
  readonly #urls: readonly string[]
  readonly #open = new Map<string, OpenStore>()

  constructor(urls: readonly string[]) {
    this.#urls = urls
  }

  /** @param place index of the URL @throws SluiceError UNSUPPORTED_URL, BAD_CONFIG, CONNECT_FAILED */
  async at(place: number): Promise<OpenStore> {
    const url = this.#urls[place] ?? ''
    const known = this.#open.get(url)
    if (known !== undefined) return known
    const store = await openSourceStore(url, undefined, { lockWaitMs: INSPECT_WAIT_MS })
    try {
      const ledgers = await Ledgers.open(store, false)
      const opened = { store, database: ledgers.own, ledgers }
      this.#open.set(url, opened)
      return opened
    } catch (error) {
      await store[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Closes all databases. Only reads were done, so errors at closing are ignored. */
  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#open.values()]
    this.#open.clear()
    for (const { store, ledgers } of all) {
      await ledgers[Symbol.asyncDispose]().then(undefined, () => undefined)
      await store[Symbol.asyncDispose]().then(undefined, () => undefined)
    }
  }
}
