/** Which hosts hold which tokens of a keyspace, by the driver's metadata. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import { mergedTokens, RING_TOKENS, type TokenRange } from '../../../model/copy/ring.ts'
import type { RingHost } from '../../../model/copy/ring-distribution.ts'
import type { CassandraLink } from '../connect.ts'

/** @returns sorted by address; empty for rings that the driver does not know */
export function ringHosts(link: CassandraLink, { table, ring }: TableSpec): readonly RingHost[] {
  const { metadata } = link.client
  if (ring === undefined || ring.partitioner === 'ycql') return []
  const whole = RING_TOKENS[ring.partitioner]
  const found = new Map<string, Omit<RingHost, 'ranges' | 'holds'> & { ranges: number; holds: TokenRange[] }>()
  for (const range of metadata.getTokenRanges() ?? []) {
    const replicas = metadata.getReplicas(table.schema ?? '', range.end) ?? []
    const tokens = wrappedRanges(textOf(range.start), textOf(range.end), whole)
    for (const [no, host] of replicas.entries()) {
      const one = found.get(host.address) ?? {
        host: host.address,
        datacenter: host.datacenter ?? '',
        rack: host.rack ?? '',
        up: host.isUp(),
        ranges: 0,
        holds: [],
      }
      if (no === 0) one.ranges++
      one.holds.push(...tokens)
      found.set(host.address, one)
    }
  }
  return [...found.values()]
    .map((one) => ({ ...one, holds: mergedTokens(one.holds) }))
    .toSorted((a, b) => (a.host < b.host ? -1 : a.host > b.host ? 1 : 0))
}

/** A token as decimal text, which `String` returns for the driver's number classes. */
function textOf(token: { readonly getValue: () => unknown }): string {
  return String(token.getValue())
}

/**
 * Converts a range of the driver to token ranges with inclusive bounds. The start of the range is exclusive, and the
 * range may wrap around the end of the ring.
 * @param whole the ring
 */
export function wrappedRanges(start: string, end: string, whole: TokenRange): readonly TokenRange[] {
  const [after, through] = [BigInt(start), BigInt(end)]
  if (after === through) return [whole]
  const ranges =
    after < through
      ? [{ low: after + 1n, high: through }]
      : [
          { low: after + 1n, high: whole.high },
          { low: whole.low, high: through },
        ]
  return ranges
    .map(({ low, high }) => ({ low: low < whole.low ? whole.low : low, high: high > whole.high ? whole.high : high }))
    .filter(({ low, high }) => low <= high)
}
