/** Notes below the chart of a comparison. */
import { describe, expect, it } from 'vitest'
import type { QuestionEvent, AnswerTiming } from '../../src/model/run/event.ts'
import { compareNotes } from '../../src/tui/screens/compare/compare-svg.ts'
import { compareSvg } from '../../src/tui/screens/compare/compare-svg.ts'
import { initialState } from '../../src/tui/state/state.ts'

const side = (more: Partial<AnswerTiming>): AnswerTiming =>
  ({ p50Ms: 10, p95Ms: 12, coldMs: 20, readBytes: '100', ...more }) as AnswerTiming
const question = (files: Partial<AnswerTiming>, sql: Partial<AnswerTiming>, title = 'all files'): QuestionEvent => ({
  type: 'question',
  question: title,
  title,
  same: true,
  rows: '1',
  runs: 7,
  files: side(files),
  sql: side(sql),
  faster: 'sql',
  factor: 2,
})
const at = (latency: number) => ({ bars: 'time', cold: false, latency }) as const

describe('notes of a comparison', () => {
  const files = { roundTrips: '6' } as const

  it('report that no delay was added to the measured times', () => {
    expect(compareNotes([question(files, { roundTrips: '2' })], at(0))).toEqual([
      'Measured with no network delay added on either side.',
    ])
  })
  it('report how the times for the chosen latency are calculated, for each side', () => {
    const both = [question(files, { roundTrips: '2' }), question({ roundTrips: '14' }, { roundTrips: '2' })]
    expect(compareNotes(both, at(50))[1]).toBe(
      'Calculated from that for a round trip of 50 ms, not measured: files 50 ms more for each of 6 to 14 round trips in a row; SQL 50 ms more for each of 2 round trips in a row.',
    )
  })
  it('report that an embedded database has no round trips', () => {
    expect(compareNotes([question(files, { roundTrips: '0' })], at(50))[1]).toContain(
      'SQL makes no round trips, because its database runs inside sluice: its times are as measured.',
    )
  })
  it('distinguish a measured delay from a calculated one', () => {
    const far = [question({ ...files, addedMs: 20, delayed: 'calls' }, { roundTrips: '0' })]
    expect(compareNotes(far, at(20))[0]).toBe(
      'Measured: files with 20 ms added to each round trip by delaying calls inside sluice, SQL with no network delay added.',
    )
    expect(compareNotes(far, at(50))[1]).toContain('files 30 ms more for each of 6 round trips in a row')
    expect(compareNotes(far, at(5))[1]).toContain('files 15 ms less for each of 6 round trips in a row')
  })
  it('are absent for bytes and requests', () => {
    expect(compareNotes([question(files, {})], { bars: 'bytes', cold: false, latency: 50 })).toEqual([])
  })
})

it('a picture shortens a title that does not fit, and contains the notes', () => {
  const long = 'a title of a question that is longer than the room on the left side of its bars ever is'
  const { compare } = initialState({ columns: 80, rows: 24, ascii: false, lake: './lake', catalog: null, now: 0 })
  const facts = { table: 'orders', lake: './lake', catalog: 'sqlite:///c.db', at: '2026-01-01' }
  const svg = compareSvg([question({ roundTrips: '6' }, { roundTrips: '0' }, long)], { ...compare, latency: 50 }, facts)
  expect(svg).toContain('Measured with no network delay added on either side.')
  expect(svg).not.toContain(long)
  expect(svg).toContain('a title of a question that is longer than')
})
