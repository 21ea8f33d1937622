import { expect, test } from 'vitest'
import { Turn } from '../../src/stores/turn.ts'

const ITSELF = { code: 'INTERNAL', message: 'the program would wait for what it holds itself' }

test('one after the other', async () => {
  const turn = new Turn()
  const seen: number[] = []
  const leave = await turn.wait()
  const later = turn.take(() => void seen.push(2))
  seen.push(1)
  leave()
  await later
  expect(seen).toEqual([1, 2])
})

test('whoever has a turn is refused it a second time, at once, and others are not', async () => {
  const turn = new Turn()
  const other = new Turn()
  await turn.take(async () => {
    await expect(turn.take(() => undefined)).rejects.toMatchObject(ITSELF)
    await expect(other.take(() => turn.wait())).rejects.toMatchObject(ITSELF)
    expect(await other.take(() => 1)).toBe(1)
  })
  expect(await turn.take(() => 2)).toBe(2)
})

test('a turn that was had by wait is known within, and not beside it', async () => {
  const turn = new Turn()
  const leave = await turn.wait()
  let beside: Promise<number> | null = null
  await turn.within(async () => {
    await expect(turn.wait()).rejects.toMatchObject(ITSELF)
  })
  beside = turn.take(() => 3)
  leave()
  expect(await beside).toBe(3)
})
