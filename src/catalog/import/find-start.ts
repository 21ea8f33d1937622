/**
 * Finds the start of an import. A base checkpoint is read to its end before anything is written; a corrupt one is
 * replaced by the next.
 */
import type { ImportOptions } from './options.ts'
import type { ActionKind, MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import { proveCheckpoint, readCheckpoint } from '../../delta/checkpoint.ts'
import { historyCutOff } from '../../delta/gaps.ts'
import type { CheckpointFiles, LogListing } from '../../delta/listing.ts'
import { logHistory, type History } from '../../delta/segment.ts'
import { SluiceError } from '../../shared/errors.ts'
import { withLocationHint } from '../location-hints.ts'
import { readImportHead, importCompleteness, type ImportHead, type ImportCompleteness } from './head.ts'
import { changedSince, checkNewest, checkOlder, checkSameTable, nothingCompared, rewritten } from './same-log.ts'
import { compareFiles } from './same-files.ts'
import { baseCheckpoint, commitsAbove, importStart, type Start } from './start.ts'

/** Protocol and metadata in a base checkpoint, and its number of rows. */
export type Declarations = {
  readonly protocol: ProtocolAction | null
  readonly metadata: MetadataAction | null
  readonly rows: number
}

export type FoundStart = {
  readonly start: Start
  readonly base: CheckpointFiles | null
  readonly declared: Declarations | null
  /** Newest version of the log. */
  readonly latest: number
  /** The latest listing: of the whole log, or from the known version on. */
  readonly listing: LogListing
  /** Why the history does not begin before the base; null if the log has nothing older, or there is no base. */
  readonly cutOff: string | null
}

/** Lists the log, from a given version on. */
export type ListFrom = (from?: number) => Promise<LogListing>

type At = Pick<ImportOptions, 'log' | 'parquet' | 'database' | 'tableId' | 'moved' | 'olderCompared' | 'onNote'> & {
  readonly signal: AbortSignal
}

/**
 * Finds the start of an import. If the caller has compared older commits, the log is listed from the table's version
 * on. This is enough if the listing has the known commit and all commits above it. Otherwise older commits are compared
 * by size and time.
 * @throws SluiceError TABLE_ID_TAKEN, NO_SUCH_TABLE, NO_LOG, LOG_GAP, LOG_REWRITTEN; BAD_CHECKPOINT if no other
 * checkpoint can replace it
 */
export async function findStart(listLog: ListFrom, at: At): Promise<FoundStart> {
  const head = await ownHead(at)
  const list: ListFrom = (from) =>
    listLog(from).catch((error: unknown) => Promise.reject(withLocationHint(error, head?.tableId)))
  const state = head === null ? null : await importCompleteness(at.database, head)
  if (at.olderCompared === true && head !== null && state === 'whole' && head.currentVersion !== null) {
    const recent = await startFromNewCommits(list, head, head.currentVersion, at)
    if (recent !== null) return recent
  }
  const listing = await list()
  const same = await sameLog(listing, head, state, at)
  const corrupt = new Set<CheckpointFiles>()
  let failure: SluiceError | null = null
  for (;;) {
    let history: History
    try {
      history = logHistory(listing, corrupt)
    } catch (error) {
      throw failure ?? error
    }
    const start = await importStart({ ...at, head, wholeness: state, changed: same === 'changed', listing, history })
    const latest = listing.latest ?? history.from
    const base = start.kind === 'current' ? null : baseCheckpoint(start)
    if (base === null) {
      if (same === 'unknown' && head !== null) await checkFiles(listing, head, corrupt, at)
      return { start, base, declared: null, latest, listing, cutOff: null }
    }
    try {
      await proveCheckpoint(at.log, at.parquet, base, { signal: at.signal })
      const declared = await declarations(base, at)
      if (start.kind === 'rebase' && same === 'unknown' && head !== null) {
        if (head.location !== at.log.root) throw nothingCompared(head, at)
        checkSameTable(head, at, base.version, declared.metadata)
      }
      return { start, base, declared, latest, listing, cutOff: historyCutOff(listing, history, corrupt) }
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code !== 'BAD_CHECKPOINT') throw error
      failure ??= error
      corrupt.add(base)
      at.onNote(`checkpoint ${base.version} is unreadable (${error.message}); history may therefore begin later`)
    }
  }
}

/** The start if only new commits are read, or null if the listing lacks the known commit or one above it. */
async function startFromNewCommits(
  list: ListFrom,
  head: ImportHead,
  current: number,
  at: At,
): Promise<FoundStart | null> {
  let listing: LogListing
  try {
    listing = await list(current)
  } catch (error) {
    // The log has nothing at or above that version: the caller lists the whole log and finds the reason.
    if (error instanceof SluiceError && error.code === 'NO_LOG') return null
    throw error
  }
  const above = commitsAbove(listing, current)
  if (above === null || !(await checkNewest({ ...at, head, current, listing }))) return null
  const history: History = {
    from: head.historyFrom ?? current,
    checkpoint: null,
    commits: above,
    baseCommit: null,
    orphans: [],
  }
  const start = await importStart({ ...at, head, wholeness: 'whole', changed: false, listing, history })
  return { start, base: null, declared: null, latest: listing.latest ?? current, listing, cutOff: null }
}

/**
 * Checks that the log is still the imported one.
 * @returns `unknown` if the newest known commit is gone; `changed` if commits have changed, but the import was never
 * readable
 * @throws SluiceError LOG_REWRITTEN
 */
async function sameLog(
  listing: LogListing,
  head: ImportHead | null,
  state: ImportCompleteness | null,
  at: At,
): Promise<'same' | 'unknown' | 'changed'> {
  if (head === null || state === 'broken' || head.currentVersion === null) return 'same'
  if (state === 'unfinished' && (await changedSince(at.database, head, listing))) return 'changed'
  const options = { ...at, head, current: head.currentVersion, listing }
  const known = await checkNewest(options)
  if (state === 'whole') await checkOlder(options)
  return known ? 'same' : 'unknown'
}

/**
 * Decides whether this is the imported log, if the newest known commit cannot be compared: compares the files of the
 * log at that version, or at a checkpoint above it.
 * @throws SluiceError LOG_REWRITTEN, also if nothing is left to compare
 */
async function checkFiles(
  listing: LogListing,
  head: ImportHead,
  unreadable: Set<CheckpointFiles>,
  at: At,
): Promise<void> {
  const { log, parquet, database, tableId, signal, onNote } = at
  const current = head.currentVersion ?? 0
  const refuse = (detail: string): never => {
    const isListed = listing.commits.some(({ version }) => version === current)
    const what = isListed ? `the catalog has no digest of commit ${current}` : `commit ${current} is gone`
    throw rewritten(head, log, database.label, `${what}, and ${detail}`)
  }
  const context = { store: log, parquet, listing, unreadable, note: onNote }
  const found = await compareFiles({ database, tableId, current }, context, signal)
  if (found === null) return refuse('no readable checkpoint has its files')
  const { version, metadataId, differences, declared } = found
  if (head.metadataId !== null && metadataId !== head.metadataId)
    return refuse(`version ${version} is of table ${metadataId}, not ${head.metadataId}`)
  if (differences !== '') refuse(`version ${version} has other files: ${differences}`)
  if (declared.length > 0) refuse(`version ${version} declares otherwise: ${declared.slice(0, 4).join(', ')}`)
}

/** The head row of this table; an id or location of another table is refused. */
async function ownHead({ database, tableId, log, moved }: At): Promise<ImportHead | null> {
  const byId = await readImportHead(database, { tableId })
  const byLocation = await readImportHead(database, { location: log.root })
  if (byId === null && moved === true) {
    throw new SluiceError('NO_SUCH_TABLE', `${tableId} is not in the catalog`, {
      hint: 'give the id of the table in the catalog with --table-id; `sluice migration-status` prints it',
    })
  }
  if (byId !== null && byId.location !== log.root && moved !== true) {
    throw new SluiceError('TABLE_ID_TAKEN', `the id ${tableId} belongs to another table`, {
      where: byId.location,
      hint: 'if that table was moved to this folder, add --moved; otherwise, give this table another --table-id',
    })
  }
  if (byLocation !== null && byLocation.tableId !== tableId) {
    throw new SluiceError('TABLE_ID_TAKEN', `this table is already in the catalog, as ${byLocation.tableId}`, {
      where: byLocation.location,
      hint: `remove --table-id, or give --table-id ${byLocation.tableId}`,
    })
  }
  return byId
}

async function declarations(checkpoint: CheckpointFiles, { log, parquet, signal }: At): Promise<Declarations> {
  let protocol: ProtocolAction | null = null
  let metadata: MetadataAction | null = null
  let rows = 0
  for await (const block of readCheckpoint(log, parquet, checkpoint, {
    signal,
    kinds: new Set<ActionKind>(['protocol', 'metaData']),
  })) {
    for (const { action } of block) {
      if (action.kind === 'protocol') protocol = action.protocol
      else if (action.kind === 'metaData') metadata = action.metaData
    }
  }
  if (checkpoint.format === 'parquet') {
    for (const { name } of checkpoint.files) {
      await using local = await log.localFile(`_delta_log/${name}`, signal, { columns: [] })
      rows += (await (await parquet()).facts(local.file, signal)).rows
    }
  }
  return { protocol, metadata, rows }
}
