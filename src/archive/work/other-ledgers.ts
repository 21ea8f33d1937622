/**
 * Other ledgers that the log of an archive names: ledgers of former databases of the archive, or of copies of its
 * database. Ledgers of this database, and of databases that the user names, are read. Other ledgers are not read, and
 * their files stay: a log must not decide to which host credentials are sent.
 */
import { onlyCopies, readArchive, type ArchivedPartition, type ArchiveRecord } from '../ledger/record.ts'
import type { CountingLedger } from '../steps/destroy-files.ts'
import { findWriters, type Writers } from '../log/find-writers.ts'
import { databaseDigest, type NamedLedger } from '../log/ledger-name.ts'
import { tableText } from '../../model/copy/column-type.ts'
import { redactUrl } from '../../shared/redact.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import { MISSING_LEDGER } from '../../engine/run/operations/words.ts'
import { parquetRows } from '../../engine/run/registry.ts'
import type { Run } from '../../engine/run/run-context.ts'
import { openArchiveSource, type OpenSource } from './each-table.ts'
import type { OwnedFolder } from './open.ts'
import { originNow, otherDatabase } from './require-origin.ts'

/** A ledger that was read, and its record of the archive. */
type ReadLedger = CountingLedger & {
  readonly record: ArchiveRecord
  readonly named: NamedLedger
  readonly url: string
  /** Files that may be the only copy of rows: path, and label of the partition. */
  readonly only: ReadonlyMap<string, string>
}

/**
 * Why a file stays, with a hint. @property back command that restores the rows, if the file is their only
 * copy
 */
type Reason = { readonly why: string; readonly hint?: string; readonly back?: string }

export class OtherLedgers implements AsyncDisposable {
  readonly #owned: OwnedFolder
  readonly #writers: Writers
  readonly #opened: OpenSource[] = []
  readonly asked: ReadLedger[] = []
  /** Ids of ledgers that were read, or no longer exist. */
  readonly #known = new Set<string>()
  readonly #kept = new Map<string, Reason & { readonly bytes: bigint }>()

  private constructor(owned: OwnedFolder, writers: Writers) {
    this.#owned = owned
    this.#writers = writers
  }

  /**
   * Reads the log, and the ledgers of the given databases.
   * @param wanted URLs of databases, or ids after `gone:`; warns about a value that matches no ledger of the log
   * @throws SluiceError CONNECT_FAILED … of a named database; errors of reading the log
   */
  static async ask(
    owned: OwnedFolder,
    source: OpenSource,
    wanted: readonly string[],
    run: Run<'log'>,
  ): Promise<OtherLedgers> {
    const { reader: store, heads } = owned
    const { abort } = run.interrupt
    const writers = await findWriters({ store, parquet: parquetRows }, (await heads.name())?.id ?? null, abort)
    const asked = new OtherLedgers(owned, writers)
    try {
      await asked.#askHere(source, run)
      for (const word of wanted) {
        const ids = word.startsWith(MISSING_LEDGER)
          ? [word.slice(MISSING_LEDGER.length)]
          : await asked.#askAt(word, run)
        const found = ids.filter((id) => writers.others.some((one) => one.id === id))
        for (const id of found) asked.#known.add(id)
        if (found.length > 0) continue
        const message = `no ledger was read from ${redactUrl(word)}: the log of ${owned.name} names no other ledger that is there`
        run.emit({ type: 'log', level: 'warn', table: owned.name, message })
      }
      return asked
    } catch (error) {
      await asked[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Ledgers that the log names, but that were not read. */
  get unreadLedgers(): readonly NamedLedger[] {
    return this.#writers.others.filter(({ id }) => !this.#known.has(id))
  }

  /** The first ledger that may need a file and was not read; null if there is none. */
  keeper(path: string): NamedLedger | null {
    return this.#writers.mayBeOf(path).find(({ id }) => !this.#known.has(id)) ?? null
  }

  /** True if another ledger needs the file, or may need it. Then the file must stay, and `report` counts it. */
  keeps(path: string, bytes: bigint): boolean {
    const why = this.reason(path)
    if (why !== null) this.#kept.set(path, { ...why, bytes })
    return why !== null
  }

  /** Why another ledger needs a file, or may need it; null if no other ledger does. */
  reason(path: string): Reason | null {
    for (const { record, named, url, only } of this.asked) {
      const label = only.get(path)
      if (label === undefined) continue
      const state = record.partitions.find((one) => one.label === label)?.state
      const [from, table, partition] = [redactUrl(url), tableText(record.table), label].map(shellQuote)
      return {
        why: `${ledgerText(named)} records ${label} as ${state}: the file may be the only copy of its rows`,
        back: `sluice restore --from ${from} --table ${table} --partition ${partition}`,
      }
    }
    const keeper = this.keeper(path)
    if (keeper === null) return null
    const why = `they may belong to ${ledgerText(keeper)}, which the log names and which was not read`
    return { why, hint: askHint(`sluice archive sweep --table ${shellQuote(this.#owned.name)}`, keeper) }
  }

  /** Partitions of the other ledgers that were read, in their present state. */
  async partitions(): Promise<readonly ArchivedPartition[]> {
    const records = await Promise.all(this.asked.map(({ database, table }) => readArchive(database, table)))
    return records.flatMap((record) => record?.partitions ?? [])
  }

  /**
   * Reports files that must stay for other ledgers, with a hint. If some commits of the log name no ledger, reports
   * which ledgers were read, too.
   * @param files number of files that are removed, or would be
   */
  report(files: number, run: Run<'log'>): void {
    const { name } = this.#owned
    const all = [...this.#kept.values()]
    for (const why of new Set(all.map((one) => one.why))) {
      const kept = all.filter((one) => one.why === why)
      const bytes = kept.reduce((sum, one) => sum + one.bytes, 0n)
      const message = `${kept.length === 1 ? '1 file' : `${kept.length} files`}, ${bytes} bytes, ${kept.length === 1 ? 'stays' : 'stay'}: ${why}`
      const hint = kept[0]?.hint
      run.emit({ type: 'log', level: 'warn', table: name, message, ...(hint === undefined ? {} : { hint }) })
    }
    if (this.#writers.isNamed || files === 0) return
    const message =
      'commits of an older sluice do not name a ledger: the ledger of this database and those that the log names were read'
    run.emit({ type: 'log', level: 'note', table: name, message })
  }

  async #askAt(url: string, run: Run<'log'>): Promise<readonly string[]> {
    if (this.#writers.others.length === 0) return []
    const source = await openArchiveSource(url, false)
    this.#opened.push(source)
    return this.#askIn(source, url, run)
  }

  /**
   * Reads the ledgers of this database; the user need not name them. If all of them can be read, any other ledger that
   * the log assigns to this database no longer exists.
   */
  async #askHere(source: OpenSource, run: Run<'log'>): Promise<void> {
    const { store } = this.#owned
    if (this.#writers.others.length === 0) return
    const origin = await originNow({ store, interrupt: run.interrupt })
    const database = databaseDigest(origin)
    const here = this.#writers.others.filter((one) => one.database === database)
    // The digest of an empty origin is the same for every database, so it identifies none.
    if (here.length === 0 || Object.keys(origin).length === 0) return
    await this.#askIn(source, store.label, run)
    if ((await source.ledgers.unread(run.interrupt.abort)).length > 0) return
    for (const { id } of here) this.#known.add(id)
  }

  /** @returns ids of the ledgers that were read */
  async #askIn(source: OpenSource, url: string, run: Run<'log'>): Promise<readonly string[]> {
    const { others } = this.#writers
    const { archiveId } = this.#owned.archived
    const ids: string[] = []
    for (const archived of await source.ledgers.tables(run.interrupt.abort)) {
      if (archived.archiveId !== archiveId) continue
      const { store, database } = await source.of(archived.table, run.interrupt.abort)
      const record = await readArchive(database, archived.table)
      const named = others.find(({ id }) => id === record?.ledger?.id)
      if (record === null || named === undefined) continue
      const owned = { name: tableText(archived.table), archived: record, store }
      const other = otherDatabase(owned, await originNow({ store, interrupt: run.interrupt }))
      if (other === null) {
        this.asked.push({
          store,
          database,
          table: record.table,
          record,
          named,
          url,
          only: onlyCopies(record.partitions),
        })
        ids.push(named.id)
        continue
      }
      const message = `${redactUrl(url)} has a copy of ${ledgerText(named)}, which was not read: ${other.message}`
      run.emit({ type: 'log', level: 'warn', table: this.#owned.name, message })
    }
    return ids
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const source of this.#opened) await source[Symbol.asyncDispose]()
  }
}

/** @returns ARCHIVE_CONFLICT with the ledgers that must be read before the history may be destroyed; null if none */
export function unreadLedgersError(name: string, [first, ...more]: readonly NamedLedger[]): SluiceError | null {
  if (first === undefined) return null
  const others = more.length === 0 ? ' was' : ` and ${more.length} more were`
  return new SluiceError(
    'ARCHIVE_CONFLICT',
    `rows of ${name} cannot be erased: ${ledgerText(first)}${others} not read`,
    {
      where: name,
      reason:
        'an erasure destroys all older files of the archive, and for that ledger some of them may be the only copy of rows',
      hint: askHint('the same command with', first),
    },
  )
}

/** @returns a SluiceError ARCHIVE_CONFLICT for a file that an erasure would destroy */
export function keptError(name: string, path: string, { why, hint, back }: Reason): SluiceError {
  const way = back ?? 'restore its rows into their database'
  return new SluiceError('ARCHIVE_CONFLICT', `${path} cannot be destroyed: ${why}`, {
    where: name,
    reason: 'an erasure destroys all older files; none was destroyed',
    hint: hint ?? `${way}, then run the same command again`,
  })
}

function ledgerText({ id, at }: NamedLedger): string {
  return `the ledger ${id} (${at})`
}

function askHint(command: string, { id }: NamedLedger): string {
  return `to read that ledger, run ${command} --ledger LEDGER_URL, with the URL of that database; if the database no longer exists, give --ledger=${MISSING_LEDGER}${id} instead, which allows its files to be destroyed`
}
