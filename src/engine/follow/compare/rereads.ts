/**
 * Reads rows from the source by row key, between two transactions of the stream: rows whose unchanged values the stream
 * leaves out, rows that the target refused, and rows that a comparison found to differ. Changes that the stream
 * delivers after such a read may be older than the rows read, so the table catches up once more.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { bytesOfText } from '../../../model/copy/bytes-text.ts'
import type { LogPosition } from '../../../model/copy/change.ts'
import { keyTextOf } from '../../../model/copy/key-text.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { Range } from '../../../model/copy/range.ts'
import type { Cell, Row } from '../../../model/copy/rows.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { Statement } from '../../../model/run/ledger-port.ts'
import type { ChangeSource } from '../../../model/follow/port.ts'
import { writtenCells } from '../../copy/table/context.ts'
import { rowsByKey, sourceRequest, targetRequest } from '../../copy/diff/sides.ts'
import { noteRepairPlan } from '../../copy/ledger/repair-plans.ts'
import { packedRow, repairStatement } from '../../copy/ledger/repairs.ts'
import { keyPart } from '../../../model/copy/row-key.ts'
import type { CopiedRanges } from './copied-part.ts'
import { rowKeyPositions, type FollowTable } from '../stream/followed-table.ts'
import type { ApplyWorkers } from '../apply/apply-workers.ts'
import type { RereadLedger } from '../../copy/ledger/rereads.ts'
import type { StreamLedger } from '../../copy/ledger/streams.ts'
import { snapshotOf } from './visible.ts'

/** Keys per query. */
const AT_ONCE = 1000
const AGAIN_MS = 50
/** Maximum number of rows of one repair: as many as a comparison lists per table. */
const MOST_REPAIRED = 20_000

export type RereadContext = {
  readonly from: CopyStore
  readonly to: CopyStore
  readonly changes: ChangeSource
  readonly ledger: StreamLedger
  /** The run under which the repairs are recorded, for `diff --undo`. */
  readonly runId: bigint
  readonly signal: AbortSignal
}

export type Reread = {
  /** `keyText` of the row keys that were read. */
  readonly keys: ReadonlySet<string>
  /** Number of rows that a comparison found to differ and that were changed. */
  readonly repaired: number
  /** From this position on, the table equals the source. */
  readonly position: LogPosition
}

/**
 * Rereads the waiting rows of a table in catch-up. They are newer than the applied changes, so the table must catch up
 * to the position of the read.
 * @param at the table's number in the stream
 * @returns null if no row waited to be read
 */
export async function rereadRows(
  applyWorkers: ApplyWorkers,
  stream: string,
  table: FollowTable,
  at: number,
  rereadContext: RereadContext,
): Promise<Reread | null> {
  const { from, changes, ledger, signal } = rereadContext
  const read = new Set<string>()
  let repaired = 0
  let reached: LogPosition | null = null
  for (;;) {
    const waiting = await ledger.rereads.of(stream, table.key, AT_ONCE)
    if (waiting.length === 0) return reached === null ? null : { keys: read, repaired, position: reached }
    await using view = await from.source(signal)
    const snapshot = snapshotOf(view.point.view)
    if (snapshot !== null && !applyWorkers.isShownBy(snapshot)) {
      await sleep(AGAIN_MS)
      continue
    }
    const fence = await changes.fence(signal)
    const found = await readAgain(view, waiting, table, rereadContext)
    await applyWorkers.rewrite(at, found.puts, found.gone, [
      ...found.repairs,
      ...ledger.rereads.done(waiting.map(({ id }) => id)),
      ledger.stateStatement(stream, table.key, 'catchup', changes.text(fence)),
    ])
    for (const key of found.keys) read.add(key)
    repaired += found.repairs.length
    reached = fence
  }
}

/**
 * Rereads the waiting rows of a live table, or of the copied part of a table, in one transaction. Call it only while
 * the target has exactly the rows of the view: then the table stays equal to the source, and its unique values cannot
 * conflict with later changes.
 * @param view of the source
 * @param part copied part of the table; null for the whole table
 * @returns how many rows were read, and how many of them were changed
 */
export async function repairRows(
  view: SourceView,
  applyWorkers: ApplyWorkers,
  stream: string,
  table: FollowTable,
  at: number,
  rereadContext: RereadContext & { readonly part: CopiedRanges | null },
): Promise<{ readonly read: number; readonly mended: number }> {
  const { ledger, part } = rereadContext
  // All in one transaction: a unique value may have to move from one row to another.
  const waiting = await ledger.rereads.of(stream, table.key, MOST_REPAIRED, part === null)
  if (waiting.length === 0) return { read: 0, mended: 0 }
  const { puts, gone, repairs, keys } = await readAgain(view, waiting, table, rereadContext)
  const there = part === null ? puts : puts.filter((row) => part.of(row) === 'copied')
  const left = puts.filter((row) => !there.includes(row))
  const places = rowKeyPositions(table)
  const keyOf = (row: Row): Row => places.map((place) => row[place] ?? null)
  const unsure = left.filter((row) => part?.of(row) === 'unsure').map((row) => keyOf(row).map(keyPart))
  await applyWorkers.rewrite(
    at,
    there,
    [...gone, ...left.map(keyOf)],
    [
      ...repairs,
      ...ledger.rereads.done(waiting.map(({ id }) => id)),
      ...ledger.rereads.statements(stream, table.key, unsure, 'bound'),
    ],
  )
  return { read: keys.length, mended: repairs.length }
}

type Waiting = Awaited<ReturnType<RereadLedger['of']>>

type ReadRows = {
  readonly puts: readonly Row[]
  readonly gone: readonly Row[]
  readonly repairs: readonly Statement[]
  /** `keyText` of the row keys. */
  readonly keys: readonly string[]
}

async function readAgain(
  view: SourceView,
  waiting: Waiting,
  table: FollowTable,
  { to, ledger, runId, signal }: RereadContext,
): Promise<ReadRows> {
  const { plan } = table
  const keyed = byIdentity(table)
  const written = plan.columns.flatMap(({ target }, i) => (target.generated === true ? [] : [i]))
  const own = (key: Row): string => keyTextOf(key, [...key.keys()])
  const differing = new Set(
    waiting.flatMap(({ key, reason }) => (reason === 'difference' ? [JSON.stringify(key)] : [])),
  )
  if (differing.size > 0) await noteRepairPlan(ledger.database, runId, table.key, plan)
  await using there = differing.size > 0 ? await to.source(signal) : null
  const all = [...new Map(waiting.map(({ key }) => [JSON.stringify(key), key])).values()]
  const [puts, gone, repairs, names]: [Row[], Row[], Statement[], string[]] = [[], [], [], []]
  for (let from = 0; from < all.length; from += AT_ONCE) {
    const keys = all.slice(from, from + AT_ONCE)
    const range: Range = { by: 'keys', keys }
    const rows = await rowsByKey(view, sourceRequest({ plan: keyed }, range), keyed, signal)
    const before =
      there === null
        ? new Map<string, Row>()
        : await rowsByKey(there, targetRequest({ plan: keyed }, range), keyed, signal)
    for (const key of keys) {
      const cells = key.map((text, i) => cellAt(text, table, i))
      const name = own(cells)
      names.push(name)
      const [held, read] = [before.get(name), rows.get(name)]
      const old = held === undefined ? null : writtenCells(plan, held)
      const now = read === undefined ? null : writtenCells(plan, read)
      if (now === null) gone.push(cells)
      else puts.push(written.map((i) => now[i] ?? null))
      if (differing.has(JSON.stringify(key)) && packedRow(old) !== packedRow(now))
        repairs.push(repairStatement(ledger.database, runId, { table: table.key, key, before: old, after: now }))
    }
  }
  return { puts, gone, repairs, keys: names }
}

/** The plan with the stream's row key as its key: rows are found by it on both sides. */
export function byIdentity({ plan, source, target }: FollowTable): TablePlan {
  return { ...plan, source: { ...plan.source, key: source.identity }, rangeKey: target.identity }
}

/** Converts a value of a row key from the text of `keyPart` to a cell. */
function cellAt(text: string | null, table: FollowTable, at: number): Cell {
  const column = table.source.columns.find(({ name }) => name === table.source.identity[at])
  if (text === null || column === undefined) return null
  if (column.as.kind === 'float') return Number(text)
  return column.as.kind === 'bytes' ? bytesOfText(text) : text
}
