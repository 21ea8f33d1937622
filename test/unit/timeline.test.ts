/** The first visible line of a table's timeline. */
import { describe, expect, test } from 'vitest'
import type { PartitionAlarmEvent, PartitionEvent } from '../../src/model/partition/events.ts'
import { pictureText } from '../../src/tui/draw/line.ts'
import { linesFromNow, drawTimeline } from '../../src/tui/screens/tables/timeline.ts'

const day = (n: number, state: PartitionEvent['state']): PartitionEvent => ({
  type: 'partition',
  table: 't',
  partition: `t_${n}`,
  label: `day ${n}`,
  state,
  estimated: true,
})
const days = [...Array.from({ length: 90 }, (_, n) => day(n, 'hot')), day(90, 'current'), day(91, 'missing')]
const alarm: PartitionAlarmEvent = { type: 'partition.alarm', table: 't', alarm: 'gap', detail: 'a gap' }
const table = { type: 'partition.table', table: 't', by: 'at', partitions: '91', hasDefault: false } as const

describe('a timeline', () => {
  test('opens near the current partition if there are no alarms', () => {
    expect(linesFromNow({ table, partitions: days, alarms: [], expired: [], error: null })).toBe(2 + 8)
    expect(linesFromNow({ table, partitions: days.slice(0, 90), alarms: [], expired: [], error: null })).toBeNull()
  })

  test('opens at its alarms if there are any', () => {
    const shown = { table, partitions: days, alarms: [alarm], expired: [], error: null }
    expect(linesFromNow(shown)).toBeNull()
    const [title, ...lines] = pictureText(drawTimeline(shown, 100, true))
    expect(title).toBe('partitions by at · 1 alarm')
    const at = (text: string): number => lines.findIndex((one) => one.includes(text))
    expect(at('a gap')).toBeGreaterThan(0)
    expect(at('a gap')).toBeLessThan(at('day 0'))
  })
})
