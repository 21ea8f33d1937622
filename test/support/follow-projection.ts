/** Rows of the writer's tables as texts that are the same in every system, read with plain drivers. */
import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import type { System } from './copy-systems.ts'
import type { Stage } from './follow-stage.ts'

type Projection = Partial<Record<System, string>>

/** One query per table and system, with the same columns in the same order. */
const PROJECTIONS: Readonly<Record<string, Projection>> = {
  acct: {
    postgresql: `SELECT id, qty, name, md5(big), note, trim_scale(total), trim_scale(free), (extract(epoch FROM at) * 1000000)::bigint FROM acct`,
    sqlite: `SELECT id, qty, name, big, note, printf('%.15g', total), free,
      CAST(unixepoch(substr(at, 1, 19)) * 1000000 + CAST(substr(substr(at, 21) || '000000', 1, 6) AS INTEGER) AS INTEGER) FROM acct`,
    duckdb: `SELECT id, qty, name, md5(big), note, CAST(CAST(total AS DOUBLE) AS VARCHAR), free, CAST(epoch_us("at") AS VARCHAR) FROM acct`,
    mysql: `SELECT id, qty, name, big, note, total, free, CAST(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', at) AS CHAR) FROM acct`,
  },
  moves: {
    postgresql: `SELECT a, b, v, doc, to_json(list), encode(raw, 'hex'), md5(big) FROM moves`,
    sqlite: `SELECT a, b, v, doc, list, lower(hex(raw)), big FROM moves`,
    duckdb: `SELECT a, b, v, CAST(doc AS VARCHAR), CAST(to_json(list) AS VARCHAR), lower(hex(raw)), md5(big) FROM moves`,
    mysql: 'SELECT a, b, v, CAST(doc AS CHAR), CAST(list AS CHAR), lower(hex(raw)), big FROM moves',
  },
  ev: {
    postgresql: 'SELECT id, day, v, md5(big) FROM ev',
    sqlite: 'SELECT id, day, v, big FROM ev',
    duckdb: 'SELECT id, CAST(day AS VARCHAR), v, md5(big) FROM ev',
    mysql: 'SELECT id, day, v, big FROM ev',
  },
  t: {
    postgresql: 'SELECT id, code, v, md5(big) FROM t',
    sqlite: 'SELECT id, code, v, big FROM t',
    duckdb: 'SELECT id, code, v, md5(big) FROM t',
  },
  p: {
    postgresql: 'SELECT id, day, v FROM p',
    sqlite: 'SELECT id, day, v FROM p',
    duckdb: 'SELECT id, CAST(day AS VARCHAR), v FROM p',
  },
  cnt: { postgresql: 'SELECT id, n FROM cnt', sqlite: 'SELECT id, n FROM cnt', duckdb: 'SELECT id, n FROM cnt' },
}

/** Every row of both sides is the same. @param where for messages */
export async function expectSameRows({ source, target, names }: Stage, where = ''): Promise<void> {
  for (const name of names) {
    const read = async ({ system, rows }: Stage['source']): Promise<readonly string[]> => {
      const found = await rows(PROJECTIONS[name]?.[system] ?? `SELECT * FROM ${name}`)
      return found.map((row) => JSON.stringify(row.map(plain))).toSorted()
    }
    const [here, there] = [await read(source), await read(target)]
    const [left, right] = [new Set(here), new Set(there)]
    expect(here.filter((row) => !right.has(row)).slice(0, 3), `${where}: missing in ${name}`).toEqual([])
    expect(there.filter((row) => !left.has(row)).slice(0, 3), `${where}: surplus in ${name}`).toEqual([])
    expect(there.length, `${where}: rows of ${name}`).toBe(here.length)
  }
}

/** Long texts as checksums, JSON with sorted members, numbers in one format. */
function plain(text: string | null): unknown {
  if (text === null) return null
  if (/^[[{]/.test(text)) return inOrder(JSON.parse(text))
  if (/^-?\d*\.?\d+(?:e[+-]?\d+)?$/.test(text) && text.length < 18) return Number(text)
  return text.length > 200 ? createHash('md5').update(text).digest('hex') : text
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, one]) => [name, inOrder(one)]),
  )
}
