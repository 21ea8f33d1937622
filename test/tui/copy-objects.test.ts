/** Indexes of a copy in the log of the Run screen. */
import { expect, test } from 'vitest'
import type { Event, EventBody } from '../../src/model/run/event.ts'
import { logEntry } from '../../src/render/log-entry.ts'

test('tells what is being made, what is there, and what could not be made', () => {
  const event = (body: EventBody): Event => ({ v: 1, seq: 1, ts: '2026-11-20T12:00:00.000Z', runId: '1', ...body })
  const object = { table: 'rides', name: 'by_name', kind: 'index' } as const
  const bodies: readonly EventBody[] = [
    { ...object, type: 'index.started' },
    { ...object, type: 'index.done', ms: 2000 },
    { ...object, type: 'index.failed', error: { code: 'OBJECTS_FAILED', message: 'twice', retryable: false } },
  ]
  const lines = (alone: boolean): readonly string[] =>
    bodies.map((body) => {
      const entry = logEntry(event(body), 0, alone)
      return entry === null ? '' : `${entry.level} ${entry.text}`
    })
  expect(lines(true)).toEqual([
    'note making index by_name',
    expect.stringMatching(/^note index by_name is made, in 2/),
    'error index by_name: OBJECTS_FAILED twice',
  ])
  expect(lines(false)[0]).toBe('note rides: making index by_name')
})
