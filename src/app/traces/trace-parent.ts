/** Parent span of a run: from W3C Trace Context, or for shared runs a span with computed ids. */
import { createHash } from 'node:crypto'
import { isSpanContextValid, ROOT_CONTEXT, trace, TraceFlags, type Context } from '@opentelemetry/api'
import type { TaskOfWorker } from '../../model/share/distributed.ts'

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** @param traceparent value of the variable TRACEPARENT; ignored if invalid */
export function traceParent(traceparent: string | undefined): Context {
  const [, version, traceId = '', spanId = '', flags = '', more] = FORM.exec(traceparent?.trim() ?? '') ?? []
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return ROOT_CONTEXT
  const parent = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true }
  return isSpanContextValid(parent) ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT
}

/** The span of a shared run. All its tasks are below this span, on any machine; after a resume, below another span. */
export function spanOfRun({ runId, sharedRun }: Pick<TaskOfWorker, 'runId' | 'sharedRun'>): SpanIds {
  const digestOf = (text: string): string => createHash('sha256').update(`sluice shared run ${text}`).digest('hex')
  return { traceId: digestOf(runId).slice(0, 32), spanId: digestOf(sharedRun).slice(32, 48) }
}

export type SpanIds = { readonly traceId: string; readonly spanId: string }

/** Parent span of the runs that work on tasks of a shared run: the span of the shared run. */
export function parentOfTasks(slot: Pick<TaskOfWorker, 'runId' | 'sharedRun'>): Context {
  return trace.setSpanContext(ROOT_CONTEXT, { ...spanOfRun(slot), traceFlags: TraceFlags.SAMPLED, isRemote: true })
}
