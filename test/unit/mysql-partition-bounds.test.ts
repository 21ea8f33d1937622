/** Bounds of MySQL partitions as values of their column, and options of partitions that MySQL and MariaDB print. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Column, ColumnType } from '../../src/model/copy/column-type.ts'
import { rangeMethod } from '../../src/stores/mysql/partition/maintenance/bounds.ts'
import { optionsIn } from '../../src/stores/mysql/partition/maintenance/options.ts'

const DATE: ColumnType = { kind: 'date' }
const CLOCK: ColumnType = { kind: 'timestamp', zone: false, digits: 0 }
const MOMENT: ColumnType = { kind: 'timestamp', zone: true, digits: 0 }
const INT: ColumnType = { kind: 'int', bits: 64 }

const columnOf = (type: ColumnType, native: string, name = 'at'): Column => ({ name, type, native, nullable: true })
const CASES = {
  'columns date': rangeMethod('RANGE COLUMNS', '"at"', [columnOf(DATE, 'date')]),
  'columns datetime': rangeMethod('RANGE COLUMNS', '`at`', [columnOf(CLOCK, 'datetime')]),
  'to_days date': rangeMethod('RANGE', 'to_days("at")', [columnOf(DATE, 'date')]),
  'to_days datetime': rangeMethod('RANGE', 'to_days(`at`)', [columnOf(CLOCK, 'datetime(6)')]),
  'to_seconds datetime': rangeMethod('RANGE', 'to_seconds(`at`)', [columnOf(CLOCK, 'datetime(6)')]),
  'year date': rangeMethod('RANGE', 'year("at")', [columnOf(DATE, 'date')]),
  'year datetime': rangeMethod('RANGE', 'YEAR(`at`)', [columnOf(CLOCK, 'datetime')]),
  timestamp: rangeMethod('RANGE', 'unix_timestamp("at")', [columnOf(MOMENT, 'timestamp')]),
  int: rangeMethod('RANGE', '"at"', [columnOf(INT, 'bigint(20)')]),
} as const

describe('bounds', () => {
  it.each<[keyof typeof CASES, string, string | null | undefined]>([
    ['columns date', "'2024-04-01'", '2024-04-01'],
    ['columns date', "'20240401'", '2024-04-01'],
    ['columns date', "'2024-4-1'", '2024-04-01'],
    ['columns date', "'2024-04-01 00:00:00'", '2024-04-01'],
    ['columns date', "'0000-00-00'", '0001-01-01'],
    ['columns date', '_latin1 0x32303234', undefined],
    ['columns datetime', "'2024-04-01'", '2024-04-01 00:00:00'],
    ['columns datetime', "'2024-04-01 07:08:09'", '2024-04-01 07:08:09'],
    ['columns datetime', "'2024-04-01 07:08:09.500'", '2024-04-01 07:08:09.5'],
    ['columns datetime', "'2024-04-01 07:08:09.000'", '2024-04-01 07:08:09'],
    ['columns datetime', "'9999-12-31 23:59:59'", '9999-12-31 23:59:59'],
    ['to_days date', '739342', '2024-04-01'],
    ['to_days datetime', '739342', '2024-04-01 00:00:00'],
    ['to_days datetime', '0', '0001-01-01 00:00:00'],
    ['to_days date', '3652424', '9999-12-31'],
    ['to_days date', '3652425', null],
    ['to_days date', '99999999999999999999', null],
    ['to_seconds datetime', '63879174489', '2024-04-01 07:08:09'],
    ['year date', '2024', '2024-01-01'],
    ['year date', '0', '0001-01-01'],
    ['year datetime', '9999', '9999-01-01 00:00:00'],
    ['year datetime', '99999', null],
    ['timestamp', '1711929600', '2024-04-01 00:00:00+00'],
    ['timestamp', '0', '1970-01-01 00:00:00+00'],
    ['int', '1711929600', '1711929600'],
    ['int', '-5', '-5'],
  ])('of %s: %s', (name, description, bound) => {
    expect(CASES[name]?.read(description)).toBe(bound)
  })

  it('are read back as written, over the whole range', () => {
    const moments = fc.integer({
      min: Date.parse('0001-01-02T00:00:00Z') / 1000,
      max: Date.parse('9999-12-31T00:00:00Z') / 1000,
    })
    fc.assert(
      fc.property(moments, fc.constantFrom(...(Object.keys(CASES) as (keyof typeof CASES)[])), (seconds, name) => {
        const method = CASES[name]
        const isYear = name.startsWith('year')
        const at = new Date(seconds * 1000).toISOString()
        const day = isYear ? `${at.slice(0, 4)}-01-01` : at.slice(0, 10)
        const clock = /to_days|year/.test(name) ? '00:00:00' : at.slice(11, 19)
        const isMoment = name === 'timestamp'
        fc.pre(!isMoment || seconds >= 0)
        const bound =
          name === 'int' ? String(seconds) : name.endsWith('date') ? day : `${day} ${clock}${isMoment ? '+00' : ''}`
        const sql = method?.write(bound)
        expect(sql).not.toBeNull()
        expect(method?.read(sql ?? '')).toBe(bound)
      }),
    )
  })

  it.each<[keyof typeof CASES, string]>([
    ['to_days datetime', '2024-04-01 07:00:00'],
    ['year date', '2024-04-01'],
    ['columns date', '2024-04-01 07:00:00'],
    ['columns date', "2024-04-01'); DROP TABLE t --"],
    ['columns datetime', '10000-01-01 00:00:00'],
    ['int', '1 OR 1'],
    ['timestamp', 'infinity'],
  ])('that MySQL cannot express are not written: %s from %s', (name, bound) => {
    expect(CASES[name]?.write(bound)).toBeNull()
  })

  it.each<[string, string, string, Column]>([
    ['two columns', 'RANGE COLUMNS', '"at","x"', columnOf(DATE, 'date')],
    ['a sum', 'RANGE', 'year("at") * 100 + month("at")', columnOf(DATE, 'date')],
    ['another function', 'RANGE', 'quarter("at")', columnOf(DATE, 'date')],
    ['days of a moment, whose days are those of a session', 'RANGE', 'to_days("at")', columnOf(MOMENT, 'timestamp')],
    ['parts of a second', 'RANGE', 'unix_timestamp("at")', columnOf(MOMENT, 'timestamp(3)')],
    ['a text', 'RANGE COLUMNS', '"at"', columnOf({ kind: 'text' }, 'varchar(10)')],
    ['another column', 'RANGE COLUMNS', '"other"', columnOf(DATE, 'date')],
    ['a function of a number', 'RANGE', 'year("at")', columnOf(INT, 'int')],
  ])('are unknown for partitions by %s', (_, method, expression, column) => {
    expect(rangeMethod(method, expression, [column])).toBeNull()
  })

  it('of columns with hostile names are found', () => {
    const name = 'a"b`c) x'
    expect(rangeMethod('RANGE', 'to_days("a""b`c) x")', [columnOf(DATE, 'date', name)])?.column.name).toBe(name)
    expect(rangeMethod('RANGE COLUMNS', '`a"b``c) x`', [columnOf(DATE, 'date', name)])?.column.name).toBe(name)
  })
})

describe('options of partitions', () => {
  it('are read from what MariaDB prints', () => {
    const printed = `CREATE TABLE "t1" (
  "a" date DEFAULT NULL COMMENT 'PARTITION p2 VALUES LESS THAN (5) COMMENT = ''no''',
  "PARTITION p2 VALUES LESS THAN (1) x" int(11) DEFAULT NULL
) ENGINE=InnoDB DEFAULT CHARSET=latin1
 PARTITION BY RANGE  COLUMNS("a")
(PARTITION "p\`1""é" VALUES LESS THAN ('2024-04-01') DATA DIRECTORY = '/a/b (c), d' COMMENT = 'it\\'s \\\\ "x", PARTITION "q" VALUES' ENGINE = InnoDB,
 PARTITION "p2" VALUES LESS THAN ('2024-07-01') ENGINE = InnoDB,
 PARTITION "pm" VALUES LESS THAN (MAXVALUE) TABLESPACE = "s" ENGINE = InnoDB)`
    expect([...optionsIn(printed)]).toEqual([
      ['p`1"é', `DATA DIRECTORY = '/a/b (c), d' COMMENT = 'it\\'s \\\\ "x", PARTITION "q" VALUES' ENGINE = InnoDB`],
      ['p2', 'ENGINE = InnoDB'],
      ['pm', 'TABLESPACE = `s` ENGINE = InnoDB'],
    ])
  })

  it('are read from what MySQL prints', () => {
    const printed = `CREATE TABLE \`t\` (\n  \`at\` datetime NOT NULL\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
/*!50100 PARTITION BY RANGE (to_days(\`at\`))
(PARTITION p0 VALUES LESS THAN (739342) COMMENT = 'a' NODEGROUP = 3 ENGINE = InnoDB,
 PARTITION größe VALUES LESS THAN MAXVALUE ENGINE = InnoDB) */`
    expect([...optionsIn(printed)]).toEqual([
      ['p0', "COMMENT = 'a' NODEGROUP = 3 ENGINE = InnoDB"],
      ['größe', 'ENGINE = InnoDB'],
    ])
  })
})
