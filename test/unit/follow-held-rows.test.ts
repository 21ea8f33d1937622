/** Lower bound of the rows that a target table contains. */
import { describe, expect, test } from 'vitest'
import { RowBounds } from '../../src/engine/follow/apply/row-bounds.ts'
import { totalChanges, knownRows, type ChangeCounts } from '../../src/engine/copy/ledger/stream-row.ts'
import type { ChangeBatch, Put } from '../../src/model/copy/change.ts'
import type { Row } from '../../src/model/copy/rows.ts'

const keys = (from: number, through: number): Row[] =>
  Array.from({ length: through - from + 1 }, (_, i) => [String(from + i)])
const batch = (puts: readonly Row[], gone: readonly Row[]): ChangeBatch => ({
  puts: puts.map((key): Put => ({ key, row: key, base: null })),
  gone,
})
const held = (rows: RowBounds, counts: Record<string, ChangeCounts> = {}): number | null =>
  knownRows(rows.withRowCounts(counts)['t'])

describe("the lower bound of a table's rows", () => {
  test('is the size of the last batch, or the bound before it minus the deleted rows', () => {
    const rows = new RowBounds(['t'], {}, [0])
    expect([held(rows), rows.unknownTables]).toEqual([null, [0]])
    rows.applied(0, batch(keys(1, 100), []), 0)
    expect([held(rows), rows.unknownTables]).toEqual([100, []])
    // Applying the same changes again must not add to the bound.
    rows.applied(0, batch(keys(1, 100), []), 0)
    expect(held(rows)).toBe(100)
    rows.applied(0, batch(keys(1, 2), keys(3, 42)), 0)
    expect(held(rows)).toBe(60)
    rows.applied(0, batch(keys(1, 70), keys(71, 100)), 0)
    expect(held(rows)).toBe(70)
  })

  test('is 0 if as many rows were deleted as were known, until the target is queried', () => {
    const rows = new RowBounds(['t'], {}, [0])
    rows.found(0, true)
    expect([rows.isUnrecorded, held(rows), rows.isUnrecorded, rows.unknownTables]).toEqual([true, 1, false, []])
    rows.applied(0, batch([], keys(1, 3)), 0)
    expect([held(rows, { t: NONE }), rows.unknownTables]).toEqual([0, [0]])
    rows.found(0, false)
    expect([held(rows, { t: NONE }), rows.unknownTables, rows.isUnrecorded]).toEqual([0, [], false])
    rows.applied(0, batch(keys(1, 2), []), 2)
    expect([held(rows, { t: NONE }), rows.unknownTables]).toEqual([0, [0]])
  })

  test('is 0 after TRUNCATE', () => {
    const rows = new RowBounds(['t'], {}, [0])
    rows.applied(0, batch(keys(1, 9), []), 0)
    rows.emptied([0])
    expect([held(rows, { t: NONE }), rows.unknownTables]).toEqual([0, []])
  })

  test('is unknown for other tables, and after changes that another program applied', () => {
    const old = { t: { ...NONE, inserts: 5, held: { rows: 5, changes: 5 } } }
    expect(knownRows(old.t)).toBe(5)
    expect(knownRows({ ...old.t, deletes: 5 })).toBeNull()
    const rows = new RowBounds(['t'], old, [])
    rows.applied(0, batch(keys(1, 9), []), 0)
    rows.found(0, true)
    expect([held(rows, structuredClone(old)), rows.unknownTables]).toEqual([null, []])
    expect(held(new RowBounds(['t'], old, [0]), structuredClone(old))).toBe(5)
  })

  test('does not count as a change', () => {
    expect(
      totalChanges({ ...NONE, inserts: 5, before: { ...NONE, inserts: 2 }, held: { rows: 5, changes: 5 } }),
    ).toEqual({
      ...NONE,
      inserts: 7,
    })
    expect(totalChanges({ ...NONE, held: { rows: 5, changes: 0 } })).toEqual(NONE)
  })
})

const NONE = { inserts: 0, updates: 0, deletes: 0, truncates: 0 }
