/**
 * Rows that are read from the source by their identities, between two transactions of the stream: those whose values the stream does not tell, because they were
 * moved with a value that did not change, and those that a comparison found to differ. What the stream tells of them afterwards is older in part, so their
 * table catches up once more.
 */
import { bytesOfText } from '../../model/copy/bytes-text.ts'
import type { LogPosition } from '../../model/copy/change.ts'
import { keyTextOf } from '../../model/copy/key-text.ts'
import type { TablePlan } from '../../model/copy/plan.ts'
import type { Range } from '../../model/copy/range.ts'
import type { Cell, Row } from '../../model/copy/rows.ts'
import type { CopyStore, Statement } from '../../stores/copy-port.ts'
import type { ChangeSource } from '../../stores/follow-port.ts'
import { rowsByKey, sourceRequest, targetRequest } from '../copy/diff/sides.ts'
import { noteRepairPlan } from '../copy/ledger/repair-plans.ts'
import { packedRow, repairStatement } from '../copy/ledger/repairs.ts'
import type { FollowTable } from './followed-table.ts'
import type { Lane } from './lane.ts'
import type { StreamLedger } from './ledger/streams.ts'

const AT_ONCE = 1000

export type RereadAround = {
  readonly from: CopyStore
  readonly to: CopyStore
  readonly changes: ChangeSource
  readonly ledger: StreamLedger
  /** The run whose repairs these are, for `diff --undo`. */
  readonly runId: bigint
  readonly signal: AbortSignal
}

export type Reread = {
  /** `keyText` of the identities that were read. */
  readonly keys: ReadonlySet<string>
  /** Rows of those that a comparison had found which were changed. */
  readonly mended: number
  /** The table holds what the source held from this position on. */
  readonly fence: LogPosition
}

/**
 * @param at the table's number in the stream
 * @returns null where no row waited
 */
export async function rereadRows(
  lane: Lane,
  stream: string,
  table: FollowTable,
  at: number,
  around: RereadAround,
): Promise<Reread | null> {
  const { from, to, changes, ledger, runId, signal } = around
  const { plan } = table
  const keyed = byIdentity(table)
  const written = plan.columns.flatMap(({ target }, i) => (target.generated === true ? [] : [i]))
  const read = new Set<string>()
  let mended = 0
  let reached: LogPosition | null = null
  for (;;) {
    const waiting = await ledger.rereads(stream, table.key, AT_ONCE)
    if (waiting.length === 0) return reached === null ? null : { keys: read, mended, fence: reached }
    await using view = await from.source(signal)
    const fence = await changes.fence(signal)
    const keys = [...new Map(waiting.map(({ key }) => [JSON.stringify(key), key])).values()]
    const range: Range = { by: 'keys', keys }
    const rows = await rowsByKey(view, sourceRequest({ plan: keyed }, range), keyed, signal)
    const cells = keys.map((key) => key.map((text, i) => cellAt(text, table, i)))
    const own = (key: Row): string => keyTextOf(key, [...key.keys()])
    const repairs: Statement[] = []
    const differing = new Set(
      waiting.flatMap(({ key, reason }) => (reason === 'difference' ? [JSON.stringify(key)] : [])),
    )
    if (differing.size > 0) {
      await noteRepairPlan(ledger.database, runId, table.key, plan)
      await using there = await to.source(signal)
      const before = await rowsByKey(there, targetRequest({ plan: keyed }, range), keyed, signal)
      for (const [i, key] of keys.entries()) {
        const name = own(cells[i] ?? [])
        const [old, now] = [before.get(name) ?? null, rows.get(name) ?? null]
        if (!differing.has(JSON.stringify(key)) || packedRow(old) === packedRow(now)) continue
        repairs.push(repairStatement(ledger.database, runId, { table: table.key, key, before: old, after: now }))
      }
    }
    const puts = [...rows.values()].map((row) => written.map((i) => row[i] ?? null))
    const gone = cells.filter((key) => !rows.has(own(key)))
    await lane.amend(at, puts, gone, [
      ...repairs,
      ...ledger.rereadDone(waiting.map(({ id }) => id)),
      ledger.stateStatement(stream, table.key, 'catchup', changes.text(fence)),
    ])
    for (const key of cells) read.add(own(key))
    mended += repairs.length
    reached = fence
  }
}

/** The plan with the identity that the stream names rows by in place of its key. */
function byIdentity({ plan, source, target }: FollowTable): TablePlan {
  return { ...plan, source: { ...plan.source, key: source.identity }, rangeKey: target.identity }
}

/** A part of an identity, as `keyPart` wrote it, as a cell again. */
function cellAt(text: string | null, table: FollowTable, at: number): Cell {
  const column = table.source.columns.find(({ name }) => name === table.source.identity[at])
  if (text === null || column === undefined) return null
  if (column.as.kind === 'float') return Number(text)
  return column.as.kind === 'bytes' ? bytesOfText(text) : text
}
