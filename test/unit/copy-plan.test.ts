/** What a copy decides before it writes: types, sizes, ranges, differences of plans. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ChunkCoverage } from '../../src/engine/copy/plan/covered.ts'
import { pairTypes } from '../../src/engine/copy/plan/pair-types.ts'
import { textNotes } from '../../src/engine/copy/plan/text-notes.ts'
import { planDifference } from '../../src/engine/copy/plan/plan-hash.ts'
import type { StoredChunk } from '../../src/engine/copy/ledger/stored-chunk.ts'
import { readRange, storeRange } from '../../src/engine/copy/ledger/keys.ts'
import { recommendedChunkRows } from '../../src/engine/copy/plan/table-plan.ts'
import type { Column, ColumnType, TableSpec } from '../../src/model/copy/column-type.ts'
import { baseTypeName, isHexed, mysqlColumnType } from '../../src/stores/mysql/copy/types.ts'
import { byArithmetic } from '../../src/stores/common/key-ranges.ts'
import type { Range } from '../../src/model/copy/range.ts'
import { coverOf, neighbours } from '../support/whole-cover.ts'

const column = (type: ColumnType, native: string): Column => ({ name: 'c', type, native, nullable: true })
const paired = (a: ColumnType, b: ColumnType): ReturnType<typeof pairTypes> =>
  pairTypes(column(a, 'here'), column(b, 'there'), false)

test('a vector of MySQL or MariaDB becomes hexadecimal digits, and the plan reports it', () => {
  const native = 'vector(3)'
  const base = baseTypeName(native)
  const found = { base, native, characters: null, precision: null, scale: null, fraction: null }
  const source: Column = { ...column(mysqlColumnType(found), native), ...(isHexed(base) ? { hexed: true } : {}) }
  const of = (target: Column): Parameters<typeof textNotes>[0]['columns'][number] => ({
    from: 'c',
    to: 'v',
    source,
    target,
    as: pairTypes(source, target, target.native === native).as,
  })
  expect(textNotes({ columns: [of(column({ kind: 'text' }, 'text'))] })).toEqual([
    "kept as the source's own bytes in hexadecimal digits: v (vector(3))",
  ])
  expect(textNotes({ columns: [of(source)] })).toEqual([])
  // Geometries have a form of their own.
  expect(['point', 'geometry', 'vector', 'int'].map(isHexed)).toEqual([false, false, true, false])
})

test('the plan reports that a text loses its spelling, and a union its member', () => {
  const of = (source: Column, target: Column): readonly string[] =>
    textNotes({ columns: [{ from: 'c', to: 'v', source, target, as: pairTypes(source, target, false).as }] })
  const text = column({ kind: 'text' }, 'TEXT')
  const integer = column({ kind: 'int', bits: 32 }, 'integer')
  expect(of(text, integer)).toEqual([
    "a text becomes a value of the column's type and loses its spelling ('007' becomes 7): v (TEXT to integer)",
  ])
  expect([of(text, text), of(integer, integer), of(text, column({ kind: 'native', name: 'inet' }, 'inet'))]).toEqual([
    [],
    [],
    [],
  ])
  const union = { ...column({ kind: 'native', name: 'UNION(a INTEGER)' }, 'UNION(a INTEGER)'), oneWay: true as const }
  expect(of(union, text)).toEqual([
    'only the text of a value is kept, not its member of the type: v (UNION(a INTEGER))',
  ])
})

test('a SQLite column without a type becomes literals, and the plan reports it', () => {
  const source = column({ kind: 'native', name: 'any' }, '')
  const of = (target: Column): Parameters<typeof textNotes>[0]['columns'][number] => ({
    from: 'c',
    to: 'v',
    source,
    target,
    as: pairTypes(source, target, target.native === '').as,
  })
  expect(textNotes({ columns: [of(column({ kind: 'text' }, 'VARCHAR'))] })).toEqual([
    "no type in the source: values become literals, 'a' with its quotes, 7, x'ff': v",
  ])
  expect(textNotes({ columns: [of(source)] })).toEqual([])
})

describe('types of two columns', () => {
  test.each<[string, ColumnType, ColumnType, boolean]>([
    ['decimal to text', { kind: 'decimal', precision: 20, scale: 4 }, { kind: 'text' }, false],
    [
      'decimal to fewer digits',
      { kind: 'decimal', precision: 20, scale: 4 },
      { kind: 'decimal', precision: 20, scale: 2 },
      true,
    ],
    ['any decimal to a bounded one', { kind: 'decimal' }, { kind: 'decimal', precision: 38, scale: 10 }, true],
    ['decimal to double', { kind: 'decimal', precision: 15, scale: 1 }, { kind: 'float', bits: 64 }, false],
    ['decimal of 16 digits to double', { kind: 'decimal', precision: 16, scale: 1 }, { kind: 'float', bits: 64 }, true],
    ['decimal to single', { kind: 'decimal', precision: 5, scale: 1 }, { kind: 'float', bits: 32 }, true],
    ['double to single', { kind: 'float', bits: 64 }, { kind: 'float', bits: 32 }, true],
    ['single to double', { kind: 'float', bits: 32 }, { kind: 'float', bits: 64 }, false],
    ['int to double', { kind: 'int', bits: 32 }, { kind: 'float', bits: 64 }, false],
    ['bigint to double', { kind: 'int', bits: 64 }, { kind: 'float', bits: 64 }, true],
    [
      'microseconds to milliseconds',
      { kind: 'timestamp', zone: true, digits: 6 },
      { kind: 'timestamp', zone: true, digits: 3 },
      true,
    ],
    [
      'a moment to a time without zone',
      { kind: 'timestamp', zone: true, digits: 6 },
      { kind: 'timestamp', zone: false, digits: 6 },
      false,
    ],
    [
      'a time without zone to a moment',
      { kind: 'timestamp', zone: false, digits: 6 },
      { kind: 'timestamp', zone: true, digits: 6 },
      true,
    ],
    ['timestamp to date', { kind: 'timestamp', zone: false, digits: 6 }, { kind: 'date' }, true],
    ['text to uuid', { kind: 'text' }, { kind: 'uuid' }, false],
    ['list to text', { kind: 'list', of: { kind: 'text' } }, { kind: 'text' }, false],
    [
      'list to list of such items',
      { kind: 'list', of: { kind: 'uuid' } },
      { kind: 'list', of: { kind: 'uuid' } },
      false,
    ],
  ])('%s: lossy is %4$s', (_, source, target, lossy) => {
    expect(paired(source, target).lossy !== undefined).toBe(lossy)
  })

  test.each<[string, ColumnType, ColumnType]>([
    ['bytes to text', { kind: 'bytes' }, { kind: 'text' }],
    ['uuid to int', { kind: 'uuid' }, { kind: 'int', bits: 64 }],
    ['list to list of other items', { kind: 'list', of: { kind: 'text' } }, { kind: 'list', of: { kind: 'uuid' } }],
    ['int to timestamp', { kind: 'int', bits: 64 }, { kind: 'timestamp', zone: true, digits: 6 }],
    ['native to another native', { kind: 'native', name: 'int4range' }, { kind: 'native', name: 'int8range' }],
  ])('%s is refused', (_, source, target) => {
    expect(() => paired(source, target)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_TYPE' }) as Error)
  })

  test('between equal types of one system the spelling is kept', () => {
    const json = column({ kind: 'json' }, 'json')
    expect(pairTypes(json, json, true).as).toEqual({ kind: 'native', name: 'json' })
  })
})

describe('rows of a chunk', () => {
  test.each([
    [99_999n, 10_000],
    [100_000n, 25_000],
    [500_000n, 50_000],
    [2_000_000n, 100_000],
  ])('%s rows: chunks of %s, as the guide recommends', (rows, size) => {
    expect(recommendedChunkRows(rows, rows * 100n)).toBe(size)
  })

  test('wide rows make smaller chunks', () => {
    expect(recommendedChunkRows(10_000_000n, 10_000_000n * 100_000n)).toBe(671)
    expect(recommendedChunkRows(1000n, 1000n * 100_000_000n)).toBe(500)
  })
})

const TABLE: TableSpec = {
  table: { name: 't' },
  identity: 't',
  columns: [{ name: 'id', type: { kind: 'int', bits: 64 }, native: 'bigint', nullable: false }],
  key: ['id'],
  primary: true,
  rows: 0n,
  bytes: 0n,
}

function chunk(no: number, range: Range, status = 'pending'): StoredChunk {
  return {
    id: no,
    no,
    range,
    status,
    read: 0n,
    written: 0n,
    quarantined: 0n,
    records: 0n,
    cursor: null,
    holder: null,
    session: null,
    fence: 0,
    attempt: 0,
    proof: null,
    error: null,
    errorCode: null,
    view: null,
    sourceSum: null,
    skipped: 0n,
    bytes: 0n,
    surplus: 0n,
    runId: null,
    completedMs: null,
  }
}

const ALL: Range & { by: 'key' } = { by: 'key', after: null, through: null }

describe('the ranges of a table', () => {
  test('arithmetic ranges cover every key exactly once, with open ends', () => {
    fc.assert(
      fc.property(
        fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
        fc.bigInt(0n, 5000n),
        fc.integer({ min: 1, max: 700 }),
        (low, span, step) => {
          const high = low + span
          const ranges = [...byArithmetic(ALL, low, high, BigInt(step))]
          expect(ranges.at(0)).toMatchObject({ after: null })
          expect(ranges.at(-1)).toMatchObject({ through: null })
          for (const [i, range] of ranges.entries()) {
            const before = ranges[i - 1]
            if (before?.by === 'key' && range.by === 'key') expect(range.after).toEqual(before.through)
          }
          expect(ranges.length).toBe(Number((span + BigInt(step)) / BigInt(step)))
          const cover = coverOf(
            ranges.map((range, i) => chunk(i + 1, range)),
            true,
          )
          expect(cover.gaps).toEqual([])
          expect(cover.chain.length).toBe(ranges.length)
        },
      ),
    )
  })

  test('chunks are sorted by their bounds, whatever their numbers', () => {
    const names = ['b', 'd', 'f']
    const ranges: Range[] = [null, ...names].map((after, i) => ({
      by: 'key',
      after: after === null ? null : [after],
      through: names[i] === undefined ? null : [names[i]],
    }))
    fc.assert(
      fc.property(fc.shuffledSubarray(ranges, { minLength: 4 }), (shuffled) => {
        const { chain, gaps } = coverOf(
          shuffled.map((range, i) => chunk(i + 1, range)),
          false,
        )
        expect(chain.map(({ range }) => range)).toEqual(ranges)
        expect(gaps).toEqual([])
      }),
    )
  })

  test('keys above the last bound are a gap', () => {
    const last = chunk(1, { by: 'key', after: null, through: ['9'] }, 'completed')
    expect(coverOf([last], true).gaps).toEqual([{ by: 'key', after: ['9'], through: null }])
    expect(coverOf([last], false).gaps).toEqual([{ by: 'key', after: ['9'], through: null }])
  })

  test('deleted chunks are a gap with an integer key, and an error with any other key', () => {
    const some = [
      chunk(1, { by: 'key', after: null, through: ['9'] }),
      chunk(3, { by: 'key', after: ['19'], through: null }),
    ]
    expect(coverOf(some, true).gaps).toEqual([{ by: 'key', after: ['9'], through: ['19'] }])
    expect(() => coverOf(some, false)).toThrow(expect.objectContaining({ code: 'LEDGER_DAMAGED' }) as Error)
  })

  test('chunks that are added one by one, in any order, give the same gaps and the same neighbours', () => {
    const ranges = [...byArithmetic(ALL, 1n, 120n, 10n)]
    fc.assert(
      fc.property(fc.shuffledSubarray(ranges), (some) => {
        const chunks = some.map((range, i) => chunk(i + 1, range))
        const cover = new ChunkCoverage(true)
        for (const one of chunks) cover.add(one)
        expect(cover.gaps(true)).toEqual(coverOf(chunks, true).gaps)
        const groups = neighbours(coverOf(chunks, true).chain)
        const sorted = (all: readonly (readonly number[])[]): readonly string[] =>
          all.map((ids) => ids.toSorted((a, b) => a - b).join()).toSorted()
        expect(sorted(cover.mergedRanges.map(({ ids }) => ids))).toEqual(
          sorted(groups.map((group) => group.map(({ id }) => id))),
        )
        const gapsOf = (body: () => unknown): unknown => {
          try {
            return body()
          } catch (error) {
            return (error as { readonly code: string }).code
          }
        }
        expect(gapsOf(() => cover.gaps(false))).toEqual(gapsOf(() => coverOf(chunks, false).gaps))
      }),
    )
  })
})

describe('ranges in the ledger', () => {
  test('are read back unchanged, with the ids that the script writes', () => {
    const range: Range = { by: 'key', after: ['50000'], through: ['100000'] }
    const stored = storeRange(range, TABLE, { low: '1', high: '220000' })
    expect(stored).toMatchObject({ startId: 50_001n, endId: 100_000n })
    expect(readRange([stored.kind, stored.lo, stored.hi, null, null])).toEqual(range)
    expect(storeRange(ALL, TABLE, { low: '1', high: '220000' })).toMatchObject({
      startId: 1n,
      endId: 220_000n,
      lo: null,
      hi: null,
    })
  })

  test('rows of the script have only ids', () => {
    expect(readRange([null, null, null, 50_001, 100_000])).toEqual({ by: 'key', after: ['50000'], through: ['100000'] })
  })

  test('keys at the limit of 64 bits are not rounded', () => {
    const top = (2n ** 63n - 1n).toString()
    const stored = storeRange({ by: 'key', after: [top], through: null }, TABLE, { low: null, high: null })
    expect(stored.startId).toBeNull()
    expect(readRange([stored.kind, stored.lo, stored.hi, null, null])).toEqual({
      by: 'key',
      after: [top],
      through: null,
    })
  })
})

test('the first difference of two plans is named', () => {
  const stored = JSON.stringify({ source: 'a', columns: ['id -> id', 'x -> x'], where: null })
  expect(planDifference(stored, { source: 'a', columns: ['id -> id'], where: null })).toBe('columns: was x -> x')
  expect(planDifference(stored, { source: 'a', columns: ['id -> id', 'x -> x'], where: 'x > 1' })).toBe(
    'where: was nothing, is x > 1',
  )
})
