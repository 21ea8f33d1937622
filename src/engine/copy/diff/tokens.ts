/**
 * Compares two tables of which the source lies on a ring, one range of tokens after the other. Where the target lies on the same ring both sides are
 * read range by range; otherwise rows of the target are looked up by the keys of the source.
 */
import { keyText } from '../../../model/copy/key-text.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import { EVERY_KEY, type Bound, type Range } from '../../../model/copy/range.ts'
import { halveTokens, rangeOfTokens, RINGS, type TokenRange } from '../../../model/copy/ring.ts'
import type { Row } from '../../../model/copy/rows.ts'
import type { SluiceError } from '../../../shared/errors.ts'
import type { BatchSize, RowRequest, SourceView } from '../../../stores/copy-port.ts'
import { differenceOf, type Difference } from './compare.ts'
import { boundOf, keyPlaces, rowsByKey, sourceRequest, targetRequest, type Sides } from './sides.ts'

/** Rows and bytes of one side that are held at the same time; ranges with more are halved. */
const MOST_ROWS = 20_000
const MOST_BYTES = 64 * 1024 * 1024
const BATCH: BatchSize = { rows: 2000, bytes: 4 * 1024 * 1024 }
const KEYS: BatchSize = { rows: 500, bytes: 4 * 1024 * 1024 }

export type TokenTally = { rows: number; targetRows: number; valid: number; unread: number }

export type TokenHooks = {
  readonly found: (difference: Difference) => Promise<void>
  /** A row of the source that cannot be read: its texts, as far as the system gave them. */
  readonly unread: (row: readonly (string | null)[], error: SluiceError) => void
  readonly compared: (rows: number) => void
}

/** @returns what was compared; extra rows of a target that lies on no such ring are not looked for */
export async function compareTokens(sides: Sides, tokens: TokenRange, hooks: TokenHooks): Promise<TokenTally> {
  const tally: TokenTally = { rows: 0, targetRows: 0, valid: 0, unread: 0 }
  if (sides.plan.sortsAlike) await byRange(sides, tokens, hooks, tally)
  else await byLookup(sides, rangeOf(sides.plan, tokens), hooks, tally)
  return tally
}

/** Rows of the target whose keys the source has not, wherever they lie. */
export async function findExtra(
  sides: Sides,
  range: Range,
  found: (difference: Difference) => Promise<void>,
): Promise<void> {
  const { plan, source, target, signal } = sides
  for await (const { rows } of target.read(targetRequest(sides, range), KEYS, signal)) {
    const keys = rows.map((row) => boundOf(plan, row))
    // Of rows that cannot be read, the second look finds out that they are there.
    const request: RowRequest = { ...sourceRequest(sides, { by: 'keys', keys }), aside: () => undefined }
    const there = await rowsByKey(source, request, plan, signal)
    for (const row of rows) {
      if (there.has(textOf(plan, row))) continue
      const difference = differenceOf(plan, undefined, row)
      if (difference !== null) await found(difference)
    }
  }
}

async function byRange(sides: Sides, tokens: TokenRange, hooks: TokenHooks, tally: TokenTally): Promise<void> {
  const { plan, source, target, signal } = sides
  const range = rangeOf(plan, tokens)
  const unread: (() => void)[] = []
  const request: RowRequest = {
    ...sourceRequest(sides, range),
    aside: (row, error) => unread.push(() => hooks.unread(row, error)),
  }
  const [here, there] = await Promise.all([
    held(source, request, plan, signal),
    held(target, targetRequest(sides, range), plan, signal),
  ])
  if (here === null || there === null) {
    const halves = halveTokens(tokens)
    // Partitions of one token, too many rows for the memory: what is there is looked for row by row.
    if (halves === null) {
      await byLookup(sides, range, hooks, tally)
      await findExtra(sides, range, hooks.found)
    } else for (const half of halves) await byRange(sides, half, hooks, tally)
    return
  }
  for (const tell of unread) tell()
  tally.unread += unread.length
  await compareMaps(plan, here, there, hooks, tally)
  for (const [key, row] of there) {
    if (here.has(key)) continue
    const difference = differenceOf(plan, undefined, row)
    if (difference !== null) await hooks.found(difference)
  }
}

async function byLookup(sides: Sides, range: Range, hooks: TokenHooks, tally: TokenTally): Promise<void> {
  const { plan, source, target, signal } = sides
  const request: RowRequest = {
    ...sourceRequest(sides, range),
    aside: (row, error) => {
      tally.unread++
      hooks.unread(row, error)
    },
  }
  for await (const { rows } of source.read(request, KEYS, signal)) {
    const keys: readonly Bound[] = rows.map((row) => boundOf(plan, row))
    const there = await rowsByKey(target, targetRequest(sides, { by: 'keys', keys }), plan, signal)
    await compareMaps(plan, new Map(rows.map((row) => [textOf(plan, row), row])), there, hooks, tally)
  }
}

async function compareMaps(
  plan: TablePlan,
  here: ReadonlyMap<string, Row>,
  there: ReadonlyMap<string, Row>,
  hooks: TokenHooks,
  tally: TokenTally,
): Promise<void> {
  tally.rows += here.size
  tally.targetRows += there.size
  for (const [key, row] of here) {
    const difference = differenceOf(plan, row, there.get(key))
    if (difference === null) tally.valid++
    else await hooks.found(difference)
  }
  hooks.compared(here.size)
}

/** All rows of a range by key; null where they are too many to be held. */
async function held(
  view: SourceView,
  request: RowRequest,
  plan: TablePlan,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Row> | null> {
  const found = new Map<string, Row>()
  let size = 0
  for await (const { rows, bytes } of view.read(request, BATCH, signal)) {
    size += bytes
    for (const row of rows) found.set(textOf(plan, row), row)
    if (found.size > MOST_ROWS || size > MOST_BYTES) return null
  }
  return found
}

function textOf(plan: TablePlan, row: Row): string {
  return keyText(keyPlaces(plan).map((at) => row[at] ?? null))
}

function rangeOf({ source: { ring } }: TablePlan, tokens: TokenRange): Range {
  return ring === undefined ? EVERY_KEY : rangeOfTokens(tokens, RINGS[ring.partitioner])
}
