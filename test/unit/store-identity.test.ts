/** How the parts of two databases that differ are named: with the terms of their system. */
import { describe, expect, test } from 'vitest'
import { identityDifference } from '../../src/app/share/identity.ts'

describe('two databases with the same URL', () => {
  test.each([
    [
      'postgresql://h/d',
      'postgresql/7/16',
      'postgresql/7/17',
      'oid of the database: 16 here, 17 where the run was begun',
    ],
    [
      'postgresql://h/d',
      'postgresql/7/16',
      'postgresql/8/17',
      'system identifier of the server: 7 here, 8 where the run was begun; oid of the database: 16 here, 17 where the run was begun',
    ],
    // A server without a readable identifier is identified by its address, which may be a path.
    [
      'postgresql://h/d',
      'postgresql//run/pg:5432/16',
      'postgresql/7/16',
      'database: postgresql//run/pg:5432/16 here, postgresql/7/16 where the run was begun',
    ],
    ['mysql://h/d', 'mysql:a/d', 'mysql:b/d', 'server: mysql:a here, mysql:b where the run was begun'],
    ['sqlite:///d', 'sqlite 1:2', 'sqlite 1:3', 'database: sqlite 1:2 here, sqlite 1:3 where the run was begun'],
  ])('%s: %s and %s', (url, here, begun, reported) => {
    expect(identityDifference(url, here, begun)).toBe(reported)
  })
})
