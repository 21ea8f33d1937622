/** The code in docs/reference/CANONICAL.md runs, and computes the same as the program. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import { DuckDBInstance } from '@duckdb/node-api'
import { createConnection } from 'mysql2/promise'
import pg from 'pg'
import { describe, expect, inject, it } from 'vitest'
import { normalizer } from '../../src/model/copy/canonical.ts'
import type { ColumnType } from '../../src/model/copy/column-type.ts'
import { RowChecksum, rowText } from '../../src/model/copy/row-hash.ts'
import type { Answer } from '../setup/servers.ts'

const page = readFileSync(path.join(import.meta.dirname, '..', '..', 'docs/reference/CANONICAL.md'), 'utf8')

function block(language: string): string {
  const found = new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, 'm').exec(page)?.[1]
  if (found === undefined) throw new Error(`docs/reference/CANONICAL.md has no block ${language}`)
  return found
}

type Sample = Readonly<Record<string, string | null>>

const TYPES: Readonly<Record<string, ColumnType>> = {
  id: { kind: 'int', bits: 64 },
  active: { kind: 'bool' },
  price: { kind: 'decimal', precision: 20, scale: 6 },
  speed: { kind: 'float', bits: 64 },
  note: { kind: 'text' },
  raw: { kind: 'bytes' },
  device: { kind: 'uuid' },
  day: { kind: 'date' },
  clock: { kind: 'time', digits: 6 },
  seen: { kind: 'timestamp', zone: false, digits: 6 },
  recorded: { kind: 'timestamp', zone: true, digits: 6 },
}
const ALL = Object.keys(TYPES)
const NOTHING: Sample = Object.fromEntries(ALL.map((name) => [name, null]))

/** Rows of the chunk on the page, except for the last one. */
const SAMPLES: readonly Sample[] = [
  { ...NOTHING, id: '7' },
  {
    id: '1',
    active: 'true',
    price: '100.500000',
    speed: '0.1',
    note: "ü ' \u{1f600}\n",
    raw: 'ab00ff',
    device: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
    day: '2024-02-29',
    clock: '12:00:00.5',
    seen: '2024-01-01 12:00:00.12',
    recorded: '2024-01-01 12:00:00+05:30',
  },
  {
    id: '50000',
    active: 'false',
    price: '-0.050000',
    speed: '-0',
    note: '',
    raw: '',
    device: 'ffffffff-ffff-ffff-ffff-ffffffffffff',
    day: '9999-12-31',
    clock: '00:00:00',
    seen: '1970-01-01 00:00:00',
    recorded: '1999-12-31 23:59:59.999999+00:00',
  },
  { ...NOTHING, id: '8', price: '0.000000', speed: 'NaN', note: 'N' },
  { ...NOTHING, id: '9', price: '12345678901234.123456', speed: '-Infinity', note: '7:7' },
  { ...NOTHING, id: '50001', note: 'not part of the chunk' },
]

/** Digest of the chunk as the program computes it. */
function digestOf(columns: readonly string[]): { readonly rows: number; readonly sum: string } {
  const sum = new RowChecksum()
  for (const sample of SAMPLES.slice(0, -1)) {
    const cells = columns.map((name) => {
      const value = sample[name] ?? null
      const type = TYPES[name]
      if (value === null || type === undefined) return null
      return normalizer(type)(type.kind === 'bytes' ? `\\x${value}` : value)
    })
    sum.add(cells)
  }
  const { rows, sum: text } = sum.digest()
  return { rows: Number(rows), sum: text }
}

const quoted = (value: string | null): string => (value === null ? 'NULL' : `'${value.replaceAll("'", "''")}'`)

async function server(name: 'postgresql' | 'mysql'): Promise<Answer> {
  const response = await fetch(`${inject('serverBroker')}/${name}`)
  return (await response.json()) as Answer
}

describe('the SQL of the page', () => {
  it('of PostgreSQL', async (context) => {
    const answer = await server('postgresql')
    if (!('url' in answer)) return context.skip(answer.missing)
    const client = new pg.Client({ connectionString: answer.url })
    await client.connect()
    try {
      await client.query(
        `CREATE TEMP TABLE samples (id bigint PRIMARY KEY, active boolean, price numeric(20,6), speed double precision, note text, raw bytea,
           device uuid, day date, clock time, seen timestamp, recorded timestamptz)`,
      )
      for (const sample of SAMPLES) {
        const values = ALL.map((name) => {
          const value = sample[name] ?? null
          return name === 'raw' && value !== null ? `'\\x${value}'` : quoted(value)
        })
        await client.query(`INSERT INTO samples VALUES (${values.join(', ')})`)
      }
      const { rows: count, sum } = digestOf(ALL)
      for (const zone of ['UTC', 'Asia/Kolkata']) {
        await client.query(`SET TimeZone TO '${zone}'`)
        const { rows } = await client.query(block('sql postgresql'))
        expect(rows).toEqual([{ row_count: String(count), checksum: sum }])
      }
      // Repeated until the sum has more than 64 bits.
      const often = block('sql postgresql').replace('FROM samples', 'FROM samples, generate_series(1, 40000)')
      const { rows } = await client.query<{ checksum: string }>(often)
      expect(rows[0]?.checksum).toBe((BigInt(`0x${sum}`) * 40_000n).toString(16))
      await client.query('DELETE FROM samples')
      expect((await client.query(block('sql postgresql'))).rows).toEqual([{ row_count: '0', checksum: '0'.repeat(16) }])
    } finally {
      await client.end()
    }
  })

  it('of DuckDB', async () => {
    const instance = await DuckDBInstance.create(':memory:')
    const connection = await instance.connect()
    try {
      await connection.run(
        `CREATE TABLE samples (id BIGINT, active BOOLEAN, price DECIMAL(20,6), speed DOUBLE, note VARCHAR, raw BLOB, device UUID, day DATE,
           clock TIME, seen TIMESTAMP, recorded TIMESTAMPTZ)`,
      )
      for (const sample of SAMPLES) {
        const values = ALL.map((name) => {
          const value = sample[name] ?? null
          return name === 'raw' && value !== null ? `unhex('${value}')` : quoted(value)
        })
        await connection.run(`INSERT INTO samples VALUES (${values.join(', ')})`)
      }
      const { rows: count, sum } = digestOf(ALL)
      const ask = async (sql: string): Promise<unknown> => (await connection.runAndReadAll(sql)).getRowsJS()
      expect(await ask(block('sql duckdb'))).toEqual([[BigInt(count), sum]])
      const often = block('sql duckdb').replace('FROM samples', 'FROM samples, range(40000)')
      expect(await ask(often)).toEqual([[BigInt(count) * 40_000n, (BigInt(`0x${sum}`) * 40_000n).toString(16)]])
      await connection.run('DELETE FROM samples')
      expect(await ask(block('sql duckdb'))).toEqual([[0n, '0'.repeat(16)]])
    } finally {
      connection.closeSync()
      instance.closeSync()
    }
  })

  it('of MySQL', async (context) => {
    const answer = await server('mysql')
    if (!('url' in answer)) return context.skip(answer.missing)
    const connection = await createConnection({ uri: answer.url, charset: 'utf8mb4' })
    const columns = ALL.filter((name) => name !== 'speed' && name !== 'recorded')
    try {
      await connection.query('CREATE DATABASE IF NOT EXISTS canonical_doc CHARACTER SET utf8mb4')
      await connection.query('USE canonical_doc')
      await connection.query(
        `CREATE TEMPORARY TABLE samples (id BIGINT PRIMARY KEY, active BOOLEAN, price DECIMAL(20,6), note TEXT, raw BLOB, device CHAR(36),
           day DATE, clock TIME(6), seen DATETIME(6)) CHARACTER SET utf8mb4`,
      )
      for (const sample of SAMPLES) {
        const values = columns.map((name) => {
          const value = sample[name] ?? null
          if (name === 'raw' && value !== null) return `X'${value}'`
          return name === 'active' && value !== null ? value : quoted(value)
        })
        await connection.query(`INSERT INTO samples VALUES (${values.join(', ')})`)
      }
      const { rows: count, sum } = digestOf(columns)
      const [rows] = await connection.query(block('sql mysql'))
      expect(rows).toEqual([{ row_count: count, checksum: sum }])
      await connection.query('DELETE FROM samples')
      expect((await connection.query(block('sql mysql')))[0]).toEqual([{ row_count: 0, checksum: '0'.repeat(16) }])
    } finally {
      await connection.query('DROP DATABASE IF EXISTS canonical_doc')
      await connection.end()
    }
  })
})

const python = spawnSync('python3', ['--version']).status === 0

it.skipIf(!python)('the Python of the page computes the same on SQLite', async () => {
  const { mkdtempSync, rmSync } = await import('node:fs')
  const { tmpdir } = await import('node:os')
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-test-canonical-'))
  try {
    const database = new Database(path.join(folder, 'samples.db'))
    database.exec('CREATE TABLE samples (id INTEGER PRIMARY KEY, note TEXT)')
    const insert = database.prepare('INSERT INTO samples VALUES (?, ?)')
    for (const { id, note } of SAMPLES) insert.run(Number(id), note)
    database.close()
    const { stdout, stderr } = spawnSync('python3', ['-c', block('python')], { cwd: folder, encoding: 'utf8' })
    expect(`${stdout}${stderr}`.trim()).toBe(digestOf(['id', 'note']).sum)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

it('the examples of the page are correct', () => {
  expect(page).toContain(`\`(7, NULL, 'ü', '')\` is \`${rowText(['7', null, 'ü', ''])}\``)
  for (const [, text] of page.matchAll(/^\| decimal +\|[^|]+\| (.+?) +\|$/gm)) {
    for (const value of text?.matchAll(/`([^`]+)`/g) ?? []) {
      expect(normalizer({ kind: 'decimal' })(value[1] ?? '')).toBe(value[1])
    }
  }
})
