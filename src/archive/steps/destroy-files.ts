/** Destroys files of an archive, each only if no ledger names the file as the only copy of rows. */
import type { LogWriter } from '../../model/lake/log-writer.ts'
import type { TableName } from '../../model/copy/column-type.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import { castTexts } from '../ledger/cells.ts'
import { onlyCopies, readArchive } from '../ledger/record.ts'
import type { NamedLedger } from '../log/ledger-name.ts'
import { FilePaths } from '../log/same-file.ts'
import type { ArchiveContext } from './context.ts'

type Owned = Pick<ArchiveContext, 'name' | 'archived' | 'store' | 'interrupt' | 'log'> & { readonly writer: LogWriter }

/** A ledger that may need files, and its name of the table. */
export type CountingLedger = {
  readonly store: Pick<CopyStore, 'offers'>
  readonly database: LedgerDatabase
  readonly table: TableName
}

/** Other ledgers that the log names. */
export type UnreadLedgers = {
  /** Ledgers that were read. */
  readonly asked: readonly CountingLedger[]
  /** A ledger that may need the file and was not read; null if there is none. */
  keeper(path: string): NamedLedger | null
}

export class Destroyer {
  readonly #owned: Owned
  readonly #ledgers: readonly CountingLedger[]
  readonly #others: UnreadLedgers
  #fingerprint: string | null = null
  /** Why a file is needed, by path. */
  #counted: ReadonlyMap<string, string> = new Map()
  #needed = new FilePaths(null, [])

  constructor(owned: Owned, database: LedgerDatabase, others: UnreadLedgers) {
    this.#owned = owned
    this.#ledgers = [{ store: owned.store, database, table: owned.archived.table }, ...others.asked]
    this.#others = others
  }

  /**
   * Removes one file. Log and ledgers are read again if any ledger has changed since the previous file, and are flushed
   * to the disks of their servers before the file is removed.
   * @param path relative to the root
   * @throws SluiceError ARCHIVE_CONFLICT if the newest version names the file, a ledger needs it, or a ledger that was
   * not read may need it; ARCHIVE_FOREIGN if the log has another ownership token than the ledger; TARGET_DENIED,
   * CONNECTION_LOST, SOURCE_IO
   */
  async remove(path: string): Promise<void> {
    const { interrupt, writer } = this.#owned
    throwIfAborted(interrupt.abort)
    const words: string[] = []
    for (const { database, table } of this.#ledgers) words.push(await ledgerFingerprint(database, table))
    const word = words.join('\n')
    if (word !== this.#fingerprint) await this.#readAgain()
    const keeper = this.#others.keeper(path)
    const same = await this.#needed.find(path)
    const who =
      this.#counted.get(same?.path ?? path) ??
      (keeper === null ? undefined : `the ledger ${keeper.id}, which was not read, may need`)
    if (who !== undefined) throw this.#neededError(path, who)
    this.#fingerprint = word
    await writer.remove(path, interrupt.abort)
  }

  async #readAgain(): Promise<void> {
    const { archived, interrupt, log } = this.#owned
    const state = await (await log()).own(interrupt.abort, { tableId: archived.archiveId })
    const counted = new Map(
      [...(state?.files.values() ?? [])].flat().map(({ path }) => [path, 'the newest version needs']),
    )
    for (const { store, database, table } of this.#ledgers) {
      const record = await readArchive(database, table)
      for (const path of onlyCopies(record?.partitions ?? []).keys()) counted.set(path, 'a ledger needs')
      await store.offers.durability?.flushed(interrupt.abort)
    }
    this.#counted = counted
    this.#needed = new FilePaths(this.#owned.writer.folder, counted.keys())
  }

  #neededError(path: string, who: string): SluiceError {
    return new SluiceError('ARCHIVE_CONFLICT', `${path} was not destroyed: ${who} it`, {
      where: this.#owned.name,
      hint: 'nothing more was removed; run the same command again, which reads the log and the ledgers again',
    })
  }
}

/**
 * Fingerprint of a ledger, read again before each irreversible step: ownership tokens of the log, and state, fence and
 * `retracted` of each partition. Equal texts mean the same ledger: tokens are random, so a database that was restored
 * from a backup and then changed never has the same text.
 * @throws SluiceError CONNECTION_LOST … if the database does not answer
 */
async function ledgerFingerprint(database: LedgerDatabase, { schema, name }: TableName): Promise<string> {
  const of = (table: string, columns: readonly string[]): { readonly sql: string; readonly parameters: string[] } => ({
    sql: `SELECT ${castTexts(database.dialect, columns)} FROM ${table}
          WHERE schema_name = ? AND table_name = ? ORDER BY ${columns[0]}`,
    parameters: [schema ?? '', name],
  })
  const answers = await database.batch([
    of('migration_archive_heads', ['head', 'state']),
    of('migration_archive_partitions', ['partition_name', 'fence', 'state', 'retracted']),
  ])
  return JSON.stringify(answers.map((rows) => rows.map((row) => row.map(String))))
}
