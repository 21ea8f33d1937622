/** `system.size_estimates`: each server's estimates for its own ranges. In Cassandra since 2.1.5. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import { RING_TOKENS, type TokenRange } from '../../../model/copy/ring.ts'
import { rangeFraction } from '../../../model/copy/ring-distribution.ts'
import type { CassandraLink } from '../connect.ts'
import { wrappedRanges } from './ring-hosts.ts'

export type RangeEstimate = {
  readonly tokens: readonly TokenRange[]
  readonly partitions: number
  readonly bytes: number
}

/** Returns the servers' estimates for a token range. */
export type Estimated = (range: TokenRange) => { readonly partitions: number; readonly bytes: number }

/** @returns null if the servers keep no estimates, or have none of this table yet */
export async function serverEstimates(link: CassandraLink, { table, ring }: TableSpec): Promise<Estimated | null> {
  if (ring === undefined || ring.partitioner === 'ycql') return null
  const whole = RING_TOKENS[ring.partitioner]
  const found: RangeEstimate[] = []
  for (const host of link.client.hosts.values()) {
    if (!host.isUp()) continue
    const rows = await estimatesAt(link, host, table.schema ?? '', table.name)
    if (rows === null) return null
    for (const { start, end, partitions, mean } of rows)
      found.push({ tokens: wrappedRanges(start, end, whole), partitions, bytes: partitions * mean })
  }
  return found.length === 0 ? null : estimated(found)
}

/** Returns a function that estimates a range. It assumes that keys are spread evenly within each range of `found`. */
export function estimated(found: readonly RangeEstimate[]): Estimated {
  return (within) => {
    let [partitions, bytes] = [0, 0]
    for (const one of found) {
      const all = one.tokens.reduce((sum, { low, high }) => sum + Number(high - low + 1n), 0)
      for (const tokens of one.tokens) {
        const share = (rangeFraction(tokens, within) * Number(tokens.high - tokens.low + 1n)) / all
        partitions += one.partitions * share
        bytes += one.bytes * share
      }
    }
    return { partitions: Math.round(partitions), bytes: Math.round(bytes) }
  }
}

type EstimateRow = {
  readonly start: string
  readonly end: string
  readonly partitions: number
  readonly mean: number
}

type Host = ReturnType<CassandraLink['client']['hosts']['values']>[number]

/** Estimates of one server, which has only those for its own ranges; null if it refuses the query. */
async function estimatesAt(
  { client }: CassandraLink,
  host: Host,
  keyspace: string,
  name: string,
): Promise<readonly EstimateRow[] | null> {
  try {
    const { rows } = await client.execute(
      `SELECT range_start, range_end, partitions_count, mean_partition_size FROM system.size_estimates
       WHERE keyspace_name = ? AND table_name = ?`,
      [keyspace, name],
      { prepare: false, host },
    )
    return rows.map((row) => ({
      start: String(row['range_start']),
      end: String(row['range_end']),
      partitions: Number(row['partitions_count']),
      mean: Number(row['mean_partition_size']),
    }))
  } catch (error) {
    // Older servers have no such table, and some users may not read it. Estimates from the sample are enough then.
    if (isRefusal(error)) return null
    throw error
  }
}

/** True if the server refuses the query: error codes 0x2100 (unauthorized) and 0x2200 (invalid) of the protocol. */
function isRefusal(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : null
  return code === 0x2100 || code === 0x2200
}
