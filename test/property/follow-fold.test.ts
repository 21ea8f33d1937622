/** Folded batches of changes, each applied in one step, have the same result as the changes one by one. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CopiedRanges, type CopiedRange } from '../../src/engine/follow/compare/copied-part.ts'
import { Fold } from '../../src/engine/follow/apply/fold.ts'
import type { ChangeBatch, ChangeRow, RowChange } from '../../src/model/copy/change.ts'
import type { FrameLayout } from '../../src/model/copy/frame.ts'
import { identityName } from '../../src/model/copy/identity-name.ts'
import { keyText } from '../../src/model/copy/key-text.ts'
import { batchRowCount, unpackBatch } from '../../src/model/copy/unpacked.ts'
import type { Row } from '../../src/model/copy/rows.ts'

type Table = Map<string, Row>

const key = fc.integer({ min: 1, max: 6 }).map(String)
const value = fc.option(fc.string({ maxLength: 2 }))
/** A statement of a user. `big` is null if the column does not change. */
const statement = fc.oneof(
  fc.record({ does: fc.constant('insert' as const), id: key, a: value, big: value }),
  fc.record({ does: fc.constant('update' as const), id: key, to: key, a: value, big: fc.option(value) }),
  fc.record({ does: fc.constant('delete' as const), id: key }),
)
type Statement = typeof statement extends fc.Arbitrary<infer T> ? T : never

/** Runs a statement at the source; returns the change in the stream, or null if no row changes. */
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

/** Rows as JSON; for a deleted row only its key. */
const LAYOUT: FrameLayout = {
  name: (data, at, length) => data.toString('utf8', at, at + length),
  cells: (data, at) => JSON.parse(data.toString('utf8', at)) as Row,
  identity: (data, at) => (JSON.parse(data.toString('utf8', at)) as Row).slice(0, 1),
}

/** How a source sends a change: as cells, as bytes, or as bytes that do not contain its name. */
type Form = 'cells' | 'bytes' | 'bytes without a name'
const forms = fc.array(fc.constantFrom<Form>('cells', 'bytes', 'bytes without a name'), { minLength: 1, maxLength: 4 })

/** Turns whole rows with an unchanged key, and deleted rows, into bytes. */
function framed(change: RowChange, form: Form | undefined): RowChange {
  if (form === 'cells') return change
  if (change.type !== 'delete' && change.row.includes(undefined)) return change
  if (change.type === 'update' && change.key !== null) return change
  const row = change.type === 'delete' ? change.key : (change.row as Row)
  const name = identityName(row.slice(0, 1))
  // Neither row nor name begins at the first byte.
  const data = Buffer.from(`.${name}.${JSON.stringify(row)}`)
  const [nameLength, bytes] = [Buffer.byteLength(name), data.length]
  const frame = { name, nameAt: 1, nameLength: form === 'bytes' ? nameLength : -1, data, at: nameLength + 2, bytes, layout: LAYOUT } // prettier-ignore
  return { ...change, frame }
}

/** Applies a batch like a target. @returns keys of puts whose base row is missing */
function applied(table: Table, batch: ChangeBatch): readonly Row[] {
  const { puts, gone } = unpackBatch(batch)
  expect(puts.length + gone.length).toBe(batchRowCount(batch))
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

test('a live table equals the source after each batch', () => {
  fc.assert(
    fc.property(
      fc.array(statement, { maxLength: 60 }),
      fc.array(fc.nat(10), { maxLength: 30 }),
      forms,
      (all, sizes, reported) => {
        const [source, target]: [Table, Table] = [new Map(), new Map()]
        const fold = new Fold([0])
        let left = sizes[0] ?? 3
        const flush = (): void => {
          const { batch, lacking } = fold.take()
          expect(lacking).toEqual([])
          const { puts, gone } = unpackBatch(batch)
          expect(new Set([...puts.map((put) => keyText(put.key)), ...gone.map(keyText)]).size).toBe(
            puts.length + gone.length,
          )
          expect(applied(target, batch)).toEqual([])
          expect(sorted(target)).toEqual(sorted(source))
        }
        for (const [i, one] of all.entries()) {
          const change = done(source, one)
          if (change !== null) fold.add(framed(change, reported[i % reported.length]), true)
          if (left-- > 0) continue
          flush()
          left = sizes[i % Math.max(1, sizes.length)] ?? 3
        }
        flush()
      },
    ),
    { numRuns: 500 },
  )
})

/**
 * Keys are copied one by one, each at another time, while statements run; then all changes are replayed from the
 * beginning.
 */
test('a copy from several snapshots equals the source after catching up and reading incomplete rows again', () => {
  fc.assert(
    fc.property(
      fc.array(statement, { maxLength: 25 }),
      fc.array(statement, { maxLength: 60 }),
      fc.array(fc.nat(60), { minLength: 6, maxLength: 6 }),
      fc.integer({ min: 1, max: 20 }),
      forms,
      (before, during, moments, size, reported) => {
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
          for (const [i, change] of changes.slice(at, at + size).entries())
            fold.add(framed(change, reported[i % reported.length]), false)
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

const DAYS = 3
const day = fc.integer({ min: 1, max: DAYS })
/** Few rows, which often move between days. */
const own = fc.integer({ min: 1, max: 3 }).map(String)
/** Bounds of chunks: within a day, or at its end. */
const cut = fc.record({ id: fc.option(own, { freq: 1 }), day })
const booking = fc.oneof(
  { weight: 2, arbitrary: fc.record({ does: fc.constant('insert' as const), id: own, day, big: value }) },
  {
    weight: 6,
    arbitrary: fc
      .record({
        id: own,
        to: own,
        isMoved: fc.nat(3),
        day: fc.option(day, { freq: 2 }),
        big: fc.option(value, { freq: 1 }),
      })
      .map(({ isMoved, to, ...one }) => ({ does: 'update' as const, ...one, to: isMoved === 0 ? to : one.id })),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('delete' as const), id: own }) },
)

/** Like `done`, for rows of a table that is partitioned by day. */
function booked(table: Table, one: typeof booking extends fc.Arbitrary<infer T> ? T : never): RowChange | null {
  if (one.does === 'delete') return done(table, one)
  if (one.does === 'insert') return done(table, { ...one, a: dayText(one.day) })
  const date = one.day === null ? (table.get(one.id)?.[1] ?? null) : dayText(one.day)
  return done(table, { ...one, a: date === null ? null : String(date) })
}

const dayText = (of: number): string => `2024-02-0${of}`

const boundOf = (one: { readonly id: string | null; readonly day: number }): readonly string[] =>
  one.id === null ? [dayText(one.day)] : [dayText(one.day), one.id]

/** The sort order of a key: day, then number. A bound with only a day is after all keys of the day. */
const placeOf = ([date = '', id = '9']: readonly string[]): number => Number(date.slice(-1)) * 10 + Number(id)

/**
 * Chunks are copied in any order, each from a snapshot of its own; between two of them the apply worker applies pending
 * changes to the copied chunks. At the end the rest is applied, and incomplete rows are read again.
 */
test('changes that are applied to copied chunks only, and the rest later, give the rows of the source', () => {
  fc.assert(
    fc.property(
      fc.array(booking, { maxLength: 20 }),
      fc.array(booking, { maxLength: 60 }),
      fc.uniqueArray(cut, { maxLength: 4, selector: (one) => placeOf(boundOf(one)) }),
      fc.array(fc.record({ chunk: fc.nat(), copied: fc.nat(20), applied: fc.nat(20) }), { minLength: 6, maxLength: 6 }),
      fc.integer({ min: 1, max: 7 }),
      (before, during, cuts, steps, size) => {
        const [source, target]: [Table, Table] = [new Map(), new Map()]
        for (const one of before) booked(source, one)
        const bounds = cuts.map(boundOf).toSorted((a, b) => placeOf(a) - placeOf(b))
        const open = [null, ...bounds].map((after, i) => ({ after, through: bounds[i] ?? null }))
        const copied: CopiedRange[] = []
        const changes: RowChange[] = []
        let [now, from] = [0, 0]
        const again = new Map<string, Row>()
        const fold = new Fold([0])
        const pass = (until: number): void => {
          for (; now < Math.min(until, during.length); now++) {
            const one = during[now]
            const change = one === undefined ? null : booked(source, one)
            if (change !== null) changes.push(change)
          }
        }
        const apply = (until: number, part: CopiedRanges | null): void => {
          const end = Math.min(until, changes.length)
          for (; from < end;) {
            for (const change of changes.slice(from, Math.min(end, from + size))) {
              const where = change.type === 'delete' ? 'copied' : (part?.of(change.row) ?? 'copied')
              if (where === 'copied' || change.type === 'delete') fold.add(change, false)
              else {
                const row = fold.deleteUncopied(change)
                if (where === 'unsure') again.set(keyText(row), row)
              }
            }
            from = Math.min(end, from + size)
            const { batch, lacking } = fold.take()
            for (const row of [...lacking, ...applied(target, batch)]) again.set(keyText(row), row)
          }
        }
        for (let i = 0; open.length > 0; i++) {
          const step = steps[i % steps.length] ?? { chunk: 0, copied: 0, applied: 0 }
          pass(now + step.copied)
          const [chunk] = open.splice(step.chunk % open.length, 1)
          if (chunk === undefined) break
          const low = chunk.after === null ? -1 : placeOf(chunk.after)
          const high = chunk.through === null ? 1000 : placeOf(chunk.through)
          const within = ([id, date]: Row): boolean => {
            const at = placeOf([String(date), String(id)])
            return at > low && at <= high
          }
          // The range of a chunk is empty before it is copied.
          expect([...target.values()].filter(within)).toEqual([])
          for (const [id, row] of source) if (within(row)) target.set(id, row)
          copied.push(chunk)
          pass(now + step.applied)
          if (open.length > 0) apply(from + step.applied, new CopiedRanges(1, copied))
        }
        pass(during.length)
        apply(changes.length, null)
        for (const [id] of again.values()) {
          const row = source.get(String(id))
          if (row === undefined) target.delete(String(id))
          else target.set(String(id), row)
        }
        expect(sorted(target)).toEqual(sorted(source))
      },
    ),
    { numRuns: 3000 },
  )
})

test('a skipped change gives no values to later changes of its row in the same batch', () => {
  const fold = new Fold([0])
  fold.deleteUncopied({ type: 'update', table: 0, key: null, row: ['1', dayText(3), 'new'] })
  fold.add({ type: 'update', table: 0, key: null, row: ['1', dayText(1), undefined] }, false)
  // The target may contain an older version of the row.
  expect(fold.take()).toEqual({ batch: { puts: [], gone: [['1']] }, lacking: [['1']] })
  fold.deleteUncopied({ type: 'update', table: 0, key: ['1'], row: ['2', dayText(3), 'new'] })
  fold.add({ type: 'update', table: 0, key: ['2'], row: ['1', dayText(1), undefined] }, true)
  expect(fold.take()).toEqual({ batch: { puts: [], gone: [['1'], ['2']] }, lacking: [['1']] })
})

function sorted(table: Table): readonly (readonly [string, Row])[] {
  return [...table].toSorted(([a], [b]) => (a < b ? -1 : 1))
}

test('of many changes in several forms the last one of each row remains, batch after batch', () => {
  const fold = new Fold([0])
  const long = 'k'.repeat(40)
  for (const seed of [1, 2]) {
    const reference = new Map<string, string | null>()
    for (let n = 0; n < 20_000; n++) {
      // Keys that are prefixes of one another, that increase, and that differ in their last byte.
      const id = [`${n % 7000}`, `${long}${n % 900}`, `é${(n * 7919 * seed) % 500}`][n % 3] as string
      const isGone = n % 11 === 0
      const row = [id, String(n)]
      reference.set(id, isGone ? null : String(n))
      const change: RowChange = isGone
        ? { type: 'delete', table: 0, key: [id] }
        : { type: 'update', table: 0, key: null, row }
      // In the second batch, later rows come as cells, too.
      fold.add(framed(change, seed === 2 && n > 9000 && n % 5 === 0 ? 'cells' : 'bytes'), false)
    }
    expect(fold.size).toBe(reference.size)
    const { puts, gone } = unpackBatch(fold.take().batch)
    const left = new Map<string, string | null>([
      ...puts.map(({ row: [id, last] }) => [String(id), String(last)] as const),
      ...gone.map(([id]) => [String(id), null] as const),
    ])
    expect(puts.length + gone.length).toBe(reference.size)
    expect(left).toEqual(reference)
    expect(fold.size).toBe(0)
  }
})
