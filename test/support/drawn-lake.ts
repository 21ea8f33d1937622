/**
 * Small random Delta tables: columns of all primitive types with extreme values, correct statistics in the styles of
 * several writers, and every form of a log. Data files are real, so that other readers can be compared.
 */
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { sqlLiteral, openDuckDb, type DuckDb } from '../../src/stores/duckdb/instance.ts'

/** Texts are what DuckDB casts to the type. */
type Kind = {
  readonly type: string
  readonly duckdb: string
  readonly values: readonly string[]
  /** Whether statistics and conditions write the value in quotes. */
  readonly quoted: boolean
}
const LONG_TEXT = 'abcdefghijklmnopqrstuvwxyz012345'
const TIMES = ['1969-12-31T23:59:59.999999', '2024-02-29T12:00:00.123456', '2024-02-29T12:00:00.123999', '1900-01-01T00:00:00.000001'] // prettier-ignore
const number = (type: string, duckdb: string, ...values: string[]): Kind => ({ type, duckdb, values, quoted: false })
const text = (type: string, duckdb: string, ...values: string[]): Kind => ({ type, duckdb, values, quoted: true })
const KINDS: readonly Kind[] = [
  number('byte', 'TINYINT', '-128', '-1', '0', '127'),
  number('short', 'SMALLINT', '-32768', '0', '32767'),
  number('integer', 'INTEGER', '-2147483648', '-1', '0', '2147483647'),
  number('long', 'BIGINT', '-9223372036854775808', '-9007199254740993', '0', '9007199254740993', '9223372036854775807'),
  number('float', 'FLOAT', '-1.1', '-0.0', '0', '7.3', '3.4028235e38', 'NaN', 'Infinity', '-Infinity'),
  number('double', 'DOUBLE', '-0.1', '-0.0', '0', '7.3', '1e300', '5e-324', 'NaN', 'Infinity', '-Infinity'),
  number('decimal(10,2)', 'DECIMAL(10,2)', '-1.50', '0.00', '7.25', '99999999.99'),
  number('decimal(38,10)', 'DECIMAL(38,10)', '-1234567890123456789012345678.0123456789', '0.0000000001', '9999999999999999999999999999.9999999999'), // prettier-ignore
  text('string', 'VARCHAR', '', 'a', 'é', '😀', `${LONG_TEXT}a`, `${LONG_TEXT}zz`, `${LONG_TEXT}😀x`, '\u{10ffff}'.repeat(40), '￿'.repeat(40), "o'k"), // prettier-ignore
  text('binary', 'BLOB', 'b', 'm'),
  number('boolean', 'BOOLEAN', 'false', 'true'),
  text('date', 'DATE', '1969-12-31', '2024-02-29', '0001-01-01', '9999-12-31'),
  text('timestamp', 'TIMESTAMP WITH TIME ZONE', ...TIMES.map((time) => `${time}Z`)),
  text('timestamp_ntz', 'TIMESTAMP', ...TIMES),
]
const NAMES = KINDS.map((_, i) => `c${i}`)
const PARTITIONS = KINDS.map((_, i) => `p${i}`)
const isOdd = (value: string): boolean => /NaN|Infinity/.test(value)
const sql = ({ duckdb }: Kind, value: string | null): string =>
  value === null ? `CAST(NULL AS ${duckdb})` : `CAST(${sqlLiteral(value)} AS ${duckdb})`

/** How a writer records the bounds of a column. */
const HABITS = ['full', 'full', 'absent', 'null', 'no-min', 'no-max', 'nan'] as const
type Habit = (typeof HABITS)[number]
type Row = readonly (string | null)[]
type DrawnFile = {
  readonly rows: readonly Row[]
  readonly partition: readonly (string | null)[]
  readonly habits: readonly Habit[]
  readonly stats: 'given' | 'none'
  readonly nullCount: boolean
}

const valueOf = (kind: Kind): fc.Arbitrary<string | null> =>
  fc.option(fc.constantFrom(...kind.values), { freq: 5, nil: null })
const partitionOf = (kind: Kind): fc.Arbitrary<string | null> =>
  fc.option(fc.constantFrom(...kind.values.filter((value) => value !== '')), { freq: 5, nil: null })
const each = <T>(of: (kind: Kind) => fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.tuple(...KINDS.map(of))
const drawnFile: fc.Arbitrary<DrawnFile> = fc.record({
  rows: fc.array(each(valueOf), { minLength: 1, maxLength: 3 }),
  partition: each(partitionOf),
  habits: each(() => fc.constantFrom(...HABITS)),
  stats: fc.constantFrom('given', 'given', 'given', 'none'),
  nullCount: fc.boolean(),
})

const FORMS = ['commits', 'compacted', 'text', 'struct', 'both', 'sidecar'] as const
export type DrawnLake = {
  readonly files: readonly DrawnFile[]
  /** The commit (1 to 4) that adds a file, and the commit that removes it. */
  readonly history: readonly { readonly added: number; readonly removed: number | null }[]
  readonly form: (typeof FORMS)[number]
  readonly isCleaned: boolean
  readonly conditions: readonly DrawnCondition[]
}

const OPERATORS = ['=', '<>', '<', '<=', '>', '>='] as const
/** A condition in the syntax of sluice and of DuckDB. */
type DrawnCondition = { readonly shown: string; readonly sql: string }
const leaf: fc.Arbitrary<DrawnCondition> = fc
  .record({
    column: fc.nat(KINDS.length - 1),
    op: fc.constantFrom(...OPERATORS, 'null', 'not null', 'in'),
    isPartition: fc.boolean(),
    first: fc.nat(20),
    second: fc.nat(20),
  })
  .map(({ column, op, isPartition, first, second }) => {
    const kind = KINDS[column] as Kind
    const name = (isPartition ? PARTITIONS : NAMES)[column] as string
    const able = kind.values.filter((value) => !isOdd(value))
    const [a, b] = [first, second].map((no) => able[no % able.length] as string) as [string, string]
    const shown = (value: string): string => (kind.quoted ? sqlLiteral(value) : value)
    if (op === 'null' || op === 'not null') {
      const both = `${name} IS ${op.toUpperCase()}`
      return { shown: both, sql: both }
    }
    if (op === 'in') {
      return { shown: `${name} IN (${shown(a)}, ${shown(b)})`, sql: `${name} IN (${sql(kind, a)}, ${sql(kind, b)})` }
    }
    return { shown: `${name} ${op} ${shown(a)}`, sql: `${name} ${op} ${sql(kind, a)}` }
  })
const drawnCondition: fc.Arbitrary<DrawnCondition> = fc
  .record({ one: leaf, other: leaf, how: fc.constantFrom('one', 'one', 'AND', 'OR', 'NOT') })
  .map(({ one, other, how }) => {
    if (how === 'one') return one
    if (how === 'NOT') return { shown: `NOT (${one.shown})`, sql: `NOT (${one.sql})` }
    return { shown: `(${one.shown}) ${how} (${other.shown})`, sql: `(${one.sql}) ${how} (${other.sql})` }
  })

const COMMITS = 4
export const drawnLake: fc.Arbitrary<DrawnLake> = fc.record({
  files: fc.array(drawnFile, { minLength: 6, maxLength: 6 }),
  history: fc.array(
    fc.record({
      added: fc.integer({ min: 1, max: COMMITS }),
      removed: fc.option(fc.integer({ min: 2, max: COMMITS }), { freq: 2, nil: null }),
    }),
    { minLength: 6, maxLength: 6 },
  ),
  form: fc.constantFrom(...FORMS),
  isCleaned: fc.boolean(),
  conditions: fc.array(drawnCondition, { minLength: 12, maxLength: 12 }),
})

/**
 * Negative if `a` comes first, in the order of statistics: NaN is above all numbers, texts are compared by code points.
 */
function compareBounds({ type, quoted }: Kind, a: string, b: string): number {
  if (type === 'long') return Number(BigInt(a) - BigInt(b) > 0n) - Number(BigInt(a) - BigInt(b) < 0n)
  if (quoted) return Buffer.compare(Buffer.from(a), Buffer.from(b))
  if (type === 'boolean') return Number(a === 'true') - Number(b === 'true')
  if (type.startsWith('decimal')) {
    const [x, y] = [a, b].map((one) => BigInt(one.replace('.', ''))) as [bigint, bigint]
    return Number(x > y) - Number(x < y)
  }
  return Number(a) - Number(b)
}

/**
 * Bounds in JSON as a writer records them; undefined if it omits one.
 * @param isStruct if true, values keep all their digits
 */
function boundOf(kind: Kind, drawn: DrawnFile, i: number, side: 'min' | 'max', isStruct: boolean): string | undefined {
  const { type } = kind
  const habit = drawn.habits[i] as Habit
  if (type === 'binary' || habit === 'absent' || habit === `no-${side}`) return undefined
  if (habit === 'null') return 'null'
  const values = drawn.rows.map((row) => row[i] as string | null).filter((value) => value !== null)
  const numbers = values.filter((value) => value !== 'NaN')
  if (numbers.length < values.length && habit === 'nan' && side === 'max') return '"NaN"'
  const [first, ...others] = numbers
  if (first === undefined) return undefined
  const bound = others.reduce((best, one) => {
    const order = compareBounds(kind, one, best)
    return (side === 'min' ? order < 0 : order > 0) ? one : best
  }, first)
  if (type === 'string') return cutText(bound, side)
  if (!isStruct && type.startsWith('timestamp')) return JSON.stringify(bound.replace(/(\.\d{3})\d+/, '$1'))
  return isQuoted(kind, bound, isStruct) ? JSON.stringify(bound) : bound
}

/** A JSON number becomes a double on its way into a struct, which would change a decimal. */
const isQuoted = (kind: Kind, value: string, isStruct: boolean): boolean =>
  kind.quoted || isOdd(value) || (isStruct && kind.type.startsWith('decimal'))

/**
 * The first 32 characters; a largest value gets one more character that is above all others. Undefined if there is
 * none.
 */
function cutText(value: string, side: 'min' | 'max'): string | undefined {
  const characters = Array.from(value)
  if (characters.length <= 32) return JSON.stringify(value)
  const begin = characters.slice(0, 32).join('')
  if (side === 'min') return JSON.stringify(begin)
  const next = characters[32] as string
  return next === '\u{10ffff}' ? undefined : JSON.stringify(`${begin}\u{10ffff}`)
}

function statsJson(drawn: DrawnFile, isStruct: boolean): string {
  const bounds = (side: 'min' | 'max'): string =>
    KINDS.flatMap((kind, i) => {
      const bound = boundOf(kind, drawn, i, side, isStruct)
      return bound === undefined ? [] : [`"${NAMES[i]}":${bound}`]
    }).join(',')
  const nulls = NAMES.map((name, i) => `"${name}":${drawn.rows.filter((row) => row[i] === null).length}`).join(',')
  return `{"numRecords":${drawn.rows.length},"minValues":{${bounds('min')}},"maxValues":{${bounds('max')}},"nullCount":{${drawn.nullCount ? nulls : ''}}}`
}

const SCHEMA = JSON.stringify({
  type: 'struct',
  fields: [...NAMES, ...PARTITIONS].map((name, i) => ({
    name,
    type: KINDS[i % KINDS.length]?.type,
    nullable: true,
    metadata: {},
  })),
})
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

/** Partition values in the format of the protocol. */
const partitionText = ({ type }: Kind, value: string | null): string | null =>
  value !== null && type.startsWith('timestamp') ? value.replace('T', ' ').replace('Z', '') : value

export const fileName = (no: number): string => `f${no}.parquet`

function addJson(
  drawn: DrawnFile,
  no: number,
  size: number,
  form: { readonly text: boolean; readonly struct: boolean },
): string {
  const values = Object.fromEntries(KINDS.map((kind, i) => [PARTITIONS[i], partitionText(kind, drawn.partition[i] ?? null)])) // prettier-ignore
  const parsed = KINDS.flatMap((kind, i) => {
    const value = drawn.partition[i] ?? null
    return value === null ? [] : [`"${PARTITIONS[i]}":${isQuoted(kind, value, true) ? JSON.stringify(value) : value}`]
  })
  const isGiven = drawn.stats === 'given'
  const members = [
    `"path":"${fileName(no)}","partitionValues":${JSON.stringify(values)},"size":${size},"modificationTime":0,"dataChange":true`,
    ...(form.text && isGiven ? [`"stats":${JSON.stringify(statsJson(drawn, false))}`] : []),
    ...(form.struct && isGiven ? [`"stats_parsed":${statsJson(drawn, true)}`] : []),
    ...(form.struct ? [`"partitionValues_parsed":{${parsed.join(',')}}`] : []),
  ]
  return `{"add":{${members.join(',')}}}`
}

const struct = (names: readonly string[], of: (kind: Kind) => string): string =>
  `STRUCT(${KINDS.map((kind, i) => `${names[i]} ${of(kind)}`).join(', ')})`
const addColumns = (form: { readonly text: boolean; readonly struct: boolean }): string =>
  `STRUCT(path VARCHAR, partitionValues MAP(VARCHAR, VARCHAR), size BIGINT, modificationTime BIGINT, dataChange BOOLEAN${form.text ? ', stats VARCHAR' : ''}${
    form.struct
      ? `, stats_parsed STRUCT(numRecords BIGINT, "minValues" ${struct(NAMES, ({ duckdb }) => duckdb)}, "maxValues" ${struct(NAMES, ({ duckdb }) => duckdb)},
          "nullCount" ${struct(NAMES, () => 'BIGINT')}), partitionValues_parsed ${struct(PARTITIONS, ({ duckdb }) => duckdb)}`
      : ''
  })`
const CHECKPOINT = {
  protocol: `STRUCT(minReaderVersion INTEGER, minWriterVersion INTEGER, readerFeatures VARCHAR[], writerFeatures VARCHAR[])`,
  metaData: `STRUCT(id VARCHAR, format STRUCT(provider VARCHAR, options MAP(VARCHAR, VARCHAR)), schemaString VARCHAR, partitionColumns VARCHAR[],
    configuration MAP(VARCHAR, VARCHAR), createdTime BIGINT)`,
  remove: `STRUCT(path VARCHAR, deletionTimestamp BIGINT, dataChange BOOLEAN)`,
}

const commitFile = (version: number, name = 'json'): string => `${String(version).padStart(20, '0')}.${name}`

/** Creates the table, and a relation `rows` in the database with all its rows and the name of their file in `file`. */
export class LakeMaker implements Disposable {
  readonly #db: DuckDb

  private constructor(db: DuckDb) {
    this.#db = db
  }

  static async open(): Promise<LakeMaker> {
    const db = await openDuckDb({ threads: 1, memoryLimit: '512MB' })
    await db.connection.run("SET TimeZone = 'UTC'")
    return new LakeMaker(db)
  }

  /** @returns names of the active files */
  async make(folder: string, lake: DrawnLake): Promise<readonly string[]> {
    const log = join(folder, '_delta_log')
    mkdirSync(log, { recursive: true })
    const selects: string[] = []
    const sizes: number[] = []
    for (const [no, { rows, partition }] of lake.files.entries()) {
      const tuples = rows.map((row) => `SELECT ${KINDS.map((kind, i) => `${sql(kind, row[i] ?? null)} AS ${NAMES[i]}`).join(', ')}`) // prettier-ignore
      const out = join(folder, fileName(no))
      await this.#db.connection.run(`COPY (${tuples.join(' UNION ALL ')}) TO ${sqlLiteral(out)} (FORMAT parquet)`)
      sizes.push(statSync(out).size)
      const values = KINDS.map((kind, i) => `${sql(kind, partition[i] ?? null)} AS ${PARTITIONS[i]}`).join(', ')
      selects.push(...tuples.map((tuple) => `SELECT *, ${values}, ${sqlLiteral(fileName(no))} AS file FROM (${tuple})`))
    }
    const at = (version: number, form: { readonly text: boolean; readonly struct: boolean }): string[] =>
      lake.files.flatMap((drawn, no) => {
        const { added, removed } = lake.history[no] as DrawnLake['history'][number]
        if (added === version) return [addJson(drawn, no, sizes[no] as number, form)]
        const isRemoved = removed === version && removed > added
        return isRemoved ? [JSON.stringify({ remove: { path: fileName(no), deletionTimestamp: 4_000_000_000_000, dataChange: true } })] : [] // prettier-ignore
      })
    const plain = { text: true, struct: false }
    for (let version = 0; version <= COMMITS; version++) {
      const lines = version === 0 ? HEAD : at(version, plain)
      writeFileSync(join(log, commitFile(version)), [...lines, '{"commitInfo":{"operation":"WRITE"}}'].join('\n'))
    }
    const isActive = (no: number, version: number): boolean => {
      const { added, removed } = lake.history[no] as DrawnLake['history'][number]
      return added <= version && !(removed !== null && removed > added && removed <= version)
    }
    await this.#form(
      log,
      lake,
      sizes,
      isActive,
      [1, 2, 3].map((version) => at(version, plain)),
    )
    const active = lake.files.map((_, no) => no).filter((no) => isActive(no, COMMITS))
    const names = active.map((no) => fileName(no))
    await this.#db.connection.run(`CREATE OR REPLACE TABLE rows AS SELECT * FROM (${selects.join(' UNION ALL ')})`)
    await this.#db.connection.run(`DELETE FROM rows WHERE file NOT IN (${["''", ...names.map((name) => sqlLiteral(name))].join(', ')})`) // prettier-ignore
    return names
  }

  /** Files with rows that match a condition, and the number of those rows. */
  async matching(condition: DrawnCondition): Promise<{ readonly files: readonly string[]; readonly rows: number }> {
    const result = await this.#db.connection.runAndReadAll(
      `SELECT file, count(*) FROM rows WHERE ${condition.sql} GROUP BY file ORDER BY file`,
    )
    const found = result.getRows()
    return {
      files: found.map(([name]) => String(name)),
      rows: found.reduce((sum, [, count]) => sum + Number(count), 0),
    }
  }

  /** Files besides the commits: the checkpoint of version 3, or a compacted file of the commits 1 to 3. */
  async #form(
    log: string,
    { form, files, isCleaned }: DrawnLake,
    sizes: readonly number[],
    isActive: (no: number, version: number) => boolean,
    commits: readonly (readonly string[])[],
  ): Promise<void> {
    if (form === 'commits') return
    if (form === 'compacted') {
      const last = new Map<string, string>()
      for (const line of commits.flat()) {
        const { add, remove } = JSON.parse(line) as { add?: { path: string }; remove?: { path: string } }
        last.set((add ?? remove)?.path ?? '', line)
      }
      writeFileSync(join(log, commitFile(1, commitFile(3, 'compacted.json'))), [...last.values()].join('\n'))
      return
    }
    const how = { text: form === 'text' || form === 'both', struct: form !== 'text' }
    const adds = files.flatMap((drawn, no) => (isActive(no, 3) ? [addJson(drawn, no, sizes[no] as number, how)] : []))
    const removes = commits.flat().filter((line) => {
      const { remove } = JSON.parse(line) as { remove?: { path: string } }
      return remove !== undefined
    })
    const actions = [...adds, ...removes]
    if (form === 'sidecar') {
      mkdirSync(join(log, '_sidecars'))
      const sidecar = join(log, '_sidecars/s.parquet')
      await this.#parquet(sidecar, actions, { add: addColumns(how), remove: CHECKPOINT.remove })
      const named = { path: 's.parquet', sizeInBytes: statSync(sidecar).size, modificationTime: 0 }
      const lines = [{ checkpointMetadata: { version: 3 } }, { sidecar: named }].map((one) => JSON.stringify(one))
      const name = commitFile(3, 'checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json')
      writeFileSync(join(log, name), [...lines, ...HEAD].join('\n'))
    } else {
      await this.#parquet(join(log, commitFile(3, 'checkpoint.parquet')), [...HEAD, ...actions], {
        ...CHECKPOINT,
        add: addColumns(how),
      })
    }
    if (isCleaned) for (const version of [0, 1, 2]) rmSync(join(log, commitFile(version)))
  }

  async #parquet(file: string, lines: readonly string[], columns: Readonly<Record<string, string>>): Promise<void> {
    const rows = `${file}.rows`
    writeFileSync(rows, lines.join('\n'))
    const typed = Object.entries(columns)
      .map(([name, type]) => `${name}: ${sqlLiteral(type)}`)
      .join(', ')
    await this.#db.connection.run(
      `COPY (SELECT * FROM read_json(${sqlLiteral(rows)}, format = 'newline_delimited', columns = {${typed}})) TO ${sqlLiteral(file)} (FORMAT parquet)`,
    )
    rmSync(rows)
  }

  [Symbol.dispose](): void {
    this.#db[Symbol.dispose]()
  }
}
