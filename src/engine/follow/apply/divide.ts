/**
 * Assigns tables to apply workers. Tables joined by foreign keys get the same worker, so that no reader finds a row
 * without the row to which it refers.
 */
import { tableText } from '../../../model/copy/column-type.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { FollowingParts, StreamSides } from '../stream/preflight.ts'
import type { FollowTable } from '../stream/followed-table.ts'
import { joinedApplyWorkers, type ChangeCounts, type ApplyWorkerRow } from '../../copy/ledger/stream-row.ts'
import type { StreamLedger } from '../../copy/ledger/streams.ts'

/**
 * Divides a stream into `wanted` apply workers, or fewer if it has fewer groups of tables.
 * @returns false if its apply workers are at different positions: then the division is unchanged
 * @throws errors of the stores
 */
export async function divideApplyWorkers(
  { planned, run }: FollowingParts,
  { changes }: StreamSides,
  ledger: StreamLedger,
  stream: string,
  tables: readonly FollowTable[],
  wanted: number,
): Promise<boolean> {
  const rows = await ledger.applyWorkers(stream)
  if (new Set(rows.map(({ position }) => position)).size > 1) return false
  const groups = wanted === 1 ? [[...tables.keys()]] : await joinedTables(tables, planned.from, run.interrupt.abort)
  const all = joinedApplyWorkers(rows, changes)
  const workers = spreadGroups(groups, tables, all.counts, wanted)
  const stored = await ledger.tables(stream, changes)
  const isSo = tables.every(({ name }, at) => stored.find(({ source }) => source === name)?.worker === workers[at])
  if (!isSo || rows.length !== new Set(workers).size) {
    await ledger.divide(
      stream,
      tables.map(({ key }, at) => [key, workers[at] ?? 0]),
      rowsOf(workers, tables, all),
    )
  }
  return true
}

/** Groups of table numbers joined by foreign keys of the source. */
async function joinedTables(
  tables: readonly FollowTable[],
  from: CopyStore,
  signal: AbortSignal,
): Promise<readonly (readonly number[])[]> {
  const group = tables.map((_, at) => at)
  const sources = tables.map(({ plan }) => plan.source)
  for (const [at, objects] of (await from.objects().list(sources, signal)).entries()) {
    for (const object of objects) {
      if (object.kind !== 'foreign key') continue
      const to = tables.findIndex(({ name }) => name === tableText(object.to.table))
      const [one, other] = [group[at] ?? at, group[to] ?? at]
      for (const [i, of] of group.entries()) if (of === other) group[i] = one
    }
  }
  return [...new Set(group)].map((of) => group.flatMap((one, at) => (one === of ? [at] : [])))
}

/** Assigns each group, largest first, to the least loaded apply worker. @returns worker number of each table */
export function spreadGroups(
  groups: readonly (readonly number[])[],
  tables: readonly Pick<FollowTable, 'name'>[],
  counts: Readonly<Record<string, ChangeCounts>>,
  wanted: number,
): readonly number[] {
  const weight = (at: number): number => {
    const { inserts = 0, updates = 0, deletes = 0 } = counts[tables[at]?.name ?? ''] ?? {}
    return 1 + inserts + updates + deletes
  }
  const weighed = groups.map((group) => ({ group, sum: group.reduce((sum, at) => sum + weight(at), 0) }))
  const loads = Array.from({ length: Math.min(wanted, groups.length) }, () => 0)
  const workers = tables.map(() => 0)
  for (const { group, sum } of weighed.toSorted((a, b) => b.sum - a.sum)) {
    const worker = loads.indexOf(Math.min(...loads))
    loads[worker] = (loads[worker] ?? 0) + sum
    for (const at of group) workers[at] = worker
  }
  return workers
}

/** First ledger row of each apply worker: the change counts of its tables. Worker 0 also gets the transaction count. */
function rowsOf(
  workers: readonly number[],
  tables: readonly FollowTable[],
  all: ApplyWorkerRow,
): readonly ApplyWorkerRow[] {
  return [...new Set(workers)]
    .toSorted((a, b) => a - b)
    .map((worker) => ({
      worker,
      position: all.position,
      batches: 0,
      commitMs: all.commitMs,
      transactions: worker === 0 ? all.transactions : 0,
      counts: Object.fromEntries(
        tables.flatMap(({ name }, at): [string, ChangeCounts][] => {
          const found = all.counts[name]
          return workers[at] === worker && found !== undefined ? [[name, found]] : []
        }),
      ),
    }))
}
