import { expect, test } from 'vitest'
import { pauseBefore, retrying } from '../../src/stores/common/retry.ts'

/** A clock that advances only during sleep. */
function stoppedTime(): { ticks(): number; sleep(ms: number): Promise<void>; pauses: number[] } {
  let now = 0
  const pauses: number[] = []
  return {
    pauses,
    ticks: () => now,
    sleep: async (ms) => {
      pauses.push(ms)
      now += ms
    },
  }
}

test('pauses double up to a limit, shortened at random', () => {
  expect([1, 2, 3, 4].map((attempts) => pauseBefore(attempts, () => 1))).toEqual([50, 100, 200, 400])
  expect(pauseBefore(50, () => 1)).toBe(5000)
  expect(pauseBefore(1000, () => 0.5)).toBe(2500)
  expect(pauseBefore(3, () => 0)).toBe(0)
})

test('repeats after a transient error until it succeeds', async () => {
  const time = stoppedTime()
  const heard: number[] = []
  const result = await retrying(
    async (attempt) => {
      if (attempt < 4) throw new Error('busy')
      return attempt
    },
    {
      transient: () => true,
      forMs: 60_000,
      clock: time,
      sleep: time.sleep,
      random: () => 0.5,
      onRetry: (_error, attempts) => heard.push(attempts),
    },
  )
  expect(result).toBe(4)
  expect(time.pauses).toEqual([25, 50, 100])
  expect(heard).toEqual([1, 2, 3])
})

test('throws a permanent error at once, and a transient one after the retry time', async () => {
  const time = stoppedTime()
  let attempts = 0
  const failing = (message: string, forMs: number): Promise<never> =>
    retrying(
      async () => {
        attempts++
        throw new Error(message)
      },
      {
        transient: (error) => error instanceof Error && error.message === 'busy',
        forMs,
        clock: time,
        sleep: time.sleep,
        random: () => 1,
      },
    )
  await expect(failing('wrong', 60_000)).rejects.toThrow('wrong')
  expect(attempts).toBe(1)
  await expect(failing('busy', 0)).rejects.toThrow('busy')
  expect(attempts).toBe(2)
  await expect(failing('busy', 1000)).rejects.toThrow('busy')
  expect(time.ticks()).toBeLessThanOrEqual(1000)
  expect(time.pauses).toEqual([50, 100, 200, 400])
})
