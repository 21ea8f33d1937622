/**
 * When archived texts of enums and composites get another meaning: also for types that were restored from a dump, whose
 * members have other numbers.
 */
import { expect, test } from 'vitest'
import { otherMeaning } from '../../src/archive/types/index.ts'
import type { DeclaredSourceType } from '../../src/model/archive/stored-column.ts'

const PART = /^(?<number>\d+) (?<name>\w+)(?: (?<type>\S+))?$/

function type(kind: DeclaredSourceType['kind'], identity: string, ...parts: readonly string[]): DeclaredSourceType {
  return {
    name: 't',
    kind,
    identity,
    parts: parts.map((text) => {
      const { number = '', name = '', type: of } = PART.exec(text)?.groups ?? {}
      return { number, name, ...(of === undefined ? {} : { type: of }) }
    }),
  }
}

const MEMBERS = type('enum', 'here/1', '10 a', '11 b')
const PAIR = type('composite', 'here/2', '1 a int', '2 b int')

test.each([
  ['the same', MEMBERS, MEMBERS, null],
  ['a member between', MEMBERS, type('enum', 'here/1', '10 a', '12 c', '11 b'), null],
  ['a member renamed', MEMBERS, type('enum', 'here/1', '10 z', '11 b'), null],
  ['a new member of an earlier name', MEMBERS, type('enum', 'here/1', '10 z', '12 a', '11 b'), /'a' is another member/],
  ['from a dump', MEMBERS, type('enum', 'there/1', '11 a', '10 b'), null],
  ['from a dump, with one more and one less', MEMBERS, type('enum', 'there/1', '1 z', '2 b'), null],
  ['from a dump of swapped members', MEMBERS, type('enum', 'there/1', '10 b', '11 a'), /have another order/],
  ['attributes renamed', PAIR, type('composite', 'here/2', '1 b int', '2 a int'), null],
  [
    'an attribute added again',
    PAIR,
    type('composite', 'here/2', '2 b int', '3 a int'),
    /were \(a int, b int\) and are/,
  ],
  [
    'the same under another search_path, and longer',
    type('composite', 'here/2', '1 a state', '2 b varchar(10)'),
    type('composite', 'here/2', '1 a public.state', '2 b varchar(20)'),
    null,
  ],
  ['an attribute more', PAIR, type('composite', 'here/2', '1 a int', '2 b int', '3 c int'), /and are/],
  ['a composite from a dump', PAIR, type('composite', 'there/2', '4 a int', '6 b int'), null],
  ['a composite from a dump of swapped ones', PAIR, type('composite', 'there/2', '1 b int', '2 a int'), /and are/],
  ['a text by now', PAIR, null, null],
] as const)('%s', (_, then, now, says) => {
  const found = otherMeaning({ declared: [then] }, now === null ? {} : { declared: [now] })
  if (says === null) expect(found).toBeNull()
  else expect(found).toMatch(says)
  expect(otherMeaning({}, now === null ? {} : { declared: [now] })).toBeNull()
})
