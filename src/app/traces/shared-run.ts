/**
 * Span of a shared run, parent of the spans of its tasks. The worker that recorded the end of the run sends it, with
 * times from the queue.
 */
import { ROOT_CONTEXT, type HrTime, type Tracer } from '@opentelemetry/api'
import { RandomIdGenerator, type IdGenerator } from '@opentelemetry/sdk-trace'
import type { EndedRun } from '../../model/share/distributed.ts'
import { declarationOfCommand } from '../operations/facts.ts'
import { failSpan } from './run-traces.ts'
import { spanOfRun, type SpanIds } from './trace-parent.ts'

/** Random ids, except for one span with predetermined ids. */
export class ChosenIds implements IdGenerator {
  readonly #random = new RandomIdGenerator()
  #chosen: SpanIds | null = null

  generateTraceId = (): string => this.#chosen?.traceId ?? this.#random.generateTraceId()
  generateSpanId = (): string => this.#chosen?.spanId ?? this.#random.generateSpanId()

  /** @param make creates a span without a parent, which gets these ids */
  choose<T>(chosen: SpanIds, make: () => T): T {
    this.#chosen = chosen
    try {
      return make()
    } finally {
      this.#chosen = null
    }
  }
}

type SpanTools = {
  readonly tracer: Tracer
  readonly ids: ChosenIds
  /** Redacts a URL. */
  readonly shown: (text: string) => string
}

/** Sends the span of a run that has ended. */
export function reportEnd(run: EndedRun, { tracer, ids, shown }: SpanTools): void {
  const { runId, kind, source, target, program, status, exitCode, error, from, endedAt } = run
  const command = declarationOfCommand(kind)?.event ?? kind
  const attributes = {
    'sluice.shared_run': runId,
    'sluice.command': command,
    'sluice.program': program,
    'sluice.status': status,
    'sluice.exit_code': exitCode,
    ...(source === null ? {} : { 'sluice.source': shown(source) }),
    ...(target === null ? {} : { 'sluice.target': shown(target) }),
  }
  const span = ids.choose(spanOfRun(run), () =>
    tracer.startSpan(`sluice ${command}`, { root: true, startTime: timeOf(from), attributes }, ROOT_CONTEXT),
  )
  failSpan(span, status === 'stopped' || error === null ? undefined : error)
  span.end(timeOf(endedAt))
}

/** Converts ms since the epoch to HrTime: a number before the program's start would be read as monotonic time. */
function timeOf(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000)
  return [seconds, Math.round((ms - seconds * 1000) * 1_000_000)]
}
