/** Every column of every relation, damaged one cell at a time: each damage must be found, and named at its place. */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ACTION_COLUMNS,
  COMMIT_COLUMNS,
  DOMAIN_COLUMNS,
  FILE_COLUMNS,
  METADATA_COLUMNS,
  PARTITION_COLUMNS,
  PROTOCOL_COLUMNS,
  TXN_COLUMNS,
} from '../../src/catalog/relations.ts'
import { TABLE_COLUMNS } from '../../src/catalog/validate/load-catalog.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import type { SqlDatabase, SqlRow, SqlValue } from '../../src/model/run/sql-port.ts'
import { ALL, BACKEND } from '../support/backend.ts'
import { differencesOf, HAVE_TABLES, imported, TABLES, validated, type Imported } from './validate-setup.ts'
import { makeLake, type Lake } from './validate-lake.ts'

const RELATIONS: Record<string, { readonly columns: readonly string[]; readonly key: readonly string[] }> = {
  delta_tables: { columns: TABLE_COLUMNS, key: ['table_id'] },
  delta_commits: { columns: COMMIT_COLUMNS, key: ['table_id', 'version'] },
  delta_files: { columns: FILE_COLUMNS, key: ['file_no'] },
  delta_partitions: { columns: PARTITION_COLUMNS, key: ['partition_no'] },
  delta_actions: { columns: ACTION_COLUMNS, key: ['table_id', 'version', 'source', 'line'] },
  delta_metadata: { columns: METADATA_COLUMNS, key: ['table_id', 'version', 'source', 'line'] },
  delta_protocols: { columns: PROTOCOL_COLUMNS, key: ['table_id', 'version', 'source', 'line'] },
  delta_txns: { columns: TXN_COLUMNS, key: ['table_id', 'version', 'source', 'line'] },
  delta_domains: { columns: DOMAIN_COLUMNS, key: ['table_id', 'version', 'source', 'line'] },
}

/** `file_no` only orders files: another value is no damage. */
const HARMLESS = new Set(['delta_files.file_no'])

/** Columns by which the validator chooses its comparisons: damage to them must not skip the one that finds it. */
const DECIDES = new Set(['source', 'from_checkpoint', 'history_from', 'log_bytes'])

/**
 * A validation takes a third of a second, and its result hardly depends on the database: each database gets other
 * columns.
 */
const [STEP, FROM] = { sqlite: [6, 0], postgresql: [18, 1], mysql: [18, 8], duckdb: [18, 15] }[BACKEND] as [
  number,
  number,
]

const CELLS = Object.entries(RELATIONS)
  .flatMap(([relation, { columns }]) => columns.map((column) => ({ relation, column })))
  .filter(({ relation, column }) => !HARMLESS.has(`${relation}.${column}`))
  .filter(({ column }, i) => ALL || i % STEP === FROM || (BACKEND === 'sqlite' && DECIDES.has(column)))

const KEPT_OUT = /UNIQUE|NOT NULL|duplicate key|Duplicate entry|not-null|cannot be null|Constraint Error/
/** Only SQLite accepts a text in a column of numbers. */
const WRONG_TYPE = /invalid input syntax|Incorrect integer value|Conversion Error|Could not convert|cannot hold/

const reported = (error: unknown): string => `${String(error)} ${String((error as Error).cause)}`

/** Columns with 0 or 1: their only plausible damage is the other value. */
const EITHER = new Set(['source', 'from_checkpoint', 'data_change', 'in_commit_time', 'removed'])

/** Another value of the same kind. */
function damaged(value: SqlValue, column: string): SqlValue {
  if (value === null) return column === 'removed_version' ? 1_000_000 : 'x'
  if (EITHER.has(column) && (value === 0 || value === 1 || value === 0n || value === 1n)) return 1 - Number(value)
  if (typeof value === 'number') return value + 1
  if (typeof value === 'bigint') return value - 1n
  if (typeof value === 'string') return /^-?\d+$/.test(value) ? (BigInt(value) - 1n).toString() : `${value} `
  const bytes = Buffer.from(value)
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
  return bytes
}

async function change(
  catalog: SqlDatabase,
  relation: string,
  column: string,
  key: SqlRow,
  value: SqlValue,
): Promise<void> {
  const keys = RELATIONS[relation]?.key ?? []
  const changed = await catalog.write((transaction) =>
    transaction.run(`UPDATE ${relation} SET "${column}" = ? WHERE ${keys.map((k) => `${k} = ?`).join(' AND ')}`, [
      value,
      ...key,
    ]),
  )
  expect(changed).toBe(1)
}

/**
 * Damages one cell of the last row by key, or of the first, checks whether it is found, and repairs it. Null if the
 * relation has no such row or forbids the value.
 */
async function found(
  subject: Imported,
  relation: string,
  column: string,
  which: 'IS NULL' | 'IS NOT NULL',
  row: 'last' | 'first' = 'last',
): Promise<readonly string[] | null> {
  const { catalog } = subject
  const { key } = RELATIONS[relation] as { key: readonly string[] }
  const [at] = await catalog.all(
    `SELECT ${key.join(', ')}, "${column}", ${BACKEND === 'sqlite' ? `typeof("${column}")` : "'exact'"}, CAST("${column}" AS TEXT) FROM ${relation}
     WHERE "${column}" ${which} ORDER BY ${key.map((_, i) => `${i + 1} ${row === 'last' ? 'DESC' : 'ASC'}`).join(', ')} LIMIT 1`,
  )
  if (at === undefined) return null
  const id = at.slice(0, key.length)
  const [value, type, text] = at.slice(key.length) as [SqlValue, string, string]
  const exact = type === 'integer' ? BigInt(text) : value
  let wrong = damaged(exact, column)
  try {
    await change(catalog, relation, column, id, wrong).catch((error: unknown) => {
      if (exact !== null || !WRONG_TYPE.test(reported(error))) throw error
      wrong = 1
      return change(catalog, relation, column, id, wrong)
    })
  } catch (error) {
    // A primary key that exists already, or a NOT NULL column: the database itself refuses this damage.
    if (KEPT_OUT.test(reported(error))) return null
    throw error
  }
  const wrongId = id.map((part, i) => (key[i] === column ? wrong : part))
  try {
    const result = await validated(subject, 5)
    const named = differencesOf(result.events)
    expect(named.length).toBe(Math.min(result.differences, 1000))
    return named
  } catch (error) {
    if (error instanceof SluiceError) return [error.code]
    throw error
  } finally {
    await change(catalog, relation, column, wrongId, exact)
  }
}

function everyColumn(name: string, relations: readonly string[], open: () => Promise<string>, available = true): void {
  describe.skipIf(!available)(`every column of ${name}`, () => {
    let subject: Imported
    let dispose: () => Promise<void>
    beforeAll(async () => {
      const folder = await open()
      subject = await imported(folder)
      dispose = async () => subject[Symbol.asyncDispose]()
    })
    afterAll(async () => {
      const after = await validated(subject, 5)
      await dispose()
      expect(differencesOf(after.events)).toEqual([])
    })
    const cells = CELLS.filter(({ relation }) => relations.includes(relation))
    it.each([...new Set(cells.map(({ relation }) => relation))])(
      'of %s',
      async (relation) => {
        const missed: string[] = []
        for (const { column } of cells.filter((one) => one.relation === relation)) {
          for (const which of ['IS NOT NULL', 'IS NULL'] as const) {
            for (const row of DECIDES.has(column) || ALL ? (['last', 'first'] as const) : (['last'] as const)) {
              const named = await found(subject, relation, column, which, row)
              if (named?.length === 0) missed.push(`${relation}.${column} ${which} of the ${row} row`)
            }
          }
        }
        expect(missed).toEqual([])
      },
      300_000,
    )
  })
}

let lake: Lake
everyColumn('a log that uses everything', Object.keys(RELATIONS), async () => {
  lake = await makeLake()
  return lake.folder
})
afterAll(async () => {
  await lake[Symbol.asyncDispose]()
})

let copy: string | null = null
const checkpointed = ['delta_files', 'delta_actions', 'delta_commits']
const beginAtCheckpoint = async (): Promise<string> => {
  copy = await mkdtemp(join(tmpdir(), 'sluice-copy-'))
  const folder = copy
  await cp(join(TABLES, 'delta-rs/simple_table_with_checkpoint'), folder, {
    recursive: true,
    preserveTimestamps: true,
  })
  for (let v = 0; v < 10; v++)
    await rm(join(folder, '_delta_log', `${String(v).padStart(20, '0')}.json`), { force: true })
  return folder
}
everyColumn('a table that begins at a checkpoint (../shared)', checkpointed, beginAtCheckpoint, HAVE_TABLES)
afterAll(async () => {
  if (copy !== null) await rm(copy, { recursive: true, force: true })
})
