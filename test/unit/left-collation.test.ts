/** Collations of SQLite columns that a copy does not transfer are named by what they do. */
import { expect, test } from 'vitest'
import { untransferredIn } from '../../src/stores/common/sqlite-dialect/dependency-list.ts'

test('RTRIM ignores blanks, and NOCASE ignores case', () => {
  const sql = 'CREATE TABLE t (a TEXT COLLATE RTRIM, b TEXT COLLATE NOCASE, c TEXT COLLATE BINARY)'
  const left = untransferredIn({ tables: [{ name: 't' }], all: false }, [[['table', 't', 't', sql]], [], []])
  expect(left.map(({ kind, names }) => [kind, names])).toEqual([
    ['blank collation', ['a']],
    ['collation', ['b']],
  ])
})
