/** Alerts are sent one after the other, with one time limit for all that wait. */
import { expect, test } from 'vitest'
import { AlertQueue } from '../../src/app/alerts/in-turn.ts'

test('appended work runs in its order', async () => {
  const turn = new AlertQueue()
  const done: number[] = []
  for (const one of [1, 2, 3]) turn.append(async () => void done.push(one))
  expect(await turn.done(60_000)).toBe(0)
  expect(done).toEqual([1, 2, 3])
})

test('after the time limit no waiting work begins, and running work is awaited', async () => {
  const turn = new AlertQueue()
  let goOn: () => void = () => undefined
  let begun: () => void = () => undefined
  const running = new Promise<void>((resolve) => (begun = resolve))
  const slow = new Promise<void>((resolve) => (goOn = resolve))
  const done: string[] = []
  turn.append(async () => {
    begun()
    await slow
    done.push('slow')
  })
  for (let n = 0; n < 9; n++) turn.append(async () => void done.push('late'))
  await running
  const left = turn.done(0)
  // Runs after the timer of the limit, which was set before this one.
  setTimeout(goOn, 1)
  expect(await left).toBe(9)
  expect(done).toEqual(['slow'])
})
