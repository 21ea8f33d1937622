/** Selects a condition on one data column whose min/max pruning keeps some files and excludes as many as possible. */
import { compilePruning, type Pruning } from '../../../delta/pruning.ts'
import { leafColumns, type LeafColumn, type StructType } from '../../../delta/schema.ts'
import { statsRange } from '../../../delta/stats.ts'
import { parsePredicate, renderColumn } from '../../../model/lake/predicate.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { sqlLiteral } from '../../../shared/sql-text.ts'

/** Default number of columns for which writers keep statistics. */
const COLUMNS = 32
/** Literals tried for each column, evenly spaced in the sample. */
const LITERALS = 5
/** Number of files of the sample on which each condition is tried. */
const TRIED_ON = 300
/** Maximum characters of a literal: a longer condition is not readable. */
const MAX_LITERAL = 100

type Types = { readonly schema: StructType; readonly partitionColumns: readonly string[] }

/**
 * A value of the statistics in the grammar of `--where`; null for an empty string, and if the column's type cannot be
 * compared with literals.
 */
function literalOf(column: LeafColumn, value: string): string | null {
  const quoted = sqlLiteral(value)
  if (column.type.kind === 'decimal') return value
  if (column.type.kind !== 'primitive') return null
  switch (column.type.name) {
    case 'byte':
    case 'short':
    case 'integer':
    case 'long':
    case 'float':
    case 'double':
      return value
    case 'string':
      return value === '' ? null : quoted
    case 'date':
      return `DATE ${quoted}`
    case 'timestamp':
    case 'timestamp_ntz':
      return `TIMESTAMP ${quoted}`
    default:
      return null
  }
}

function compiled(text: string, types: Types): Pruning | null {
  try {
    return compilePruning(parsePredicate(text), types.schema, types.partitionColumns)
  } catch (error) {
    // The value does not fit the grammar or the type: try the next.
    if (error instanceof SluiceError && error.code === 'BAD_PREDICATE') return null
    throw error
  }
}

/** Conditions worth trying for a column: equality with its smallest value in some files of the sample. */
function* conditions(column: LeafColumn, stats: readonly string[]): Generator<string> {
  const step = Math.max(1, Math.floor(stats.length / LITERALS))
  // Take the middle of each part: the first and last files of a table are its least typical ones.
  for (let at = step >> 1; at < stats.length; at += step) {
    const { min } = statsRange(stats[at], column.physicalPath)
    if (min === undefined || min.length > MAX_LITERAL) continue
    const value = literalOf(column, min)
    if (value !== null) yield `${renderColumn({ names: column.path })} = ${value}`
  }
}

/**
 * @param sample stats of some files in no particular order
 * @returns the condition that keeps the smallest share of the sample, but at least one file; null if no column has
 * usable stats
 */
export function chooseCondition(sample: readonly string[], types: Types): string | null {
  const stats = sample.slice(0, TRIED_ON)
  const partitioned = new Set(types.partitionColumns.map((name) => name.toLowerCase()))
  const columns = leafColumns(types.schema).filter(
    ({ path }) => !(path.length === 1 && partitioned.has((path[0] as string).toLowerCase())),
  )
  let best: { readonly text: string; readonly kept: number } | null = null
  for (const column of columns.slice(0, COLUMNS)) {
    for (const text of conditions(column, stats)) {
      const pruning = compiled(text, types)
      if (pruning === null) continue
      let kept = 0
      for (const one of stats) if (pruning.byStats(one)) kept++
      if (kept > 0 && (best === null || kept < best.kept)) best = { text, kept }
    }
  }
  return best?.text ?? null
}
