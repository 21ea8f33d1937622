/** The limit in rows per second that `<` and `>` change. */
import { perSecond, rateOf, type RunView } from './run-view.ts'

/** Rows per second allowed by the user or the command; `Infinity` without a limit. */
export function limitOf(run: RunView): number {
  const asked = run.operation.kind === 'copy' ? run.operation.rate : undefined
  return run.wantedRate ?? asked ?? Infinity
}

/**
 * `rate`: the limit after a key. It is halved or doubled; a limit of more than twice the highest rate is removed.
 * `why`: the reason if the limit cannot be changed.
 */
export function rateAfter(
  run: RunView,
  faster: boolean,
  now: number,
): { readonly rate: number } | { readonly why: string } {
  const stream = run.copy?.follow
  // A replication stream has no chunks to measure; use its own rate.
  if (stream?.isWhole === true) {
    const speed = stream.rates.at(-1) ?? 0
    if (!faster && speed < 2 && !Number.isFinite(limitOf(run)))
      return { why: 'the stream applies nothing now, so there is nothing to halve: sluice ctl RUN rate N sets a rate' }
    return nextRate(limitOf(run), Math.max(0, ...stream.rates), speed, faster)
  }
  return nextRate(limitOf(run), Math.max(0, ...perSecond(run)), rateOf(run, now, 10_000), faster)
}

/**
 * @param limit rows per second, `Infinity` without a limit
 * @param fastest highest rate seen
 * @param speed current rate; null if not measured
 */
export function nextRate(
  limit: number,
  fastest: number,
  speed: number | null,
  faster: boolean,
): { readonly rate: number } | { readonly why: string } {
  if (Number.isFinite(limit)) {
    if (!faster) return { rate: Math.max(1, rounded(limit / 2)) }
    return { rate: fastest > 0 && limit > fastest * 2 ? Infinity : rounded(limit * 2) }
  }
  if (faster) return { why: 'there is no limit to lift: < sets one' }
  if (speed === null || speed < 2) return { why: 'nothing moves yet: there is nothing to halve' }
  return { rate: rounded(speed / 2) }
}

/** Rounds to two significant digits. */
function rounded(rows: number): number {
  const power = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, rows))) - 1)
  return Math.round(rows / power) * power
}
