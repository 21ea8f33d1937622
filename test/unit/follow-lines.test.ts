/** The header of a followed copy's screen fits any width, and has the values of the newest events. */
import { expect, test } from 'vitest'
import type { Event, EventBody } from '../../src/model/run/event.ts'
import { FollowProgress } from '../../src/tui/run/copy/follow-progress.ts'
import { followLines } from '../../src/tui/screens/run/copy/follow.ts'

const said = (body: EventBody): Event => ({ v: 1, seq: 1, ts: '2026-11-21T00:00:00.000Z', runId: '1', ...body })

const run = { plan: null, finished: null, startedAt: 0, pausedAt: null, trouble: null } as const
const screen = { now: 4000, ascii: false }

function shown(follow: FollowProgress, cells: number): string {
  return followLines(screen, run, follow, cells)
    .map((spans) => spans.map(({ text }) => text).join(''))
    .join('\n')
}

test('shows lag, states, slot and the newest comparison', () => {
  const follow = new FollowProgress()
  expect(shown(follow, 80)).toContain('reading source, target and ledger … 0:04 so far')
  follow.fold(
    said({
      type: 'follow.progress',
      position: '0/1A2B3C8',
      end: '0/1A2C000',
      lagBytes: '3128',
      lagMs: 65_000,
      transactions: '12',
      changes: '4063',
      rate: '1200',
      remainingMs: 2000,
      heldBytes: '15200000',
      safeBytes: '900000000',
      tables: { copying: '0', catchup: '1', live: '3' },
    }),
  )
  expect(shown(follow, 120)).toContain('live 3 of 4 tables · catching up 1    lag 1:05 · 3.1 KB    0:02 to catch up')
  expect(shown(follow, 120)).toContain('1,200 changes/s    4,063 in all    applied 0/1A2B3C8')
  expect(shown(follow, 120)).toContain('rows were not compared')
  const paused = followLines({ ...screen, now: 65_000 }, { ...run, pausedAt: 5000 }, follow, 120)
  expect(paused[0]?.map(({ text }) => text).join('')).toMatch(/ paused at \d\d:\d\d:05, 1:00 ago +live 3 of 4 tables/)
  const table = (name: string, differing: string): Event =>
    said({
      type: 'follow.proved',
      table: name,
      position: '0/1A2B3C8',
      rows: '10',
      targetRows: '10',
      differing,
      unread: '0',
      pauseMs: 3,
      ms: 40,
    })
  follow.fold(table('a', '2'))
  follow.fold(table('b', '0'))
  // All tables of one comparison position count.
  expect(shown(follow, 140)).toContain('2 rows differed as of 0/1A2B3C8')
  for (const cells of [60, 80, 120, 200])
    for (const row of shown(follow, cells).split('\n')) expect(row.length).toBeLessThanOrEqual(cells)
  follow.fold(said({ type: 'follow.halted', code: 'SLOT_LOST', tables: [], message: 'the slot is gone', since: '0/1' }))
  expect(shown(follow, 80)).toContain('halted: the slot is gone')
})
