/** How far a run is, in a few numbers, from its events. */
import { expect, test } from 'vitest'
import { Pulse } from '../../src/engine/live/pulse.ts'
import type { Event, EventBody } from '../../src/model/event.ts'

function after(...bodies: readonly EventBody[]): Pulse {
  const pulse = new Pulse()
  for (const [at, body] of bodies.entries())
    pulse.take({ v: 1, seq: at + 1, ts: '2026-01-01T00:00:00.000Z', runId: '7', ...body } as Event)
  return pulse
}

const copied = { type: 'chunk.done', table: 't', chunk: '1', done: '100', read: '100' } as unknown as EventBody
const under = { type: 'chunk.progress', table: 't', chunk: '2', done: '40', total: '100' } as unknown as EventBody
const compared = { type: 'diff.progress', table: 't', done: '90' } as unknown as EventBody
const followed = { type: 'follow.started' } as unknown as EventBody

test('rows of a chunk count while it is copied, and are told apart until it is ended', () => {
  expect(after(copied, under)).toMatchObject({ rows: 140, open: 40 })
  expect(after(copied)).toMatchObject({ rows: 100, open: 0 })
})

test('rows that are compared count, but not those of a stream, which has brought them already', () => {
  expect(after(compared).rows).toBe(90)
  expect(after(followed, copied, compared)).toMatchObject({ rows: 100, open: 0 })
})
