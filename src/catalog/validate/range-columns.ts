/** Reads `delta_range_columns` and checks that its values are possible. */
import { leafColumns, parseSchema } from '../../delta/schema.ts'
import type { SqlReader, SqlValue } from '../../model/run/sql-port.ts'
import { boundsRule, type BoundsRule } from './range-bounds.ts'
import { NO_SCHEMA } from './state-checks.ts'
import type { CatalogDifference } from './report.ts'

/** A column with usable ranges, and what they cover. */
export type ProvedColumn = {
  readonly columnNo: number
  readonly name: string
  readonly physicalPath: readonly string[]
  readonly rule: BoundsRule
  readonly builtTo: number
  readonly builtVersion: number
  /**
   * Lowest number of a file added after `builtVersion`, from the commits; null if no file was added. `unknown`: some of
   * these commits are gone, so no query uses the ranges until they are built again.
   */
  readonly firstNew: number | null | 'unknown'
}

export type ReportDifference = (difference: CatalogDifference) => Promise<void>

/** Migration that added ranges. */
const RANGES_SINCE = 2
/** Files per zone, as in src/catalog/ranges/columns.ts. */
export const EXPECTED_ZONE_FILES = 1_024
const ISO = /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/

/**
 * Reports differences of range columns and returns the usable ones; null if the table has no range columns and no range
 * rows.
 */
export async function provedColumns(
  reader: SqlReader,
  tableId: string,
  report: ReportDifference,
): Promise<readonly ProvedColumn[] | null> {
  const [migrated] = await reader.all('SELECT version FROM catalog_migrations WHERE version = ?', [RANGES_SINCE])
  if (migrated === undefined) return null
  const rows = await reader.all(
    `SELECT column_no, name, physical_path, kind, built_to, built_version, created_at FROM delta_range_columns
     WHERE table_id = ? ORDER BY column_no`,
    [tableId],
  )
  const strays = await reportStrays(reader, tableId, new Set(rows.map(([columnNo]) => columnNo)), report)
  if (rows.length === 0) return strays > 0 ? [] : null
  const [head] = await reader.all(
    `SELECT current_version, history_from, (SELECT max(f.file_no) FROM delta_files f WHERE f.table_id = t.table_id)
     FROM delta_tables t WHERE t.table_id = ?`,
    [tableId],
  )
  const [version, historyFrom, lastFile] = head ?? []
  const names = await columnNames(reader, tableId)
  const columns: ProvedColumn[] = []
  const seen = new Set<SqlValue>()
  for (const [columnNo = null, name, path, kind, builtTo = null, builtVersion = null, createdAt] of rows) {
    const say = (field: string, log: SqlValue | undefined, catalog: SqlValue | undefined): Promise<void> =>
      report({ path: null, field: `${field} of ${String(name)}`, log, catalog })
    if (seen.has(columnNo)) await say('column_no', 'another', columnNo)
    seen.add(columnNo)
    if (!ISO.test(String(createdAt))) await say('created_at', 'a time', createdAt)
    const rule = boundsRule(kind)
    if (rule === null) await say('kind', 'a kind of bounds', kind)
    const physicalPath = pathOf(path)
    if (physicalPath === null) await say('physical_path', 'a list of names', path)
    else if (historyFrom === 0) {
      // After a prune the schemas of removed versions are gone, so an unknown column is no difference.
      const known = names.get(JSON.stringify(physicalPath))
      if (known === undefined) await say('physical_path', 'no column of any schema', path)
      else if (!known.has(String(name))) await say('name', [...known].join(' or '), name)
    }
    const reach = Math.max(Number(lastFile ?? -1), await lastOfZones(reader, tableId, columnNo))
    if (!isWhole(builtTo) || builtTo > reach) await say('built_to', reach, builtTo)
    if (!isWhole(builtVersion) || builtVersion > Number(version)) await say('built_version', version, builtVersion)
    if (rule === null || physicalPath === null || !isWhole(builtTo) || !isWhole(builtVersion) || !isWhole(columnNo))
      continue
    const firstNew = await firstAfter(reader, tableId, builtVersion)
    columns.push({ columnNo, name: String(name), physicalPath, rule, builtTo, builtVersion, firstNew })
  }
  return columns
}

function isWhole(value: SqlValue): value is number {
  return Number.isSafeInteger(value)
}

function pathOf(text: SqlValue | undefined): readonly string[] | null {
  try {
    const path: unknown = JSON.parse(String(text))
    return Array.isArray(path) && path.length > 0 && path.every((name) => typeof name === 'string') ? path : null
  } catch {
    return null
  }
}

/**
 * Reports rows whose column number is not in `delta_range_columns`: a column that gets this number later would use
 * them.
 */
async function reportStrays(
  reader: SqlReader,
  tableId: string,
  known: ReadonlySet<SqlValue | undefined>,
  report: ReportDifference,
): Promise<number> {
  let strays = 0
  for (const relation of ['delta_range_zones', 'delta_file_ranges']) {
    const rows = await reader.all(
      `SELECT column_no, count(*) FROM ${relation} WHERE table_id = ? GROUP BY column_no ORDER BY column_no`,
      [tableId],
    )
    for (const [columnNo, count] of rows) {
      if (known.has(columnNo)) continue
      strays++
      await report({
        path: null,
        field: `column ${String(columnNo)} of ${relation}`,
        log: 'missing',
        catalog: `${String(count)} rows`,
      })
    }
  }
  return strays
}

/** Logical names by physical path, from all schemas in the catalog, under both kinds of column mapping. */
async function columnNames(reader: SqlReader, tableId: string): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const names = new Map<string, Set<string>>()
  let last = ''
  const sql = 'SELECT schema_string FROM delta_metadata WHERE table_id = ? ORDER BY version'
  for await (const page of reader.pages(sql, [tableId], 100)) {
    for (const [schema] of page) {
      const text = String(schema ?? NO_SCHEMA)
      if (text === last) continue
      last = text
      for (const mapping of ['none', 'name'] as const) {
        for (const { path, physicalPath } of leavesOf(text, mapping)) {
          const key = JSON.stringify(physicalPath)
          names.set(key, (names.get(key) ?? new Set()).add(path.join('.')))
        }
      }
    }
  }
  return names
}

function leavesOf(schema: string, mapping: 'none' | 'name'): ReturnType<typeof leafColumns> {
  try {
    return leafColumns(parseSchema(schema, mapping))
  } catch {
    return []
  }
}

async function lastOfZones(reader: SqlReader, tableId: string, columnNo: SqlValue): Promise<number> {
  const [row] = await reader.all('SELECT max(zone_no) FROM delta_range_zones WHERE table_id = ? AND column_no = ?', [
    tableId,
    columnNo,
  ])
  const zone = row?.[0] ?? null
  return zone === null ? -1 : (Number(zone) + 1) * EXPECTED_ZONE_FILES - 1
}

async function firstAfter(reader: SqlReader, tableId: string, version: number): Promise<number | null | 'unknown'> {
  const [row] = await reader.all(
    'SELECT min(version), min(first_file_no) FROM delta_commits WHERE table_id = ? AND version > ?',
    [tableId, version],
  )
  const [next = null, first = null] = row ?? []
  if (next !== null && Number(next) !== version + 1) return 'unknown'
  return first === null ? null : Number(first)
}
