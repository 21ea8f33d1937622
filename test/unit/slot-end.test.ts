import { expect, test } from 'vitest'
import { taskEnd } from '../../src/app/share/task-end.ts'
import type { TransientFailures } from '../../src/model/share/distributed.ts'
import { ofTarget } from '../../src/stores/s3/log-writer-errors.ts'
import { refusalError, s3Refusal } from '../../src/stores/s3/errors.ts'
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
  const databases = ['CONNECTION_LOST', 'CONNECT_FAILED', 'TARGET_BUSY', 'TARGET_DENIED'] as const
  for (const code of [...databases, 'SOURCE_IO', 'TARGET_IO', 'LOG_CHANGED'] as const)
    expect([code, leftOf(code, true, 0), leftOf(code, true, 500)]).toEqual([code, 'rest', 'rest'])
})

test('a missing right ends the slot at once, a refused login within two minutes', () => {
  for (const code of ['TARGET_DENIED', 'SOURCE_DENIED', 'SOURCE_IO', 'TARGET_IO', 'LOG_CHANGED'] as const)
    expect([code, leftOf(code, false, 0)]).toEqual([code, 'none'])
  const rests = Array.from({ length: 10 }, (_, turn) => leftOf('CONNECT_FAILED', false, turn))
  const last = rests.indexOf('none')
  // Waits of 2, 4, 8, 16, 32 and 60 seconds.
  expect(last).toBe(6)
  expect(new Set(rests.slice(last))).toEqual(new Set(['none']))
})

test('a bucket that is away is retried, ended keys like a refused login, and a missing right is not', () => {
  const leftAfter = (status: number, code: string, rests: number): readonly string[] => {
    const body = `<Error><Code>${code}</Code></Error>`
    const read = refusalError(s3Refusal(status, new Headers(), body), 's3://b/k', 1)
    return [read, ofTarget(read) as SluiceError].map((error) => endOf(after(rests, error), error).left)
  }
  expect(leftAfter(503, 'SlowDown', 500)).toEqual(['rest', 'rest'])
  expect(leftAfter(403, 'AccessDenied', 0)).toEqual(['none', 'none'])
  for (const [status, code] of [
    [403, 'InvalidAccessKeyId'],
    [400, 'ExpiredToken'],
    [400, 'TokenRefreshRequired'],
  ] as const)
    expect([code, leftAfter(status, code, 5), leftAfter(status, code, 6)]).toEqual([
      code,
      ['rest', 'rest'],
      ['none', 'none'],
    ])
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
