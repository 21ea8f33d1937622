/** Indexes of a copy in the log: the same lines as without the UI. */
import { expect, test } from 'vitest'
import type { Event, EventBody } from '../../src/model/run/event.ts'
import { LogEntries } from '../../src/render/log-entry.ts'

test('reports indexes that are being created, that exist, and that failed', () => {
  const log = new LogEntries()
  const shown = (body: EventBody): readonly string[] => {
    const event: Event = { v: 1, seq: 1, ts: '2026-11-20T12:00:00.000Z', runId: '1', ...body }
    return log.event(event, 0).map(({ level, text }) => `${level} ${text}`)
  }
  const object = { table: 'rides', name: 'by_name', kind: 'index' } as const
  expect(shown({ ...object, type: 'index.started' })).toEqual(['note index by_name is being created'])
  expect(shown({ ...object, type: 'index.done', ms: 2000 })).toEqual(['note index by_name is made 2.0 s'])
  const error = { code: 'OBJECTS_FAILED', message: 'twice', hint: 'make it by hand', retryable: false } as const
  expect(shown({ ...object, type: 'index.failed', error })).toEqual([
    'error FAILED index by_name OBJECTS_FAILED twice · do: make it by hand',
  ])
})

test('keeps the level of a warning', () => {
  const event = { v: 1, seq: 1, ts: '2026-11-20T12:00:00.000Z', runId: '1', type: 'log', level: 'warn' } as const
  expect(new LogEntries().event({ ...event, table: 'rides', message: 'late', hint: 'wait' }, 0)).toEqual([
    { ts: Date.parse(event.ts), level: 'warn', text: 'rides late · do: wait' },
  ])
})
