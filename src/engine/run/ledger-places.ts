/** Ledgers of one database: the one that this login uses, and those of other logins in other schemas. */
import type { CopyStore } from '../../model/copy/port.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import type { LedgerPlace } from '../../model/copy/ledgers-port.ts'

/** A ledger with a store that uses it, and a text for its location. @property schema '' for the login's own ledger */
export type LocatedLedger = {
  readonly store: CopyStore
  readonly database: LedgerDatabase
  readonly schema: string
  readonly where: string
}

export class LedgerPlaces implements AsyncDisposable {
  readonly own: LocatedLedger
  readonly #opened: (ledger: LedgerDatabase) => LedgerDatabase
  readonly #others = new Map<string, LocatedLedger>()

  /** @param own ledger of the store, which stays open @param opened wraps every ledger that this class opens */
  constructor(store: CopyStore, own: LedgerDatabase, opened: (ledger: LedgerDatabase) => LedgerDatabase) {
    this.own = { where: "this login's own ledger", schema: '', store, database: own }
    this.#opened = opened
  }

  /** The login's own ledger first, then ledgers of `places` that it can read. @throws SluiceError CONNECT_FAILED … */
  async readable(places: readonly LedgerPlace[]): Promise<readonly LocatedLedger[]> {
    const all = [this.own]
    for (const { schema, isReadable } of places) if (isReadable) all.push(await this.#at(schema))
    return all
  }

  async #at(schema: string): Promise<LocatedLedger> {
    const known = this.#others.get(schema)
    if (known !== undefined) return known
    const store = await this.own.store.offers.otherLedgers?.open(schema)
    if (store === undefined) throw new Error('a store with ledgers in schemas opens none of them')
    try {
      const place = {
        where: `the ledger of schema ${schema}`,
        schema,
        store,
        database: this.#opened(await store.ledger()),
      }
      this.#others.set(schema, place)
      return place
    } catch (error) {
      await store[Symbol.asyncDispose]()
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { store, database } of this.#others.values()) {
      await database[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    }
  }
}
