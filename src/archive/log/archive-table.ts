/**
 * The Delta table of an archive. Each change of a partition is one commit, whose file is created completely or not at
 * all. If another writer took the version, the writer reads the new commits and tries the next version, unless its
 * partition has a newer commit.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { commitName, logPathOf } from '../../delta/log-path.ts'
import { readCommit } from '../../delta/commit-lines.ts'
import { canonicalPath } from '../../delta/paths.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import { Turn } from '../../model/run/turn.ts'
import type { Adoption, ArchiveLog, RemovedFiles, Publication, CommitOptions } from '../steps/log.ts'
import { compareArchiveCommits } from './compare-commits.ts'
import { isCheckpointDue, writeCheckpoint } from './checkpoint.ts'
import { commitBytes, sha256Of } from './commit-text.ts'
import { findDeparted, findErasure } from './find-departed.ts'
import { adoptCommand, foreignTokenError, isOwnToken, nextToken } from './ownership-token.ts'
import { withProperties, type ArchiveProperties } from './properties.ts'
import { replacementLines, type Replacement } from './replace-files.ts'
import {
  hasSameFiles,
  isSaid,
  publicationLines,
  refuseUnfit,
  retractionLines,
  tokenLines,
  type Author,
  type Retraction,
} from './plan-commit.ts'
import { conflict, openTable, readArchiveState } from './read-state.ts'
import type { ActiveArchiveFile, ArchiveTableParts, ArchiveTableState } from './read-state.ts'

/** Maximum number of attempts to commit; each conflict means that another writer has committed. */
const TRIES = 200

/** Prefix of properties that must have the expected value. */
const OWN = 'sluice.'

/** Lines of a commit, or the version that already has its content. */
type Plan = { readonly lines: (author: Author) => readonly string[] } | { readonly already: number }

type Planning = (state: ArchiveTableState | null, properties: ArchiveProperties | null) => Promise<Plan>

/** The table of a commit, and the claim that the writer must hold. */
type Commit = Pick<Publication, 'tableId' | 'claim'> &
  Partial<Pick<Publication, 'configuration'> & Pick<CommitOptions, 'change'>>

type Published = { readonly version: number; readonly outcome: 'published' | 'already' }

/** Expected id and properties of the table. */
type Expected = { readonly tableId?: string; readonly configuration?: Readonly<Record<string, string>> }

export class ArchiveTable implements ArchiveLog {
  readonly #parts: ArchiveTableParts
  /** Serialises commits of one program: one of two concurrent commits would fail and be repeated. */
  readonly #commits = new Turn()

  private constructor(parts: ArchiveTableParts) {
    this.#parts = parts
  }

  /** Opens the table without reading its log. */
  static open(parts: ArchiveTableParts): ArchiveTable {
    if (parts.store.root !== parts.writer.root) throw new Error('store and writer of an archive have two roots')
    return new ArchiveTable(parts)
  }

  /**
   * The newest version; null if there is no log yet.
   * @param expected expected id and properties of the table
   * @throws SluiceError ARCHIVE_CONFLICT for a log that is not the expected one; TABLE_FEATURE, PROTOCOL_VERSION,
   * LOG_GAP, SOURCE_IO …
   */
  async state(signal: AbortSignal, expected: Expected = {}): Promise<ArchiveTableState | null> {
    const state = await readArchiveState(this.#parts, signal)
    if (state !== null) this.#refuseOther(state, expected)
    return state
  }

  /**
   * The newest version, for a caller that will write.
   * @throws SluiceError ARCHIVE_FOREIGN if the log has an ownership token that the ledger neither wrote nor intended;
   * as `state`
   */
  async own(signal: AbortSignal, expected: Expected = {}): Promise<ArchiveTableState | null> {
    const { heads, store } = this.#parts
    for (;;) {
      const { configuration, ...rest } = expected
      const state = await this.state(signal, rest)
      const known = await heads.read()
      if (isOwnToken(state?.head ?? null, known)) {
        // Without an ownership token, the properties identify the table.
        if (state !== null && state.head === null)
          this.#refuseOther(state, configuration === undefined ? {} : { configuration })
        return state
      }
      // Another program of this ledger may have removed this token when it recorded that a newer one was written. The
      // log then has a newer version, so read again.
      const again = await this.state(signal, expected)
      if (again?.version !== state?.version) continue
      if (state === null)
        throw conflict(store, `its log is gone from ${store.label}`, 'move the archive back to its earlier location')
      throw foreignTokenError(store.label, state.version, this.#parts.table ?? null)
    }
  }

  /** @throws SluiceError as `state` */
  removedPartitions(signal: AbortSignal): Promise<ReadonlyMap<string, RemovedFiles>> {
    return findDeparted(this.#parts, signal)
  }

  /** @throws SluiceError SOURCE_IO … */
  lastErasure(signal: AbortSignal): Promise<number | null> {
    return findErasure(this.#parts, signal)
  }

  /**
   * Adds the files of a partition in one commit, and removes files of an older attempt. The first commit creates the
   * table. Publishing twice makes one commit.
   * @throws SluiceError ARCHIVE_CONFLICT if a writer with a newer fence has published the partition, or the log is of
   * another table; PARTITION_CHANGED if a file is missing or has another size; errors of `LogWriter`
   */
  async publish(publication: Publication, signal: AbortSignal): Promise<Published> {
    refuseUnfit(publication.partition, publication.txn.version)
    await this.#findFiles(publication, signal)
    return this.#commit(publication, signal, async (state) => {
      const { partition, txn } = publication
      const active = state?.files.get(partition) ?? []
      if (state === null || !isSaid(state, txn))
        return { lines: (author) => publicationLines(publication, state, author) }
      if (hasSameFiles(active, publication)) return { already: await this.#versionOf(active, state, signal) }
      throw this.#newerFenceError(partition, state.txns.get(txn.appId))
    })
  }

  /**
   * Removes the files of a partition from the table in one commit; the files themselves stay. Retracting twice makes
   * one commit.
   * @throws SluiceError ARCHIVE_CONFLICT as `publish`, and if there is no table; errors of `LogWriter`
   */
  async retract(retraction: Retraction, signal: AbortSignal): Promise<Published> {
    refuseUnfit(retraction.partition, retraction.txn.version)
    return this.#commit(retraction, signal, async (known) => {
      const state = this.#present(known)
      const { partition, txn } = retraction
      if (!isSaid(state, txn)) return { lines: (author) => retractionLines(retraction, state, author) }
      if (!state.files.has(partition)) return { already: state.version }
      throw this.#newerFenceError(partition, state.txns.get(txn.appId))
    })
  }

  /**
   * Replaces files of a partition in one commit. Replacing twice makes one commit.
   * @throws SluiceError ARCHIVE_CONFLICT as `publish`, and if a file to keep is not in the table
   */
  async replace(replacement: Replacement, signal: AbortSignal): Promise<Published> {
    const { partition, txn, kept, files } = replacement
    refuseUnfit(partition, txn.version)
    await this.#findFiles(replacement, signal)
    return this.#commit(replacement, signal, async (known) => {
      const state = this.#present(known)
      if (!isSaid(state, txn)) {
        return { lines: (author) => replacementLines(replacement, state, this.#parts.store, author) }
      }
      const wanted = new Set([...kept, ...files.map(({ name }) => name)])
      const active = state.files.get(partition) ?? []
      if (active.length === wanted.size && active.every(({ path }) => wanted.has(path)))
        return { already: state.version }
      throw this.#newerFenceError(partition, state.txns.get(txn.appId))
    })
  }

  /**
   * Commits a version without changes, and writes its checkpoint: readers then need no older version.
   * @throws SluiceError ARCHIVE_CONFLICT if there is no table; errors of `LogWriter` and `CheckpointWriter`
   */
  async commitWithCheckpoint(
    { tableId, info }: Pick<Publication, 'tableId' | 'info'>,
    signal: AbortSignal,
  ): Promise<{ readonly version: number }> {
    const { version } = await this.#commit({ tableId, claim: null }, signal, async (known) => {
      const state = this.#present(known)
      return { lines: (author) => tokenLines(info, state, author, 'ERASE') }
    })
    await writeCheckpoint(this.#parts, version, signal)
    const { heads } = this.#parts
    await heads.forget([...(await heads.checksums()).keys()].filter((one) => one < version))
    return { version }
  }

  /**
   * Updates the table's properties from the ledger; no commit if they are equal.
   * @param change edits the properties: adds those that the ledger will store later, or omits those that it will delete
   * @throws SluiceError ARCHIVE_FOREIGN, ARCHIVE_CONFLICT; errors of `LogWriter`
   */
  async updateProperties(
    { tableId, info, change = (properties) => properties }: CommitOptions,
    signal: AbortSignal,
  ): Promise<{ readonly reported: boolean }> {
    const plan = async (state: ArchiveTableState | null, properties: ArchiveProperties | null): Promise<Plan> => {
      // An unpublished table gets the properties with its first commit.
      if (state === null || properties === null) return { already: -1 }
      const isSaidThere = withProperties(state.metadata.configuration ?? {}, properties) === null
      if (isSaidThere) return { already: state.version }
      return { lines: (author) => tokenLines(info, state, author, 'SET TBLPROPERTIES') }
    }
    const { outcome } = await this.#commit({ tableId, claim: null, change }, signal, plan)
    return { reported: outcome === 'published' }
  }

  #commit(commit: Commit, signal: AbortSignal, plan: Planning): Promise<Published> {
    return this.#commits.take(() => this.#commitNext(commit, signal, plan))
  }

  async #commitNext({ tableId, claim, ...rest }: Commit, signal: AbortSignal, plan: Planning): Promise<Published> {
    const { writer, heads } = this.#parts
    const { configuration = {}, change = (properties) => properties } = rest
    for (let tried = 1; ; tried++) {
      const state = await this.own(signal, { tableId, configuration })
      if (state !== null) await this.#recordToken(state)
      // Read the ledger after the state: the ledger then has the facts of every program that committed before, and a
      // program that commits later reads the ledger again.
      const noted = (await this.#parts.properties?.()) ?? null
      const properties = noted === null ? null : change(noted)
      const planned = await plan(state, properties)
      if ('already' in planned) return { version: planned.already, outcome: 'already' }
      const version = (state?.version ?? -1) + 1
      const head = nextToken(state?.head ?? null)
      const bytes = commitBytes(planned.lines(this.#author(head, await heads.name(), properties)))
      await heads.intend({ head, version, sha256: sha256Of(bytes), claim })
      if ((await writer.putIfAbsent(logPathOf(commitName(version)), bytes, signal)) === 'written') {
        await heads.recordWritten(head, version)
        await this.#checkpoint(version, state?.checkpoint ?? null, signal)
        return { version, outcome: 'published' }
      }
      if (tried === TRIES) throw this.#conflictError()
      await sleep(Math.random() * Math.min(500, 2 * tried), undefined, { signal }).catch(() => undefined)
      throwIfAborted(signal)
    }
  }

  /**
   * Gives the log another ownership token, so that every other ledger is refused from then on.
   * @param judge inspects the version to take over, and throws if this is not allowed; returns the properties for the
   * table, or null to keep the present ones
   * @param begin stores the token, and the checksum of its commit, before the commit is written
   * @throws SluiceError ARCHIVE_CONFLICT if there is no table, or other programs keep committing; errors of `judge`
   */
  async adopt(
    what: Adoption,
    judge: (state: ArchiveTableState) => Promise<ArchiveProperties | null>,
    begin: (head: bigint, version: number, sha256: string) => Promise<void>,
    signal: AbortSignal,
  ): Promise<{ readonly version: number }> {
    const { writer, heads } = this.#parts
    for (let tried = 1; tried <= TRIES; tried++) {
      const state = this.#present(await this.state(signal, { tableId: what.tableId }))
      const properties = await judge(state)
      const [head, version] = [nextToken(state.head), state.version + 1]
      const bytes = commitBytes(tokenLines(what.info, state, this.#author(head, what.ledger, properties), 'ADOPT'))
      await this.#forgetOthers(state, signal)
      await begin(head, version, sha256Of(bytes))
      if ((await writer.putIfAbsent(logPathOf(commitName(version)), bytes, signal)) !== 'written') continue
      await heads.recordWritten(head, version)
      await this.#checkpoint(version, state.checkpoint, signal)
      return { version }
    }
    throw this.#conflictError()
  }

  /** Deletes checksums of commits that may have been replaced, if another ledger has continued the log. */
  async #forgetOthers({ head, version }: ArchiveTableState, signal: AbortSignal): Promise<void> {
    const { heads, store } = this.#parts
    const known = await heads.read()
    if (known.length > 0 && isOwnToken(head, known)) return
    const sums = await heads.checksums()
    const { differing } = await compareArchiveCommits(store, sums, signal)
    // If an older copy of the log was restored, new commits use the versions above its newest one again.
    await heads.forget([...differing, ...[...sums.keys()].filter((one) => one > version)])
  }

  /** @throws SluiceError ARCHIVE_CONFLICT if there is no log */
  #present(state: ArchiveTableState | null): ArchiveTableState {
    if (state !== null) return state
    throw conflict(this.#parts.store, 'it has no log', 'move the archive back to its earlier location')
  }

  #refuseOther({ tableId, metadata }: ArchiveTableState, expected: Expected): void {
    const { store, table = null } = this.#parts
    for (const [name, value] of Object.entries(expected.configuration ?? {})) {
      const own = metadata.configuration?.[name]
      if (!name.startsWith(OWN) || own === value) continue
      throw conflict(store, own === undefined ? `its ${name} is missing` : `its ${name} is ${own}, not ${value}`)
    }
    if (expected.tableId === undefined || expected.tableId === tableId) return
    const hint = `nothing was changed; if this is the archive of this table and its ledger was lost, ${adoptCommand(table)} rebuilds the ledger from it; otherwise name another folder in migration_archives.archive, then run the same command again without --to`
    throw conflict(store, `its id is ${tableId}, not ${expected.tableId}`, hint)
  }

  /** Records that the log has this token: no other commit for this version or an earlier one can be written. */
  async #recordToken({ head, version }: ArchiveTableState): Promise<void> {
    const { heads } = this.#parts
    if (head === null) return
    const known = await heads.read()
    const [one] = known
    if (known.length === 1 && one?.head === head && one.state === 'left') return
    await heads.recordWritten(head, version)
  }

  #author(head: bigint, ledger: Author['ledger'], properties: ArchiveProperties | null): Author {
    const { store, tool, now } = this.#parts
    return { label: store.label, engine: `sluice/${tool}`, now: now(), head, ledger, properties }
  }

  #conflictError(): SluiceError {
    return new SluiceError('ARCHIVE_CONFLICT', `${TRIES} commits failed: other programs wrote these versions first`, {
      where: this.#parts.store.label,
      hint: 'run the same command again when fewer programs write into this archive',
      retryable: true,
    })
  }

  #newerFenceError(partition: string, fence: bigint | undefined): SluiceError {
    return new SluiceError('ARCHIVE_CONFLICT', `another program has published ${partition} (fence ${String(fence)})`, {
      where: this.#parts.store.label,
      reason: 'this program took too long, and another program took over the partition',
      hint: 'sluice archive list shows its state',
    })
  }

  /** Requires the files to exist: a log that names missing files fails only when the rows are read. */
  async #findFiles({ files, partition }: Pick<Publication, 'files' | 'partition'>, signal: AbortSignal): Promise<void> {
    const { store } = this.#parts
    for (const { name, bytes } of files) {
      const found = await store.head(name, signal)
      if (found !== null && BigInt(found.size) === bytes) continue
      const what = found === null ? 'is missing' : `has ${found.size} bytes instead of ${bytes}`
      throw new SluiceError('PARTITION_CHANGED', `a file of ${partition} ${what}`, {
        where: `${store.label}/${name}`,
        hint: 'nothing was published; the same command writes the partition again',
      })
    }
  }

  /** Version of the commit that added these files; the newest version if that commit is gone. */
  async #versionOf(
    active: readonly ActiveArchiveFile[],
    { version, checkpoint }: ArchiveTableState,
    signal: AbortSignal,
  ): Promise<number> {
    const known = active.map(({ addedVersion }) => addedVersion ?? -1)
    if (active.length === 0) return version
    if (!known.includes(-1) || checkpoint === null) return Math.max(...known)
    const { store } = this.#parts
    const { commits = [] } = (await (await openTable(this.#parts, signal))?.listing(signal)) ?? {}
    const path = active[known.indexOf(-1)]?.path
    for (const commit of commits.filter((one) => one.version <= checkpoint).toReversed()) {
      for await (const block of readCommit(store, commit, signal)) {
        const names = block.some(
          ({ action }) => action.kind === 'add' && canonicalPath(action.add.path, store.root) === path,
        )
        if (names) return commit.version
      }
    }
    return version
  }

  /** Writes a checkpoint if one is due. The commit is valid even if this fails. */
  async #checkpoint(version: number, newest: number | null, signal: AbortSignal): Promise<void> {
    if (!isCheckpointDue(version, newest)) return
    try {
      await writeCheckpoint(this.#parts, version, signal)
    } catch (error) {
      // A later commit writes the missing checkpoint.
      if (signal.aborted) return
      const why = error instanceof Error ? error.message : String(error)
      this.#parts.note?.(`the checkpoint of version ${version} was not written: ${why}`)
    }
  }
}
