/**
 * Compares a table's ranges with the statistics: a key must not be narrower than the file's statistics allow, or a
 * query would miss the file. Wider keys, and rows of removed files, are no difference. The statistics themselves are
 * compared with the log in `checks.ts`.
 */
import { throwIfAborted } from '../../shared/abort.ts'
import type { SqlDatabase, SqlReader, SqlRow, SqlValue } from '../../model/run/sql-port.ts'
import { compareBounds, outerBounds, type ByteBound, type ByteBounds } from './range-bounds.ts'
import { provedColumns, EXPECTED_ZONE_FILES, type ProvedColumn, type ReportDifference } from './range-columns.ts'
import { fileStats } from './range-stats.ts'
import type { CatalogDifference, Report } from './report.ts'

/** Number of pairs of column and file that ranges cover, and number of these pairs that have a row. */
export type RangesSeen = { readonly covered: number; readonly found: number }

const WINDOW_ZONES = 4
const PAGE_ROWS = 1_000
const MOST_WAITING = 1_000

/** Makes one check if the table has ranges; otherwise none. */
export async function checkRanges(
  report: Report,
  catalog: SqlDatabase,
  tableId: string,
  version: number,
  signal: AbortSignal,
): Promise<void> {
  let waiting: CatalogDifference[] = []
  const flush = async (): Promise<void> => {
    await report.addDifferences(version, 'ranges', waiting)
    waiting = []
  }
  // Read in one snapshot of the catalog, because an import may extend ranges meanwhile.
  const seen = await catalog.read((reader) =>
    proveRanges(reader, tableId, signal, async (difference) => {
      waiting.push(difference)
      if (waiting.length >= MOST_WAITING) await flush()
    }),
  )
  if (seen === null) return
  await flush()
  await report.endCheck(version, 'ranges', '_delta_log', String(seen.covered), String(seen.found))
}

/**
 * Reports every range with which a query could miss a file; memory is bounded by a window of files. Null for a table
 * without ranges.
 * @throws errors of the reader; the signal's reason
 */
export async function proveRanges(
  reader: SqlReader,
  tableId: string,
  signal: AbortSignal,
  report: ReportDifference,
): Promise<RangesSeen | null> {
  const columns = await provedColumns(reader, tableId, report)
  if (columns === null) return null
  const last = Math.max(-1, ...columns.map(({ builtTo }) => builtTo))
  const seen = { covered: 0, found: 0 }
  for (let from = 0; from <= last;) {
    throwIfAborted(signal)
    const [next] = await reader.all(
      'SELECT min(file_no) FROM delta_files WHERE table_id = ? AND file_no >= ? AND file_no <= ?',
      [tableId, from, last],
    )
    const first = next?.[0] ?? null
    if (first === null) break
    const zone = Math.floor(Number(first) / EXPECTED_ZONE_FILES)
    const window = { zone, lastZone: zone + WINDOW_ZONES - 1, last }
    const proofs: ColumnProof[] = []
    for (const column of columns) proofs.push(await ColumnProof.open(reader, tableId, column, window))
    await proveWindow(reader, tableId, proofs, window, report)
    for (const proof of proofs) {
      await proof.zones(report)
      seen.covered += proof.covered
      seen.found += proof.found
    }
    from = (window.lastZone + 1) * EXPECTED_ZONE_FILES
  }
  return seen
}

type Window = { readonly zone: number; readonly lastZone: number; readonly last: number }

async function proveWindow(
  reader: SqlReader,
  tableId: string,
  proofs: readonly ColumnProof[],
  { zone, lastZone, last }: Window,
  report: ReportDifference,
): Promise<void> {
  const end = Math.min(last, (lastZone + 1) * EXPECTED_ZONE_FILES - 1)
  const sql = `SELECT f.file_no, f.path, f.added_version, f.stats FROM delta_files f JOIN delta_tables t ON t.table_id = f.table_id
    WHERE f.table_id = ? AND f.file_no >= ? AND f.file_no <= ? AND f.added_version <= t.current_version ORDER BY f.file_no`
  const reported: CatalogDifference[] = []
  for await (const page of reader.pages(sql, [tableId, zone * EXPECTED_ZONE_FILES, end], PAGE_ROWS)) {
    for (const [fileNo, path, added, stats] of page) {
      const facts = fileStats(typeof stats === 'string' ? stats : null)
      const file = { fileNo: Number(fileNo), path: String(path), added: Number(added), facts }
      for (const proof of proofs) proof.file(file, reported)
    }
    for (const difference of reported) await report(difference)
    reported.length = 0
  }
}

type ProvedFile = {
  readonly fileNo: number
  readonly path: string
  readonly added: number
  readonly facts: ReturnType<typeof fileStats>
}

/** Possible content of one or more files: bounds of the values, and flags for values and nulls. */
type Content = ByteBounds & { readonly mayHaveNulls: boolean; readonly mayHaveValues: boolean }

/** Keys and flags as stored. */
type Stored = readonly [low: SqlValue, high: SqlValue, hasNulls: SqlValue, hasValues: SqlValue]

const EMPTY: Content = { low: null, high: null, mayHaveNulls: false, mayHaveValues: false }

/** The rows of one column in a window of zones, and the statistics of its files. */
class ColumnProof {
  covered = 0
  found = 0
  readonly #column: ProvedColumn
  readonly #files: ReadonlyMap<number, readonly Stored[]>
  readonly #zoneRows: ReadonlyMap<number, readonly Stored[]>
  readonly #hulls = new Map<number, Content>()

  static async open(reader: SqlReader, tableId: string, column: ProvedColumn, window: Window): Promise<ColumnProof> {
    const where = 'WHERE table_id = ? AND column_no = ? AND zone_no >= ? AND zone_no <= ?'
    const parameters = [tableId, column.columnNo, window.zone, window.lastZone]
    const keys = 'min_key, max_key, has_nulls, has_values'
    const files = await reader.all(`SELECT zone_no, file_no, ${keys} FROM delta_file_ranges ${where}`, parameters)
    const zones = await reader.all(`SELECT zone_no, ${keys} FROM delta_range_zones ${where}`, parameters)
    // Ignore rows in another zone than the zone of their file: no query finds them.
    const atHome = files.filter(([zone, file]) => Math.floor(Number(file) / EXPECTED_ZONE_FILES) === zone)
    return new ColumnProof(column, byNumber(atHome.map((row) => row.slice(1))), byNumber(zones))
  }

  private constructor(
    column: ProvedColumn,
    files: ReadonlyMap<number, readonly Stored[]>,
    zones: ReadonlyMap<number, readonly Stored[]>,
  ) {
    this.#column = column
    this.#files = files
    this.#zoneRows = zones
  }

  file({ fileNo, path, added, facts }: ProvedFile, reported: CatalogDifference[]): void {
    const { name, builtTo, builtVersion, firstNew } = this.#column
    if (fileNo > builtTo) return
    if (added > builtVersion) {
      // Queries do not use ranges for files from number `firstNew` on. So no file added after `builtVersion` may have a
      // number below `firstNew`.
      if (firstNew !== 'unknown' && (firstNew === null || fileNo < firstNew))
        reported.push({ path, field: `first_file_no for ${name}`, log: fileNo, catalog: firstNew })
      return
    }
    this.covered++
    const content = this.#contentOf(facts)
    const zone = Math.floor(fileNo / EXPECTED_ZONE_FILES)
    this.#hulls.set(zone, combined(this.#hulls.get(zone) ?? EMPTY, content))
    const rows = this.#files.get(fileNo) ?? []
    if (rows.length > 0) this.found++
    this.#compareFile(path, content, rows, reported)
  }

  /** Reports wrong keys and flags of zones. Call after `file` was called for all files of the window. */
  async zones(report: ReportDifference): Promise<void> {
    const reported: CatalogDifference[] = []
    for (const [zone, content] of this.#hulls) {
      const path = `files ${zone * EXPECTED_ZONE_FILES} to ${(zone + 1) * EXPECTED_ZONE_FILES - 1}`
      this.#compareFile(path, content, this.#zoneRows.get(zone) ?? [], reported)
    }
    for (const difference of reported) await report(difference)
  }

  #contentOf(facts: ProvedFile['facts']): Content {
    if (facts === null) return { low: null, high: null, mayHaveNulls: true, mayHaveValues: true }
    const of = facts.of(this.#column.physicalPath)
    return {
      ...this.#column.rule.allowed(of),
      mayHaveNulls: !(facts.tight && of.nulls === '0'),
      mayHaveValues: !(facts.tight && of.nulls !== null && of.nulls === facts.records),
    }
  }

  /** Reports a missing or repeated row of a file or zone, and keys or flags that exclude values that it may contain. */
  #compareFile(path: string, content: Content, rows: readonly Stored[], reported: CatalogDifference[]): void {
    const { name } = this.#column
    if (rows.length !== 1) {
      const catalog = rows.length === 0 ? 'missing' : `${rows.length} times`
      reported.push({ path, field: `row of ${name}`, log: 'present', catalog })
    }
    for (const [low, high, hasNulls, hasValues] of rows) {
      if (content.mayHaveNulls && hasNulls !== 1)
        reported.push({ path, field: `has_nulls of ${name}`, log: 1, catalog: hasNulls })
      if (!content.mayHaveValues) continue
      if (hasValues !== 1) reported.push({ path, field: `has_values of ${name}`, log: 1, catalog: hasValues })
      this.#compareKey({ path, field: `min_key of ${name}` }, low, content.low, 1, reported)
      this.#compareKey({ path, field: `max_key of ${name}` }, high, content.high, -1, reported)
    }
  }

  /** Reports an invalid or too narrow key. @param inward 1 if keys above `bound` are too narrow, -1 if keys below it */
  #compareKey(
    at: Pick<CatalogDifference, 'path' | 'field'>,
    key: SqlValue,
    bound: ByteBound | null,
    inward: 1 | -1,
    reported: CatalogDifference[],
  ): void {
    if (key === null) return
    const { rule } = this.#column
    const value = key instanceof Uint8Array ? rule.decoded(key) : null
    if (value !== null && bound !== null && compareBounds(value, bound) * inward <= 0) return
    const log = bound === null ? 'no bound' : rule.shown(bound)
    const bytes = key instanceof Uint8Array ? Buffer.from(key).toString('hex') : String(key)
    reported.push({ ...at, log, catalog: value === null ? `no key: ${bytes}` : rule.shown(value) })
  }
}

function byNumber(rows: readonly SqlRow[]): ReadonlyMap<number, readonly Stored[]> {
  const found = new Map<number, Stored[]>()
  for (const [number, low = null, high = null, hasNulls = null, hasValues = null] of rows) {
    const row: Stored = [low, high, hasNulls, hasValues]
    const known = found.get(Number(number))
    if (known === undefined) found.set(Number(number), [row])
    else known.push(row)
  }
  return found
}

/** Bounds and flags that cover the content of `a` and of `b`. Files with only nulls have no bounds. */
function combined(a: Content, b: Content): Content {
  const flags = {
    mayHaveNulls: a.mayHaveNulls || b.mayHaveNulls,
    mayHaveValues: a.mayHaveValues || b.mayHaveValues,
  }
  if (!b.mayHaveValues) return { ...a, ...flags }
  return { ...(a.mayHaveValues ? outerBounds(a, b) : { low: b.low, high: b.high }), ...flags }
}
