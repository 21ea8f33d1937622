/**
 * Compares two tables whose source is on a ring, one token range after the other. If the target is on the same ring,
 * both sides are read by range; otherwise target rows are fetched by the keys of the source.
 */
import { keyTextOf } from '../../../model/copy/key-text.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import { EVERY_KEY, type Range } from '../../../model/copy/range.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import { halveTokens, rangeOfTokens, RING_TOKENS, type TokenRange } from '../../../model/copy/ring.ts'
import type { Row } from '../../../model/copy/rows.ts'
import type { SluiceError } from '../../../shared/errors.ts'
import type { BatchSize, RowRequest, SourceView } from '../../../model/copy/source-port.ts'
import { differenceOf, sharedKeyDifference, type RowDifference } from './difference.ts'
import { findExtra } from './extra.ts'
import { keyPositions } from '../table/context.ts'
import { completeShared, isShared, sharedDifference } from './same-key.ts'
import {
  ByKey,
  findsByKey,
  keepKeys,
  rowBound,
  requestsOf,
  sourceRequest,
  targetRequest,
  timedByKey,
  type DiffSides,
} from './sides.ts'
import { differingLifetimes, type Timed } from './times.ts'

/** Maximum number of rows, and of bytes, that are kept in memory per side of a range; larger ranges are halved. */
const MOST_ROWS = 20_000
const MOST_BYTES = 64 * 1024 * 1024
const BATCH: BatchSize = { rows: 2000, bytes: 4 * 1024 * 1024 }
const KEYS: BatchSize = { rows: 500, bytes: 4 * 1024 * 1024 }

export type TokenTally = { rows: number; targetRows: number; valid: number; unread: number }

export type TokenHooks = {
  readonly found: (difference: RowDifference) => Promise<void>
  /** Called with an unreadable row of the source: its texts, as far as the system returned them. */
  readonly unread: (row: readonly (string | null)[], error: SluiceError) => void
  readonly compared: (rows: number) => void
  /** Called with all rows of either side as read, for checksums. */
  readonly seen?: (side: 'source' | 'target', rows: Iterable<Row>) => void
}

/**
 * Compares one token range. Does not search for extra rows of a target that is not on the same ring. @returns counts
 */
export async function compareTokens(sides: DiffSides, tokens: TokenRange, hooks: TokenHooks): Promise<TokenTally> {
  const tally: TokenTally = { rows: 0, targetRows: 0, valid: 0, unread: 0 }
  if (sides.plan.sortsAlike) await byRange(sides, tokens, hooks, tally)
  else await byLookup(sides, rangeOf(sides.plan, tokens), hooks, tally)
  return tally
}

/**
 * Compares a source range with the target rows that have its keys, because the two sides sort differently.
 * @returns counts; does not search for extra rows of the target
 */
export async function compareByKeys(sides: DiffSides, range: Range, hooks: TokenHooks): Promise<TokenTally> {
  const tally: TokenTally = { rows: 0, targetRows: 0, valid: 0, unread: 0 }
  await byLookup(sides, range, hooks, tally)
  return tally
}

async function byRange(sides: DiffSides, tokens: TokenRange, hooks: TokenHooks, tally: TokenTally): Promise<void> {
  const { plan, source, target, signal } = sides
  const range = rangeOf(plan, tokens)
  const unread: (() => void)[] = []
  const [request, asked] = requestsOf(sides, range)
  const onRefused: RowRequest['onRefused'] = (row, error) => unread.push(() => hooks.unread(row, error))
  const [here, there] = await Promise.all([
    rowsInMemory(source, timed(sides, { ...request, onRefused }), plan, signal),
    rowsInMemory(target, timed(sides, asked), plan, signal),
  ])
  if (here === null || there === null) {
    const halves = halveTokens(tokens)
    // The range is one token, and has too many rows for memory: compare row by row.
    if (halves === null) {
      await byLookup(sides, range, hooks, tally)
      await findExtra(sides, range, async (difference) => {
        tally.targetRows++
        await hooks.found(difference)
      })
    } else for (const half of halves) await byRange(sides, half, hooks, tally)
    return
  }
  for (const report of unread) report()
  tally.unread += unread.length
  tally.rows += Number(here.count())
  await compareMaps(sides, here, there, hooks, tally)
  for (const [key, { row }] of there) {
    if (here.has(key)) continue
    const difference = differenceOf(plan, undefined, row)
    if (difference !== null) await hooks.found(difference)
  }
}

async function byLookup(sides: DiffSides, range: Range, hooks: TokenHooks, tally: TokenTally): Promise<void> {
  const { plan, source, target, signal } = sides
  const request: RowRequest = {
    ...sourceRequest(sides, range),
    onRefused: (row, error) => {
      tally.unread++
      hooks.unread(row, error)
    },
  }
  const shared = new Set<string>()
  for await (const { rows, stamps } of source.read(timed(sides, request), KEYS, signal)) {
    const { first, others } = sides.met?.taken(plan, rows) ?? { first: new Set(rows), others: [] }
    for (const row of others) await hooks.found(sharedKeyDifference(plan, row))
    tally.rows += others.length
    const keys: readonly RowKey[] = [...first].map((row) => rowBound(plan, row))
    const wanted = targetRequest(sides, { by: 'keys', keys })
    const there = await timedByKey(target, wanted, plan, signal, sides.lifetimes === true)
    const here = new ByKey<Timed>()
    for (const [i, row] of rows.entries())
      if (first.has(row)) here.add(textOf(plan, row), { row, stamp: stamps?.[i] ?? null })
    tally.rows += Number(here.count())
    // A collation may match other keys than the requested ones.
    keepKeys(there, here)
    if (findsByKey(plan)) await completeShared(here, there, shared, (some) => readAll(sides, some))
    await compareMaps(sides, here, there, hooks, tally)
  }
}

async function compareMaps(
  sides: DiffSides,
  here: ByKey<Timed>,
  there: ByKey<Timed>,
  hooks: TokenHooks,
  tally: TokenTally,
): Promise<void> {
  const { plan } = sides
  const byKey = findsByKey(plan)
  tally.targetRows += Number(there.count())
  hooks.seen?.('source', rowsOf(here.every()))
  hooks.seen?.('target', rowsOf(there.every()))
  for (const [key, one] of here) {
    const other = there.get(key)
    const difference =
      byKey && isShared(key, here, there)
        ? sharedDifference(plan, rowsOf(here.all(key)), rowsOf(there.all(key)))
        : (differenceOf(plan, one.row, other?.row) ?? lifetimeDifference(sides, one, other))
    if (difference === null) tally.valid++
    else await hooks.found(difference)
  }
  hooks.compared(here.size)
}

/** Difference in expiry times of rows with equal values; null if there is none, or if expiry is not compared. */
export function lifetimeDifference(
  { plan, lifetimes }: DiffSides,
  here: Timed | undefined,
  there: Timed | undefined,
): RowDifference | null {
  if (lifetimes !== true || here === undefined || there === undefined) return null
  const columns = differingLifetimes(plan, here, there)
  return columns.length === 0 ? null : { key: rowBound(plan, here.row), kind: 'different', columns }
}

/** Adds write times and TTLs to the request if they are compared. */
function timed({ lifetimes }: DiffSides, request: RowRequest): RowRequest {
  return lifetimes === true ? { ...request, stamps: true } : request
}

/** Rows of the source with the keys of `some`. */
async function readAll(sides: DiffSides, some: readonly Timed[]): Promise<ByKey<Timed>> {
  const { plan, source, signal, lifetimes } = sides
  const range: Range = { by: 'keys', keys: some.map(({ row }) => rowBound(plan, row)) }
  const request = { ...sourceRequest(sides, range), onRefused: () => undefined }
  return await timedByKey(source, request, plan, signal, lifetimes === true)
}

function rowsOf(timedRows: readonly Timed[]): readonly Row[] {
  return timedRows.map(({ row }) => row)
}

/** All rows of a range by key; null if they exceed the memory limit. */
async function rowsInMemory(
  view: SourceView,
  request: RowRequest,
  plan: TablePlan,
  signal: AbortSignal,
): Promise<ByKey<Timed> | null> {
  const found = new ByKey<Timed>()
  let size = 0
  for await (const { rows, bytes, stamps } of view.read(request, BATCH, signal)) {
    size += bytes
    for (const [i, row] of rows.entries()) found.add(textOf(plan, row), { row, stamp: stamps?.[i] ?? null })
    if (found.size > MOST_ROWS || size > MOST_BYTES) return null
  }
  return found
}

function textOf(plan: TablePlan, row: Row): string {
  return keyTextOf(row, keyPositions(plan))
}

function rangeOf({ source: { ring } }: TablePlan, tokens: TokenRange): Range {
  return ring === undefined ? EVERY_KEY : rangeOfTokens(tokens, RING_TOKENS[ring.partitioner])
}
