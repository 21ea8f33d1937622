/** CHECKs in a CREATE TABLE of SQLite, as conditions for rows that violate them. */
import { expect, test } from 'vitest'
import { checksIn } from '../../src/stores/sqlite/archive/unchecked.ts'

test('each CHECK is found with its name, and quoted or commented text is ignored', () => {
  const sql = `CREATE TABLE t (
    a integer CHECK (a > 0), -- CHECK (a > 1)
    "CHECK (b)" text DEFAULT 'CHECK (c)' CONSTRAINT "x ""y" CHECK ("CHECK (b)" <> ')' AND length(a) < (2 + 1)),
    d text CONSTRAINT set_d NOT NULL check(d IN ('(', /* ) */ ']')),
    CONSTRAINT [a b] /* named */ CHECK (a < 9 -- last
    ))`
  expect(checksIn(sql)).toEqual([
    { constraint: 'CHECK (a > 0)', violated: 'NOT (a > 0\n)' },
    { constraint: 'CHECK x "y', violated: `NOT ("CHECK (b)" <> ')' AND length(a) < (2 + 1)\n)` },
    { constraint: "CHECK (d IN ('(', /* ) */ ']'))", violated: "NOT (d IN ('(', /* ) */ ']')\n)" },
    { constraint: 'CHECK a b', violated: 'NOT (a < 9 -- last\n    \n)' },
  ])
  expect(checksIn('CREATE TABLE t (a)')).toEqual([])
})
