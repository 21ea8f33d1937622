/** `tokens`: how the rows and bytes of a table are distributed over its token ring. */
import { tableText, type TableSpec } from '../../../../model/copy/column-type.ts'
import {
  type RingCount,
  rangeFraction,
  skewOf,
  type RingPart,
  type RingDistribution,
} from '../../../../model/copy/ring-distribution.ts'
import { dec } from '../../../../model/run/event.ts'
import { noSuchTable } from '../../plan/no-such-table.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { CopyStore } from '../../../../model/copy/port.ts'
import { openSourceStore } from '../../open-stores.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { tokens, TokensOperation } from './declaration.ts'

type TokensRun = RunOf<typeof tokens>

/** Number of parts named as the fullest, and as the emptiest. */
const NAMED = 3

/** @throws SluiceError NO_SUCH_TABLE, NO_RING if the table has no token ring */
export async function performTokens(
  { from, tables: patterns, splits, sample, seed }: TokensOperation,
  run: TokensRun,
): Promise<Ending> {
  await using store = await openSourceStore(from)
  const tables = await tablesOf(store, patterns, run)
  let rows = 0
  for (const table of tables) {
    if (run.interrupt.stop.aborted) return { totals: { tables: dec(tables.length), rows: dec(rows) }, stopped: true }
    const picture = await pictureOf(store, table, { splits, sample, seed }, run.interrupt.abort)
    rows += report(tableText(table.table), picture, run)
  }
  return { totals: { tables: dec(tables.length), rows: dec(rows) } }
}

async function tablesOf(store: CopyStore, patterns: readonly string[], run: TokensRun): Promise<readonly TableSpec[]> {
  const found = new Map<string, TableSpec>()
  for (const pattern of patterns) {
    const some = await store.tables(pattern, run.interrupt.abort)
    if (some.length === 0) throw await noSuchTable(store, pattern, `the database has no table ${pattern}`)
    for (const table of some) found.set(tableText(table.table), table)
  }
  return [...found.values()]
}

async function pictureOf(
  store: CopyStore,
  table: TableSpec,
  sampling: { readonly splits: number; readonly sample: number; readonly seed: string },
  signal: AbortSignal,
): Promise<RingDistribution> {
  if (table.ring === undefined || store.offers.ring === undefined) {
    throw new SluiceError('NO_RING', `${tableText(table.table)} is not on a token ring`, {
      where: store.label,
      hint: 'name a table of Cassandra or YCQL; sluice discover URL lists tables of other systems',
    })
  }
  return store.offers.ring.sample(table, sampling, signal)
}

/** @returns rows of the table, as far as known */
function report(table: string, { partitioner, parts, hosts, fullest }: RingDistribution, run: TokensRun): number {
  const all = sumOf(parts)
  for (const part of parts) {
    run.emit({
      type: 'ring.part',
      table,
      from: dec(part.low),
      to: dec(part.high),
      rows: dec(part.rows),
      partitions: dec(part.partitions),
      bytes: dec(part.bytes),
      exact: part.exact,
      ...(part.server === null ? {} : { server: decs(part.server) }),
    })
  }
  for (const { host, datacenter, rack, up, ranges, holds } of hosts) {
    const held = parts.map((part) => holds.reduce((sum, one) => sum + rangeFraction(part, one), 0))
    const sum = (of: (part: RingPart) => number): number =>
      Math.round(parts.reduce((total, part, i) => total + of(part) * (held[i] ?? 0), 0))
    run.emit({
      type: 'ring.host',
      table,
      host,
      datacenter,
      rack,
      up,
      ranges: dec(ranges),
      share: Math.round((held.reduce((total, share) => total + share, 0) / parts.length) * 1e4) / 1e4,
      rows: dec(sum((part) => part.rows)),
      bytes: dec(sum((part) => part.bytes)),
    })
  }
  const byRows = parts.toSorted((a, b) => b.rows - a.rows)
  const servers = parts.flatMap(({ server }) => server ?? [])
  run.emit({
    type: 'ring',
    table,
    partitioner,
    parts: dec(parts.length),
    rows: dec(all.rows),
    partitions: dec(all.partitions),
    bytes: dec(all.bytes),
    exact: parts.every(({ exact }) => exact),
    seen: dec(parts.reduce((sum, { seen }) => sum + seen, 0)),
    skew: Math.round(skewOf(parts) * 100) / 100,
    largest: byRows.slice(0, NAMED).map(named),
    emptiest: byRows.slice(NAMED).slice(-NAMED).toReversed().map(named),
    ...(fullest === null
      ? {}
      : {
          fullest: {
            key: fullest.key,
            token: dec(fullest.token),
            rows: dec(fullest.rows),
            bytes: dec(fullest.bytes),
            more: fullest.more,
          },
        }),
    ...(servers.length === 0 ? {} : { server: decs(sumOf(servers.map((one) => ({ ...one, rows: 0 })))) }),
  })
  return all.rows
}

function sumOf(parts: readonly RingCount[]): RingCount {
  let [rows, partitions, bytes] = [0, 0, 0]
  for (const part of parts) {
    rows += part.rows
    partitions += part.partitions
    bytes += part.bytes
  }
  return { rows, partitions, bytes }
}

const decs = ({ partitions, bytes }: { readonly partitions: number; readonly bytes: number }) => ({
  partitions: dec(partitions),
  bytes: dec(bytes),
})

const named = ({ low, high, rows, bytes }: RingPart) => ({
  from: dec(low),
  to: dec(high),
  rows: dec(rows),
  bytes: dec(bytes),
})
