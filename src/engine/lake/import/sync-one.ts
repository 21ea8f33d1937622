/** Updates one table of the catalog: inspects its log, and imports only if there are new commits. */
import { readableTable } from '../../../catalog/catalog.ts'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { checkOlder, newestOf } from '../../../catalog/import/same-log.ts'
import { listLog, type LogListing } from '../../../delta/listing.ts'
import { dec } from '../../../model/run/event.ts'
import type { LogStore } from '../../../model/lake/log-store.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import type { WritableCatalog } from '../catalog-session.ts'
import { openLake } from '../../run/registry.ts'
import { pathOfLocation } from '../../../model/lake/lake-url.ts'
import type { LakeRun } from './lake-run.ts'
import { importAndReport, type TableOutcome } from './import-one.ts'
import { knownTables, importStatus, type ImportedTable } from './known-tables.ts'

export type Synced = {
  readonly status: 'ok' | 'current' | 'failed' | 'refused' | 'skipped' | 'stopped'
  readonly error: SluiceError | null
  /** Number of versions that the catalog still lacks after the import; null if the log cannot be listed. */
  readonly behind: number | null
  readonly actions: number
  /** True if `table.finished` has been emitted. */
  readonly reported: boolean
}

/** Maximum number of older commits with a changed file time that one check reads: in a copied lake, all have one. */
const OLDER_READ = 10

export type SyncSettings = {
  readonly batchSize: number
  readonly worker: number
  readonly waitMs: number
  /**
   * True if the command names its tables: then a table that the catalog can no longer read fails, and is not skipped.
   */
  readonly isNamed: boolean
}

/** Comparisons of this run, by table; not repeated while the listing is unchanged. */
export type ComparedImports = Map<
  string,
  {
    /** Version, size, time and `stamp` of the newest commit, whose bytes were compared. */
    readonly newest?: string
    /** Digest of the listing of the older commits. */
    readonly older?: string
  }
>

/**
 * Never rejects. Emits nothing for a table that is current: the caller emits the event.
 * @param table as the catalog had it; read again before anything is written
 */
export async function syncTable(
  catalog: WritableCatalog,
  table: ImportedTable & { readonly name: string },
  proved: ComparedImports,
  settings: SyncSettings,
  run: LakeRun,
): Promise<Synced> {
  const { clock, emit } = run
  const begun = clock.ticks()
  const location = pathOfLocation(table.location)
  try {
    const log = await openLake(location)
    // Listing a bucket costs one request per 1,000 commits, so the older commits of a bucket are compared once per run.
    const isWhole = log.pagedListing !== true || proved.get(table.tableId)?.older === undefined
    const known = table.settled ? await listFrom(log, isWhole ? 0 : (table.version ?? 0), run.interrupt.abort) : null
    const current = known !== null && (await isCurrent(log, table, known, proved, run.interrupt.abort))
    if (known !== null && isWhole) await compareOlder(catalog, { table, log, listing: known }, proved, run)
    if (current) return withoutImport('current', 0)
    const now = await importStatus(catalog.database, table.tableId)
    if (now === null || now === 'broken') {
      if (settings.isNamed) await readableTable(catalog.database, { tableId: table.tableId })
      return skipped()
    }
    const target = { name: table.name, path: location, tableId: table.tableId, log, worker: settings.worker }
    const latest = known?.latest ?? null
    const versions = latest === null ? null : Math.max(0, latest - (table.version ?? -1))
    const how = {
      ...settings,
      allowRefused: table.refused,
      noteFailure: false,
      importedAt: table.importedAt,
      olderCompared: known !== null,
      ...(versions === null ? {} : { behind: versions }),
    }
    const outcome = await importAndReport(catalog, target, how, run)
    if (outcome.error === null && known !== null) remember(proved, table, known)
    return await settle(outcome, known)
  } catch (thrown) {
    const error = asSluiceError(thrown)
    const status = error.kind === 'stopped' ? 'stopped' : 'failed'
    const ms = Math.round(clock.ticks() - begun)
    const { name, importedAt } = table
    emit({ type: 'table.finished', table: name, location, status, importedAt, ms, error: error.info() })
    return { status, error, behind: null, actions: 0, reported: true }
  }

  function skipped(): Synced {
    const why = 'its rows were removed from the catalog: it is skipped until it is imported again'
    const ms = Math.round(clock.ticks() - begun)
    emit({ type: 'table.finished', table: table.name, location, status: 'skipped', ms, notes: [why] })
    return withoutImport('skipped', null)
  }

  async function settle({ result, error }: TableOutcome, known: LogListing | null): Promise<Synced> {
    const actions = result?.actions ?? 0
    if (result !== null) {
      const status = ({ completed: 'ok', current: 'current', stopped: 'stopped' } as const)[result.status]
      return { status, error: null, behind: status === 'stopped' ? null : 0, actions, reported: true }
    }
    const kind = error?.kind
    const status = kind === 'unsupported' ? 'refused' : kind === 'stopped' ? 'stopped' : 'failed'
    // An import that failed half-way has stored some of the versions.
    const [now] = await knownTables(catalog.database, { tableId: table.tableId }).catch(() => [])
    const latest = known?.latest ?? null
    const behind = latest === null || now === undefined ? null : Math.max(0, latest - (now.version ?? -1))
    return { status, error, behind, actions, reported: true }
  }
}

/** The folder in which a table's commits appear; null if it is not local, because only local folders can be watched. */
export function logFolder({ location }: Pick<ImportedTable, 'location'>): string | null {
  return location.startsWith('file://') ? join(pathOfLocation(location), '_delta_log') : null
}

/** The listing of the log from a version on; null if there is nothing from this version on. */
async function listFrom(log: LogStore, from: number, signal: AbortSignal): Promise<LogListing | null> {
  try {
    return await listLog(log, { signal, attributes: true, from })
  } catch (error) {
    // The import reports a missing log with advice.
    if (error instanceof SluiceError && (error.code === 'NO_LOG' || error.code === 'NO_SUCH_PATH')) return null
    throw error
  }
}

/**
 * True if the newest known commit is the log's last and has the same bytes. Size and time do not prove this: a commit
 * may be overwritten by another one of equal length, and a copy keeps times. So each run reads this commit once: one
 * small file per table.
 */
async function isCurrent(
  log: LogStore,
  table: ImportedTable,
  listing: LogListing,
  proved: ComparedImports,
  signal: AbortSignal,
): Promise<boolean> {
  const { version, newest } = table
  if (version === null || newest === null || listing.latest !== version) return false
  const facts = factsOf(table, listing)
  if (proved.get(table.tableId)?.newest === facts) return true
  const { is } = await newestOf({ version, ...newest }, listing, log, signal)
  if (is === 'same') proved.set(table.tableId, { ...proved.get(table.tableId), newest: facts })
  return is === 'same'
}

function remember(proved: ComparedImports, table: ImportedTable, listing: LogListing): void {
  if (listing.latest !== table.version) return
  proved.set(table.tableId, { ...proved.get(table.tableId), newest: factsOf(table, listing) })
}

/** Compares the commits below the known version by size and time in the listing. @throws SluiceError LOG_REWRITTEN */
async function compareOlder(
  { database }: WritableCatalog,
  { table, log, listing }: { readonly table: ImportedTable; readonly log: LogStore; readonly listing: LogListing },
  proved: ComparedImports,
  { emit, interrupt }: LakeRun,
): Promise<void> {
  const { tableId, version } = table
  if (version === null) return
  const digest = createHash('sha256')
  for (const commit of listing.commits) {
    if (commit.version < version) digest.update(`${commit.version}:${commit.size}:${commit.modified}\n`)
  }
  const older = digest.digest('hex')
  if (proved.get(tableId)?.older === older) return
  const onNote = (message: string): void => emit({ type: 'log', level: 'note', table: tableId, message })
  const at = { head: { tableId }, current: version, listing, log, database, signal: interrupt.abort, onNote }
  await checkOlder(at, OLDER_READ)
  proved.set(tableId, { ...proved.get(tableId), older })
}

function factsOf({ version }: ImportedTable, { commits }: LogListing): string {
  const commit = commits.find((one) => one.version === version)
  return commit === undefined ? '' : `${commit.version}:${commit.size}:${commit.modified}:${commit.stamp ?? ''}`
}

function withoutImport(status: 'current' | 'skipped', behind: number | null): Synced {
  return { status, error: null, behind, actions: 0, reported: status === 'skipped' }
}

/** Emits `table.finished` for a table without new commits. */
export function reportCurrent(table: ImportedTable & { readonly name: string }, ms: number, run: LakeRun): void {
  run.emit({
    type: 'table.finished',
    table: table.name,
    location: pathOfLocation(table.location),
    status: 'current',
    ms: Math.round(ms),
    ...(table.version === null ? {} : { version: dec(table.version) }),
  })
}
