/** Figures of a performance comparison: measured ones, and estimates for servers further away. */
import type { QuestionEvent, AnswerTiming } from '../../../model/run/event.ts'
import { numberOf } from '../../../render/screen-format.ts'

/** Round-trip times of the slider, ms. */
export const LATENCIES = [0, 1, 5, 20, 50, 100, 200] as const
export const BARS = ['time', 'requests', 'bytes'] as const
type Bars = (typeof BARS)[number]

/** What the bars show. */
export type BarsShown = {
  readonly bars: Bars
  /** True: cold times. False: median times of warm runs. */
  readonly cold: boolean
  /** Round-trip time for which times are shown, ms. */
  readonly latency: number
}

/** `reckoned`: the measured time plus one round trip for each sequential request. */
export type Figure = { readonly value: number | null; readonly kind: 'measured' | 'reckoned' }

/** The figure of a bar; null if it was not measured or cannot be estimated. */
export function figureOf(side: AnswerTiming, { bars, cold, latency }: BarsShown): Figure {
  if (bars === 'bytes') return { value: numberOf(side.readBytes), kind: 'measured' }
  if (bars === 'requests') return { value: requestsOf(side), kind: 'measured' }
  return timeAt(side, cold ? side.coldMs : side.p50Ms, latency)
}

/** Requests to a bucket, estimated for a lake in a folder; for SQL, round trips to its server. */
export function requestsOf(side: AnswerTiming): number | null {
  const files = numberOf(side.bucketRequests ?? side.requests)
  const trips = numberOf(side.roundTrips)
  // SQL sends no requests to the lake, only to its server.
  return files === null || files === 0 ? trips : files
}

/** @param latency round-trip time, ms; the latency during the measurement is not added again */
export function timeAt(side: AnswerTiming, ms: number | null, latency: number): Figure {
  const more = latency - (side.addedMs ?? 0)
  if (latency === 0 || more === 0) return { value: ms, kind: 'measured' }
  const trips = numberOf(side.roundTrips)
  if (ms === null || trips === null) return { value: null, kind: 'reckoned' }
  return { value: Math.max(0, ms + more * trips), kind: 'reckoned' }
}

/** True if any of these figures is an estimate. */
export function isEstimated(questions: readonly QuestionEvent[], compare: BarsShown): boolean {
  return questions.some(({ files, sql }) => [files, sql].some((side) => figureOf(side, compare).kind === 'reckoned'))
}

/** Description of the figures; for times also whether they are measured or estimated. */
export function figuresMeaning(questions: readonly QuestionEvent[], compare: BarsShown): string {
  if (compare.bars === 'bytes') return 'bytes read'
  if (compare.bars === 'requests') return 'requests for one answer'
  const runs = questions[0]?.runs
  const what = compare.cold ? 'cold' : `warm median${runs === undefined ? '' : ` of ${runs}`}`
  const added = questions[0]?.files.addedMs ?? questions[0]?.sql.addedMs ?? 0
  if (isEstimated(questions, compare)) return `calculated at ${compare.latency} ms from the ${what}`
  return added > 0 && compare.latency === added ? `${what}, measured at ${added} ms` : `${what}, measured`
}

/** The latency of the slider after `by` steps. */
export function latencyAfter(latency: number, by: number): number {
  const at = LATENCIES.findIndex((one) => one >= latency)
  return LATENCIES[Math.max(0, Math.min(LATENCIES.length - 1, (at < 0 ? 0 : at) + by))] ?? 0
}
