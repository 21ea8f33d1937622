/** Metrics of a program, from its events to the HTTP address. */
import type { TaskOfWorker } from '../../model/share/distributed.ts'
import type { Event } from '../../model/run/event.ts'
import { registryOf } from './exposition.ts'
import { RunMetrics } from './run-metrics.ts'
import { MetricsServer, type MetricsAddress } from './server.ts'

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
