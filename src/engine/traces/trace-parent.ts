/** Which span a run is a child of: W3C Trace Context, and of runs that workers share one that all of them work out. */
import { createHash } from 'node:crypto'
import { isSpanContextValid, ROOT_CONTEXT, trace, TraceFlags, type Context } from '@opentelemetry/api'

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** @param traceparent as the variable TRACEPARENT has it; what is none is as if nothing was said */
export function parentOf(traceparent: string | undefined): Context {
  const [, version, traceId = '', spanId = '', flags = '', more] = FORM.exec(traceparent?.trim() ?? '') ?? []
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return ROOT_CONTEXT
  const parent = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true }
  return isSpanContextValid(parent) ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT
}

/** Slots of one run stand in one trace, on whichever machine they are worked on. */
export function parentOfSlots(run: string): Context {
  const digest = createHash('sha256').update(`sluice shared run ${run}`).digest('hex')
  const [traceId, spanId] = [digest.slice(0, 32), digest.slice(32, 48)]
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true })
}
