/** Checks that moved rows are in the target: row counts of both sides, and the identity of the target table. */
import { isoTime } from '../../../shared/clock.ts'
import { tableText } from '../../../model/copy/column-type.ts'
import { shellQuote } from '../../../shared/shell.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { DecommissionFinding } from '../../../model/partition/decommission-port.ts'
import type { ContainedTable, DatabaseInside } from '../../../model/partition/retirement-port.ts'
import { onSide } from '../../../engine/copy/sides.ts'
import { lastProof, type LastProof } from './last-proof.ts'
import type { MovedTable } from './moved.ts'
import type { TargetSide, TargetTable } from './target-side.ts'

/** State of a moved table on both sides, read after writes to its database had ended. */
export type KeptTable = {
  readonly table: string
  /** Schema and name in the target. */
  readonly schema: string
  readonly name: string
  /** Mark (`TableMark`) of the target's table; null if its system has none. */
  readonly mark: string | null
  readonly rows: string
  readonly sourceRows: string
  /** True if a cutover moved its users to the target, where they may delete rows. */
  readonly isSwitched: boolean
}

export type SidesOptions = {
  /** Ledger of the database that the tables moved to. */
  readonly database: LedgerDatabase
  /** Identity of the database to remove. */
  readonly identity: string
  readonly inside: DatabaseInside
  readonly target: TargetSide
  readonly signal: AbortSignal
}

/** Result of counting a moved table on both sides. */
export type CountedSides = {
  /** Why its rows cannot be assumed to be in the target; null if they can. */
  readonly lacks: string | null
  readonly proof: LastProof
  /** What was checked, as one sentence. */
  readonly detail: string
  readonly kept: KeptTable | null
}

/** Counts the table on both sides. */
export async function countBothSides(
  table: ContainedTable,
  copy: MovedTable,
  options: SidesOptions,
): Promise<CountedSides> {
  const { database, identity, inside, target, signal } = options
  const proof = await lastProof(database, identity, copy)
  const to = nameOf(copy)
  const moved = `${copy.rows} rows were ${copy.source === null ? 'moved' : 'copied'} to ${to} ${proof.detail}`
  // Count the source last: rows written meanwhile are then reported as missing in the target.
  const there = await target.countRows(copy)
  if (there === null) return { lacks: `${moved}; the target has no table ${to} now`, proof, detail: moved, kept: null }
  const here = await onSide('source', () => inside.count(table, signal))
  const lacks =
    here === null
      ? `${moved}; this login may not count the rows of this database (connect as one that may read them), ${to} holds ${String(there.rows)} now`
      : lackOf({ table, copy, proof, moved, there, here })
  const detail = `${moved}; ${countsText(to, there.rows, here ?? 0n)}`
  if (lacks !== null || here === null) return { lacks, proof, detail, kept: null }
  const kept = {
    table: tableText(table.table),
    schema: copy.schema,
    name: copy.name,
    mark: there.mark,
    rows: String(there.rows),
    sourceRows: String(here),
    isSwitched: proof.by === 'switch',
  }
  return { lacks, proof, detail, kept }
}

type Compared = {
  readonly table: ContainedTable
  readonly copy: MovedTable
  readonly proof: LastProof
  readonly moved: string
  readonly there: TargetTable
  readonly here: bigint
}

function lackOf({ table, copy, proof, moved, there, here }: Compared): string | null {
  const to = nameOf(copy)
  if (copy.mark !== null && there.mark !== null && copy.mark !== there.mark) {
    return `${moved}; ${to} was recreated since; ${countsText(to, there.rows, here)}`
  }
  const strange = copy.switched !== null ? table.columns.filter((name) => !there.columns.includes(name)) : []
  if (strange.length > 0) return `${moved}; ${to} has no column ${strange.join(', ')}`
  if (there.rows >= minimumRows(copy, proof, here)) return null
  return `${moved}; ${countsText(to, there.rows, here)}`
}

/**
 * Minimum number of rows in the target. After a cutover: 1 if the source has rows, because users may delete rows of the
 * target. After a stream whose last comparison was equal: the rows of the source. Otherwise: the copied rows or the
 * source's rows, whichever are more, plus the surplus.
 */
function minimumRows(copy: MovedTable, { by, equal }: LastProof, here: bigint): bigint {
  if (by === 'switch') return here > 0n ? 1n : 0n
  if (by === 'stream' && equal) return here
  const [copied, surplus] = [BigInt(copy.rows), BigInt(copy.surplus)]
  return (copied > here ? copied : here) + (surplus > 0n ? surplus : 0n)
}

function countsText(to: string, there: bigint, here: bigint): string {
  return `${to} holds ${String(there)} now, and this database ${String(here)}`
}

/**
 * For an inactive database: checks that the target still has the rows of a moved table.
 * @param sinceMs when the database became inactive
 * @param leave tables named with --leave
 */
export async function keptFinding(
  one: KeptTable,
  target: TargetSide,
  sinceMs: number,
  leave: readonly string[],
): Promise<DecommissionFinding> {
  const { table, mark, rows, sourceRows, isSwitched } = one
  const to = nameOf(one)
  const then = `at ${isoTime(sinceMs)} ${to} held ${rows} rows, and this database ${sourceRows}`
  const there = await target.countRows(one)
  const now = there === null ? `the target has no table ${to} now` : `${to} holds ${String(there.rows)} now`
  const isOther = there !== null && mark !== null && there.mark !== null && there.mark !== mark
  const least = isSwitched ? (BigInt(rows) > 0n ? 1n : 0n) : BigInt(rows)
  const detail = `${then}; ${isOther ? `it was recreated since, and ${now}` : now}`
  const about = 'table'
  if (there !== null && !isOther && there.rows >= least) {
    if (isSwitched) return { verdict: there.rows < BigInt(rows) ? 'look' : 'fine', about, object: table, detail }
    const hint = `--undo accepts connections again; then sluice diff --table ${shellQuote(table)} compares the rows`
    return { verdict: 'look', about, object: table, detail, hint }
  }
  if (leave.includes(table)) {
    return {
      verdict: 'look',
      about,
      object: table,
      detail: `${detail}; the table of this database will be dropped, as --leave requests`,
    }
  }
  const hint = `--undo accepts connections again, so its rows can be copied; or add --leave ${shellQuote(table)} if they are no longer needed`
  return { verdict: 'refused', about, object: table, detail, hint }
}

function nameOf({ schema, name }: Pick<MovedTable, 'schema' | 'name'>): string {
  return tableText({ name, ...(schema === '' ? {} : { schema }) })
}
