/** Sequences of a DuckDB target: created with their table, and advanced after its rows are written. */
import type { Column, TableSpec } from '../../../model/copy/column-type.ts'
import type { ColumnSequence } from '../../../model/copy/sequence.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { duckdbSequences } from './dependencies.ts'
import type { DuckdbCopySession } from './session.ts'

/** Maximum number of values drawn at once; DuckDB has no other way to advance a sequence that a table uses. */
const MOST_DRAWN = 100_000_000n

/**
 * `CREATE SEQUENCE` for numbered columns of a new table. They start at the source's next number, so that few numbers
 * must be drawn later.
 */
export function sequencesSql(table: TableSpec): readonly string[] {
  return table.columns.flatMap((column) => {
    const { sequence } = column
    if (sequence === undefined || column.type.kind !== 'int') return []
    const { options, next } = sequence
    const words = [`CREATE SEQUENCE IF NOT EXISTS ${nameOf(table, column)}`]
    if (options === undefined) words.push(`START WITH ${next ?? 1n}`)
    else {
      const { start, increment, min, max, cycle } = options
      const first = next === null || next > max || next < min ? start : next
      words.push(
        `INCREMENT BY ${increment} MINVALUE ${min} MAXVALUE ${max} START WITH ${first}${cycle ? ' CYCLE' : ''}`,
      )
    }
    return [words.join(' ')]
  })
}

/** ` DEFAULT nextval(…)` of a numbered column of a new table; empty for others. */
export function numberedSql(table: TableSpec, column: Column): string {
  if (column.sequence === undefined || column.type.kind !== 'int') return ''
  return ` DEFAULT nextval('${nameOf(table, column).replaceAll("'", "''")}')`
}

/** The text of `nextval` cannot name a sequence with a quote in its name, so it gets a name without quotes. */
function nameOf({ table }: TableSpec, { name, sequence }: Column): string {
  const own = (sequence?.named?.name ?? `${table.name}_${name}_seq`).replaceAll('"', '_')
  return `${quotedName(table.schema ?? 'main')}.${quotedName(own)}`
}

/** Advances sequences to the source's position, never backwards. @returns what could not be done, in words */
export async function moveDuckdbSequences(
  session: DuckdbCopySession,
  table: TableSpec,
  wanted: readonly ColumnSequence[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const there = await duckdbSequences(session, table.table, signal)
  const notes: string[] = []
  for (const { column, next } of wanted) {
    if (next === null) continue
    const own = there.find((one) => one.column === column)
    if (own?.named === undefined || own.next === null) {
      notes.push(`${column} has no sequence in the target: the next number of the source is ${next}`)
      continue
    }
    const { increment = 1n, min = 1n, max = 1n } = own.options ?? {}
    // After its last number a sequence fails on the next draw.
    const goal = increment > 0n ? (next > max ? max + 1n : next) : next < min ? min - 1n : next
    const gap = (goal - own.next) * (increment < 0n ? -1n : 1n)
    if (gap <= 0n) continue
    const step = increment < 0n ? -increment : increment
    const drawn = (gap + step - 1n) / step
    if (drawn > MOST_DRAWN) {
      notes.push(
        `the sequence of ${column} is at ${own.next}, and the source at ${next}: recreate it with START WITH ${next}`,
      )
      continue
    }
    const name = `${quotedName(own.named.schema ?? 'main')}.${quotedName(own.named.name)}`.replaceAll("'", "''")
    await session.rows(`SELECT max(nextval('${name}')) FROM range(${drawn})`, [], { signal })
  }
  return notes
}
