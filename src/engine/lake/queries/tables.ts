/** The tables list: tables below the lake, with facts from the catalog. */
import { resolve } from 'node:path'
import { probeTable } from '../../../delta/probe.ts'
import { newestOf, rewritten, type NewestKnown } from '../../../catalog/import/same-log.ts'
import { listLog, type LogListing } from '../../../delta/listing.ts'
import { parseLakeUrl, pathOfLocation } from '../../../model/lake/lake-url.ts'
import { asSluiceError, SluiceError, type ErrorInfo } from '../../../shared/errors.ts'
import type { LogStore } from '../../../model/lake/log-store.ts'
import type { SqlDatabase } from '../../../model/run/sql-port.ts'
import { orderedResults, parallelAt } from '../in-order.ts'
import { walkLake, type FoundInFolder } from '../walk.ts'
import { openLake, parquetRows } from '../../run/registry.ts'
import { UNKNOWN_TABLE, type CatalogState, type TableRow } from '../../../model/lake/answers.ts'
import { catalogRows, type CatalogRow } from './catalog-rows.ts'

/**
 * Rows of the list: tables, database files, and folders that cannot be read. For a table that is current in the
 * catalog, the counts are read from the catalog.
 * @param away why the catalog cannot be queried; null if it was queried, or does not exist yet
 */
export async function listLakeTables(
  lake: string | null,
  database: SqlDatabase | null,
  signal: AbortSignal,
  away: ErrorInfo | null = null,
): Promise<readonly TableRow[]> {
  const known = new Map((database === null ? [] : await catalogRows(database)).map((row) => [row.location, row]))
  if (lake !== null) {
    const rows = await rowsOfLake(lake, known, signal)
    return away === null ? rows : rows.map((row) => withoutCatalog(row, away))
  }
  // Without a lake, the tables of the catalog are listed, wherever they are.
  const rows: TableRow[] = []
  const most = parallelAt([...known.keys()])
  const located = orderedResults(known.values(), most, ({ tableId, location }) =>
    tableRow(tableId, pathOfLocation(location), known, signal),
  )
  for await (const row of located) rows.push(row)
  return rows
}

/** The row with facts from the log only, because the catalog cannot be queried. */
function withoutCatalog(row: TableRow, error: ErrorInfo): TableRow {
  return row.kind === 'delta' ? { ...row, catalog: { state: 'away', error } } : row
}

/** Reads some rows of a list again. @throws SluiceError ABORTED */
export async function rereadRows(
  rows: readonly TableRow[],
  database: SqlDatabase | null,
  signal: AbortSignal,
): Promise<readonly TableRow[]> {
  const only = new Set(rows.map(({ key }) => key))
  const known = database === null ? [] : await catalogRows(database, only)
  const byLocation = new Map(known.map((row) => [row.location, row]))
  const again: TableRow[] = []
  const paths = rows.map(({ location }) => location)
  const rowOf = (row: TableRow): Promise<TableRow> => tableRow(row.name, row.location, byLocation, signal)
  for await (const row of orderedResults(rows, parallelAt(paths), rowOf)) if (row !== null) again.push(row)
  return again
}

async function rowsOfLake(
  lake: string,
  known: ReadonlyMap<string, CatalogRow>,
  signal: AbortSignal,
): Promise<readonly TableRow[]> {
  const rowOf = async (found: FoundInFolder): Promise<TableRow | null> => {
    if (found.kind === 'database') return sourceRow(found)
    if (found.kind === 'unreadable') return unsearchedRow(found)
    if (found.kind !== 'table') return null
    return tableRow(found.name === '.' ? lastPart(found.path) : found.name, found.path, known, signal)
  }
  const rows: TableRow[] = []
  const walked = walkLake(lake, { recursive: true, exclude: [], signal })
  for await (const row of orderedResults(walked, parallelAt([lake]), rowOf)) if (row !== null) rows.push(row)
  return rows
}

/** Row of a folder that cannot be read, and may have tables. Its key differs from the key of a table at this path. */
function unsearchedRow({ name, path, error }: Extract<FoundInFolder, { kind: 'unreadable' }>): TableRow {
  return { key: `${path}/`, name: `${name}/`, location: path, kind: 'delta', ...UNKNOWN_TABLE, error: error.info() }
}

/** Name of a lake that is itself a table. */
function lastPart(path: string): string {
  const place = parseLakeUrl(path)
  if (place.kind === 'local') return resolve(place.path).split('/').at(-1) ?? '.'
  return place.prefix.split('/').at(-1) || place.bucket
}

/** Reads one table by its location. */
export async function tableRow(
  name: string,
  path: string,
  known: ReadonlyMap<string, CatalogRow>,
  signal: AbortSignal,
): Promise<TableRow> {
  let location = path
  let row: CatalogRow | undefined
  try {
    const log = await openLake(path)
    location = log.root
    row = known.get(location)
    const head = { key: location, name, location: path, kind: 'delta' } as const
    if (row !== undefined && row.version !== null && row.state.state !== 'none') {
      const listing = await listedFrom(log, row.version, signal)
      if (listing !== null && row.newest !== null && row.state.state === 'current') {
        const why = await changeSinceImport(log, row.newest, listing, signal)
        if (why !== null) throw rewritten(row, log, row.catalogUrl, why)
      }
      if (listing?.latest === row.version) return { ...head, ...fromCatalog(row), catalog: row.state, error: null }
    }
    const facts = await probeTable(log, parquetRows, signal)
    return {
      ...head,
      tableId: row?.tableId ?? null,
      version: facts.version,
      files: facts.files,
      bytes: facts.bytes === null ? null : Number(facts.bytes),
      rows: facts.rows === null ? null : Number(facts.rows),
      changed: facts.lastCommit,
      partitionColumns: facts.partitionColumns ?? [],
      features: facts.features ?? [],
      historyFrom: row?.historyFrom ?? null,
      catalog: catalogState(row, facts.version),
      proof: row?.proof ?? { state: 'never' },
      error: facts.refusal?.info() ?? null,
    }
  } catch (thrown) {
    const error = asSluiceError(thrown)
    if (error.kind === 'stopped') throw thrown
    const base = row === undefined ? UNKNOWN_TABLE : { ...fromCatalog(row), catalog: row.state }
    return { key: location, name, location: path, kind: 'delta', ...base, error: error.info() }
  }
}

function fromCatalog(row: CatalogRow): Omit<TableRow, 'key' | 'name' | 'location' | 'kind' | 'catalog' | 'error'> {
  return {
    tableId: row.tableId,
    version: row.version,
    files: row.files,
    bytes: row.bytes,
    rows: row.rows,
    changed: row.commitTime,
    partitionColumns: row.partitionColumns,
    features: row.features,
    historyFrom: row.historyFrom,
    proof: row.proof,
  }
}

/** Listing of a log from `version` on; null if the log has no such version. */
async function listedFrom(log: LogStore, version: number, signal: AbortSignal): Promise<LogListing | null> {
  try {
    return await listLog(log, { signal, from: version })
  } catch (error) {
    // Older commits may still exist: the table is then read from the start.
    if (error instanceof SluiceError && error.code === 'NO_LOG') return null
    throw error
  }
}

/** Newest commits whose bytes were compared, by location: skipped while size and time are unchanged. */
const compared = new Map<string, string>()

/**
 * How the newest imported commit has changed. For a local log the bytes are compared once for each size and time. For a
 * bucket only the size is compared, because the bytes need one request per table; sync compares the bytes.
 * @returns null if no change was found
 */
async function changeSinceImport(
  log: LogStore,
  known: NewestKnown,
  listing: LogListing,
  signal: AbortSignal,
): Promise<string | null> {
  const commit = listing.commits.find(({ version }) => version === known.version)
  if (commit === undefined || known.bytes === null) return null
  if (commit.size === known.bytes && parseLakeUrl(log.root).kind !== 'local') return null
  const facts = `${known.version} ${commit.size} ${commit.modified} ${commit.stamp ?? ''}`
  if (compared.get(log.root) === facts) return null
  const newest = await newestOf(known, listing, log, signal)
  if (newest.is === 'other') return newest.why
  compared.set(log.root, facts)
  return null
}

/**
 * A complete table is `behind` if its log has newer commits, `truncated` if its log ends earlier; else as in the
 * catalog.
 */
function catalogState(row: CatalogRow | undefined, latest: number): CatalogState {
  if (row === undefined) return { state: 'none' }
  if (row.state.state === 'current' && row.version !== null && latest > row.version) {
    return { state: 'behind', commits: latest - row.version }
  }
  if (row.state.state === 'current' && row.version !== null && latest < row.version) {
    return { state: 'truncated', ends: latest, version: row.version }
  }
  return row.state
}

function sourceRow(found: Extract<FoundInFolder, { kind: 'database' }>): TableRow {
  return {
    key: found.path,
    name: found.name,
    location: found.path,
    kind: 'database',
    system: found.system,
    ...UNKNOWN_TABLE,
    bytes: found.bytes,
    changed: found.modified,
  }
}
