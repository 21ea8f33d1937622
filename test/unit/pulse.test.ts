/** Progress of a run in a few numbers, calculated from its events. */
import { expect, test } from 'vitest'
import { RunProgress } from '../../src/app/live/run-progress.ts'
import type { Event, EventBody } from '../../src/model/run/event.ts'

const after = (...bodies: readonly EventBody[]): RunProgress => fed(new RunProgress(), bodies)

function fed(pulse: RunProgress, bodies: readonly EventBody[]): RunProgress {
  for (const [at, body] of bodies.entries()) {
    const event: Event = { v: 1, seq: at + 1, ts: '2026-01-01T00:00:00.000Z', runId: '7', ...body }
    pulse.take(event)
  }
  return pulse
}

const tallied = { read: '100', written: '100', skipped: '0', quarantined: '0' } as const
const copied: EventBody = {
  type: 'chunk.done',
  table: 't',
  chunk: '1',
  worker: 1,
  unit: 'rows',
  ...tallied,
  done: '100',
  ms: 1,
}
const under: EventBody = {
  type: 'chunk.progress',
  table: 't',
  chunk: '2',
  worker: 1,
  unit: 'rows',
  done: '40',
  total: '100',
}
const compared: EventBody = {
  type: 'diff.progress',
  table: 't',
  step: 'comparing',
  done: '90',
  total: '90',
  estimated: false,
  ranges: '1',
  left: '0',
  differences: '0',
}
const followed: EventBody = {
  type: 'follow.started',
  stream: '7',
  slot: 'slot',
  position: '0/1',
  tables: '1',
  isNew: true,
}

test('rows of a chunk count while it is copied, and count as open until it ends', () => {
  expect(after(copied, under)).toMatchObject({ rows: 140, open: 40 })
  expect(after(copied)).toMatchObject({ rows: 100, open: 0 })
})

test('compared rows count, except those of a stream, which were counted when they were applied', () => {
  expect(after(compared).rows).toBe(90)
  expect(after(followed, copied, compared)).toMatchObject({ rows: 100, open: 0 })
  expect(fed(new RunProgress(true), [copied, compared])).toMatchObject({ rows: 100, done: 100, open: 0 })
})
