import { expect, it } from 'vitest'
import { AnswerColumnFacts } from '../../src/app/ask/column-facts.ts'
import type { SqlRow } from '../../src/model/run/sql-port.ts'

const reported = (...values: SqlRow): boolean => {
  const facts = new AnswerColumnFacts()
  for (const value of values) facts.see(value)
  return facts.reportedAsText
}

it('reports text columns that look like decimals, dates or times', () => {
  expect(reported('12.50', null, '-3', '1e-7')).toBe(true)
  expect(reported('2026-11-20', '2026-11-21')).toBe(true)
  expect(reported('2026-11-20 12:00:00+00', '2026-11-20T12:00:00.123Z')).toBe(true)
  expect(reported('2026-11-20 12:00', null)).toBe(true)
  expect(reported(1, 'a')).toBe(true)
})

it('does not report plain texts, or columns with a type of their own', () => {
  expect(reported('12.50', 'none')).toBe(false)
  expect(reported('2026-11-20', '12')).toBe(false)
  expect(reported('', 'a')).toBe(false)
  expect(reported(null, null)).toBe(false)
  expect(reported(1, 2.5)).toBe(false)
  expect(reported('Boston', '2026-11-20')).toBe(false)
})
