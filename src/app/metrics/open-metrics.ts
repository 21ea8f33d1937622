/** Metrics of a program, from its events to the HTTP address. */
import type { TaskOfWorker } from '../../model/share/distributed.ts'
import type { Event } from '../../model/run/event.ts'
import { RunMetrics } from './run-metrics.ts'
import { MetricsServer, type MetricsAddress } from './server.ts'
import { collectDefaultMetrics, Counter, Gauge, Registry, type GaugeConfiguration } from 'prom-client'
import { METRICS, type MetricName } from './declared.ts'
import type { MetricSample } from './series.ts'

export type OpenMetrics = AsyncDisposable & {
  readonly url: string
  take(event: Event): void
  takeOfTask(slot: TaskOfWorker, event: Event): void
}

/**
 * Listens until it is disposed.
 * @param shown redacts a table name
 * @throws SluiceError PORT_TAKEN, BAD_FLAG
 */
export async function openMetrics(address: MetricsAddress, shown: (text: string) => string): Promise<OpenMetrics> {
  const metrics = new RunMetrics(shown)
  const registry = registryOf((metric) => metrics.of(metric))
  const server = await MetricsServer.open(address, registry)
  return {
    url: server.url,
    take: (event) => metrics.take(event),
    takeOfTask: ({ runId, no }, event) => metrics.takeOfTask(runId, no, event),
    [Symbol.asyncDispose]: async () => server[Symbol.asyncDispose](),
  }
}

// Response to a scrape: metrics of sluice and of this program, in the text format of Prometheus.

/** @param of returns the samples of a metric at the time of a scrape */
export function registryOf(of: (metric: MetricName) => Iterable<MetricSample>): Registry {
  const register = new Registry()
  for (const [name, { kind, help, labels }] of Object.entries(METRICS)) {
    const about = { name, help, labelNames: [...labels], registers: [] }
    const samples = (): Iterable<MetricSample> => of(name as MetricName)
    // Counters are summed up when events arrive; a scrape only copies the sums.
    const metric =
      kind === 'counter'
        ? new Counter({
            ...about,
            collect() {
              this.reset()
              for (const sample of samples()) this.inc({ ...sample.labels }, sample.value)
            },
          })
        : gauge(about, samples)
    register.registerMetric(metric)
  }
  collectDefaultMetrics({ register })
  return register
}

/** A gauge without a value has no sample. prom-client would print 0, and an alert rule would treat it as a value. */
function gauge(about: GaugeConfiguration<string>, samples: () => Iterable<MetricSample>): Gauge {
  let isKnown = false
  const made = new Gauge({
    ...about,
    collect() {
      this.reset()
      isKnown = false
      for (const sample of samples()) {
        this.set({ ...sample.labels }, sample.value)
        isKnown = true
      }
    },
  })
  const get = made.get.bind(made)
  made.get = async () => {
    const reported = await get()
    return isKnown ? reported : { ...reported, values: [] }
  }
  return made
}
