/** How columns of any system are stored in an archive. */
import { describe, expect, it } from 'vitest'
import { canShowAs, doubtful, storedTable } from '../../src/archive/types/index.ts'
import type { ColumnType } from '../../src/model/copy/column-type.ts'
import { column, stored, tableOf } from '../support/archive-kit.ts'

const RULES: readonly (readonly [ColumnType, string, string])[] = [
  [{ kind: 'bool' }, 'boolean', 'bool'],
  [{ kind: 'int', bits: 8 }, 'byte', 'int'],
  [{ kind: 'int', bits: 8, unsigned: true }, 'short', 'int'],
  [{ kind: 'int', bits: 16 }, 'short', 'int'],
  [{ kind: 'int', bits: 16, unsigned: true }, 'integer', 'int'],
  [{ kind: 'int', bits: 24 }, 'integer', 'int'],
  [{ kind: 'int', bits: 24, unsigned: true }, 'integer', 'int'],
  [{ kind: 'int', bits: 32 }, 'integer', 'int'],
  [{ kind: 'int', bits: 32, unsigned: true }, 'long', 'int'],
  [{ kind: 'int', bits: 64 }, 'long', 'int'],
  [{ kind: 'int', bits: 64, unsigned: true }, 'decimal(20,0)', 'int'],
  [{ kind: 'decimal', precision: 38, scale: 38 }, 'decimal(38,38)', 'decimal'],
  [{ kind: 'decimal', precision: 5 }, 'decimal(5,0)', 'decimal'],
  [{ kind: 'decimal', precision: 39, scale: 0 }, 'string', 'native'],
  [{ kind: 'decimal', precision: 3, scale: 5 }, 'string', 'native'],
  [{ kind: 'decimal', precision: 3, scale: -2 }, 'string', 'native'],
  [{ kind: 'decimal' }, 'string', 'native'],
  [{ kind: 'decimal', scale: 0 }, 'string', 'native'],
  [{ kind: 'decimal', spelled: true }, 'string', 'native'],
  [{ kind: 'float', bits: 32 }, 'float', 'float'],
  [{ kind: 'float', bits: 64 }, 'double', 'float'],
  [{ kind: 'text', most: 5, padded: true }, 'string', 'text'],
  [{ kind: 'text', padded: true }, 'string', 'native'],
  [{ kind: 'bytes' }, 'binary', 'bytes'],
  [{ kind: 'uuid' }, 'string', 'uuid'],
  [{ kind: 'date' }, 'date', 'date'],
  [{ kind: 'time', digits: 9 }, 'string', 'time'],
  [{ kind: 'timestamp', zone: true, digits: 6 }, 'timestamp', 'timestamp'],
  [{ kind: 'timestamp', zone: false, digits: 3 }, 'timestamp_ntz', 'timestamp'],
  [{ kind: 'timestamp', zone: false, digits: 9 }, 'string', 'native'],
  [{ kind: 'json' }, 'string', 'native'],
  [{ kind: 'list', of: { kind: 'int', bits: 32 } }, 'string', 'native'],
  [{ kind: 'native', name: 'int4range' }, 'string', 'native'],
]

describe('types', () => {
  it.each(RULES)('%j is stored as %s and transferred as %s', (type, held, as) => {
    const [one] = stored([column('x', type)]).columns
    expect([one?.stored, one?.as.kind]).toEqual([held, as])
    const [text] = stored([column('x', type)], { asText: ['x'] }).columns
    expect([text?.stored, text?.as.kind]).toEqual(['string', 'native'])
  })

  it('without a rule are refused, unless they are stored as text', () => {
    const any = [column('x', { kind: 'native', name: 'any' }, { native: '' })]
    expect(() => stored(any)).toThrow(/things\.x: it is a column without a type/)
    expect(stored(any, { asText: ['x'] }).columns[0]?.stored).toBe('string')
    expect(() => stored([])).toThrow(/no columns/)
    expect(() => stored([column('x', { kind: 'bool' })], { asText: ['y'] })).toThrow(/no column y/)
  })

  it('keep their comments, and whether their values are generated', () => {
    const made = column('x', { kind: 'bool' }, { generated: true })
    const table = storedTable(tableOf([made]), { asText: [], comments: { x: 'why' }, sortBy: ['x'] })
    expect(table.columns[0]).toMatchObject({ comment: 'why', column: { generated: true } })
    expect(table.sortBy).toEqual(['x'])
  })

  it('that can hold values an archive cannot store are named', () => {
    const types = RULES.map(([type], i) => column(`c${i}`, type))
    const found = doubtful(stored(types)).map((doubt) => [doubt.column.stored, doubt.why])
    expect(found).toEqual([
      ['decimal(38,38)', expect.stringContaining('more than 0 digits before the decimal point or 38 after it')],
      ['decimal(5,0)', expect.stringContaining('more than 5 digits before the decimal point or 0 after it')],
      ['date', expect.stringContaining('0000-00-00')],
      ['timestamp', expect.stringContaining('0000-00-00')],
      ['timestamp_ntz', expect.stringContaining('0000-00-00')],
    ])
  })
})

describe('names', () => {
  const physical = (...names: string[]) => {
    const table = stored(names.map((name) => column(name, { kind: 'bool' })))
    return [table.mapped, table.partitionColumn, ...table.columns.map((one) => one.physical)]
  }

  it('stay unchanged if every reader accepts them', () => {
    expect(physical('id', 'Ü', 'a.b', '"')).toEqual([false, 'sluice_partition', 'id', 'Ü', 'a.b', '"'])
  })

  it.each([' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '='])('with %j are mapped, all of them', (sign) => {
    expect(physical('id', `a${sign}b`)).toEqual([true, 'sluice_partition', 'col-1', 'col-2'])
  })

  it('that are empty or differ only in case are mapped', () => {
    expect(physical('id', 'ID')).toEqual([true, 'sluice_partition', 'col-1', 'col-2'])
    expect(physical('')).toEqual([true, 'sluice_partition', 'col-1'])
  })

  it('of source columns never equal that of the partition column', () => {
    expect(physical('Sluice_Partition', 'sluice_partition_2')[1]).toBe('sluice_partition_3')
  })
})

it.each([
  ['PostgreSQL', ['boolean', 'integer', 32], false],
  ['PostgreSQL', ['boolean', 'bigint', 64], false],
  ['MySQL', ['tinyint(1)', 'int', 32], true],
  ['SQLite', ['BOOLEAN', 'INTEGER', 64], true],
  ['SQLite', ['boolean', 'integer', 64], true],
] as const)('a boolean of %s is shown as a number where the system converts it: %j', (_, [from, to, bits], isShown) => {
  const before = { as: { kind: 'bool' }, stored: 'boolean', column: { native: from } } as const
  const after = { as: { kind: 'int', bits }, stored: bits === 64 ? 'long' : 'integer', column: { native: to } } as const
  expect(canShowAs(before, after)).toBe(isShown)
})
