import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RowSpool, WINDOW_CELL_BYTES } from '../../src/app/ask/row-spool.ts'
import type { AskCell } from '../../src/app/ask/port.ts'
import type { SqlValue } from '../../src/model/run/sql-port.ts'

const value = fc.oneof(
  fc.constant(null),
  fc.constantFrom('', 'NULL', 'ß\u0000\n"', '日本'),
  fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => text.isWellFormed()),
  fc.bigInt(),
  fc.integer(),
  fc.double({ noNaN: true }),
  fc.uint8Array({ maxLength: 20 }),
)

const shown = (given: SqlValue): AskCell => {
  if (given === null) return null
  if (given instanceof Uint8Array)
    return { kind: 'bytes', text: `\\x${Buffer.from(given).toString('hex')}`, whole: true }
  if (typeof given === 'string') return { kind: 'text', text: given, whole: true }
  const isWhole = typeof given === 'bigint' || (Number.isSafeInteger(given) && !Object.is(given, -0))
  return { kind: isWhole ? 'integer' : 'real', text: Object.is(given, -0) ? '-0' : String(given), whole: true }
}

test('a window of the spool has the rows that were written, and so has a full read', async () => {
  const table = fc
    .integer({ min: 0, max: 4 })
    .chain((columns) => fc.array(fc.array(value, { minLength: columns, maxLength: columns }), { maxLength: 60 }))
  await fc.assert(
    fc.asyncProperty(table, fc.nat(70), fc.nat(70), fc.integer({ min: 1, max: 9 }), async (rows, from, count, page) => {
      await using spool = await RowSpool.open()
      spool.begin(rows[0]?.length ?? 0)
      for (let at = 0; at < rows.length; at += page) await spool.append(rows.slice(at, at + page))
      expect(await spool.window(from, count)).toEqual(rows.slice(from, from + count).map((row) => row.map(shown)))
      const all: (readonly AskCell[])[] = []
      for await (const row of spool.all()) all.push(row)
      expect(all).toEqual(rows.map((row) => row.map(shown)))
    }),
    { numRuns: 150 },
  )
})

test('a window has the beginning of a long value, and a single cell has all of it', async () => {
  await using spool = await RowSpool.open()
  spool.begin(2)
  const long = 'é'.repeat(400_000)
  await spool.append(Array.from({ length: 5 }, (_, i) => [i, long]))
  for (const [first, cell] of await spool.window(1, 3)) {
    expect(first?.whole).toBe(true)
    expect(cell).toMatchObject({ whole: false, text: 'é'.repeat(WINDOW_CELL_BYTES / 2) })
  }
  expect(await spool.cell(3, 1)).toEqual({ kind: 'text', text: long, whole: true })
  expect(await spool.cell(9, 1)).toBeNull()
})

test('an answer larger than the limit fails with NO_SPACE, keeps the earlier rows and leaves no file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'))
  try {
    await using spool = await RowSpool.open(folder, 2000)
    expect(readdirSync(folder)).toEqual([])
    spool.begin(1)
    await spool.append([['a'.repeat(1000)]])
    await expect(spool.append([['b'.repeat(1000)]])).rejects.toMatchObject({ code: 'NO_SPACE' })
    expect(spool.rows).toBe(1)
    expect(await spool.window(0, 5)).toMatchObject([[{ text: 'a'.repeat(1000) }]])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
