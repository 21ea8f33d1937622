/**
 * Damaged ranges: every cell of their three relations, changed so that a query could miss a file, is found. A bound
 * that is too wide only costs time, and is no difference.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { extendRanges } from '../../src/catalog/ranges/build.ts'
import { addRangeColumns, type WantedColumn } from '../../src/catalog/ranges/manage.ts'
import { proveRanges } from '../../src/catalog/validate/ranges.ts'
import type { CatalogDifference } from '../../src/catalog/validate/report.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import type { SqlDatabase, SqlRow, SqlValue } from '../../src/model/run/sql-port.ts'
import { ALL, BACKEND } from '../support/backend.ts'
import { add, importInto, openCatalog, PROTOCOL, temporaryFolder, writeLog, type Line } from '../support/catalog-kit.ts'
import { differencesOf, validated } from './validate-setup.ts'

const EVERY_COLUMN: readonly (WantedColumn & { readonly type: string })[] = [
  { name: 'id', physicalPath: ['id'], kind: 'number', type: 'long' },
  { name: 'below', physicalPath: ['below'], kind: 'number', type: 'decimal(30,5)' },
  { name: 'text', physicalPath: ['text'], kind: 'string', type: 'string' },
  { name: 'day', physicalPath: ['day'], kind: 'date', type: 'date' },
  { name: 'at', physicalPath: ['at'], kind: 'timestamp', type: 'timestamp' },
  { name: 'wall', physicalPath: ['wall'], kind: 'timestamp_ntz', type: 'timestamp_ntz' },
  { name: 'ok', physicalPath: ['ok'], kind: 'boolean', type: 'boolean' },
]
/**
 * Each backend damages other columns: a proof reads the statistics of every file, and its result hardly depends on the
 * database.
 */
const DAMAGED = ALL ? EVERY_COLUMN.map(({ name }) => name) : BACKEND === 'sqlite' ? ['id', 'text', 'ok'] : ['at']
/** The first column always exists, and those that are damaged. */
const COLUMNS = EVERY_COLUMN.filter(({ name }, i) => i === 0 || DAMAGED.includes(name))
/** Built for the first files only. */
const LATE: WantedColumn = { name: 'late', physicalPath: ['late'], kind: 'number' }

const FILES = 1_100
/** Files of zone 0: one without statistics, one with NULLs only, and one whose column has some. */
const [BARE, NULLS, MIXED, NORMAL] = [2, 3, 4, 5]

const METADATA: Line = {
  metaData: {
    id: 'damaged',
    format: { provider: 'parquet', options: {} },
    schemaString: JSON.stringify({
      type: 'struct',
      fields: [...COLUMNS, { name: 'late', type: 'long' }].map(({ name, type }) => ({
        name,
        type,
        nullable: true,
        metadata: {},
      })),
    }),
    partitionColumns: [],
    configuration: {},
  },
}

/** Bounds as JSON text, so that no digit of a decimal is lost. */
function statsOf(i: number): string | null {
  if (i === BARE) return null
  const two = (n: number): string => String(n).padStart(2, '0')
  const at = `2024-${two((i % 12) + 1)}-${two((i % 28) + 1)}`
  const side = (to: 0 | 1): string => {
    const flag = i % 2 === 0 ? `"ok":${to === 1}` : '"ok":true'
    const sum = `"below":-${2_000_000 - 2 * i - to}.1234567890123456789`
    const times = `"day":"${at}","at":"${at}T0${to}:00:00.5Z","wall":"${at} 0${to}:30:00"`
    return `{"id":${i * 10 + to * 9},${sum},"text":"t${String(i).padStart(5, '0')}${'é'.repeat(to)}",${times},${flag},"late":${i}}`
  }
  const nulls = i === NULLS ? 2 : i === MIXED ? 1 : 0
  const counts = [...COLUMNS, LATE].map(({ name }) => `"${name}":${nulls}`).join()
  const bounds = i === NULLS ? '' : `"minValues":${side(0)},"maxValues":${side(1)},`
  return `{"numRecords":2,${bounds}"nullCount":{${counts}}}`
}

type Subject = AsyncDisposable & { readonly database: SqlDatabase; readonly table: string }

async function subject(): Promise<Subject> {
  const folder = temporaryFolder()
  const table = join(folder.path, 'table')
  const file = (i: number): Line => {
    const stats = statsOf(i)
    return add(`f${i}`, { partitionValues: {}, ...(stats === null ? {} : { stats }) })
  }
  const lines = Array.from({ length: FILES + 1 }, (_, i) => file(i))
  writeLog(table, [[PROTOCOL, METADATA, ...lines.slice(0, FILES)]])
  const database = await openCatalog(join(folder.path, 'c.db'))
  await importInto(database, table)
  await addRangeColumns(database, 't', [...COLUMNS, LATE], 1)
  await extendRanges(database, 't')
  writeLog(table, [lines.slice(FILES)], 1)
  await importInto(database, table)
  // As a kill leaves a column: with its first zone only.
  await database.write(async (transaction) => {
    const zoneEnd = (await firstFile(transaction)) - ((await firstFile(transaction)) % 1024) + 1023
    const late = COLUMNS.length + 1
    await transaction.run('UPDATE delta_range_columns SET built_to = ? WHERE column_no = ?', [zoneEnd, late])
    for (const relation of ['delta_file_ranges', 'delta_range_zones'])
      await transaction.run(`DELETE FROM ${relation} WHERE column_no = ? AND zone_no > ?`, [
        late,
        (zoneEnd - 1023) / 1024,
      ])
  })
  return {
    database,
    table,
    async [Symbol.asyncDispose]() {
      await database.close()
      folder[Symbol.dispose]()
    },
  }
}

async function firstFile(reader: Pick<SqlDatabase, 'all'>): Promise<number> {
  return Number((await reader.all("SELECT min(file_no) FROM delta_files WHERE table_id = 't'"))[0]?.[0])
}

async function proved(database: SqlDatabase): Promise<readonly CatalogDifference[]> {
  const reported: CatalogDifference[] = []
  await database.read((reader) =>
    proveRanges(reader, 't', NEVER.abort, async (difference) => void reported.push(difference)),
  )
  return reported
}

describe(`damaged ranges in ${BACKEND}`, () => {
  let at: Subject
  let first: number
  beforeAll(async () => {
    at = await subject()
    first = await firstFile(at.database)
  }, 120_000)
  afterAll(async () => {
    const left = await proved(at.database)
    await at[Symbol.asyncDispose]()
    if (left.length > 0) throw new Error(`a test left damage behind: ${JSON.stringify(left)}`)
  })

  const set = async (relation: string, where: string, column: string, value: SqlValue): Promise<number> =>
    at.database.write((transaction) => transaction.run(`UPDATE ${relation} SET ${column} = ? WHERE ${where}`, [value]))
  const one = async (sql: string): Promise<SqlRow> => {
    const rows = await at.database.all(sql)
    expect(rows, sql).toHaveLength(1)
    return rows[0] as SqlRow
  }

  /** Reports of a validation while one cell has another value. `moved` finds the row if its key is damaged. */
  async function reported(
    relation: string,
    where: string,
    column: string,
    wrong: SqlValue,
    moved = where,
  ): Promise<readonly string[]> {
    const [right = null] = await one(`SELECT ${column} FROM ${relation} WHERE ${where}`)
    expect(await set(relation, where, column, wrong), `${column} of ${where}`).toBe(1)
    try {
      return (await proved(at.database)).map(({ field }) => field)
    } finally {
      await set(relation, moved, column, right)
    }
  }

  /** The next greater and the next smaller bytes, as far as a column has space; UTF-8 has nothing above 0xf4. */
  const after = (key: Uint8Array): Uint8Array => Buffer.concat([key, Buffer.from([0])])
  const before = (key: Uint8Array): Uint8Array => {
    const last = Math.min(key.at(-1) ?? 0, 0xf5)
    return last === 0 ? key.subarray(0, -1) : Buffer.concat([key.subarray(0, -1), Buffer.from([last - 1, 0xff])])
  }

  const zoneOf = (file: number): number => Math.floor(file / 1024)
  const rowOf = (columnNo: number, i: number): string =>
    `table_id = 't' AND column_no = ${columnNo} AND file_no = ${first + i}`
  const zoneRow = (columnNo: number, i: number): string =>
    `table_id = 't' AND column_no = ${columnNo} AND zone_no = ${zoneOf(first + i)}`
  const places = [
    ['delta_file_ranges', rowOf, NORMAL],
    ['delta_range_zones', zoneRow, FILES - 1],
  ] as const

  const tried = COLUMNS.map(({ name }, i) => [name, i + 1] as const).filter(([name]) => DAMAGED.includes(name))
  describe.each(tried)('of %s', (name, columnNo) => {
    test.each(places)('bounds in %s', async (relation, row, bounded) => {
      const [low, high] = (await one(
        `SELECT min_key, max_key FROM ${relation} WHERE ${row(columnNo, bounded)}`,
      )) as readonly [Uint8Array, Uint8Array]
      expect(await reported(relation, row(columnNo, bounded), 'min_key', after(low))).toContain(`min_key of ${name}`)
      expect(await reported(relation, row(columnNo, bounded), 'max_key', before(high))).toContain(`max_key of ${name}`)
      // Keys that are valid, but belong to other files.
      if (name !== 'ok') {
        const [inner] = await one(`SELECT min_key FROM delta_file_ranges WHERE ${rowOf(columnNo, NORMAL + 1)}`)
        const [outer] = await one(`SELECT max_key FROM delta_file_ranges WHERE ${rowOf(columnNo, NORMAL)}`)
        const normal = rowOf(columnNo, NORMAL)
        expect(await reported('delta_file_ranges', normal, 'min_key', inner ?? null)).toEqual([`min_key of ${name}`])
        const next = rowOf(columnNo, NORMAL + 1)
        expect(await reported('delta_file_ranges', next, 'max_key', outer ?? null)).toEqual([`max_key of ${name}`])
      }
      // Without statistics, any bound is too narrow; a flag has two values, and 0 to 1 is all of them.
      for (const side of ['min_key', 'max_key'] as const) {
        const wrong = name === 'ok' ? Buffer.from([side === 'min_key' ? 1 : 0]) : low
        const open = row(columnNo, BARE)
        expect((await one(`SELECT ${side} FROM ${relation} WHERE ${open}`))[0]).toBeNull()
        expect(await reported(relation, open, side, wrong)).toEqual([`${side} of ${name}`])
      }
    })

    test.each(places)('flags and keys in %s', async (relation, row) => {
      const mixed = row(columnNo, MIXED)
      expect(await reported(relation, mixed, 'has_nulls', 0)).toEqual([`has_nulls of ${name}`])
      expect(await reported(relation, mixed, 'has_values', 0)).toEqual([`has_values of ${name}`])
      expect(await reported(relation, mixed, 'has_values', 2)).toEqual([`has_values of ${name}`])
      const fileOnly = relation === 'delta_file_ranges' ? ` AND file_no = ${first + MIXED}` : ''
      for (const [key, wrong] of [
        ['table_id', 'other'],
        ['column_no', 99],
        ['zone_no', 77],
        ...(fileOnly === '' ? [] : ([['file_no', first + 500_000]] as const)),
      ] as const) {
        const there = typeof wrong === 'string' ? `${key} = '${wrong}'` : `${key} = ${wrong}`
        expect(await reported(relation, mixed, key, wrong, there), key).toContain(`row of ${name}`)
      }
    })

    test('the column itself', async () => {
      const where = `table_id = 't' AND column_no = ${columnNo}`
      const other = COLUMNS[columnNo % COLUMNS.length] as WantedColumn
      const wrongs: readonly (readonly [string, SqlValue])[] = [
        ['name', 'x'],
        ['physical_path', JSON.stringify(other.physicalPath)],
        ['physical_path', '["nowhere"]'],
        ['physical_path', '["id"'],
        ['physical_path', '"id"'],
        ['kind', 'x'],
        ...[...new Set(EVERY_COLUMN.map(({ kind }) => kind))]
          .filter((kind) => kind !== COLUMNS[columnNo - 1]?.kind)
          .map((kind) => ['kind', kind] as const),
        ['built_to', 10_000_000],
        ['built_to', -7.5],
        ['built_version', 2],
        ['created_at', 'x'],
      ]
      for (const [column, wrong] of wrongs) {
        if (wrong === -7.5 && BACKEND !== 'sqlite') continue
        const found = await reported('delta_range_columns', where, column, wrong)
        expect(found, `${column} = ${String(wrong)}`).not.toEqual([])
      }
      for (const [key, wrong, there] of [
        ['table_id', 'other', "table_id = 'other'"],
        ['column_no', 99, 'column_no = 99'],
      ] as const) {
        expect(await reported('delta_range_columns', where, key, wrong, there), key).toEqual(
          expect.arrayContaining([`column ${columnNo} of delta_file_ranges`]),
        )
      }
    }, 60_000)
  })

  test('a column that claims files it was not built for is found', async () => {
    const late = `table_id = 't' AND column_no = ${COLUMNS.length + 1}`
    const claims = await reported('delta_range_columns', late, 'built_to', first + FILES)
    expect(new Set(claims)).toEqual(new Set(['row of late']))
    // Files of the second zone, and the zone.
    expect(claims).toHaveLength(FILES + 1 - (1024 - (first % 1024)) + 1)
  })

  test('a file that a commit hides from readers after the ranges is found', async () => {
    const [version] = await one("SELECT max(version) FROM delta_commits WHERE table_id = 't'")
    const id = "table_id = 't' AND column_no = 1"
    const [builtVersion = null] = await one(`SELECT built_version FROM delta_range_columns WHERE ${id}`)
    expect(builtVersion).toBe(version)
    await set('delta_range_columns', id, 'built_version', 0)
    try {
      expect(await proved(at.database)).toEqual([])
      const commit = "table_id = 't' AND version = 1"
      expect(await reported('delta_commits', commit, 'first_file_no', 10_000_000)).toEqual(['first_file_no for id'])
    } finally {
      await set('delta_range_columns', id, 'built_version', builtVersion)
    }
  })

  test('bounds that are too wide, and rows of files that are gone, are no difference', async () => {
    for (const [relation, row, i] of places) {
      for (const [column, wider] of [
        ['min_key', null],
        ['max_key', null],
        ['has_nulls', 1],
      ] as const) {
        expect(await reported(relation, row(1, i), column, wider)).toEqual([])
      }
    }
    expect(await reported('delta_file_ranges', rowOf(1, NULLS), 'has_values', 1)).toEqual([])
    const stray = `table_id = 't' AND column_no = 1 AND file_no = ${first + 900_000}`
    const zone = zoneOf(first + 900_000)
    await at.database.write((transaction) =>
      transaction.run(`INSERT INTO delta_file_ranges VALUES ('t', 1, ?, ?, NULL, NULL, 0, 0)`, [zone, first + 900_000]),
    )
    expect(await proved(at.database)).toEqual([])
    await at.database.write((transaction) => transaction.run(`DELETE FROM delta_file_ranges WHERE ${stray}`))
  })

  test('are reported by a validation with both values, and counted', async () => {
    const of = { catalog: at.database, log: openLocalLog(at.table), tableId: 't' }
    const healthy = await validated(of, 0)
    expect(differencesOf(healthy.events)).toEqual([])
    const check = healthy.events.filter((event) => event.type === 'verify.check' && event.check === 'ranges')
    const covered = String(COLUMNS.length * (FILES + 1) + 1024 - (first % 1024))
    expect(check).toMatchObject([{ equal: true, log: covered, catalog: covered }])
    const where = rowOf(1, NORMAL)
    const [right = null] = await one(`SELECT min_key FROM delta_file_ranges WHERE ${where}`)
    const [inner = null] = await one(`SELECT min_key FROM delta_file_ranges WHERE ${rowOf(1, NORMAL + 2)}`)
    await set('delta_file_ranges', where, 'min_key', inner)
    const damaged = await validated(of, 0)
    await set('delta_file_ranges', where, 'min_key', right)
    expect(differencesOf(damaged.events)).toEqual(['ranges v1 f5 min_key of id: log 50 | catalog 70'])
    expect(damaged).toMatchObject({ differences: 1, checks: healthy.checks })
    await at.database.write((transaction) =>
      transaction.run("DELETE FROM delta_file_ranges WHERE table_id = 't' AND column_no = 1"),
    )
    const emptied = await validated(of, 0)
    expect(emptied.differences).toBe(FILES + 1)
    expect(differencesOf(emptied.events)).toHaveLength(1_000)
    // Built again from the start, as by `index --drop` and `index`.
    await set('delta_range_columns', "table_id = 't' AND column_no = 1", 'built_to', -1)
    await extendRanges(at.database, 't')
    expect(differencesOf((await validated(of, 0)).events)).toEqual([])
  }, 120_000)
})
