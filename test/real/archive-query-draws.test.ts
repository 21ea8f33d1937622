/**
 * Random SQLite tables with unusual cells, partly archived, and random conditions: `archive query` answers like a
 * program that reads all rows. If it cannot read a cell, it fails, or leaves the row out if no reading of the cell
 * satisfies the condition.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import Sqlite from 'better-sqlite3'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { canonicalInstant, date } from '../../src/model/copy/canonical-time.ts'
import { Archiver, ask } from './archive-query-kit.ts'

let folder: string
let made = 0
beforeAll(() => void (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-test-draws-'))))
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

type Cell = null | string | number | Buffer
const TYPES = { ts: 'TIMESTAMPTZ', wall: 'TIMESTAMP', day: 'DATE', n: 'INTEGER', x: 'REAL' } as const
type Name = keyof typeof TYPES
const NAMES = Object.keys(TYPES) as Name[]
type Cells = Readonly<Record<Name, Cell>>

const DAYS = ['0001-01-01', '2024-02-01', '2025-12-31', '2026-11-01', '2026-11-02', '9999-12-31']
const CLOCKS = ['', ' 00:00', 'T10:00', ' 10:00:00', 'T10:00:00.5', ' 23:59:59.999']
const OFFSETS = ['', 'Z', ' Z', '+02', '-0530', '+02:00', ' +01:30:30', '+99', '-99:00']
const ODD_TIMES: readonly Cell[] = [
  '0000-01-01',
  '-0001-01-01',
  '10000-01-01',
  '2026-02-30',
  '2026-13-01',
  '2026-1-5',
  '2026-11-01 BC',
  '2026-11-02 10',
  'soon',
  '',
  'infinity',
  '-Infinity',
  null,
  2026,
  5.5,
  Buffer.from('2026-11-01'),
]
const ODD_NUMBERS: readonly Cell[] = [5.5, 6.999, 'text', '5x', '', Infinity, -Infinity, NaN, Buffer.from('5')]
const WHOLE = [-1, 0, 4, 5, 6, 7]
const REAL = [1.5, 5, 5.5]

function mostly(usual: fc.Arbitrary<Cell>, odd: readonly Cell[]): fc.Arbitrary<Cell> {
  return fc.oneof({ weight: 20, arbitrary: usual }, { weight: 1, arbitrary: fc.constantFrom(...odd) })
}

function times(clocks: readonly string[], offsets: readonly string[]): fc.Arbitrary<Cell> {
  const parts = fc.tuple(fc.constantFrom(...DAYS), fc.constantFrom(...clocks), fc.constantFrom(...offsets))
  return mostly(
    parts.map((some) => some.join('')),
    ODD_TIMES,
  )
}

const cells: fc.Arbitrary<Cells> = fc.record({
  ts: times(CLOCKS, OFFSETS),
  wall: times(CLOCKS, ['']),
  day: times(['', '', 'T00:00:00'], ['']),
  n: mostly(fc.constantFrom<Cell>(...WHOLE, null, '5'), ODD_NUMBERS),
  x: fc.constantFrom<Cell>(...REAL, Infinity, -Infinity, NaN, null),
})

/**
 * Numbers that a cell can represent, times in ms: more than one, or a wrong one, if it cannot be read. Null is NULL.
 */
type Reading = { readonly values: readonly (number | null)[]; readonly isRead: boolean }
const DAY_MS = 86_400_000
const read = (value: number | null): Reading => ({ values: [value], isRead: true })

function readingOf(name: Name, cell: Cell): Reading {
  if (cell === null || Number.isNaN(cell)) return read(null)
  if (name === 'x') return read(Number(cell))
  if (name === 'n') {
    if (typeof cell === 'number') return { values: [cell], isRead: Number.isInteger(cell) }
    return cell === '5' ? read(5) : { values: ANY.n, isRead: false }
  }
  const found = typeof cell === 'string' ? timeOf(name, cell) : null
  if (found !== null) return read(found)
  // Year 0 is 1 BC: it cannot be read, and is near no other day.
  const start =
    cell === '0000-01-01'
      ? Date.parse(cell)
      : typeof cell === 'string' && /^\d{4}-/.test(cell) && !cell.endsWith('BC')
        ? msOf(cell.slice(0, 10))
        : null
  if (start === null || /^\d{4}-\d\d-\d\d[\d.:]/.test(String(cell))) return { values: ANY[name], isRead: false }
  // Without an offset, a text that begins with a day is not before this day.
  const first = name === 'ts' ? start - 6 * DAY_MS : start
  const last = start + (name === 'ts' ? 6 : 1) * DAY_MS
  const near = ANY[name].filter((ms) => ms >= first && ms <= last)
  return { values: [first, start, last, ...near], isRead: false }
}

/** Null for texts that are not times of the years 1 to 9999. */
function timeOf(name: Name, text: string): number | null {
  try {
    const canonical = name === 'day' ? date(text) : canonicalInstant(text, name === 'ts')
    if (canonical === 'infinity') return Infinity
    return canonical === '-infinity' ? -Infinity : msOf(canonical)
  } catch {
    return null
  }
}

function msOf(canonical: string): number | null {
  const [day = '', clock = '00:00:00'] = canonical.split(' ')
  const at = Date.parse(`${day}T${clock}Z`)
  const isDay = /^\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d(\.\d+)?)?$/.test(canonical) && !Number.isNaN(at)
  return isDay && new Date(at).toISOString().startsWith(day) && !canonical.startsWith('0000') ? at : null
}

const MOMENTS = DAYS.flatMap((day) => ['', ' 08:00:00', ' 10:00:00', ' 10:00:00.5'].map((clock) => `${day}${clock}`))
const around = (values: readonly (number | null)[]): readonly number[] =>
  [-Infinity, Infinity, ...values.filter((value) => value !== null)].flatMap((value) => [
    value - 0.5,
    value,
    value + 0.5,
  ])
const ANY = {
  ts: around(MOMENTS.map(msOf)),
  wall: around(MOMENTS.map(msOf)),
  day: around(DAYS.map(msOf)),
  n: around([...WHOLE, ...REAL]),
  x: around(REAL),
} as const

type Values = Readonly<Record<Name, number | null>>
type Truth = boolean | null
type Condition = { readonly sql: string; readonly names: readonly Name[]; readonly holds: (row: Values) => Truth }
type Literal = { readonly sql: string; readonly value: number }

const literal = (name: Name): fc.Arbitrary<Literal> => {
  if (name === 'n' || name === 'x')
    return fc.constantFrom(...(name === 'n' ? [...WHOLE, 5.5] : REAL)).map((value) => ({ sql: String(value), value }))
  const moment = fc.constantFrom(...(name === 'day' ? DAYS : MOMENTS))
  const sqlOf = (text: string): string =>
    name === 'day' ? `DATE '${text}'` : name === 'ts' ? `TIMESTAMPTZ '${text}'` : `TIMESTAMP '${text}'`
  return moment.map((text) => ({ sql: sqlOf(text), value: msOf(text) ?? 0 }))
}

const COMPARED: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '=': (a, b) => a === b,
  '<>': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
}
const ofValue = (name: Name, holds: (value: number) => boolean) => (row: Values) => {
  const value = row[name]
  return value === null ? null : holds(value)
}

const simple: fc.Arbitrary<Condition> = fc.constantFrom(...NAMES).chain((name) =>
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.tuple(fc.constantFrom(...Object.keys(COMPARED)), literal(name)).map(([op, { sql, value }]) => ({
        sql: `${name} ${op} ${sql}`,
        names: [name],
        holds: ofValue(name, (one) => COMPARED[op]?.(one, value) ?? false),
      })),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(literal(name), literal(name)).map(([low, high]) => ({
        sql: `${name} BETWEEN ${low.sql} AND ${high.sql}`,
        names: [name],
        holds: ofValue(name, (one) => one >= low.value && one <= high.value),
      })),
    },
    {
      weight: 2,
      arbitrary: fc.array(literal(name), { minLength: 1, maxLength: 3 }).map((list) => ({
        sql: `${name} IN (${list.map(({ sql }) => sql).join(', ')})`,
        names: [name],
        holds: ofValue(name, (one) => list.some(({ value }) => value === one)),
      })),
    },
    {
      weight: 1,
      arbitrary: fc.constant({ sql: `${name} IS NULL`, names: [name], holds: (row: Values) => row[name] === null }),
    },
  ),
)

const not = ({ sql, names, holds }: Condition): Condition => ({
  sql: `NOT (${sql})`,
  names,
  holds: (row) => {
    const truth = holds(row)
    return truth === null ? null : !truth
  },
})
const joined = (one: Condition, word: 'AND' | 'OR', other: Condition): Condition => ({
  sql: `(${one.sql}) ${word} (${other.sql})`,
  names: [...one.names, ...other.names],
  holds: (row) => {
    const truths = [one.holds(row), other.holds(row)]
    const decisive = word === 'OR'
    return truths.includes(decisive) ? decisive : truths.includes(null) ? null : !decisive
  },
})
const condition: fc.Arbitrary<Condition> = fc.oneof(
  { weight: 5, arbitrary: simple },
  { weight: 1, arbitrary: simple.map(not) },
  { weight: 3, arbitrary: fc.tuple(simple, simple).map(([one, other]) => joined(one, 'AND', other)) },
  { weight: 1, arbitrary: fc.tuple(simple, simple).map(([one, other]) => joined(one, 'OR', other)) },
  { weight: 1, arbitrary: fc.tuple(simple, simple).map(([one, other]) => not(joined(one, 'OR', other))) },
)

const ARCHIVED: readonly Cells[] = [
  { ts: '2024-02-01 10:00:00', wall: '2024-02-01 10:00:00', day: '2024-02-01', n: 5, x: 1.5 },
  { ts: '2024-02-01T10:00+02:00', wall: '2026-11-01T10:00', day: '2026-11-01', n: 0, x: null },
  { ts: '2024-03-01 00:00:00', wall: null, day: null, n: null, x: Infinity },
  { ts: '2024-01-01 00:00:00', wall: '0001-01-01', day: '9999-12-31', n: 7, x: 5 },
]
/** What happened to an archived row in the table. A query uses the archived row. */
const FATES = ['stays', 'is gone', 'respelled', 'changed'] as const

async function detached(hot: readonly Cells[], fates: readonly (typeof FATES)[number][]): Promise<string> {
  const name = `s${made++}`
  const file = path.join(folder, `${name}.db`)
  using db = Object.assign(new Sqlite(file), { [Symbol.dispose]: () => db.close() })
  const columns = NAMES.map((one) => `${one} ${TYPES[one]}`).join(', ')
  db.exec(`CREATE TABLE bookings (code TEXT COLLATE NOCASE PRIMARY KEY, id INTEGER NOT NULL, ${columns})`)
  const insert = db.prepare(`INSERT INTO bookings VALUES (?, ?${', ?'.repeat(NAMES.length)})`)
  const add = (row: Cells, id: number): unknown => insert.run(`k${id}`, id, ...NAMES.map((one) => row[one]))
  for (const [i, row] of ARCHIVED.entries()) add(row, i)
  const url = `sqlite:///${file}`
  await using archiver = await Archiver.open(url, path.join(folder, `to-${name}`), 'ts')
  const held = await archiver.publish({ label: 'Q1-24', from: '2024-01-01', to: '2024-04-01' }, '1 = 1')
  await archiver.move(held, 'PUBLISHED', 'DETACHED')
  for (const [id, fate] of fates.entries()) {
    if (fate === 'is gone') db.exec(`DELETE FROM bookings WHERE id = ${id}`)
    if (fate === 'respelled') db.exec(`UPDATE bookings SET code = upper(code) WHERE id = ${id}`)
    if (fate === 'changed') db.exec(`UPDATE bookings SET n = 6, wall = '2025-12-31' WHERE id = ${id}`)
  }
  for (const [i, row] of hot.entries()) add(row, 10 + i)
  return url
}

/** Each combination of one value per column. */
function choices(readings: Readonly<Record<Name, Reading>>, names: readonly Name[]): readonly Values[] {
  let all: readonly Values[] = [{ ts: null, wall: null, day: null, n: null, x: null }]
  for (const name of names)
    all = all.flatMap((row) => readings[name].values.map((value) => ({ ...row, [name]: value })))
  return all
}

async function check(url: string, rows: ReadonlyMap<number, Cells>, { sql, names, holds }: Condition): Promise<void> {
  const used = [...new Set(names)]
  const must = new Set<number>()
  const perhaps = new Set<number>()
  let isUnread = false
  for (const [id, row] of rows) {
    const readings = Object.fromEntries(NAMES.map((name) => [name, readingOf(name, row[name])])) as Record<
      Name,
      Reading
    >
    const truths = choices(readings, used).map((values) => holds(values) === true)
    const isRead = used.every((name) => readings[name].isRead)
    isUnread ||= !isRead
    if (!truths.includes(false)) must.add(id)
    else if (truths.includes(true)) perhaps.add(id)
  }
  let found: readonly number[]
  try {
    const answer = await ask(url, `SELECT id FROM bookings WHERE ${sql} ORDER BY id`)
    found = answer.rows.map(([id]) => Number(id))
  } catch (error) {
    expect([sql, String(error), isUnread]).toEqual([sql, expect.stringContaining('VALUE_REFUSED'), true])
    return
  }
  expect({ sql, found, perhaps: [...perhaps] }).toEqual({ sql, found: [...must], perhaps: [] })
}

test('answers like a program that reads all rows', { timeout: 300_000 }, async () => {
  const hot = fc.array(cells, { minLength: 1, maxLength: 8 })
  const fates = fc.tuple(...ARCHIVED.map(() => fc.constantFrom(...FATES)))
  const runs = Number(process.env['SLUICE_DRAWS'] ?? 20)
  await fc.assert(
    fc.asyncProperty(hot, fates, fc.array(condition, { minLength: 6, maxLength: 6 }), async (drawn, became, asked) => {
      const url = await detached(drawn, became)
      const rows = new Map([...ARCHIVED.entries(), ...drawn.map((row, i) => [10 + i, row] as const)])
      for (const one of asked) await check(url, rows, one)
    }),
    { numRuns: runs, endOnFailure: false },
  )
})
