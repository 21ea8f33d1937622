/** Promotions of the database of a queue: which of them lack so many heartbeats that the queue was set back. */
import { expect, test } from 'vitest'
import type { AskPostgres } from '../../src/stores/postgresql/queue/identity.ts'
import { Promotions } from '../../src/stores/postgresql/queue/promotions.ts'

/** A worker with its row: `beat` writes a heartbeat, `setBack` removes some from the row. */
function workerOf(): {
  readonly promotions: Promotions
  beat(times: number): void
  setBack(beats: number): void
  reborn(): void
} {
  const row = { begun: '2026-11-30 10:00', beats: 0 }
  const ask = async (text: string): Promise<unknown> => ({
    rows: text.startsWith('SELECT') ? [{ ...row }] : [{ schedules: 1, runs: 1 }],
  })
  const promotions = new Promotions(ask as AskPostgres, 'w1')
  return {
    promotions,
    beat: (times) => {
      for (let n = 0; n < times; n++) promotions.noteHeartbeats(++row.beats)
    },
    setBack: (beats) => {
      row.beats -= beats
    },
    reborn: () => {
      row.begun = '2026-11-30 11:00'
      row.beats = 0
      promotions.noteHeartbeats(0)
    },
  }
}

const identity = (timeline: number): string =>
  JSON.stringify({ database: '5', name: 'queue', system: '7', timeline: String(timeline).padStart(8, '0') })

const CONFIRMED = { schedules: 1, runs: 1 }
const SET_BACK = { schedules: 0, runs: 0, isSetBack: true }

test.each([0, 1, 2, 3, 8, 9, 10, 100])('%i heartbeats before the first sweep hide no gap', async (first) => {
  for (const [lacked, result] of [
    [0, CONFIRMED],
    [2, CONFIRMED],
    [3, SET_BACK],
    [9, SET_BACK],
  ] as const) {
    const { promotions, beat, setBack } = workerOf()
    beat(20)
    await promotions.carry(identity(1))
    beat(9)
    setBack(lacked)
    beat(first)
    expect(await promotions.carry(identity(2)), `${lacked} lacked`).toEqual(result)
    // The next promotion is judged by itself.
    beat(1)
    setBack(1)
    beat(first)
    expect(await promotions.carry(identity(3)), `after ${lacked} lacked`).toEqual(CONFIRMED)
  }
})

test('a new row of the same worker begins without a gap', async () => {
  const { promotions, beat, reborn } = workerOf()
  beat(20)
  await promotions.carry(identity(1))
  reborn()
  expect(await promotions.carry(identity(2))).toEqual({ schedules: 0, runs: 0 })
  beat(1)
  expect(await promotions.carry(identity(3))).toEqual(CONFIRMED)
})
