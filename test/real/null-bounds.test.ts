/**
 * Bounds that are values, NULL, absent, NaN, infinite, -0 or cut, of every type, in each form that a log has for
 * statistics: no reader may skip a file that has a matching row. A slow reference reader knows the rows and compares
 * each of them with the condition.
 */
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { activeFiles } from '../../src/catalog/query/files.ts'
import { compilePruning } from '../../src/delta/pruning.ts'
import { schemaOf } from '../../src/delta/schema.ts'
import { DeltaTable } from '../../src/delta/table.ts'
import { openCatalogDatabase, openLake, parquetRows } from '../../src/engine/run/registry.ts'
import { parsePredicate } from '../../src/model/lake/predicate.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { sqlLiteral, openDuckDb } from '../../src/stores/duckdb/instance.ts'
import { fsckOf, importOf, perform, validateOf } from './operation-kit.ts'

/** `low` and `high` as in SQL literals; `stored` as in the JSON of statistics. */
type Column = {
  readonly type: string
  readonly duckdb: string
  readonly low: string
  readonly high: string
  readonly quoted: boolean
}
const number = (type: string, duckdb: string, low: string, high: string): Column => ({
  type,
  duckdb,
  low,
  high,
  quoted: false,
})
const text = (type: string, duckdb: string, low: string, high: string): Column => ({
  type,
  duckdb,
  low,
  high,
  quoted: true,
})

const COLUMNS: readonly Column[] = [
  number('byte', 'TINYINT', '-3', '7'),
  number('short', 'SMALLINT', '-300', '700'),
  number('integer', 'INTEGER', '-70000', '70000'),
  number('long', 'BIGINT', '-9007199254740993', '9007199254740993'),
  number('float', 'FLOAT', '-1.1', '7.3'),
  number('double', 'DOUBLE', '-0.1', '7.3'),
  number('decimal(10,2)', 'DECIMAL(10,2)', '-1.50', '7.25'),
  number('decimal(3,3)', 'DECIMAL(3,3)', '-0.125', '0.250'),
  number('decimal(38,0)', 'DECIMAL(38,0)', '-100000000000000000001', '100000000000000000001'),
  text('string', 'VARCHAR', 'b', 'm'),
  text('binary', 'BLOB', 'b', 'm'),
  number('boolean', 'BOOLEAN', 'false', 'true'),
  text('date', 'DATE', '1969-12-31', '2024-02-29'),
  text('timestamp', 'TIMESTAMP WITH TIME ZONE', '1969-12-31T23:59:59.000Z', '2024-02-29T12:00:00.000Z'),
  text('timestamp_ntz', 'TIMESTAMP', '1969-12-31T23:59:59.000', '2024-02-29T12:00:00.000'),
]
const nameOf = (i: number): string => `c${i}`
const isFloat = ({ type }: Column): boolean => type === 'float' || type === 'double'

/** Bounds in the statistics (`undefined`: absent, null: NULL), and the rows of the file. */
type Bounds = { readonly min?: string | null; readonly max?: string | null; readonly rows: readonly string[] }
type State = { readonly name: string; readonly of: (column: Column) => Bounds }

const plain = ({ low, high }: Column): Bounds => ({ min: low, max: high, rows: [low, high] })
const only = (fits: (column: Column) => boolean, of: (column: Column) => Bounds) => (column: Column) =>
  fits(column) ? of(column) : plain(column)

const STATES: readonly State[] = [
  { name: 'value', of: plain },
  { name: 'low', of: ({ low }) => ({ min: low, max: low, rows: [low] }) },
  { name: 'high', of: ({ high }) => ({ min: high, max: high, rows: [high] }) },
  { name: 'null', of: ({ low, high }) => ({ min: null, max: null, rows: [low, high] }) },
  { name: 'null-min', of: ({ low, high }) => ({ min: null, max: high, rows: [low, high] }) },
  { name: 'null-max', of: ({ low, high }) => ({ min: low, max: null, rows: [low, high] }) },
  { name: 'absent', of: ({ low, high }) => ({ rows: [low, high] }) },
  { name: 'nan', of: only(isFloat, ({ low }) => ({ min: low, max: 'NaN', rows: [low, 'NaN'] })) },
  { name: 'nan-hidden', of: only(isFloat, ({ low }) => ({ min: low, max: low, rows: [low, 'NaN'] })) },
  { name: 'infinity', of: only(isFloat, ({ low }) => ({ min: low, max: 'Infinity', rows: [low, 'Infinity'] })) },
  {
    name: 'minus-infinity',
    of: only(isFloat, ({ high }) => ({ min: '-Infinity', max: high, rows: ['-Infinity', high] })),
  },
  { name: 'minus-zero', of: only(isFloat, () => ({ min: '-0.0', max: '-0.0', rows: ['0', '-0.0'] })) },
  {
    name: 'cut',
    of: only(
      ({ type }) => type === 'string',
      () => ({ min: 'bcd', max: 'bce', rows: ['bcdefgh', 'bcdzzz'] }),
    ),
  },
]

const isOdd = (value: string): boolean => /NaN|Infinity/.test(value)

/** JSON of bounds; columns whose bound is absent are left out. */
function boundsJson(state: State, side: 'min' | 'max'): string {
  const members = COLUMNS.flatMap((column, i) => {
    const value = column.type === 'binary' ? undefined : state.of(column)[side]
    if (value === undefined) return []
    const json = value === null ? 'null' : column.quoted || isOdd(value) ? JSON.stringify(value) : value
    return [`"${nameOf(i)}":${json}`]
  })
  return `{${members.join(',')}}`
}

function statsJson(state: State): string {
  return `{"numRecords":2,"minValues":${boundsJson(state, 'min')},"maxValues":${boundsJson(state, 'max')},"nullCount":{}}`
}

const pathOf = ({ name }: State): string => `${name}.parquet`
const SCHEMA = JSON.stringify({
  type: 'struct',
  fields: [
    ...COLUMNS.map(({ type }, i) => ({ name: nameOf(i), type, nullable: true, metadata: {} })),
    ...COLUMNS.map(({ type }, i) => ({ name: `p${i}`, type, nullable: true, metadata: {} })),
  ],
})
const PARTITIONS = COLUMNS.map((_, i) => `p${i}`)
const FEATURES = ['timestampNtz', 'v2Checkpoint']
const HEAD = [
  JSON.stringify({
    protocol: { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: FEATURES, writerFeatures: FEATURES },
  }),
  JSON.stringify({
    metaData: {
      id: '11111111-2222-3333-4444-555555555555',
      format: { provider: 'parquet', options: {} },
      schemaString: SCHEMA,
      partitionColumns: PARTITIONS,
      configuration: {},
      createdTime: 0,
    },
  }),
]

/** Partition values of a file: a value of the type, or NULL if its bounds are NULL. */
function partitionOf(state: State): Readonly<Record<string, string | null>> {
  return Object.fromEntries(COLUMNS.map((column, i) => [PARTITIONS[i] as string, state.of(column).max ?? null]))
}

type Form = {
  readonly text: boolean
  readonly struct: boolean
}

/** JSON of an add, as a commit has it or as DuckDB reads it into a row of a checkpoint. */
function addJson(state: State, { text: hasText, struct }: Form): string {
  const values = partitionOf(state)
  const parsed = COLUMNS.flatMap((column, i) => {
    const value = values[PARTITIONS[i] as string] ?? null
    if (value === null) return []
    return [`"p${i}":${column.quoted || isOdd(value) ? JSON.stringify(value) : value}`]
  })
  const members = [
    `"path":"${pathOf(state)}","partitionValues":${JSON.stringify(values)},"size":1,"modificationTime":0,"dataChange":true`,
    ...(hasText ? [`"stats":${JSON.stringify(statsJson(state))}`] : []),
    ...(struct ? [`"stats_parsed":${statsJson(state)},"partitionValues_parsed":{${parsed.join(',')}}`] : []),
  ]
  return `{"add":{${members.join(',')}}}`
}

const bounds = (name: string): string => `STRUCT(${COLUMNS.map(({ duckdb }, i) => `${name}${i} ${duckdb}`).join(', ')})`
const ADD = `STRUCT(path VARCHAR, partitionValues MAP(VARCHAR, VARCHAR), size BIGINT, modificationTime BIGINT, dataChange BOOLEAN, stats VARCHAR,
  stats_parsed STRUCT(numRecords BIGINT, "minValues" ${bounds('c')}, "maxValues" ${bounds('c')}), partitionValues_parsed ${bounds('p')})`
const PROTOCOL = `STRUCT(minReaderVersion INTEGER, minWriterVersion INTEGER, readerFeatures VARCHAR[], writerFeatures VARCHAR[])`
const METADATA = `STRUCT(id VARCHAR, format STRUCT(provider VARCHAR, options MAP(VARCHAR, VARCHAR)), schemaString VARCHAR, partitionColumns VARCHAR[],
  configuration MAP(VARCHAR, VARCHAR), createdTime BIGINT)`

async function writeParquet(file: string, lines: readonly string[]): Promise<void> {
  const rows = `${file}.rows`
  writeFileSync(rows, lines.join('\n'))
  using db = await openDuckDb({ threads: 1, memoryLimit: '256MB' })
  const columns = `{protocol: ${sqlLiteral(PROTOCOL)}, metaData: ${sqlLiteral(METADATA)}, add: ${sqlLiteral(ADD)}}`
  await db.connection.run(
    `COPY (SELECT * FROM read_json(${sqlLiteral(rows)}, format = 'newline_delimited', columns = ${columns})) TO ${sqlLiteral(file)} (FORMAT parquet)`,
  )
  rmSync(rows)
}

const V0 = '00000000000000000000'
const versionName = (version: number): string => `${String(version).padStart(20, '0')}.json`

const FORMS: readonly { readonly name: string; readonly write: (log: string) => Promise<void> }[] = [
  {
    name: 'commit',
    write: async (log) => {
      const adds = STATES.map((state) => addJson(state, { text: true, struct: false }))
      writeFileSync(join(log, versionName(0)), [...HEAD, ...adds].join('\n'))
    },
  },
  {
    name: 'compacted file',
    write: async (log) => {
      const adds = STATES.map((state) => addJson(state, { text: true, struct: false }))
      writeFileSync(join(log, versionName(0)), HEAD.join('\n'))
      writeFileSync(join(log, versionName(1)), adds.slice(0, 5).join('\n'))
      writeFileSync(join(log, versionName(2)), adds.slice(5).join('\n'))
      writeFileSync(join(log, `${V0.slice(0, -1)}1.${V0.slice(0, -1)}2.compacted.json`), adds.toReversed().join('\n'))
    },
  },
  ...(
    [
      ['checkpoint, as text', { text: true, struct: false }],
      ['checkpoint, as struct', { text: false, struct: true }],
      ['checkpoint, as both', { text: true, struct: true }],
    ] as const
  ).map(([name, form]) => ({
    name,
    write: async (log: string) => {
      await writeParquet(join(log, `${V0}.checkpoint.parquet`), [
        ...HEAD,
        ...STATES.map((state) => addJson(state, form)),
      ])
    },
  })),
  {
    name: 'V2 sidecar, as struct',
    write: async (log) => {
      mkdirSync(join(log, '_sidecars'))
      const sidecar = join(log, '_sidecars/s.parquet')
      await writeParquet(
        sidecar,
        STATES.map((state) => addJson(state, { text: false, struct: true })),
      )
      const named = { path: 's.parquet', sizeInBytes: statSync(sidecar).size, modificationTime: 0 }
      const lines = [
        JSON.stringify({ checkpointMetadata: { version: 0 } }),
        ...HEAD,
        JSON.stringify({ sidecar: named }),
      ]
      writeFileSync(join(log, `${V0}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json`), lines.join('\n'))
    },
  },
]

/** Negative, zero or positive by SQL's order: NaN above all numbers, text by code points. Exact for integers. */
function compareValues({ type, quoted }: Column, a: string, b: string): number {
  if (quoted) return a < b ? -1 : a > b ? 1 : 0
  if (type === 'long' || type === 'decimal(38,0)')
    return Number(BigInt(a) - BigInt(b) > 0n) - Number(BigInt(a) - BigInt(b) < 0n)
  const [left, right] = [a, b].map((value) => (type === 'boolean' ? Number(value === 'true') : Number(value))) as [
    number,
    number,
  ]
  if (Number.isNaN(left) || Number.isNaN(right)) return Number(Number.isNaN(left)) - Number(Number.isNaN(right))
  return left - right
}

const OPERATORS: Readonly<Record<string, (order: number) => boolean>> = {
  '=': (order) => order === 0,
  '<>': (order) => order !== 0,
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
}

/** Conditions on a column: with its own values, and with others if its type has some. */
function literalsOf(column: Column): readonly string[] {
  const more: Readonly<Record<string, readonly string[]>> = {
    string: ['bcdefgh', 'bcdzzz', 'c'],
    double: ['0'],
    float: ['0'],
  }
  return [column.low, column.high, ...(more[column.type] ?? [])]
}

describe('a file with a matching row is never skipped by a condition', { timeout: 60_000 }, () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-bounds-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test.each(FORMS)('statistics in a $name', async ({ name, write }) => {
    const root = join(folder, name.replaceAll(/\W/g, '-'))
    mkdirSync(join(root, '_delta_log'), { recursive: true })
    await write(join(root, '_delta_log'))
    const table = await DeltaTable.open(await openLake(root), parquetRows, NEVER.abort, 'all')
    const snapshot = await table.snapshot({})
    const { protocol, metadata } = await snapshot.head(NEVER.abort)
    type Facts = {
      readonly path: string
      readonly values: Readonly<Record<string, string | null>>
      readonly stats: string | null
    }
    const log: Facts[] = []
    for await (const block of snapshot.files({ signal: NEVER.abort })) {
      for (const { add } of block)
        log.push({ path: add.path, values: add.partitionValues ?? {}, stats: add.stats ?? null })
    }
    const url = `sqlite:///${root}.db`
    expect((await perform(importOf(root, url))).finished.status).toBe('ok')
    const catalog: Facts[] = []
    const database = await openCatalogDatabase(url, 'read')
    try {
      const [row] = await database.all('SELECT table_id, current_version FROM delta_tables')
      for await (const page of activeFiles(database, String(row?.[0]), Number(row?.[1]))) {
        for (const { path, partitionValues, stats } of page) {
          catalog.push({ path, values: JSON.parse(partitionValues) as Facts['values'], stats })
        }
      }
    } finally {
      await database.close()
    }
    const schema = schemaOf(protocol, metadata)
    const lost: string[] = []
    let skipped = 0
    for (const [i, column] of COLUMNS.entries()) {
      for (const value of literalsOf(column)) {
        const shown = column.quoted ? `'${value}'` : value
        for (const [op, meets] of Object.entries(OPERATORS)) {
          for (const [of, rowsOf] of [
            [nameOf(i), (state: State) => state.of(column).rows],
            [`p${i}`, (state: State) => [state.of(column).max ?? null].filter((one) => one !== null)],
          ] as const) {
            const condition = `${of} ${op} ${shown}`
            const pruning = compilePruning(parsePredicate(condition), schema, PARTITIONS)
            for (const [side, files] of [
              ['log', log],
              ['catalog', catalog],
            ] as const) {
              const left = new Set(
                files.filter((file) => pruning.byFile(file.values, file.stats)).map(({ path }) => path),
              )
              skipped += files.length - left.size
              for (const state of STATES) {
                const isThere = rowsOf(state).some((row) => meets(compareValues(column, row, value)))
                if (isThere && !left.has(pathOf(state)))
                  lost.push(`${side}: ${condition}: ${state.name} (${column.type})`)
              }
            }
          }
        }
      }
    }
    expect(lost).toEqual([])
    // Conditions do skip files: at least half of all columns' worth of partitions.
    expect(skipped).toBeGreaterThan(COLUMNS.length * STATES.length)
    const checked = await perform(fsckOf(root))
    const found = checked.events.flatMap((event) =>
      event.type === 'fsck.finding' && event.finding !== 'file-missing' && event.level === 'finding'
        ? [event.detail]
        : [],
    )
    expect(found).toEqual([])
  })

  test('validate finds a catalog that read NULL as -Infinity, and the hint says how to repair it', async () => {
    const root = join(folder, 'imported-before')
    mkdirSync(join(root, '_delta_log'), { recursive: true })
    await writeParquet(join(root, '_delta_log', `${V0}.checkpoint.parquet`), [
      ...HEAD,
      ...STATES.map((state) => addJson(state, { text: false, struct: true })),
    ])
    const url = `sqlite:///${root}.db`
    expect((await perform(importOf(root, url))).finished.status).toBe('ok')
    expect((await perform(validateOf(root, url))).finished.status).toBe('ok')
    const database = await openCatalogDatabase(url, 'write')
    await database.write((transaction) =>
      transaction.run(
        `UPDATE delta_files SET stats = replace(stats, '"maxValues":{}', '"maxValues":{"c5":"-Infinity"}') WHERE path = 'null-max.parquet'`,
      ),
    )
    await database.close()
    const { finished } = await perform(validateOf(root, url))
    expect(finished.error).toMatchObject({
      code: 'DIFFERENCES',
      hint: expect.stringContaining('import it again') as string,
    })
  })
})
