/** The time limit of a slot's turn: work on chunks counts, counting earlier chunks does not. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { TaskTurn } from '../../src/app/share/turn.ts'
import type { Event, EventBody } from '../../src/model/run/event.ts'

const event = (body: EventBody): Event => ({ v: 1, seq: 1, ts: '2026-11-23T00:00:00.000Z', runId: '1', ...body })
const COUNTING = event({ type: 'look.progress', table: 'orders', done: '1', total: '9' })
const TABLE = event({
  type: 'copy.started',
  table: 'orders',
  to: 'orders',
  rows: '9',
  estimated: false,
  key: ['id'],
  chunkRows: '3',
  writers: '1',
  chunks: '3',
  done: { chunks: '0', rows: '0' },
})
const CHUNK = event({ type: 'chunk.started', table: 'orders', chunk: '7', worker: 0, total: '10', unit: 'row' })

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('the turn ends once, after the time limit of work', () => {
  const over = vi.fn<() => void>()
  using turn = new TaskTurn(300_000, over)
  turn.take(TABLE)
  turn.take(CHUNK)
  vi.advanceTimersByTime(299_000)
  expect(over).not.toHaveBeenCalled()
  vi.advanceTimersByTime(60_000)
  expect(over).toHaveBeenCalledTimes(1)
})

test('the turn is extended while earlier chunks are counted, and no longer', () => {
  const over = vi.fn<() => void>()
  using turn = new TaskTurn(300_000, over)
  turn.take(TABLE)
  vi.advanceTimersByTime(200_000)
  turn.take(COUNTING)
  vi.advanceTimersByTime(3_600_000)
  expect(over).not.toHaveBeenCalled()
  // The next table has chunks to copy again.
  turn.take(CHUNK)
  vi.advanceTimersByTime(99_000)
  expect(over).not.toHaveBeenCalled()
  vi.advanceTimersByTime(2_000)
  expect(over).toHaveBeenCalledTimes(1)
})

test('the turn begins with the first table, and is longer if that took long', () => {
  const over = vi.fn<() => void>()
  using turn = new TaskTurn(300_000, over)
  vi.advanceTimersByTime(600_000)
  expect(over).not.toHaveBeenCalled()
  turn.take(TABLE)
  vi.advanceTimersByTime(20 * 600_000 - 1000)
  expect(over).not.toHaveBeenCalled()
  vi.advanceTimersByTime(2000)
  expect(over).toHaveBeenCalledTimes(1)
})

test('a disposed turn does not end', () => {
  const over = vi.fn<() => void>()
  const turn = new TaskTurn(1_000, over)
  turn.take(TABLE)
  turn[Symbol.dispose]()
  vi.advanceTimersByTime(10_000)
  expect(over).not.toHaveBeenCalled()
})
