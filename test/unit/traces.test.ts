/** Spans from events: their number is bounded, and they contain no secrets. */
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider, type ReadableSpan } from '@opentelemetry/sdk-trace'
import { expect, test } from 'vitest'
import { RunTraces } from '../../src/app/traces/run-traces.ts'
import { traceParent, parentOfTasks } from '../../src/app/traces/open-traces.ts'
import type { Event, EventBody } from '../../src/model/run/event.ts'
import { SpanStatusCode, trace } from '@opentelemetry/api'
import { stamped } from '../cli/recorded.ts'

function spansOf(events: readonly Event[], parent = traceParent(undefined)): readonly ReadableSpan[] {
  const exporter = new InMemorySpanExporter()
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] })
  const traces = new RunTraces(provider.getTracer('test'), parent, (text) => text.replaceAll('hunter2', '***'))
  for (const event of events) traces.take(event)
  return exporter.getFinishedSpans()
}

const begun: EventBody = { type: 'run.started', command: 'copy', tool: '0.1.0', source: 'x://u:hunter2@h/d' }
const end: EventBody = { type: 'run.finished', status: 'ok', exitCode: 0, totals: { written: '7' }, ms: 1 }
const of = (chunk: number) => ({ table: 'a-hunter2', chunk: String(chunk), worker: 1, unit: 'row' }) as const
const error = { code: 'ROW_REFUSED', message: 'key 4711 of hunter2', retryable: false } as const

test('a long run has spans for a thousand chunks, then each hundredth and each failed one, and counts the rest', () => {
  const bodies: (readonly [number, EventBody])[] = [[0, begun]]
  for (let no = 1; no <= 3000; no++) {
    bodies.push([no, { type: 'chunk.started', ...of(no), total: '5' }])
    bodies.push(
      no % 1000 === 0
        ? [no + 2, { type: 'chunk.failed', ...of(no), error }]
        : [no + 2, { type: 'chunk.done', ...of(no), done: '5', ms: 2 }],
    )
  }
  const spans = spansOf(stamped([...bodies, [9000, end]]))
  const chunks = spans.filter(({ name }) => name === 'chunk')
  expect(chunks.filter(({ status }) => status.code === SpanStatusCode.ERROR)).toHaveLength(3)
  expect(chunks).toHaveLength(3 + 1000 + 19)
  const root = spans.find(({ name }) => name === 'sluice copy')
  expect(root?.attributes).toMatchObject({
    'sluice.spans.left_out': 2997 - 1019,
    'sluice.spans.one_of': 100,
    'sluice.total.written': 7,
  })
  // Durations in ms come from the events.
  expect(
    chunks.every(
      ({ startTime, endTime }) =>
        Math.round((endTime[0] - startTime[0]) * 1000 + (endTime[1] - startTime[1]) / 1e6) === 2,
    ),
  ).toBe(true)
  const text = JSON.stringify(spans.map(({ name, attributes, status, events }) => [name, attributes, status, events]))
  expect(text).not.toMatch(/hunter2|4711/)
  expect(text).toContain('"error.type":"ROW_REFUSED"')
})

test('TRACEPARENT names the parent span, and an invalid value is ignored', () => {
  const id = `${'ab'.repeat(16)}-${'cd'.repeat(8)}`
  expect(trace.getSpanContext(traceParent(`00-${id}-01`))).toMatchObject({
    traceId: 'ab'.repeat(16),
    spanId: 'cd'.repeat(8),
    traceFlags: 1,
  })
  for (const wrong of ['', 'x', `ff-${id}-01`, `00-${id}-01-more`, `00-${'0'.repeat(32)}-${'cd'.repeat(8)}-01`])
    expect(trace.getSpanContext(traceParent(wrong))).toBeUndefined()
  // A later version may have more fields.
  expect(trace.getSpanContext(traceParent(`01-${id}-01-more`))).toBeDefined()
  // A parent that is not sampled leaves the run unsampled.
  expect(
    spansOf(
      stamped([
        [0, begun],
        [1, end],
      ]),
      traceParent(`00-${id}-00`),
    ),
  ).toEqual([])
  expect(
    spansOf(
      stamped([
        [0, begun],
        [1, end],
      ]),
      traceParent(`00-${id}-01`),
    ),
  ).toHaveLength(1)
  expect(trace.getSpanContext(parentOfTasks({ runId: '7', sharedRun: '7' }))).toEqual(
    trace.getSpanContext(parentOfTasks({ runId: '7', sharedRun: '7' })),
  )
  expect(trace.getSpanContext(parentOfTasks({ runId: '8', sharedRun: '8' }))?.traceId).not.toBe(
    trace.getSpanContext(parentOfTasks({ runId: '7', sharedRun: '7' }))?.traceId,
  )
})
