/** Finds the ledger of an archived table: each login may have created one in the first schema of its search_path. */
import { archivedTables, isUnpublished, readArchive, type ArchivedTable } from '../ledger/record.ts'
import { prepareArchiveLedger, refuseNewer } from '../ledger/schema.ts'
import { tableText, type TableName } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import { permissionDenied } from '../../shared/guide-errors.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import { refuseForeignTables } from '../../stores/common/ledger-tables.ts'
import { LedgerPlaces, type LocatedLedger } from '../../engine/run/ledger-places.ts'

const grantOf = (rights: string): string =>
  `as the owner of the ledger, give this login ${rights} on all tables of its schema (PostgreSQL: GRANT USAGE ON SCHEMA, and GRANT ${rights} ON ALL TABLES IN SCHEMA); or connect as that owner`

export const READ_HINT = grantOf('SELECT')
const CHANGE_HINT = grantOf('SELECT, INSERT, UPDATE, DELETE')

/** A database, and the ledger with the archive of one table. */
export type OpenedArchive = { readonly store: CopyStore; readonly database: LedgerDatabase }

export class Ledgers implements AsyncDisposable {
  /** The ledger of the URL or the login, which records new archives. */
  readonly own: LedgerDatabase
  readonly #store: CopyStore
  readonly #changes: boolean
  readonly #places: LedgerPlaces
  readonly #isLent: boolean
  readonly #prepared = new Map<LedgerDatabase, Promise<void>>()

  private constructor(store: CopyStore, changes: boolean, own: LedgerDatabase, isPooled = false) {
    this.#isLent = isPooled
    this.#store = store
    this.#changes = changes
    this.own = own
    this.#places = new LedgerPlaces(store, own, (ledger) => (changes ? ledger : readingLedger(ledger)))
  }

  /** @param changes true if ledgers may be written @throws SluiceError CONNECT_FAILED; LEDGER_NEWER */
  static async open(store: CopyStore, changes: boolean): Promise<Ledgers> {
    const ledger = await store.ledger()
    const own = changes ? ledger : readingLedger(ledger)
    try {
      await refuseNewer(own)
      return new Ledgers(store, changes, own)
    } catch (error) {
      await own[Symbol.asyncDispose]()
      throw ledgerDenied(error, own, 'change')
    }
  }

  /**
   * Opens the ledgers for reading, during a run that uses its own ledger of this store. That ledger stays open, because
   * a file has one ledger and one lock.
   * @throws SluiceError LEDGER_NEWER
   */
  static async openReading(store: CopyStore, own: LedgerDatabase): Promise<Ledgers> {
    const reading = readingLedger(own)
    await refuseNewer(reading)
    return new Ledgers(store, false, reading, true)
  }

  /**
   * The ledger of a table, and a store that writes this ledger in its transactions; the login's own ledger if no ledger
   * has the table. If ledgers may be written, the ledger is upgraded to this version.
   * @throws SluiceError ARCHIVE_CONFLICT if two ledgers have the table; TABLE_REFUSED if a ledger that may have it
   * cannot be read or written; LEDGER_NEWER
   */
  async of(table: TableName, signal: AbortSignal): Promise<OpenedArchive> {
    const { store, database } = await this.#findOpened(table, signal)
    if (this.#changes) await this.#prepare(database)
    else await refuseNewer(database)
    return { store, database }
  }

  /** Tables of all ledgers that this login can read, by name. */
  async tables(signal: AbortSignal): Promise<readonly ArchivedTable[]> {
    const found = new Map<string, ArchivedTable>()
    for (const database of await this.all(signal))
      for (const one of await archivedTables(database)) found.set(tableText(one.table), one)
    return [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one)
  }

  /** Ledgers that this login can read, its own first. */
  async all(signal: AbortSignal): Promise<readonly LedgerDatabase[]> {
    const others = (await this.#store.offers.otherLedgers?.list('archive', null, signal)) ?? []
    return (await this.#places.readable(others)).map(({ database }) => database)
  }

  /** Schemas with a ledger that this login cannot read. */
  async unread(signal: AbortSignal): Promise<readonly string[]> {
    const others = (await this.#store.offers.otherLedgers?.list('archive', null, signal)) ?? []
    return others.flatMap(({ schema, isReadable }) => (isReadable ? [] : [schema]))
  }

  async #findOpened(table: TableName, signal: AbortSignal): Promise<OpenedArchive> {
    const others = (await this.#store.offers.otherLedgers?.list('archive', table, signal)) ?? []
    if (others.length === 0) return this.#places.own
    const named: (LocatedLedger & { readonly isUnpublished: boolean })[] = []
    for (const place of await this.#places.readable(others)) {
      const record = await readArchive(place.database, table)
      if (record !== null) named.push({ ...place, isUnpublished: isUnpublished(record) })
    }
    // An older program that did not find this ledger may have created another one. It was refused before it published
    // anything, so ignore ledgers without publications.
    const published = named.filter((one) => !one.isUnpublished)
    const [first, second] = published.length > 0 ? published : named
    if (first !== undefined && second !== undefined) throw this.#twoLedgersError(table, first, second)
    const unread = others.find(({ isReadable }) => !isReadable)
    if (first === undefined && unread !== undefined) throw this.#unread(table, unread.schema)
    return first ?? this.#places.own
  }

  /** Creates or upgrades a ledger before anything is planned: a run that cannot record its work must not begin. */
  async #prepare(database: LedgerDatabase): Promise<void> {
    const prepared =
      this.#prepared.get(database) ??
      (database === this.own
        ? prepareArchiveLedger(database)
        : refuseForeignTables(database).then(() => prepareArchiveLedger(database)))
    this.#prepared.set(database, prepared)
    await prepared
  }

  #twoLedgersError(table: TableName, first: LocatedLedger, second: LocatedLedger): SluiceError {
    const name = tableText(table)
    return new SluiceError(
      'ARCHIVE_CONFLICT',
      `two archive ledgers record archives of ${name}: ${first.where} and ${second.where}`,
      {
        where: this.#store.label,
        reason: 'neither ledger has all archived partitions, and a run would use only one of them',
        hint: `compare both with sluice archive list, and ?schema= in the URL; then delete the rows of ${name} from migration_archives and migration_archive_partitions in the ledger that is wrong`,
      },
    )
  }

  #unread(table: TableName, schema: string): SluiceError {
    return new SluiceError('TABLE_REFUSED', `this login cannot read the ledger of archives in schema ${schema}`, {
      where: this.#store.label,
      reason: `this ledger may record an archive of ${tableText(table)} with the only copy of rows`,
      hint: READ_HINT,
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isLent) await this.own[Symbol.asyncDispose]()
    await this.#places[Symbol.asyncDispose]()
  }
}

/** A ledger for reading: replaces a batch by single statements, because a read-only database accepts no batches. */
function readingLedger(database: LedgerDatabase): LedgerDatabase {
  const all: LedgerDatabase['all'] = async (sql, parameters) => {
    try {
      return await database.all(sql, parameters)
    } catch (error) {
      throw ledgerDenied(error, database, 'read')
    }
  }
  const batch: LedgerDatabase['batch'] = async (statements) => {
    const answers = []
    for (const { sql, parameters } of statements) answers.push(await all(sql, parameters))
    return answers
  }
  return {
    dialect: database.dialect,
    label: database.label,
    all,
    batch,
    endSession: (session) => database.endSession(session),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
}

/** Error for missing rights: the server names one ledger table, but the login needs the right on all of them. */
function ledgerDenied(error: unknown, { label }: LedgerDatabase, use: 'read' | 'change'): unknown {
  if (!(error instanceof SluiceError) || error.code !== 'TARGET_DENIED') return error
  const reason = `this login may not ${use} the ledger of archives${error.reason === undefined ? '' : `: ${error.reason}`}`
  const details = { where: label, reason, hint: use === 'read' ? READ_HINT : CHANGE_HINT, cause: error.cause }
  return new SluiceError(...permissionDenied(use === 'read' ? 'SOURCE_DENIED' : 'TARGET_DENIED', details))
}
