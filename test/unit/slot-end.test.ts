import { expect, test } from 'vitest'
import { slotEnd } from '../../src/engine/distributed/slot-end.ts'
import { SluiceError, type ErrorCode } from '../../src/shared/errors.ts'

const leftOf = (code: ErrorCode, retryable: boolean, rests: number): string => {
  const error = new SluiceError(code, 'no', { retryable })
  return slotEnd({ exitCode: error.exitCode, error: error.info(), crashed: false }, rests).left
}

test('what passes by itself rests however often it has failed', () => {
  for (const code of ['CONNECTION_LOST', 'CONNECT_FAILED', 'TARGET_BUSY', 'TARGET_DENIED'] as const)
    expect([code, leftOf(code, true, 0), leftOf(code, true, 500)]).toEqual([code, 'rest', 'rest'])
})

test('a missing right ends the slot at once, and a server that lets nobody in within two minutes', () => {
  expect(leftOf('TARGET_DENIED', false, 0)).toBe('none')
  const rests = Array.from({ length: 10 }, (_, turn) => leftOf('CONNECT_FAILED', false, turn))
  const last = rests.indexOf('none')
  // Rests of 2, 4, 8, 16, 32 and 60 seconds.
  expect(last).toBe(6)
  expect(new Set(rests.slice(last))).toEqual(new Set(['none']))
})
