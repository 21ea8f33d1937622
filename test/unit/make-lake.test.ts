import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

type FileAction = { path: string; size: number; stats?: string }
type Line = { add?: FileAction; remove?: FileAction; sidecar?: { path: string } }

const ROOT = path.resolve(import.meta.dirname, '../..')
let scratch = ''
let duck: DuckDBInstance
let connection: DuckDBConnection

beforeAll(async () => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-test-lake-'))
  duck = await DuckDBInstance.create(':memory:')
  connection = await duck.connect()
})

afterAll(() => {
  connection.closeSync()
  duck.closeSync()
  fs.rmSync(scratch, { recursive: true, force: true })
})

function makeLake(name: string, ...flags: string[]): string {
  const out = path.join(scratch, name)
  const args = [path.join(ROOT, 'scripts/make-lake.mjs'), '--out', out, ...flags]
  const result = spawnSync(process.execPath, args, { encoding: 'utf8' })
  expect(result.status, result.stderr).toBe(0)
  return out
}

/** Names, bytes and modification times of everything below a folder, as one digest. */
function digest(folder: string): string {
  const hash = createHash('sha256')
  for (const name of fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted()) {
    const file = path.join(folder, name)
    const stat = fs.statSync(file)
    if (stat.isFile()) hash.update(`${name} ${stat.mtimeMs}`).update(fs.readFileSync(file))
  }
  return hash.digest('hex')
}

function linesOf(file: string): Line[] {
  return fs
    .readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)
}

async function addsOfParquet(file: string): Promise<[string, number][]> {
  const sql = `SELECT add.path, add.size::DOUBLE FROM read_parquet('${file}') WHERE add IS NOT NULL`
  const result = await connection.runAndReadAll(sql)
  return result.getRows().map(([name, size]) => [String(name), Number(size)])
}

/** Adds of the checkpoint of a version, including those of its sidecars. */
async function addsOfCheckpoint(log: string, version: number): Promise<Map<string, number>> {
  const stem = `${String(version).padStart(20, '0')}.checkpoint.`
  const adds: [string, number][] = []
  for (const name of fs.readdirSync(log).filter((entry) => entry.startsWith(stem))) {
    const file = path.join(log, name)
    const sidecars: string[] = []
    if (name.endsWith('.json')) {
      for (const { sidecar } of linesOf(file)) if (sidecar) sidecars.push(sidecar.path)
    } else {
      adds.push(...(await addsOfParquet(file)))
      const columns = await connection.runAndReadAll(`DESCRIBE SELECT * FROM read_parquet('${file}')`)
      if (columns.getRows().some(([column]) => column === 'sidecar')) {
        const sql = `SELECT sidecar.path FROM read_parquet('${file}') WHERE sidecar IS NOT NULL`
        const found = await connection.runAndReadAll(sql)
        for (const [sidecar] of found.getRows()) sidecars.push(String(sidecar))
      }
    }
    for (const sidecar of sidecars) adds.push(...(await addsOfParquet(path.join(log, '_sidecars', sidecar))))
  }
  expect(new Set(adds.map(([name]) => name)).size).toBe(adds.length)
  return new Map(adds)
}

type Facts = { files: unknown; bytes: unknown }
type Replayed = {
  active: number
  /** Violations of the protocol: a remove of an inactive file, an add of an active one, a commit out of order. */
  wrong: string[]
  checksums: { said: Facts; replayed: Facts }[]
  checkpoints: { said: Map<string, number>; replayed: Map<string, number> }[]
}

/** Replays the JSON commits; at every checksum and checkpoint notes the values that the commits give. */
async function replay(table: string): Promise<Replayed> {
  const log = path.join(table, '_delta_log')
  const names = fs.readdirSync(log)
  const active = new Map<string, number>()
  const found: Replayed = { active: 0, wrong: [], checksums: [], checkpoints: [] }
  const commits = names.filter((name) => /^\d{20}\.json$/.test(name)).toSorted()
  for (const [version, name] of commits.entries()) {
    if (Number(name.slice(0, 20)) !== version) found.wrong.push(name)
    for (const { add, remove } of linesOf(path.join(log, name))) {
      if (remove && !active.delete(remove.path)) found.wrong.push(`${name} removes ${remove.path}`)
      if (add && active.has(add.path)) found.wrong.push(`${name} adds ${add.path}`)
      if (add) active.set(add.path, add.size)
      if (add?.stats !== undefined) JSON.parse(add.stats)
    }
    const stem = name.slice(0, 20)
    if (names.includes(`${stem}.crc`)) {
      const crc = JSON.parse(fs.readFileSync(path.join(log, `${stem}.crc`), 'utf8')) as Record<string, unknown>
      const bytes = [...active.values()].reduce((sum, size) => sum + size, 0)
      const said = { files: crc['numFiles'], bytes: crc['tableSizeBytes'] }
      found.checksums.push({ said, replayed: { files: active.size, bytes } })
    }
    if (names.some((other) => other.startsWith(`${stem}.checkpoint.`))) {
      found.checkpoints.push({ said: await addsOfCheckpoint(log, version), replayed: new Map(active) })
    }
  }
  found.active = active.size
  return found
}

function expectSound({ wrong, checksums, checkpoints }: Replayed): void {
  expect(wrong).toEqual([])
  expect(checksums.map(({ said }) => said)).toEqual(checksums.map(({ replayed }) => replayed))
  expect(checkpoints.map(({ said }) => said)).toEqual(checkpoints.map(({ replayed }) => replayed))
}

const LAKE = ['--files', '300', '--commits', '16', '--removes-per-commit', '9', '--checkpoint-every', '5']

describe('make-lake', () => {
  test('the same seed gives the same bytes and times, another seed others', () => {
    const first = digest(makeLake('a', ...LAKE, '--partitions', '4'))
    expect(digest(makeLake('b', ...LAKE, '--partitions', '4'))).toBe(first)
    expect(digest(makeLake('c', ...LAKE, '--partitions', '4', '--seed', '2'))).not.toBe(first)
  })

  test.each(['classic', 'multipart', 'v2-json', 'v2-parquet'])(
    '%s checkpoints equal the state of the commits',
    async (kind) => {
      const table = makeLake(kind, ...LAKE, '--partitions', '3', '--checkpoint', kind)
      const found = await replay(table)
      expectSound(found)
      expect(found.active).toBe(300 - 15 * 9)
      expect(found.checkpoints).toHaveLength(3)
      expect(found.checksums).toHaveLength(16)
    },
  )

  test('real data files have the sizes and counts of the log', async () => {
    const table = makeLake('data', '--files', '6', '--commits', '3', '--partitions', '2', '--data')
    const found = await replay(table)
    expectSound(found)
    expect(found.active).toBe(6)
    const lines = linesOf(path.join(table, '_delta_log', '00000000000000000001.json'))
    const adds = lines.flatMap(({ add }) => (add === undefined ? [] : [add]))
    expect(adds).toHaveLength(3)
    for (const add of adds) {
      const file = path.join(table, add.path)
      expect(fs.statSync(file).size).toBe(add.size)
      const rows = await connection.runAndReadAll(`SELECT count(*)::INTEGER, min(order_id)::DOUBLE FROM '${file}'`)
      const stats = JSON.parse(add.stats ?? '') as { numRecords: number; minValues: { order_id: number } }
      expect(rows.getRows()[0]).toEqual([stats.numRecords, stats.minValues.order_id])
    }
  })

  test('a cleaned log begins at its checkpoint', async () => {
    const log = path.join(makeLake('clean', ...LAKE, '--checkpoint-only-last', '--clean-log'), '_delta_log')
    expect(fs.readdirSync(log).filter((name) => name.endsWith('.json'))).toEqual(['00000000000000000015.json'])
    expect((await addsOfCheckpoint(log, 15)).size).toBe(300 - 15 * 9)
  })

  test('many tables are put into folders of a hundred', () => {
    const lake = makeLake('tables', '--tables', '101', '--files', '2', '--commits', '2')
    expect(fs.readdirSync(lake)).toEqual(['group-00', 'group-01'])
    expect(fs.readdirSync(path.join(lake, 'group-00'))).toHaveLength(100)
  })

  test.each([
    [[]],
    [['--out', 'x', '--files', '-1']],
    [['--out', 'x', '--shape', 'round']],
    [['--out', 'x', '--wrong']],
  ])('refuses %j and prints the usage', (flags) => {
    const args = [path.join(ROOT, 'scripts/make-lake.mjs'), ...flags]
    const result = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: scratch })
    expect(result.status).toBe(2)
    expect(result.stderr).toContain('npm run make-lake')
  })
})
