/** Copies between each pair of systems: whole, proved, without work in a second run, and later with new rows only. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Event } from '../../src/model/run/event.ts'
import { copyOf, makePlace, missing, perform, type Place, type System } from '../support/copy-systems.ts'

const SOURCES: readonly System[] = ['postgresql', 'sqlite', 'mysql']
const TARGETS: readonly System[] = ['postgresql', 'sqlite', 'mysql', 'duckdb', 'd1']
const ROWS = 1200

const TIME: Readonly<Record<string, string>> = { mysql: 'DATETIME(6)', postgresql: 'TIMESTAMP', sqlite: 'TIMESTAMP' }

let folder = ''
const sources = new Map<System, Place>()
const absent = new Map<System, string>()

function values(from: number, to: number): string {
  const rows: string[] = []
  for (let i = from; i <= to; i++) {
    const note = i % 7 === 0 ? 'NULL' : i % 5 === 0 ? "''" : `'line ${i}\tof "it" — é 🚰'`
    const hour = String(i % 24).padStart(2, '0')
    rows.push(
      `(${i}, 'name ${i}', ${i}.${String(i % 1000).padStart(3, '0')}, ${i / 8}, '2024-02-29 ${hour}:15:00.${i % 10}', ${note})`,
    )
  }
  return rows.join(', ')
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-copy-'))
  for (const system of new Set([...SOURCES, ...TARGETS])) absent.set(system, await missing(system))
  for (const system of SOURCES) {
    if (absent.get(system) !== '') continue
    const place = await makePlace(system, folder)
    await place.sql(
      `CREATE TABLE rides (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(50) NOT NULL, amount DECIMAL(12,3), ratio DOUBLE PRECISION,
         at ${TIME[system] ?? ''}, note TEXT)`,
      `INSERT INTO rides VALUES ${values(1, ROWS)}`,
    )
    sources.set(system, place)
  }
}, 60_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const kinds = (events: readonly Event[], type: Event['type']): number =>
  events.filter((one) => one.type === type).length

async function contents(place: Place): Promise<readonly unknown[]> {
  return (await place.rows('SELECT id, name, note FROM rides ORDER BY id')).map((row) => row.join('|'))
}

describe.each(SOURCES)('from %s', (from) => {
  test.for(TARGETS)('to %s', { timeout: 60_000 }, async (to, { skip }) => {
    for (const system of [from, to]) skip(absent.get(system) !== '', `needs ${system}: ${absent.get(system)}`)
    const source = sources.get(from)
    if (source === undefined) throw new Error('no source')
    const target = await makePlace(to, folder)
    const copy = copyOf(source, target, 'rides', { chunkRows: 500 })

    const first = await perform(copy)
    expect(first.finished.error).toBeUndefined()
    expect(first.finished).toMatchObject({
      exitCode: 0,
      totals: { read: String(ROWS), written: String(ROWS), skipped: '0', quarantined: '0', chunks: '3', proved: '3' },
    })
    expect(await contents(target)).toEqual(await contents(source))

    const second = await perform(copy)
    expect(second.finished.exitCode).toBe(0)
    expect(kinds(second.events, 'chunk.started')).toBe(0)
    expect(kinds(second.events, 'chunk.skipped')).toBe(3)

    await source.sql(`INSERT INTO rides VALUES ${values(ROWS + 1, ROWS + 10)}`)
    try {
      const third = await perform(copy)
      expect(third.finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS + 10) } })
      expect(kinds(third.events, 'chunk.started')).toBe(1)
      expect(await contents(target)).toEqual(await contents(source))
      const compared = await perform({ ...copy, kind: 'diff', limit: 10, fix: false, deleteExtra: false })
      expect(compared.finished).toMatchObject({
        exitCode: 0,
        totals: { rows: String(ROWS + 10), missing: '0', extra: '0', different: '0' },
      })
    } finally {
      await source.sql(`DELETE FROM rides WHERE id > ${ROWS}`)
    }
  })
})
