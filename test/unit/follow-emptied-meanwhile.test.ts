/** The error if a table is truncated while a sign-off compares it. */
import { expect, test } from 'vitest'
import { emptiedMeanwhile } from '../../src/engine/follow/compare/proving.ts'
import { SluiceError } from '../../src/shared/errors.ts'

test('the message is about the sign-off, not about a copy', () => {
  const copied = new SluiceError('SOURCE_GONE', 'public.a was changed while it was copied', {
    where: 'db',
    retryable: true,
    hint: 'run the same command again: it makes a new plan and does only the rest',
  })
  const said = emptiedMeanwhile(copied)
  expect(said).toMatchObject({ code: 'SOURCE_GONE', where: 'db', retryable: true })
  expect(said.message).toBe('public.a was changed while it was compared')
  expect(said.hint).toMatch(/sign off again/)
  expect(said.hint).not.toMatch(/copy/)
})

test('other errors stay unchanged', () => {
  const lost = new SluiceError('CONNECTION_LOST', 'gone')
  expect(emptiedMeanwhile(lost)).toBe(lost)
})
