/** Lower bound of the rows that a target table contains. */
import { describe, expect, test } from 'vitest'
import { HeldRows } from '../../src/engine/follow/apply/held-rows.ts'
import { countedInAll, sureRows, type ChangeCounts } from '../../src/engine/copy/ledger/stream-row.ts'
import type { ChangeBatch, Put } from '../../src/model/copy/change.ts'
import type { Row } from '../../src/model/copy/rows.ts'

const keys = (from: number, through: number): Row[] =>
  Array.from({ length: through - from + 1 }, (_, i) => [String(from + i)])
const batch = (puts: readonly Row[], gone: readonly Row[]): ChangeBatch => ({
  puts: puts.map((key): Put => ({ key, row: key, base: null })),
  gone,
})
const held = (rows: HeldRows, counts: Record<string, ChangeCounts> = {}): number | null =>
  sureRows(rows.noted(counts)['t'])

describe("the lower bound of a table's rows", () => {
  test('is the size of the last batch, or the bound before it minus the deleted rows', () => {
    const rows = new HeldRows(['t'], {}, [0])
    expect([held(rows), rows.unsure]).toEqual([null, [0]])
    rows.applied(0, batch(keys(1, 100), []), 0)
    expect([held(rows), rows.unsure]).toEqual([100, []])
    // Applying the same changes again must not add to the bound.
    rows.applied(0, batch(keys(1, 100), []), 0)
    expect(held(rows)).toBe(100)
    rows.applied(0, batch(keys(1, 2), keys(3, 42)), 0)
    expect(held(rows)).toBe(60)
    rows.applied(0, batch(keys(1, 70), keys(71, 100)), 0)
    expect(held(rows)).toBe(70)
  })

  test('is 0 if as many rows were deleted as were known, until the target is queried', () => {
    const rows = new HeldRows(['t'], {}, [0])
    rows.found(0, true)
    expect([rows.isFresh, held(rows), rows.isFresh, rows.unsure]).toEqual([true, 1, false, []])
    rows.applied(0, batch([], keys(1, 3)), 0)
    expect([held(rows, { t: NONE }), rows.unsure]).toEqual([0, [0]])
    rows.found(0, false)
    expect([held(rows, { t: NONE }), rows.unsure, rows.isFresh]).toEqual([0, [], false])
    rows.applied(0, batch(keys(1, 2), []), 2)
    expect([held(rows, { t: NONE }), rows.unsure]).toEqual([0, [0]])
  })

  test('is 0 after TRUNCATE', () => {
    const rows = new HeldRows(['t'], {}, [0])
    rows.applied(0, batch(keys(1, 9), []), 0)
    rows.emptied([0])
    expect([held(rows, { t: NONE }), rows.unsure]).toEqual([0, []])
  })

  test('is unknown for other tables, and after changes that another program applied', () => {
    const old = { t: { ...NONE, inserts: 5, held: { rows: 5, changes: 5 } } }
    expect(sureRows(old.t)).toBe(5)
    expect(sureRows({ ...old.t, deletes: 5 })).toBeNull()
    const rows = new HeldRows(['t'], old, [])
    rows.applied(0, batch(keys(1, 9), []), 0)
    rows.found(0, true)
    expect([held(rows, structuredClone(old)), rows.unsure]).toEqual([null, []])
    expect(held(new HeldRows(['t'], old, [0]), structuredClone(old))).toBe(5)
  })

  test('does not count as a change', () => {
    expect(
      countedInAll({ ...NONE, inserts: 5, before: { ...NONE, inserts: 2 }, held: { rows: 5, changes: 5 } }),
    ).toEqual({
      ...NONE,
      inserts: 7,
    })
    expect(countedInAll({ ...NONE, held: { rows: 5, changes: 0 } })).toEqual(NONE)
  })
})

const NONE = { inserts: 0, updates: 0, deletes: 0, truncates: 0 }
