/** ON CONFLICT clauses are found in any SQL text. */
import { describe, expect, test } from 'vitest'
import { conflictClauses } from '../../src/stores/postgresql/partition/plan/conflict-clauses.ts'

const columns = (...names: readonly (string | null)[]) => ({ columns: names })

describe('ON CONFLICT', () => {
  test.each([
    ['INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING', [{ into: ['t'], columns: null, target: null }]],
    [
      'insert into "S".t as x (a, "B c") values ($1, (2)) on\n conflict (a, "B c" COLLATE "C") where a > (1) do update set a = 2',
      [{ into: ['S', 't'], columns: ['a', 'B c'], target: columns('a', 'B c') }],
    ],
    [
      'INSERT INTO T SELECT 1 ON CONFLICT (lower(email), (a || b)) DO NOTHING',
      [{ into: ['t'], columns: null, target: columns(null, null) }],
    ],
    [
      'INSERT INTO t (SELECT 1) ON CONFLICT ON CONSTRAINT "t key" DO NOTHING',
      [{ into: ['t'], columns: null, target: { constraint: 't key' } }],
    ],
    [
      'WITH q AS (INSERT INTO o VALUES (1) ON CONFLICT (a) DO NOTHING) INSERT INTO t SELECT * FROM q ON CONFLICT (id) DO NOTHING',
      [
        { into: ['o'], columns: null, target: columns('a') },
        { into: ['t'], columns: null, target: columns('id') },
      ],
    ],
    [
      `BEGIN -- ON CONFLICT (no)
       EXECUTE 'INSERT INTO t VALUES (''x'') ON CONFLICT (id) DO NOTHING'; /* ON CONFLICT /* (no) */ (no) */ END`,
      [{ into: ['t'], columns: null, target: columns('id') }],
    ],
    [
      `EXECUTE format('INSERT INTO %I VALUES (1) ON CONFLICT (id) DO NOTHING', 't')`,
      [{ into: null, columns: null, target: columns('id') }],
    ],
    [
      `DO $a$ BEGIN INSERT INTO t VALUES ('$b$'); INSERT INTO u VALUES (E'\\' ON CONFLICT') ON CONFLICT DO NOTHING; END $a$`,
      [
        { into: null, columns: null, target: null },
        { into: ['u'], columns: null, target: null },
      ],
    ],
    ['SELECT conflict FROM t', []],
  ])('%s', (sql, clauses) => {
    expect(conflictClauses(sql)).toEqual(clauses)
  })
})
