/** Files of an archive go for good, each only while no ledger says that rows are in it alone. */
import type { LogWriter } from '../../model/lake/log-writer.ts'
import type { TableName } from '../../model/copy/column-type.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { CopyStore, LedgerDatabase } from '../../model/copy/port.ts'
import { ledgerDialect } from '../../stores/ledger-dialect.ts'
import { onlyCopies, readArchive } from '../ledger/record.ts'
import type { NamedLedger } from '../log/ledger-name.ts'
import type { ArchiveContext } from './context.ts'

type Owned = Pick<ArchiveContext, 'name' | 'archived' | 'store' | 'interrupt' | 'log'> & { readonly writer: LogWriter }

/** A ledger that may count on files, and its name of the table. */
export type CountingLedger = {
  readonly store: Pick<CopyStore, 'flushed'>
  readonly database: LedgerDatabase
  readonly table: TableName
}

/** Ledgers that the log names besides its own. */
export type Others = {
  readonly asked: readonly CountingLedger[]
  /** One that a file may be of and that was not asked; null for none. */
  keeper(path: string): NamedLedger | null
}

export class Destroyer {
  readonly #owned: Owned
  readonly #ledgers: readonly CountingLedger[]
  readonly #others: Others
  #word: string | null = null
  #counted: ReadonlyMap<string, string> = new Map()

  constructor(owned: Owned, database: LedgerDatabase, others: Others) {
    this.#owned = owned
    this.#ledgers = [{ store: owned.store, database, table: owned.archived.table }, ...others.asked]
    this.#others = others
  }

  /**
   * Removes one file. Log and ledgers are read again wherever a ledger says anything else than before the file that went last, and what they say is on the disks of
   * their servers before the file goes.
   * @param path relative to the root
   * @throws SluiceError ARCHIVE_CONFLICT where the newest version names it, a ledger counts on it, or it may be of one that was not asked; ARCHIVE_FOREIGN where the log
   * has gone on from another head than the ledger's; TARGET_DENIED, CONNECTION_LOST, SOURCE_IO
   */
  async remove(path: string): Promise<void> {
    const { interrupt, writer } = this.#owned
    throwIfAborted(interrupt.abort)
    const words: string[] = []
    for (const { database, table } of this.#ledgers) words.push(await ledgerWord(database, table))
    const word = words.join('\n')
    if (word !== this.#word) await this.#readAgain()
    const keeper = this.#others.keeper(path)
    const who =
      this.#counted.get(path) ?? (keeper === null ? undefined : `the ledger ${keeper.id}, which was not asked,`)
    if (who !== undefined) throw this.#counts(path, who)
    this.#word = word
    await writer.remove(path, interrupt.abort)
  }

  async #readAgain(): Promise<void> {
    const { archived, interrupt, log } = this.#owned
    const state = await (await log()).own(interrupt.abort, { tableId: archived.archiveId })
    const counted = new Map([...(state?.files.values() ?? [])].flat().map(({ path }) => [path, 'the newest version']))
    for (const { store, database, table } of this.#ledgers) {
      const record = await readArchive(database, table)
      for (const path of onlyCopies(record?.partitions ?? []).keys()) counted.set(path, 'a ledger')
      await store.flushed?.(interrupt.abort)
    }
    this.#counted = counted
  }

  #counts(path: string, who: string): SluiceError {
    return new SluiceError('ARCHIVE_CONFLICT', `${who} names ${path}, which was to be destroyed`, {
      where: this.#owned.name,
      hint: 'nothing more was removed; sluice archive verify says what else is wrong',
    })
  }
}

/**
 * What a decision about an archive rests on, in few bytes: asked again before each step that cannot be taken back.
 * Heads of the log, and of each partition its state, its fence and whether the log has let go of it. The same text is
 * the same ledger: heads are random numbers, so that a database that came back from a backup and went on does not come
 * to it again.
 * @throws SluiceError CONNECTION_LOST … where the database does not answer
 */
async function ledgerWord(database: LedgerDatabase, { schema, name }: TableName): Promise<string> {
  const { castText } = ledgerDialect(database.dialect).types
  const of = (table: string, columns: readonly string[]): { readonly sql: string; readonly parameters: string[] } => ({
    sql: `SELECT ${columns.map((column) => `CAST(${column} AS ${castText})`).join(', ')} FROM ${table}
          WHERE schema_name = ? AND table_name = ? ORDER BY ${columns[0]}`,
    parameters: [schema ?? '', name],
  })
  const answers = await database.batch([
    of('migration_archive_heads', ['head', 'state']),
    of('migration_archive_partitions', ['partition_name', 'fence', 'state', 'retracted']),
  ])
  return JSON.stringify(answers.map((rows) => rows.map((row) => row.map(String))))
}
