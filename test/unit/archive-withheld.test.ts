import { expect, test } from 'vitest'
import { withheldError, withheldEvent, withholding } from '../../src/archive/erase/withheld.ts'
import { conditionHash, isCondition } from '../../src/archive/operations/archive-erase/perform.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import type { RowTest } from '../../src/model/archive/row-test.ts'

const TEST: RowTest = {
  kind: 'and',
  parts: [
    { kind: 'compare', column: 'id', op: '=', value: '42' },
    { kind: 'not', part: { kind: 'compare', column: 'mail', op: '=', value: 'a.d+a@example.org' } },
  ],
}

test('messages have *** for the values of a condition, and other numbers stay', () => {
  const withhold = withholding(TEST)
  expect(withhold('Key (id)=(42) of 1420 rows, a.d+a@example.org, aXd+a@example.org')).toBe(
    'Key (id)=(***) of 1420 rows, ***, aXd+a@example.org',
  )
  const counts = 'the disk is full: 42 more partitions were not started; 42 such rows are left, 42 rows of 42 files'
  expect(withhold(counts)).toBe(counts)
  expect(withhold('(42, row) 42 rowing, 42 more')).toBe('(***, row) *** rowing, *** more')
  const error = new SluiceError('BAD_PREDICATE', 'no 42', {
    where: 'id = 42',
    reason: 'x',
    hint: 'h',
    cause: new Error('42'),
  })
  const clean = withheldError(error, withhold)
  expect(clean.info()).toEqual({
    code: 'BAD_PREDICATE',
    message: 'no ***',
    where: 'id = ***',
    reason: 'x',
    hint: 'h',
    retryable: false,
  })
  expect(clean.cause).toBeUndefined()
  const event = withheldEvent({ type: 'log', level: 'warn', message: 'row 42' } as const, withhold)
  expect(event.message).toBe('row ***')
})

test('a condition matches its own hash and no other', () => {
  const hash = conditionHash(TEST)
  expect(hash).not.toContain('example')
  expect(isCondition(TEST, hash)).toBe(true)
  expect(isCondition({ kind: 'not', part: TEST }, hash)).toBe(false)
  expect(conditionHash(TEST)).not.toBe(hash)
})
