/** A run on a stream is labelled with the tables of the run that began the stream, not with a number. */
import { expect, test } from 'vitest'
import { subjectsOf } from '../../src/app/operations/facts.ts'
import { descriptionOf } from '../../src/model/run/run-history.ts'

const [BEGAN, CUTOVER, FOLLOW] = ['1795445013682791745', '1795445133585262401', '1795445160545005952']

test('a stream is replaced by its tables, also over several streams', () => {
  const known = new Map([
    [BEGAN, 'bookings'],
    [CUTOVER, BEGAN],
    [FOLLOW, CUTOVER],
  ])
  expect(descriptionOf(CUTOVER, known)).toBe('bookings')
  expect(descriptionOf('public.a, public.b', known)).toBe('public.a, public.b')
  expect(descriptionOf('', known)).toBe('')
  expect(descriptionOf('1795000000000000000', known)).toBe('stream 1795000000000000000')
  expect(descriptionOf('1795000000000000001', new Map([['1795000000000000001', '1795000000000000001']]))).toMatch(
    /^stream/,
  )
})

test('the subject is the tables of an operation, or its stream', () => {
  const stream = { stream: BEGAN, to: 'postgresql://app@db/shop' }
  const follow = { kind: 'follow', ...stream, end: false, untilCaughtUp: false, untilEqual: false } as const
  expect(subjectsOf(follow)).toEqual([BEGAN])
  expect(subjectsOf({ kind: 'sign-off', ...stream, tables: [] })).toEqual([BEGAN])
  expect(subjectsOf({ kind: 'sign-off', ...stream, tables: ['a', 'b'] })).toEqual(['a', 'b'])
})
