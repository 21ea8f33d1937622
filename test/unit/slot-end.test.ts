import { expect, test } from 'vitest'
import { taskEnd } from '../../src/app/share/task-end.ts'
import type { TransientFailures } from '../../src/model/share/distributed.ts'
import { SluiceError, type ErrorCode } from '../../src/shared/errors.ts'

/** Earlier turns that all failed with this cause. */
const after = (times: number, cause: SluiceError | null): TransientFailures => ({ times, cause: cause?.info() ?? null })

const leftOf = (code: ErrorCode, retryable: boolean, rests: number): string => {
  const error = new SluiceError(code, 'no', { retryable })
  const { left } = taskEnd({ exitCode: error.exitCode, error: error.info(), crashed: false }, after(rests, error))
  // For a copy of several tables it is the cause of each.
  expect(endOf(after(rests, error), error, error).left).toBe(left)
  return left
}

const endOf = (rested: TransientFailures, ...failures: readonly SluiceError[]): ReturnType<typeof taskEnd> => {
  const sum = new SluiceError('TABLES_FAILED', '2 of 2 tables')
  const how = { exitCode: sum.exitCode, error: sum.info(), crashed: false, failures: failures.map((one) => one.info()) }
  return taskEnd(how, rested)
}

test('a transient error is retried however often it occurred', () => {
  for (const code of ['CONNECTION_LOST', 'CONNECT_FAILED', 'TARGET_BUSY', 'TARGET_DENIED'] as const)
    expect([code, leftOf(code, true, 0), leftOf(code, true, 500)]).toEqual([code, 'rest', 'rest'])
})

test('a missing right ends the slot at once, a refused login within two minutes', () => {
  expect(leftOf('TARGET_DENIED', false, 0)).toBe('none')
  const rests = Array.from({ length: 10 }, (_, turn) => leftOf('CONNECT_FAILED', false, turn))
  const last = rests.indexOf('none')
  // Waits of 2, 4, 8, 16, 32 and 60 seconds.
  expect(last).toBe(6)
  expect(new Set(rests.slice(last))).toEqual(new Set(['none']))
})

test('one table with a transient cause is enough for a retry; a cause of all tables is that of the slot', () => {
  const lost = new SluiceError('CONNECTION_LOST', 'gone', { retryable: true })
  const refused = new SluiceError('CONNECT_FAILED', 'refuses the password')
  const wrong = new SluiceError('PROOF_FAILED', 'differs')
  expect(endOf(after(500, lost), wrong, lost)).toMatchObject({ left: 'rest', error: { code: 'CONNECTION_LOST' } })
  expect(endOf(after(0, null), wrong, wrong)).toMatchObject({
    left: 'none',
    exitCode: 1,
    error: { code: 'TABLES_FAILED' },
  })
  expect(endOf(after(6, refused), wrong, refused)).toMatchObject({
    left: 'none',
    exitCode: 1,
    error: { code: 'TABLES_FAILED' },
  })
  expect(endOf(after(6, refused), refused, refused)).toMatchObject({
    left: 'none',
    exitCode: 4,
    error: { code: 'CONNECT_FAILED' },
  })
})

test('each cause has its own count: a refused login after an outage still has its two minutes', () => {
  const away = new SluiceError('CONNECT_FAILED', 'no server', { retryable: true })
  const refused = new SluiceError('CONNECT_FAILED', 'refuses the password')
  expect(endOf(after(50, away), refused)).toMatchObject({ left: 'rest', error: { message: 'refuses the password' } })
  const crash = new SluiceError('INTERNAL', 'the program of the slot is gone').info()
  expect(taskEnd({ exitCode: 70, error: crash, crashed: true }, after(50, away)).left).toBe('rest')
})
