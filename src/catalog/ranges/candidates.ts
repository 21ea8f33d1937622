/** Finds files that their ranges cannot exclude: first zones of 1,024 files, then the files of the remaining zones. */
import type { SqlReader, SqlValue } from '../../model/run/sql-port.ts'
import { areColumnsUnchanged, firstFileAfter, rangeColumns, ZONE_FILES, type RangeColumn } from './columns.ts'
import { rangeTest, testedRangeColumns, type BoundCondition, type RangeTest } from './condition.ts'
import { inLists } from '../in-lists.ts'

export type Candidates = {
  /** Numbers of files that may match, ascending within their zones. */
  readonly numbers: readonly number[]
  /** `numbers` covers only files with a number up to `builtTo` that were added by versions up to `builtVersion`. */
  readonly builtTo: number
  readonly builtVersion: number
  /** Files that `numbers` does not cover have this number or a higher one. */
  readonly restFrom: number
}

const EVER = Number.MAX_SAFE_INTEGER
const NOTHING_MATCHES: Candidates = { numbers: [], builtTo: EVER, builtVersion: EVER, restFrom: EVER }
const ZONES_A_STATEMENT = 500
const PAGE_ROWS = 20_000

/**
 * Finds the files that may match. Null if ranges cannot test the condition, or leave more than `most` files: the caller
 * then reads statistics. Never leaves out a file that `pruning.byFile` would keep.
 */
export async function candidateFiles(
  reader: SqlReader,
  tableId: string,
  condition: BoundCondition,
  most: number,
): Promise<Candidates | null> {
  const all = await rangeColumns(reader, tableId)
  if (all.length === 0) return null
  const test = rangeTest(condition, all)
  if (test.kind === 'all') return null
  const columns = testedRangeColumns(test)
  const builtTo = Math.min(...columns.map((column) => column.builtTo))
  const builtVersion = Math.min(...columns.map((column) => column.builtVersion))
  // A condition that no row can meet needs no ranges and no file.
  if (test.kind === 'none') return NOTHING_MATCHES
  const firstNew = await firstFileAfter(reader, tableId, builtVersion)
  if (builtTo < 0 || firstNew === 'unknown') return null
  const zones = await zonesOf(reader, tableId, test, columns, builtTo)
  const numbers: number[] = []
  const sql = (marks: string): string =>
    `SELECT r0.file_no FROM delta_file_ranges r0${joins('delta_file_ranges', columns, ['zone_no', 'file_no'])}
     WHERE r0.table_id = ? AND r0.column_no = ? AND r0.zone_no IN (${marks}) AND r0.file_no <= ? AND (${whereOf(test, columns)})`
  for (const { some, marks } of inLists(zones, ZONES_A_STATEMENT)) {
    const parameters = [...headParameters(columns, tableId), ...some, builtTo, ...parametersOf(test)]
    for await (const page of reader.pages(sql(marks), parameters, PAGE_ROWS)) {
      for (const [number] of page) numbers.push(number as number)
      if (numbers.length > most) return null
    }
  }
  // Ranges that were dropped or rebuilt during the read may have been read in part.
  if (!(await areColumnsUnchanged(reader, tableId, columns))) return null
  return { numbers, builtTo, builtVersion, restFrom: Math.min(builtTo + 1, firstNew ?? Infinity) }
}

async function zonesOf(
  reader: SqlReader,
  tableId: string,
  test: RangeTest,
  columns: readonly RangeColumn[],
  builtTo: number,
): Promise<readonly number[]> {
  const rows = await reader.all(
    `SELECT r0.zone_no FROM delta_range_zones r0${joins('delta_range_zones', columns, ['zone_no'])}
     WHERE r0.table_id = ? AND r0.column_no = ? AND r0.zone_no <= ? AND (${whereOf(test, columns)}) ORDER BY r0.zone_no`,
    [...headParameters(columns, tableId), Math.floor(builtTo / ZONE_FILES), ...parametersOf(test)],
  )
  return rows.map(([zone]) => zone as number)
}

function joins(relation: string, columns: readonly RangeColumn[], keys: readonly string[]): string {
  return columns
    .slice(1)
    .map((_, i) => {
      const equal = keys.map((key) => ` AND r${i + 1}.${key} = r0.${key}`).join('')
      return ` JOIN ${relation} r${i + 1} ON r${i + 1}.table_id = ? AND r${i + 1}.column_no = ?${equal}`
    })
    .join('')
}

/** Parameters for the joins and the first two placeholders after WHERE. */
function headParameters(columns: readonly RangeColumn[], tableId: string): SqlValue[] {
  const [first, ...others] = columns
  return [...others.flatMap(({ columnNo }) => [tableId, columnNo]), tableId, (first as RangeColumn).columnNo]
}

/** `IS NOT TRUE` keeps files whose bound is NULL, which means unbounded. */
function whereOf(test: RangeTest, columns: readonly RangeColumn[]): string {
  if ('parts' in test)
    return test.parts.map((part) => `(${whereOf(part, columns)})`).join(` ${test.kind.toUpperCase()} `)
  if (!('column' in test)) return '1 = 1'
  const row = `r${columns.indexOf(test.column)}`
  if (test.kind === 'nulls') return test.negated ? `${row}.has_values = 1` : `${row}.has_nulls = 1`
  const { reach, start } = test.wanted
  const below = reach === null ? '' : ` AND (${row}.max_key < ?) IS NOT TRUE`
  const above = start === null ? '' : ` AND (${row}.min_key > ?) IS NOT TRUE`
  return `${row}.has_values = 1${below}${above}`
}

function parametersOf(test: RangeTest): SqlValue[] {
  if ('parts' in test) return test.parts.flatMap(parametersOf)
  if (test.kind !== 'values') return []
  return [test.wanted.reach, test.wanted.start].filter((key) => key !== null)
}
