/** Telemetry of active runs: metrics for Prometheus, and spans for a trace collector. Its errors never fail a run. */
import { isWatched } from '../../app/live/watched.ts'
import type { TaskListener } from '../../engine/run/run-context.ts'
import type { EndedRun, TaskOfWorker } from '../../model/share/distributed.ts'
import type { Event } from '../../model/run/event.ts'
import { SluiceError } from '../../shared/errors.ts'
import { redactText } from '../../shared/redact.ts'
import type { Request } from '../commands/command.ts'
import type { Globals } from '../parse/globals.ts'
import type { MetricsOptions } from '../flags/metrics-options.ts'
import { toolVersion } from '../version.ts'
import type { FrontendMode } from './mode.ts'
import type { CliContext } from '../ports.ts'

export type Telemetry = AsyncDisposable & {
  /** Notes for the user. */
  readonly notes: readonly string[]
  readonly listen: (event: Event) => void
  /** Receives events of a worker's tasks. */
  readonly slots: TaskListener | undefined
}

/** @throws SluiceError BAD_FLAG for --metrics on a command that ends too soon to be scraped */
export function refuseMetrics({ metrics }: Globals, request: Request, mode: FrontendMode): void {
  if (metrics === null || !metrics.isAsked) return
  if (request.kind === 'open' && mode === 'tui') return
  if (request.kind === 'operation' && isWatched(request.operation)) return
  throw new SluiceError('BAD_FLAG', '--metrics is for long runs, and this command only prints a result', {
    hint: 'remove it; --metrics is for copy, follow, sync, import, archive run, worker and other long runs',
  })
}

/** Telemetry for commands that are not watched. */
export const NO_TELEMETRY: Telemetry = {
  notes: [],
  listen: () => undefined,
  slots: undefined,
  [Symbol.asyncDispose]: async () => undefined,
}

type TelemetrySink = AsyncDisposable & {
  take(event: Event): void
  /** Takes an event of a worker's task. */
  takeOfTask(slot: TaskOfWorker, event: Event): void
  takeEnd?(run: EndedRun): void
}

/**
 * @param metrics null: no metrics server
 * @param hidesMessages true if a screen hides messages until it closes
 * @throws SluiceError PORT_TAKEN, BAD_FLAG
 */
export async function openTelemetry(
  metrics: MetricsOptions | null,
  secrets: readonly string[],
  hidesMessages: boolean,
  { env, stderr }: CliContext,
): Promise<Telemetry> {
  const held: string[] = []
  const say = (text: string): void => void stderr.write(`sluice: ${text}\n`)
  const shown = (text: string): string => redactText(text, secrets)
  const notes: string[] = []
  const reported: TelemetrySink[] = []
  if (metrics !== null) {
    const { openMetrics } = await import('../../app/metrics/open-metrics.ts')
    const open = await openMetrics(metrics, shown)
    notes.push(`metrics ${open.url}`)
    reported.push(open)
  }
  const traces = await wantedTraces(env, shown, hidesMessages ? (text) => void held.push(text) : say)
  if (traces !== null) reported.push(traces)
  return {
    notes,
    listen: ignoringErrors((event: Event) => reported.forEach((one) => one.take(event))),
    slots:
      reported.length === 0
        ? undefined
        : {
            event: ignoringErrors((slot: TaskOfWorker, event: Event) =>
              reported.forEach((one) => one.takeOfTask(slot, event)),
            ),
            ended: ignoringErrors((run: EndedRun) => reported.forEach((one) => one.takeEnd?.(run))),
          },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(reported.map((one) => one[Symbol.asyncDispose]()))
      for (const text of held) say(text)
    },
  }
}

/** Prints the address of the metrics before the screen opens; the line is visible again after the screen has closed. */
export function reportBeforeScreen({ notes }: Telemetry, { stderr }: CliContext): void {
  for (const note of notes) stderr.write(`sluice: ${note}\n`)
}

/** Traces are enabled by the standard OpenTelemetry variables; without them nothing is loaded. */
async function wantedTraces(
  env: CliContext['env'],
  shown: (text: string) => string,
  say: (text: string) => void,
): Promise<TelemetrySink | null> {
  const name = ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT'].find((one) => isSet(env[one]))
  if (name === undefined || env['OTEL_SDK_DISABLED'] === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none') return null
  const protocol = env['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] ?? env['OTEL_EXPORTER_OTLP_PROTOCOL'] ?? ''
  const word = env[name] ?? ''
  const endpoint = URL.canParse(word) ? new URL(word) : null
  const isHttp = endpoint !== null && /^https?:$/.test(endpoint.protocol)
  if (!isHttp || protocol === 'grpc') {
    const why = isHttp
      ? 'sluice sends traces over HTTP only, not over gRPC'
      : `${name} is not a URL that begins with http:// or https://`
    say(`no traces are sent: ${why}`)
    return null
  }
  try {
    const { openTraces } = await import('../../app/traces/open-traces.ts')
    const traceparent = env['TRACEPARENT']
    return openTraces({ endpoint: endpoint.origin, traceparent, version: toolVersion(), shown, say })
  } catch {
    // An OTEL_* variable may have a value that the packages reject.
    say('no traces are sent: a variable OTEL_* cannot be read')
    return null
  }
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value.trim() !== ''
}

/** Errors of telemetry must not fail the run. */
function ignoringErrors<A extends readonly unknown[]>(hear: (...reported: A) => void): (...reported: A) => void {
  return (...reported) => {
    try {
      hear(...reported)
    } catch {
      // Ignore the error: only this event is missing in the telemetry.
    }
  }
}
