/** Batches of folded changes, applied in one step each, come to what the changes come to one by one. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Fold } from '../../src/engine/follow/fold.ts'
import type { ChangeBatch, ChangeRow, RowChange } from '../../src/model/copy/change.ts'
import { keyText } from '../../src/model/copy/key-text.ts'
import type { Row } from '../../src/model/copy/rows.ts'

type Table = Map<string, Row>

const key = fc.integer({ min: 1, max: 6 }).map(String)
const value = fc.option(fc.string({ maxLength: 2 }))
/** What a user does. `big` is null where he leaves that column as it is. */
const statement = fc.oneof(
  fc.record({ does: fc.constant('insert' as const), id: key, a: value, big: value }),
  fc.record({ does: fc.constant('update' as const), id: key, to: key, a: value, big: fc.option(value) }),
  fc.record({ does: fc.constant('delete' as const), id: key }),
)
type Statement = typeof statement extends fc.Arbitrary<infer T> ? T : never

/** Does a statement at the source; returns what the stream tells of it, null where it does nothing. */
function done(table: Table, one: Statement): RowChange | null {
  if (one.does === 'insert') {
    const row = [one.id, one.a, one.big]
    if (table.has(one.id)) return null
    table.set(one.id, row)
    return { type: 'insert', table: 0, row }
  }
  const before = table.get(one.id)
  if (before === undefined) return null
  if (one.does === 'delete') {
    table.delete(one.id)
    return { type: 'delete', table: 0, key: [one.id] }
  }
  const moved = one.to !== one.id
  if (moved && table.has(one.to)) return null
  table.delete(one.id)
  const kept = one.big === null
  table.set(one.to, [one.to, one.a, kept ? (before[2] ?? null) : one.big])
  const row: ChangeRow = [one.to, one.a, kept ? undefined : one.big]
  return { type: 'update', table: 0, key: moved ? [one.id] : null, row }
}

/** As a target does it. @returns keys of puts whose base is not there */
function applied(table: Table, { puts, gone }: ChangeBatch): readonly Row[] {
  const lacking: Row[] = []
  const filled: Row[] = []
  for (const { row, base, key: own } of puts) {
    const there = base === null ? undefined : table.get(String(base[0]))
    if (row.includes(undefined) && there === undefined) lacking.push(own)
    else filled.push(row.map((cell, i) => (cell === undefined ? (there?.[i] ?? null) : cell)))
  }
  const touched = [...gone, ...filled]
  for (const [id] of touched) table.delete(String(id))
  for (const row of filled) table.set(String(row[0]), row)
  return lacking
}

test('a live table holds after each batch what the source held', () => {
  fc.assert(
    fc.property(fc.array(statement, { maxLength: 60 }), fc.array(fc.nat(10), { maxLength: 30 }), (all, sizes) => {
      const [source, target]: [Table, Table] = [new Map(), new Map()]
      const fold = new Fold([0])
      let left = sizes[0] ?? 3
      const flush = (): void => {
        const { batch, lacking } = fold.take()
        expect(lacking).toEqual([])
        expect(new Set([...batch.puts.map((put) => keyText(put.key)), ...batch.gone.map(keyText)]).size).toBe(
          batch.puts.length + batch.gone.length,
        )
        expect(applied(target, batch)).toEqual([])
        expect(sorted(target)).toEqual(sorted(source))
      }
      for (const [i, one] of all.entries()) {
        const change = done(source, one)
        if (change !== null) fold.add(change, true)
        if (left-- > 0) continue
        flush()
        left = sizes[i % Math.max(1, sizes.length)] ?? 3
      }
      flush()
    }),
    { numRuns: 500 },
  )
})

/** Keys are copied one by one, each at a moment of its own, while statements go on; then everything is replayed from the beginning. */
test('a copy of many moments is equal once it caught up and its lacking rows were read again', () => {
  fc.assert(
    fc.property(
      fc.array(statement, { maxLength: 25 }),
      fc.array(statement, { maxLength: 60 }),
      fc.array(fc.nat(60), { minLength: 6, maxLength: 6 }),
      fc.integer({ min: 1, max: 20 }),
      (before, during, moments, size) => {
        const [source, target]: [Table, Table] = [new Map(), new Map()]
        for (const one of before) done(source, one)
        const changes: RowChange[] = []
        const copyAt = (at: number): void => {
          for (const [i, moment] of moments.entries()) {
            const id = String(i + 1)
            const row = Math.min(moment, during.length) === at ? source.get(id) : undefined
            if (row !== undefined) target.set(id, row)
          }
        }
        for (const [i, one] of during.entries()) {
          copyAt(i)
          const change = done(source, one)
          if (change !== null) changes.push(change)
        }
        copyAt(during.length)
        const fold = new Fold([0])
        const again = new Map<string, Row>()
        for (let at = 0; at < changes.length; at += size) {
          for (const change of changes.slice(at, at + size)) fold.add(change, false)
          const { batch, lacking } = fold.take()
          for (const row of [...lacking, ...applied(target, batch)]) again.set(keyText(row), row)
        }
        for (const [id] of again.values()) {
          const now = source.get(String(id))
          if (now === undefined) target.delete(String(id))
          else target.set(String(id), now)
        }
        expect(sorted(target)).toEqual(sorted(source))
      },
    ),
    { numRuns: 2000 },
  )
})

function sorted(table: Table): readonly (readonly [string, Row])[] {
  return [...table].toSorted(([a], [b]) => (a < b ? -1 : 1))
}
