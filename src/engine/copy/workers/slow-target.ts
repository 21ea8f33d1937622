/** Slows a copy down while its target answers much slower than usual, as long as that helps. */
import type { TargetLatency } from '../../../model/run/event.ts'
import type { Clock } from '../../../shared/clock.ts'
import { LatencyMeter } from './latency.ts'
import type { Throttle } from './throttle.ts'

const MEBIBYTE = 1024 * 1024
/** Fixed cost of a call, expressed in bytes. */
const LEAST_BYTES = MEBIBYTE / 4
/** Bytes of frames in one sample: frames are many and small, and most of them only fill a buffer. */
const FRAME_BYTES = MEBIBYTE
/** Latency up to which the target is never slow, ms: for a mebibyte of rows, and for the end of a chunk. */
const ACCEPTABLE_ROWS_MS = 500
const ACCEPTABLE_COMMIT_MS = 2000
const POLL_MS = 1000
const REPORT_EVERY = 5
/** Number of ticks at the slowest rate without effect, after which the copy is not considered the cause. */
const GIVE_UP_TICKS = 60
/** A lower rate has helped if the latency is below this share of the latency at the beginning. */
const HELPED_SHARE = 0.8

export class SlowTarget {
  readonly #throttle: Throttle
  readonly #rows: LatencyMeter
  readonly #commits: LatencyMeter
  readonly #onLatency: (latency: TargetLatency) => void
  readonly #clock: Clock
  inspectedAt = 0
  #frames = { ms: 0, bytes: 0 }
  #ticks = 0
  #atLeast = 0
  #first: number | null = null

  constructor(clock: Clock, throttle: Throttle, onLatency: (latency: TargetLatency) => void) {
    this.#clock = clock
    this.#throttle = throttle
    this.#onLatency = onLatency
    this.#rows = new LatencyMeter(clock, ACCEPTABLE_ROWS_MS)
    this.#commits = new LatencyMeter(clock, ACCEPTABLE_COMMIT_MS)
  }

  /** Call when the target has accepted a batch of rows. @param ms duration of the call */
  wrote(ms: number, bytes: number): void {
    this.#rows.note((ms * MEBIBYTE) / Math.max(LEAST_BYTES, bytes))
  }

  /** Call when the target has accepted a piece of a stream. @param ms duration of the call */
  streamed(ms: number, bytes: number): void {
    this.#frames.ms += ms
    this.#frames.bytes += bytes
    if (this.#frames.bytes < FRAME_BYTES) return
    this.wrote(this.#frames.ms, this.#frames.bytes)
    this.#frames = { ms: 0, bytes: 0 }
  }

  committed(ms: number): void {
    this.#commits.note(ms)
  }

  /** Call often; acts once a second. */
  check(): void {
    const now = this.#clock.ticks()
    if (now - this.inspectedAt < POLL_MS) return
    this.inspectedAt = now
    this.#rows.tick()
    this.#commits.tick()
    const { p95, baseline } = this.#rows
    if (p95 !== null && ++this.#ticks % REPORT_EVERY === 0) this.#onLatency(reported(p95, baseline))
    const slow = [this.#rows, this.#commits].find(({ isSlow }) => isSlow)
    this.#throttle.mayGrow = slow === undefined
    if (slow === undefined || slow.p95 === null) {
      this.#atLeast = 0
      this.#first = null
      return
    }
    this.#first ??= slow.p95
    const what = slow === this.#rows ? 'a megabyte of rows' : 'the end of a chunk'
    const usual = slow.baseline === null ? '' : `, and usually ${shown(slow.baseline)}`
    this.#throttle.slowDown(
      `the target takes ${shown(slow.p95)} for ${what}${usual}`,
      reported(slow.p95, slow.baseline),
    )
    if (!this.#throttle.isSlowest || slow.p95 < this.#first * HELPED_SHARE) return
    if (++this.#atLeast < GIVE_UP_TICKS) return
    // Fewer rows do not make the target faster: other programs keep it busy, or it has become slow.
    slow.accept()
    this.#throttle.lift()
  }
}

const shown = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`)

function reported(p95: number, baseline: number | null): TargetLatency {
  const rounded = (ms: number): number => Math.round(ms * 10) / 10
  return { p95Ms: rounded(p95), baselineMs: baseline === null ? null : rounded(baseline) }
}
