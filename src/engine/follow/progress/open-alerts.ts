/** Creates the alerts of a stream, with their sinks. */
import type { AlertEvent } from '../../../model/run/alert.ts'
import type { Emit } from '../../../model/run/event.ts'
import { redactUrl } from '../../../shared/redact.ts'
import type { CopyOperation } from '../../copy/operations/copy/declaration.ts'
import { operatorRun } from '../../run/run-id.ts'
import { Alerts } from '../../run/alerts/alerts.ts'
import { alertId, send, sinksOf } from '../../run/alerts/sinks.ts'

/**
 * Sinks get the tables that were requested for the stream, in the form of `--tables`; the event itself concerns the
 * whole stream.
 * @property sent waits until every alert has reached its sinks
 */
export function openAlerts(
  operation: CopyOperation,
  run: {
    readonly runId: string
    readonly sharedRun?: string
    readonly host: string
    readonly emit: Emit<'alert' | 'log'>
  },
): {
  readonly alerts: Alerts | null
  readonly sent: () => Promise<void>
} {
  const { alert } = operation.follow ?? {}
  const under = new Set<Promise<void>>()
  const sent = async (): Promise<void> => void (await Promise.all(under))
  if (alert === undefined) return { alerts: null, sent }
  const about = `${redactUrl(operation.from)} -> ${redactUrl(operation.to)}`
  const table = operation.tables.join(',')
  const sinks = sinksOf(alert, { run: operatorRun(run.runId, run.sharedRun), about, host: run.host })
  /** Number of raised alerts, by cause. */
  const begun = new Map<AlertEvent['cause'], number>()
  const report = (event: AlertEvent): void => {
    run.emit(event)
    if (event.state === 'raised') begun.set(event.cause, (begun.get(event.cause) ?? 0) + 1)
    const id = alertId(run.runId, event.cause, begun.get(event.cause) ?? 0)
    const sending = send({ ...event, table, id }, sinks).then((failures) => {
      for (const message of failures) run.emit({ type: 'log', level: 'warn', message })
      under.delete(sending)
    })
    under.add(sending)
  }
  return { alerts: new Alerts(alert, report), sent }
}
