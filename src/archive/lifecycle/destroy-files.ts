/** Files of an archive go for good, each only while the ledger still says that no row is in it alone. */
import type { LogWriter } from '../../model/log-writer.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { LedgerDatabase } from '../../stores/copy-port.ts'
import { ledgerWord } from '../ledger/ledger-word.ts'
import { onlyCopies, readArchive } from '../ledger/record.ts'
import type { ArchiveContext } from './context.ts'

type Owned = Pick<ArchiveContext, 'name' | 'archived' | 'store' | 'interrupt' | 'log'> & { readonly writer: LogWriter }

export class Destroyer {
  readonly #owned: Owned
  readonly #database: LedgerDatabase
  #word: string | null = null
  #counted: ReadonlyMap<string, string> = new Map()

  constructor(owned: Owned, database: LedgerDatabase) {
    this.#owned = owned
    this.#database = database
  }

  /**
   * Removes one file. Log and ledger are read again wherever the ledger says anything else than before the file that went last, and what they say is on the disk of
   * the server before the file goes.
   * @param path relative to the root
   * @throws SluiceError ARCHIVE_CONFLICT where the newest version names it, or the ledger counts on it; ARCHIVE_FOREIGN where the log has gone on from another
   * head than the ledger's; TARGET_DENIED, CONNECTION_LOST, SOURCE_IO
   */
  async remove(path: string): Promise<void> {
    const { interrupt, writer } = this.#owned
    throwIfAborted(interrupt.abort)
    const word = await ledgerWord(this.#database, this.#owned.archived.table)
    if (word !== this.#word) await this.#readAgain()
    const who = this.#counted.get(path)
    if (who !== undefined) throw this.#counts(path, who)
    this.#word = word
    await writer.remove(path, interrupt.abort)
  }

  async #readAgain(): Promise<void> {
    const { archived, store, interrupt, log } = this.#owned
    const state = await (await log()).own(interrupt.abort, { tableId: archived.archiveId })
    const record = await readArchive(this.#database, archived.table)
    const named = [...(state?.files.values() ?? [])].flat()
    this.#counted = new Map([
      ...named.map(({ path }) => [path, 'the newest version'] as const),
      ...[...onlyCopies(record?.partitions ?? []).keys()].map((path) => [path, 'the ledger'] as const),
    ])
    await store.flushed?.(interrupt.abort)
  }

  #counts(path: string, who: string): SluiceError {
    return new SluiceError('ARCHIVE_CONFLICT', `${who} names ${path}, which was to be destroyed`, {
      where: this.#owned.name,
      hint: 'nothing more was removed; sluice archive verify says what else is wrong',
    })
  }
}
