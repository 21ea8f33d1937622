import { expect, it } from 'vitest'
import { ColumnFacts } from '../../src/app/ask/column-facts.ts'
import type { SqlRow } from '../../src/model/run/sql-port.ts'

const told = (...values: SqlRow): boolean => {
  const facts = new ColumnFacts()
  for (const value of values) facts.see(value)
  return facts.toldAsText
}

it('tells of texts that may be none: printed decimals, dates and times', () => {
  expect(told('12.50', null, '-3', '1e-7')).toBe(true)
  expect(told('2026-11-20', '2026-11-21')).toBe(true)
  expect(told('2026-11-20 12:00:00+00', '2026-11-20T12:00:00.123Z')).toBe(true)
  expect(told('2026-11-20 12:00', null)).toBe(true)
  expect(told(1, 'a')).toBe(true)
})

it('says nothing of what are texts, and of what has a type of its own', () => {
  expect(told('12.50', 'none')).toBe(false)
  expect(told('2026-11-20', '12')).toBe(false)
  expect(told('', 'a')).toBe(false)
  expect(told(null, null)).toBe(false)
  expect(told(1, 2.5)).toBe(false)
  expect(told('Boston', '2026-11-20')).toBe(false)
})
