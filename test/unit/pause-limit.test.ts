/** The time for which other sessions wait for an attempt of a cutover. */
import { expect, test } from 'vitest'
import { PauseLimit } from '../../src/engine/follow/cutover/pause-limit.ts'
import { throwIfAborted } from '../../src/shared/abort.ts'
import { SluiceError } from '../../src/shared/errors.ts'

const never = new AbortController().signal

/** Work that ends when the test says so. */
function waiting(): { readonly work: Promise<string>; readonly end: (error?: Error) => void } {
  let end: (error?: Error) => void = () => undefined
  const work = new Promise<string>((resolve, reject) => {
    end = (error) => (error === undefined ? resolve('done') : reject(error))
  })
  return { work, end }
}

test('work within the time returns its result or its error', async () => {
  const limit = new PauseLimit(never)
  expect(await limit.within(60_000, async () => 'done')).toBe('done')
  await limit.settled()
  const lost = new SluiceError('CONNECTION_LOST', 'gone')
  await expect(limit.within(60_000, () => Promise.reject(lost))).rejects.toBe(lost)
  // The caller knows this error.
  await limit.settled()
  expect(limit.signal.aborted).toBe(false)
})

test('work that cannot be cancelled is left at the end of the time, and awaited later', async () => {
  const limit = new PauseLimit(never)
  const { work, end } = waiting()
  expect(await limit.within(1, () => work)).toBeNull()
  expect(limit.signal.aborted).toBe(true)
  let isSettled = false
  const settled = limit.settled().then(() => (isSettled = true))
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(isSettled).toBe(false)
  end()
  await settled
})

test('work that is cancelled ends without an error, and an error of the work that was left is thrown', async () => {
  const cancelled = new PauseLimit(never)
  const work = async (): Promise<void> => {
    await new Promise((resolve) => cancelled.signal.addEventListener('abort', resolve))
    throwIfAborted(cancelled.signal)
  }
  expect(await cancelled.within(1, work)).toBeNull()
  await cancelled.settled()
  const failed = new PauseLimit(never)
  const left = waiting()
  expect(await failed.within(1, () => left.work)).toBeNull()
  left.end(new SluiceError('CONNECTION_LOST', 'gone'))
  await expect(failed.settled()).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
})

test('the signal of the run ends the work with its error', async () => {
  const run = new AbortController()
  const limit = new PauseLimit(run.signal)
  const reason = new SluiceError('ABORTED', 'aborted on request')
  const work = async (): Promise<void> => {
    run.abort(reason)
    throwIfAborted(limit.signal)
  }
  await expect(limit.within(60_000, work)).rejects.toBe(reason)
})
