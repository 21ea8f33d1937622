/** Which ledger of a database names a table that is archived: each login may have made one in the first schema of its search_path. */
import { archivedTables, isUnpublished, readArchive, type ArchivedTable } from '../../archive/ledger/record.ts'
import { prepareArchiveLedger, refuseNewer } from '../../archive/ledger/schema.ts'
import { tableText, type TableName } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { ArchiveLedgerPlace } from '../../stores/archive-port.ts'
import type { CopyStore, LedgerDatabase } from '../../stores/copy-port.ts'
import { refuseForeignTables } from '../../stores/ledger-tables.ts'
import { readingLedger } from './reading-ledger.ts'

export const GRANT_HINT =
  'GRANT USAGE ON SCHEMA and SELECT ON ALL TABLES IN SCHEMA of it to this login, or connect as its owner'

/** A database and the ledger that names the archive of one table. */
export type Opened = { readonly store: CopyStore; readonly database: LedgerDatabase }

type Place = Opened & { readonly where: string }

export class Ledgers implements AsyncDisposable {
  /** The one of the URL or of the login, in which a new archive is noted. */
  readonly own: LedgerDatabase
  readonly #store: CopyStore
  readonly #changes: boolean
  readonly #place: Place
  readonly #others = new Map<string, Place>()
  readonly #prepared = new Map<LedgerDatabase, Promise<void>>()

  private constructor(store: CopyStore, changes: boolean, own: LedgerDatabase) {
    this.#store = store
    this.#changes = changes
    this.own = own
    this.#place = { where: "this login's own", store, database: own }
  }

  /** @param changes whether ledgers may be written to @throws SluiceError CONNECT_FAILED; LEDGER_NEWER */
  static async open(store: CopyStore, changes: boolean): Promise<Ledgers> {
    const own = await store.ledger()
    try {
      await refuseNewer(own)
      return new Ledgers(store, changes, changes ? own : readingLedger(own))
    } catch (error) {
      await own[Symbol.asyncDispose]()
      throw error
    }
  }

  /**
   * The ledger that names a table, brought to this version where it may be written to, and a store whose steps end in it; the login's own where none does.
   * @throws SluiceError ARCHIVE_CONFLICT where two name it; TABLE_REFUSED where one that may name it cannot be read, or not be written to; LEDGER_NEWER
   */
  async of(table: TableName, signal: AbortSignal): Promise<Opened> {
    const { store, database } = await this.#naming(table, signal)
    if (this.#changes) await this.#prepare(database)
    else await refuseNewer(database)
    return { store, database }
  }

  /** Tables that any ledger names which this login can read, by name. */
  async tables(signal: AbortSignal): Promise<readonly ArchivedTable[]> {
    const found = new Map<string, ArchivedTable>()
    const others = (await this.#store.archiveLedgers?.(null, signal)) ?? []
    for (const { database } of await this.#readable(others))
      for (const one of await archivedTables(database)) found.set(tableText(one.table), one)
    return [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one)
  }

  /** Schemas with a ledger that this login cannot read. */
  async unread(signal: AbortSignal): Promise<readonly string[]> {
    const others = (await this.#store.archiveLedgers?.(null, signal)) ?? []
    return others.flatMap(({ schema, isReadable }) => (isReadable ? [] : [schema]))
  }

  async #naming(table: TableName, signal: AbortSignal): Promise<Opened> {
    const others = (await this.#store.archiveLedgers?.(table, signal)) ?? []
    if (others.length === 0) return this.#place
    const named: (Place & { readonly isUnpublished: boolean })[] = []
    for (const place of await this.#readable(others)) {
      const record = await readArchive(place.database, table)
      if (record !== null) named.push({ ...place, isUnpublished: isUnpublished(record) })
    }
    // An older program that did not find the ledger has begun one, and was refused before it published anything.
    const published = named.filter((one) => !one.isUnpublished)
    const [first, second] = published.length > 0 ? published : named
    if (first !== undefined && second !== undefined) throw this.#twice(table, first, second)
    const unread = others.find(({ isReadable }) => !isReadable)
    if (first === undefined && unread !== undefined) throw this.#unread(table, unread.schema)
    return first ?? this.#place
  }

  async #readable(places: readonly ArchiveLedgerPlace[]): Promise<readonly Place[]> {
    const all = [this.#place]
    for (const { schema, isReadable } of places) if (isReadable) all.push(await this.#at(schema))
    return all
  }

  async #at(schema: string): Promise<Place> {
    const known = this.#others.get(schema)
    if (known !== undefined) return known
    const store = await this.#store.withSchema?.(schema)
    if (store === undefined) throw new Error('a store with ledgers in schemas opens none of them')
    try {
      const ledger = await store.ledger()
      const database = this.#changes ? ledger : readingLedger(ledger)
      const place = { where: `that of schema ${schema}`, store, database }
      this.#others.set(schema, place)
      return place
    } catch (error) {
      await store[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Refused before anything is planned: a run that cannot note what it does must not begin. */
  async #prepare(database: LedgerDatabase): Promise<void> {
    const prepared =
      this.#prepared.get(database) ??
      (database === this.own
        ? prepareArchiveLedger(database)
        : refuseForeignTables(database).then(() => prepareArchiveLedger(database)))
    this.#prepared.set(database, prepared)
    await prepared
  }

  #twice(table: TableName, first: Place, second: Place): SluiceError {
    const name = tableText(table)
    return new SluiceError(
      'ARCHIVE_CONFLICT',
      `two ledgers of archives name ${name}: ${first.where} and ${second.where}`,
      {
        where: this.#store.label,
        reason: 'each would publish and drop without the other, and neither knows all that was archived',
        hint: `sluice archive list with ?schema= of each shows what it has; then delete the rows of ${name} from migration_archives and migration_archive_partitions of the one that is not right`,
      },
    )
  }

  #unread(table: TableName, schema: string): SluiceError {
    return new SluiceError('TABLE_REFUSED', `the ledger of archives in schema ${schema} cannot be read by this login`, {
      where: this.#store.label,
      reason: `whether it names ${tableText(table)}, and which rows are in the archive alone, is not known`,
      hint: GRANT_HINT,
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.own[Symbol.asyncDispose]()
    for (const { store, database } of this.#others.values()) {
      await database[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    }
  }
}
