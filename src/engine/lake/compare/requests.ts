/** What the lake is asked for an answer, as requests. */
import type { LogStore, RequestCounts } from '../../../model/lake/log-store.ts'

/** What one run asked for. */
export function requestsSince(log: LogStore): RequestCounts | null {
  return log.requests === undefined ? null : { ...log.requests }
}

/** Requests together, of whatever kind. */
export function totalRequests({ lists, gets, heads }: RequestCounts): number {
  return lists + gets + heads
}
