import { describe, expect, it } from 'vitest'
import { namePattern } from '../../src/shared/name-pattern.ts'

describe('name patterns', () => {
  it.each([
    ['orders', 'exact', ['orders'], ['Orders', 'orders2', 'an orders']],
    ['o*', 'exact', ['o', 'orders', 'o\nx', 'o😀'], ['Orders', 'xo']],
    ['*_a.b$', 'exact', ['_a.b$', 'x_a.b$'], ['x_axb$', 'x_a.b']],
    ['a\\d', 'ascii', ['a\\d', 'A\\D'], ['a1', 'A1']],
    ['Straße*', 'ascii', ['straße', 'STRAßE1'], ['STRASSE', 'strasse']],
    // SQLite, D1 and DuckDB treat these as two tables.
    ['é*', 'ascii', ['é', 'éA'], ['É', 'ÉA']],
    ['é*', 'unicode', ['é', 'É', 'Éx'], ['e']],
  ] as const)('%s, %s', (pattern, letters, fitting, others) => {
    const fits = namePattern(pattern, letters)
    expect(fitting.filter((name) => !fits(name))).toEqual([])
    expect(others.filter((name) => fits(name))).toEqual([])
  })
})
