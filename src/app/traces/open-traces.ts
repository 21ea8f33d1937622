/** Sends traces of runs to a collector by OTLP over HTTP. An unreachable collector is reported once, not waited for. */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { isSpanContextValid, ROOT_CONTEXT, trace, TraceFlags } from '@opentelemetry/api'
import type { Context, HrTime, Tracer } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import {
  BatchSpanProcessor,
  TracerProvider,
  type SpanExporter,
  RandomIdGenerator,
  type IdGenerator,
} from '@opentelemetry/sdk-trace'
import type { EndedRun, TaskOfWorker } from '../../model/share/distributed.ts'
import type { Event } from '../../model/run/event.ts'
import { RunTraces, failSpan } from './run-traces.ts'
import { declarationOfCommand } from '../operations/facts.ts'

/** Time to send unsent spans when the program ends, ms. */
const LAST_MS = 2_000

/** `traceparent` of W3C Trace Context. */
const TRACE_PARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

export type OpenTraces = AsyncDisposable & {
  take(event: Event): void
  takeOfTask(slot: TaskOfWorker, event: Event): void
  /** Sends the span of a shared run whose end this program recorded. */
  takeEnd(run: EndedRun): void
}

export type TracesOptions = {
  /** Displayed form of the collector's address. */
  readonly endpoint: string
  readonly traceparent: string | undefined
  readonly version: string
  /** Redacts a name or a URL. */
  readonly shown: (text: string) => string
  /** Reports a problem to the user. */
  readonly say: (text: string) => void
}

/** Address, headers and service name come from the OTEL_* variables. */
export function openTraces({ endpoint, traceparent, version, shown, say }: TracesOptions): OpenTraces {
  const sending = new ReportedExporter(new OTLPTraceExporter(), () =>
    say(`the traces cannot be sent to ${endpoint}; the run continues without them`),
  )
  const resource = defaultResource()
    .merge(resourceFromAttributes({ 'service.name': 'sluice', 'service.version': version }))
    .merge(detectResources({ detectors: [envDetector] }))
  const ids = new ChosenIds()
  const spanProcessors = [new BatchSpanProcessor({ exporter: sending })]
  const provider = new TracerProvider({ resource, spanProcessors, idGenerator: ids })
  const tracer = provider.getTracer('sluice', version)
  const parent = traceParent(traceparent)
  const runs = new Map<string, RunTraces>()
  const heard = (key: string, event: Event, open: () => RunTraces): void => {
    const traces = runs.get(key) ?? open()
    runs.set(key, traces)
    traces.take(event)
    if (event.type === 'run.finished') runs.delete(key)
  }
  return {
    take: (event) => {
      if (event.runId !== null) heard(event.runId, event, () => new RunTraces(tracer, parent, shown))
    },
    takeOfTask: (slot, event) => {
      const { runId, no } = slot
      const more = { 'sluice.shared_run': runId, 'sluice.slot': no }
      heard(`${runId} ${no} ${event.runId}`, event, () => new RunTraces(tracer, parentOfTasks(slot), shown, more))
    },
    takeEnd: (run) => reportEnd(run, { tracer, ids, shown }),
    [Symbol.asyncDispose]: async () => {
      for (const traces of runs.values()) traces.end()
      const over = new AbortController()
      const late = sleep(sending.isAway ? 0 : LAST_MS, 'late', { signal: over.signal }).catch(() => 'late')
      const last = await Promise.race([provider.shutdown().catch(() => 'failed'), late])
      over.abort()
      if (last === 'late') sending.complain()
    },
  }
}

class ReportedExporter implements SpanExporter {
  /** True if the last export failed. */
  isAway = false
  readonly #inner: SpanExporter
  readonly #say: () => void
  #isReported = false

  constructor(inner: SpanExporter, say: () => void) {
    this.#inner = inner
    this.#say = say
  }

  export(...[spans, done]: Parameters<SpanExporter['export']>): void {
    this.#inner.export(spans, (result) => {
      const { code }: { readonly code: number } = result
      // ExportResultCode.SUCCESS, from a package that is not a direct dependency.
      this.isAway = code !== 0
      if (this.isAway) this.complain()
      done(result)
    })
  }

  /** Reports the first failed export; later calls do nothing. */
  complain(): void {
    if (this.#isReported) return
    this.#isReported = true
    this.#say()
  }

  async shutdown(): Promise<void> {
    await this.#inner.shutdown()
  }
}

// Span of a shared run, parent of the spans of its tasks. The worker that recorded the end of the run sends it, with
// times from the queue.

/** Random ids, except for one span with predetermined ids. */
class ChosenIds implements IdGenerator {
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
function reportEnd(run: EndedRun, { tracer, ids, shown }: SpanTools): void {
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

/**
 * Parent span of a run.
 * @param traceparent value of the variable TRACEPARENT; ignored if invalid
 */
export function traceParent(traceparent: string | undefined): Context {
  const [, version, traceId = '', spanId = '', flags = '', more] = TRACE_PARENT.exec(traceparent?.trim() ?? '') ?? []
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return ROOT_CONTEXT
  const parent = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true }
  return isSpanContextValid(parent) ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT
}

/** The span of a shared run. All its tasks are below this span, on any machine; after a resume, below another span. */
function spanOfRun({ runId, sharedRun }: Pick<TaskOfWorker, 'runId' | 'sharedRun'>): SpanIds {
  const digestOf = (text: string): string => createHash('sha256').update(`sluice shared run ${text}`).digest('hex')
  return { traceId: digestOf(runId).slice(0, 32), spanId: digestOf(sharedRun).slice(32, 48) }
}

type SpanIds = { readonly traceId: string; readonly spanId: string }

/** Parent span of the runs that work on tasks of a shared run: the span of the shared run. */
export function parentOfTasks(slot: Pick<TaskOfWorker, 'runId' | 'sharedRun'>): Context {
  return trace.setSpanContext(ROOT_CONTEXT, { ...spanOfRun(slot), traceFlags: TraceFlags.SAMPLED, isRemote: true })
}
