/**
 * Checkpoints as `parquetjs-lite` reads them: a second source for our reader, because it shares no code with DuckDB. It
 * cannot read each encoding; the judges in Python check those files.
 */
import { createRequire } from 'node:module'
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { parquetRows } from '../../src/stores/parquet.ts'

type Cursor = { next(): Promise<Readonly<Record<string, Action | null | undefined>> | null> }
type Reader = { getCursor(): Cursor; close(): Promise<void> }
type Action = { readonly path?: string; readonly size?: bigint | number }

const ROOT = resolve(import.meta.dirname, '../..')
const SHARED = process.env['SLUICE_SHARED'] ?? resolve(ROOT, '../shared')
const KINDS = ['add', 'remove', 'metaData', 'protocol', 'txn'] as const
/** Messages for an unknown encoding, type or format; any other failure is one of the test. */
const UNKNOWN = /invalid (?:parquet type|encoding|parquet version)/

/** Null if it is not installed. */
function secondReader(): { readonly openFile: (file: string) => Promise<Reader> } | null {
  try {
    const name = 'parquetjs-lite'
    const { ParquetReader } = createRequire(import.meta.url)(name) as {
      ParquetReader: { openFile(file: string): Promise<Reader> }
    }
    return { openFile: (file) => ParquetReader.openFile(file) }
  } catch {
    return null
  }
}

const second = secondReader()

/** Number of actions of each kind, and the files of `add` with their sizes. */
type Seen = { readonly counts: Record<string, number>; readonly files: string[] }

const nothing = (): Seen => ({ counts: Object.fromEntries(KINDS.map((kind) => [kind, 0])), files: [] })

function note(seen: Seen, row: Readonly<Record<string, Action | null | undefined>>): void {
  for (const kind of KINDS) if (row[kind] != null) seen.counts[kind] = (seen.counts[kind] ?? 0) + 1
  if (row['add'] != null) seen.files.push(`${row['add'].path} ${row['add'].size}`)
}

/** Null for a file that the second reader cannot read. */
async function bySecond(file: string): Promise<Seen | null> {
  const seen = nothing()
  try {
    const reader = await second?.openFile(file)
    if (reader === undefined) return null
    const cursor = reader.getCursor()
    for (let row = await cursor.next(); row !== null; row = await cursor.next()) note(seen, row)
    await reader.close()
    return seen
  } catch (error) {
    if (UNKNOWN.test(String(error))) return null
    throw error
  }
}

async function byUs(file: string): Promise<Seen> {
  const signal = new AbortController().signal
  const rows = await parquetRows()
  const { columns } = await rows.facts(file, signal)
  const wanted = columns.filter(({ name }) => KINDS.some((kind) => kind === name))
  const selection = wanted.map(({ name, fields }) => ({
    column: name,
    fields: fields.map((field) => field.name).filter((field) => name !== 'add' || field === 'path' || field === 'size'),
  }))
  const seen = nothing()
  for await (const buffer of rows.lines(file, selection, signal)) {
    for (const line of buffer.toString().split('\n')) if (line !== '') note(seen, JSON.parse(line) as never)
  }
  return seen
}

async function compare(folder: string): Promise<number> {
  let compared = 0
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!/\.checkpoint\..*parquet$/.test(name)) continue
    const other = await bySecond(join(folder, name))
    if (other === null) continue
    const ours = await byUs(join(folder, name))
    expect(ours.counts, name).toEqual(other.counts)
    expect(ours.files.toSorted(), name).toEqual(other.files.toSorted())
    compared++
  }
  return compared
}

const missing = second === null ? ' (skipped: parquetjs-lite is not installed; npm install brings it)' : ''

test.skipIf(second === null)(
  `a second reader finds the same actions in checkpoints of the lake${missing}`,
  async () => {
    expect(await compare(join(ROOT, 'fixtures/lake'))).toBe(6)
  },
)

const TABLES = join(SHARED, 'tables')
const absent = existsSync(TABLES) ? missing : ` (skipped: ${TABLES} is missing, set SLUICE_SHARED)`

test.skipIf(absent !== '')(
  `a second reader finds the same actions in checkpoints of real tables${absent}`,
  async () => {
    expect(await compare(TABLES)).toBeGreaterThanOrEqual(40)
  },
)
