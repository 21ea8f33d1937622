/** Rows into Parquet files and back: every type with its problematic values, and failures on the way. */
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { InspectedFile } from '../../src/model/archive/archived-file.ts'
import type { ParquetFiles, ReadFiles } from '../../src/model/archive/parquet-port.ts'
import type { StoredTable } from '../../src/model/archive/stored-column.ts'
import type { ColumnType } from '../../src/model/copy/column-type.ts'
import { equalDigests, type Cell, type Digest, type Row } from '../../src/model/copy/rows.ts'
import { digestSum } from '../../src/model/copy/row-hash.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { openDuckdbArchiveQuery } from '../../src/stores/duckdb/archive-query/index.ts'
import { openDuckdbParquetFiles } from '../../src/stores/duckdb/archive/index.ts'
import { column, csvOf, drained, gathered, NEVER, newFolder, stored, sumOf } from '../support/archive-kit.ts'
import { TEXTS, ZOO } from '../support/copy-zoo.ts'

const MB = 1 << 20
const NOTHING: Digest = { rows: 0n, sum: '' }
let folder: string
let files: ParquetFiles
let count = 0
beforeAll(async () => {
  folder = newFolder()
  files = await openDuckdbParquetFiles({ memoryBytes: 512 * MB, threads: 2, tempFolder: join(folder, 'temp') })
})
afterAll(async () => {
  await files[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

async function written(table: StoredTable, csv: AsyncIterable<Buffer>, fileBytes = 100 * MB): Promise<string[]> {
  const request = { table, folder: join(folder, 'files'), prefix: `part-${++count}`, fileBytes, signal: NEVER }
  return (await files.write(request, csv)).map(({ name }) => join(request.folder, name))
}

/** Writes rows to files and reads them back in every way; rows are identified by their first column. */
async function goesThrough(table: StoredTable, rows: readonly Row[]): Promise<void> {
  const { columns } = table
  const request = { columns, files: await written(table, csvOf(rows, columns)), signal: NEVER }
  expect(await inspectedSum(request)).toEqual(sumOf(rows))
  const back = (await gathered(files.rows(request, 7))).map((row) => row.map(plain))
  expect(back.toSorted(byFirst)).toEqual(rows.map((row) => row.map(plain)).toSorted(byFirst))
  const { text, rows: counted } = await drained(files.csv(request))
  expect(counted).toBe(BigInt(rows.length))
  const again = { ...request, files: await written(table, once(text)) }
  expect(await inspectedSum(again)).toEqual(sumOf(rows))
}

/** Rows of a quarter of a megabyte and more get files of their own. */
async function inspectedSum(request: ReadFiles): Promise<Digest> {
  return digestSum((await files.inspect(request)).map(({ digest }) => digest))
}

async function gatheredBytes(csv: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const all: Buffer[] = []
  for await (const piece of csv) all.push(piece)
  return all
}

async function* once(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text)
}

function byFirst([a]: Row, [b]: Row): number {
  return Number(a) - Number(b)
}

function plain(cell: Cell): Cell {
  return cell instanceof Uint8Array ? `\\x${Buffer.from(cell).toString('hex')}` : cell
}

const numbered = (cells: readonly Cell[]): Row[] => cells.map((cell, i) => [String(i), cell])
const ID = column('id', { kind: 'int', bits: 32 })

const HARD: readonly { readonly name: string; readonly type: ColumnType; readonly cells: readonly Cell[] }[] = [
  ...ZOO,
  {
    name: 'floats',
    type: { kind: 'float', bits: 64 },
    cells: [
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      -0,
      0,
      5e-324,
      1e308,
      1 / 3,
      1e22,
      123456789.125,
      null,
    ],
  },
  {
    name: 'numeric(4,4)',
    type: { kind: 'decimal', precision: 4, scale: 4 },
    cells: ['0.0012', '-0.0012', '0', '0.9999', '-0.9999', '0.5', null],
  },
  {
    name: 'numeric(38,38)',
    type: { kind: 'decimal', precision: 38, scale: 38 },
    cells: [`0.${'1'.repeat(38)}`, `-0.${'9'.repeat(38)}`, '0', null],
  },
  {
    name: 'numeric(38)',
    type: { kind: 'decimal', precision: 38, scale: 0 },
    cells: ['9'.repeat(38), `-${'9'.repeat(38)}`, '0', null],
  },
  {
    name: 'text',
    type: { kind: 'text' },
    cells: [...TEXTS, '\\.', 'a\u0000b', '\u0000', ',', '"', '""', '\r', '\n', '\u{feff}', ' x ', '#', null],
  },
  { name: 'char', type: { kind: 'text', padded: true }, cells: ['a', ' a', '', null] },
  { name: 'json', type: { kind: 'json' }, cells: ['{"a": 1,  "a": 2}', '[]', 'null', null] },
  { name: 'int24', type: { kind: 'int', bits: 24, unsigned: true }, cells: ['16777215', '0', null] },
  { name: 'uint32', type: { kind: 'int', bits: 32, unsigned: true }, cells: ['4294967295', '0', null] },
  { name: 'int8', type: { kind: 'int', bits: 8 }, cells: ['-128', '127', null] },
  { name: 'uint8', type: { kind: 'int', bits: 8, unsigned: true }, cells: ['255', null] },
  {
    name: 'timestamptz',
    type: { kind: 'timestamp', zone: true, digits: 6 },
    cells: ['0001-01-01 00:00:00', '9999-12-31 23:59:59.999999', '1969-12-31 23:59:59.000001', null],
  },
]

const hardTable = stored([ID, ...HARD.map(({ name, type }, i) => column(`${i} ${name}`, type))])
const HARD_ROWS: readonly Row[] = Array.from({ length: Math.max(...HARD.map(({ cells }) => cells.length)) }, (_, r) => [
  String(r),
  ...HARD.map(({ cells }) => cells[r] ?? null),
])
const TEXT: ColumnType = { kind: 'text' }
const simple = stored([ID, column('note', TEXT)])
const simpleRows = (many: number): Row[] => Array.from({ length: many }, (_, i) => [String(i), `note ${i}`])

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  return error instanceof SluiceError ? error.code : String(error)
}

describe('values', () => {
  it('of every type are read back unchanged', () => goesThrough(hardTable, HARD_ROWS))

  it('of a single column are read back, even if a line of the CSV is empty', async () => {
    const table = stored([column('only', TEXT)])
    const rows: Row[] = [[null], [''], ['\\.'], ['\n'], [null], ['\u{feff}'], [null]]
    const request = { columns: table.columns, files: await written(table, csvOf(rows, table.columns)), signal: NEVER }
    expect((await files.inspect(request))[0]?.digest).toEqual(sumOf(rows))
    expect((await gathered(files.rows(request, 2))).toSorted()).toEqual(rows.toSorted())
    const { text } = await drained(files.csv(request))
    expect(text.split('\n')).toContain('"\\."')
    expect((await files.inspect({ ...request, files: await written(table, once(text)) }))[0]?.digest).toEqual(
      sumOf(rows),
    )
  })

  it('under names with a meaning in DuckDB and Parquet, in folders whose names are patterns, are read back', async () => {
    const names = ['id', 'filename', 'file_row_number', 'rowid', 'c0', 'c1', 'sluice_partition', 'Ü"x', 'a.b', 'select']
    for (const all of [names, [...names, 'with blank', 'ROWID', '']]) {
      const table = stored(
        all.map((name, i) => (i === 0 ? ID : column(name, TEXT))),
        { sortBy: ['c1'] },
      )
      expect(table.mapped).toBe(all !== names)
      const rows: Row[] = [1, 2, 3].map((r) => [String(r), ...all.slice(1).map((_, i) => `${r} ${i}`)])
      const into = join(folder, 'files', `sluice_partition=a*[b]{c}'${all.length}`)
      mkdirSync(into)
      const request = { table, folder: into, prefix: 'x', fileBytes: MB, signal: NEVER }
      const made = await files.write(request, csvOf(rows, table.columns))
      expect(made.map(({ name, rows: held }) => [name, held])).toEqual([['x-00000.parquet', 3n]])
      const read = { columns: table.columns, files: [join(into, 'x-00000.parquet')], signal: NEVER }
      expect((await files.inspect(read))[0]?.digest).toEqual(sumOf(rows))
      expect((await gathered(files.rows(read, 9))).toSorted(byFirst)).toEqual(rows)
    }
  })

  it('of any size are read back, however the CSV is cut', async () => {
    const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, i) => (i * 7919) % 256))
    const table = stored([ID, column('note', TEXT), column('raw', { kind: 'bytes' }), column('end', TEXT)])
    const rows: Row[] = [
      ['1', '"",\n\r\n'.repeat(60_000), bytes(300_000), 'x'],
      ['2', '', bytes(0), '"'],
      ['3', null, bytes(150_001), ''],
      ['4', 'é\u{1F600}'.repeat(70_000), null, null],
      ['5', ',\n"'.repeat(60_000), bytes(7), 'a,b\n'.repeat(60_000)],
      ['6', 'small', bytes(3), null],
      ['7', null, null, null],
    ]
    const whole = Buffer.concat(await gatheredBytes(csvOf(rows, table.columns)))
    for (const size of [whole.length, 65_536, 100_003, 262_144]) {
      const cut = async function* (): AsyncGenerator<Buffer> {
        for (let at = 0; at < whole.length; at += size) yield whole.subarray(at, at + size)
      }
      const request = { columns: table.columns, files: await written(table, cut()), signal: NEVER }
      expect(await inspectedSum(request), String(size)).toEqual(sumOf(rows))
      expect(request.files.length).toBeGreaterThan(1)
    }
    await expect(
      written(table, once(whole.subarray(0, whole.indexOf('"",') + 300_000).toString())),
    ).rejects.toMatchObject({
      code: 'SOURCE_IO',
    })
  })

  it('of 20 MB are read back', async () => {
    const rows: Row[] = [
      ['1', 'é"\n'.repeat(4 * MB)],
      ['2', null],
    ]
    const request = {
      columns: simple.columns,
      files: await written(simple, csvOf(rows, simple.columns)),
      signal: NEVER,
    }
    expect(await inspectedSum(request)).toEqual(sumOf(rows))
    const [small, found] = await files.inspect(request)
    expect([small?.rows, found?.rows]).toEqual([1n, 1n])
    expect(JSON.parse(found?.stats.max['note'] ?? '')).toBe(`${'é"\n'.repeat(11).slice(0, 32)}\u007f`)
  })

  it.each([
    ['date', { kind: 'date' }, '0044-03-15 BC'],
    ['date', { kind: 'date' }, 'infinity'],
    ['date', { kind: 'date' }, '-infinity'],
    ['date', { kind: 'date' }, '10000-01-01'],
    ['date', { kind: 'date' }, '0000-00-00'],
    ['timestamp', { kind: 'timestamp', zone: true, digits: 6 }, '0044-03-15 12:00:00 BC'],
    ['timestamp', { kind: 'timestamp', zone: true, digits: 6 }, 'infinity'],
    ['timestamp_ntz', { kind: 'timestamp', zone: false, digits: 6 }, '294276-01-01 00:00:00'],
    ['timestamp_ntz', { kind: 'timestamp', zone: false, digits: 6 }, '2024-01-01 00:00:00.1234567'],
    ['decimal(5,2)', { kind: 'decimal', precision: 5, scale: 2 }, 'NaN'],
    ['decimal(5,2)', { kind: 'decimal', precision: 5, scale: 2 }, '1.005'],
    ['decimal(5,2)', { kind: 'decimal', precision: 5, scale: 2 }, '1000'],
    ['decimal(5,2)', { kind: 'decimal', precision: 5, scale: 2 }, 'Infinity'],
    ['short', { kind: 'int', bits: 16 }, '32768'],
    ['decimal(20,0)', { kind: 'int', bits: 64, unsigned: true }, '1.5'],
  ] as const)('that %s cannot hold are refused', async (type, of, text) => {
    const table = stored([ID, column('odd, "name"', of)])
    const rows: Row[] = [...simpleRows(3).map(([id = null]): Row => [id, null]), ['9', text]]
    await expect(written(table, csvOf(rows, table.columns))).rejects.toMatchObject({
      code: 'VALUE_REFUSED',
      message: `odd, "name": an archive cannot store this value as ${type}: ${text}`,
      hint: 'correct the value at the source',
    })
  })

  it('of columns that are archived as text are accepted, whatever they are', async () => {
    const table = stored([ID, column('odd', { kind: 'date' })], { asText: ['odd'] })
    await goesThrough(table, numbered(['0044-03-15 BC', 'infinity', null]))
  })
})

describe('files', () => {
  it('end at the size limit, keep the order of the rows, and none is empty', async () => {
    const table = stored([column('id', { kind: 'int', bits: 64 }), column('note', TEXT)], { sortBy: ['id'] })
    const many = 400_000
    const rows = Array.from({ length: many }, (_, i): Row => [String((i * 7919) % many), `${Math.sin(i)}`])
    const made = await written(table, csvOf(rows, table.columns, 1 << 20), MB)
    expect(made.length).toBeGreaterThan(2)
    const found = await files.inspect({ columns: table.columns, files: made, signal: NEVER })
    expect(found.reduce((sum, one) => sum + one.rows, 0n)).toBe(BigInt(many))
    const edges = found.flatMap(({ stats }) => [Number(stats.min['id']), Number(stats.max['id'])])
    expect(edges).toEqual(edges.toSorted((a, b) => a - b))
    expect(await written(table, once(''))).toEqual([])
    expect(readdirSync(join(folder, 'files')).filter((name) => name.startsWith(`part-${count}`))).toEqual([])
  })

  it('of many partitions are written and read at the same time', async () => {
    const all = await Promise.all(
      Array.from({ length: 6 }, async (_, i) => {
        const rows = simpleRows(20_000 + i)
        const request = {
          columns: simple.columns,
          files: await written(simple, csvOf(rows, simple.columns)),
          signal: NEVER,
        }
        const again = await written(simple, files.csv(request))
        return (await files.inspect({ ...request, files: again })).map(({ rows: held }) => held)
      }),
    )
    expect(all).toEqual(all.map((_, i) => [BigInt(20_000 + i)]))
  })

  it('have statistics that bound their values', async () => {
    const long = 'x'.repeat(40)
    const table = stored([
      ID,
      column('long', TEXT),
      column('last', TEXT),
      column('wide', TEXT),
      column('moment', { kind: 'timestamp', zone: true, digits: 6 }),
      column('wall', { kind: 'timestamp', zone: false, digits: 6 }),
      column('day', { kind: 'date' }),
      column('whole', { kind: 'int', bits: 64 }),
      column('part', { kind: 'decimal', precision: 3, scale: 3 }),
      column('real', { kind: 'float', bits: 64 }),
      column('odd', { kind: 'float', bits: 64 }),
      column('raw', { kind: 'bytes' }),
      column('flag', { kind: 'bool' }),
      column('none', TEXT),
    ])
    const zero = Uint8Array.from([0])
    const rows: Row[] = [
      [
        '1',
        long,
        '\u{10ffff}'.repeat(40),
        '\u{feff}a',
        '2024-01-01 00:00:00.000999',
        '1969-12-31 23:59:59.999999',
        '0001-01-01',
        '-9223372036854775808',
        '-0.005',
        0,
        1,
        zero,
        '1',
        null,
      ],
      [
        '2',
        null,
        null,
        'é'.repeat(33),
        '2024-01-01 00:00:00.0011',
        '1969-12-31 23:59:59.999',
        '9999-12-31',
        '9223372036854775807',
        '0.5',
        -1e300,
        Number.NaN,
        zero,
        '0',
        null,
      ],
    ]
    const [found] = await files.inspect({
      columns: table.columns,
      files: await written(table, csvOf(rows, table.columns)),
      signal: NEVER,
    })
    expect(found?.stats).toEqual({
      numRecords: 2n,
      min: {
        id: '1',
        long: JSON.stringify(long.slice(0, 32)),
        last: JSON.stringify('\u{10ffff}'.repeat(32)),
        wide: JSON.stringify('é'.repeat(32)),
        moment: '"2024-01-01T00:00:00.000Z"',
        wall: '"1969-12-31T23:59:59.999"',
        day: '"0001-01-01"',
        whole: '-9223372036854775808',
        part: '-0.005',
        real: '-1e+300',
      },
      max: {
        id: '2',
        long: JSON.stringify(`${long.slice(0, 32)}\u007f`),
        wide: JSON.stringify('\u{feff}a'),
        moment: '"2024-01-01T00:00:00.002Z"',
        wall: '"1970-01-01T00:00:00.000"',
        day: '"9999-12-31"',
        whole: '9223372036854775807',
        part: '0.500',
        real: '0.0',
      },
      nullCount: {
        id: 0n,
        long: 1n,
        last: 1n,
        wide: 0n,
        moment: 0n,
        wall: 0n,
        day: 0n,
        whole: 0n,
        part: 0n,
        real: 0n,
        odd: 0n,
        raw: 0n,
        flag: 0n,
        none: 2n,
      },
    })
  })
})

describe('failures', () => {
  it.each([
    ['in the middle of a line', '1,a\n2,b'],
    ['in quotes', '1,a\n2,"b\n'],
    ['before a column', '1,a\n2\n'],
    ['behind a column', '1,a\n2,b,c\n'],
    ['in a character', Buffer.from([0x31, 0x2c, 0xc3, 0x0a])],
  ])('rows that end %s are refused', async (_, text) => {
    async function* broken(): AsyncGenerator<Buffer> {
      yield Buffer.from(text)
    }
    const error: unknown = await written(simple, broken()).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'SOURCE_IO' })
  })

  it.each([0, 10, 200_000])('the error of a source that fails after %i rows is passed on', async (many) => {
    async function* failing(): AsyncGenerator<Buffer> {
      yield* csvOf(simpleRows(many), simple.columns)
      throw new SluiceError('CONNECTION_LOST', 'gone')
    }
    expect(await codeOf(written(simple, failing()))).toBe('CONNECTION_LOST')
  })

  it.each([0, 10, 200_000])('an abort ends the write while the source sends nothing after %i rows', async (many) => {
    const abort = new AbortController()
    let ended = false
    async function* stalling(): AsyncGenerator<Buffer> {
      try {
        yield* csvOf(simpleRows(many), simple.columns)
        setTimeout(() => abort.abort(new SluiceError('ABORTED', 'enough')), 20)
        await new Promise((done) => setTimeout(done, 3_000))
      } finally {
        ended = true
      }
    }
    const request = {
      table: simple,
      folder: join(folder, 'files'),
      prefix: `a${many}`,
      fileBytes: MB,
      signal: abort.signal,
    }
    const writing = codeOf(files.write(request, stalling()))
    const since = await new Promise<number>((done) => abort.signal.addEventListener('abort', () => done(Date.now())))
    expect(await writing).toBe('ABORTED')
    expect(Date.now() - since).toBeLessThan(1_500)
    expect(ended).toBe(false)
    expect(await codeOf(files.write(request, stalling()))).toBe('ABORTED')
  })

  it('a missing folder and an unusable temporary folder are refused', async () => {
    const request = { table: simple, folder: join(folder, 'nowhere'), prefix: 'x', fileBytes: MB, signal: NEVER }
    expect(await codeOf(files.write(request, csvOf(simpleRows(9), simple.columns)))).toBe('TARGET_IO')
  })

  it('a file with a flipped bit, a truncated one, another one, and a missing one are refused', async () => {
    const [file = ''] = await written(hardTable, csvOf(HARD_ROWS, hardTable.columns))
    const request = { columns: hardTable.columns, files: [file], signal: NEVER }
    const whole = readFileSync(file)
    const [sound] = await files.inspect(request)
    expect(sound?.sha256).toBe(createHash('sha256').update(whole).digest('hex'))
    const places = process.env['SLUICE_TEST_ALL'] === '1' ? 300 : 25
    let noticed = 0
    for (let i = 0; i < places; i++) {
      const at = Math.floor((whole.length * i) / places)
      const flipped = Buffer.from(whole)
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (i % 8))
      writeFileSync(file, flipped)
      const found = await files.inspect(request).catch((error: unknown) => error)
      if (found instanceof Error) {
        expect(found).toMatchObject({ code: 'PROOF_FAILED' })
        noticed++
      } else {
        const [one] = found as InspectedFile[]
        expect(one?.sha256).not.toBe(sound?.sha256)
        if (!equalDigests(one?.digest ?? NOTHING, sound?.digest ?? NOTHING)) noticed++
      }
    }
    expect(noticed).toBeGreaterThan(places / 4)
    for (const bytes of [0, 10, whole.length >> 1, whole.length - 1]) {
      writeFileSync(file, whole.subarray(0, bytes))
      expect(await codeOf(files.inspect(request)), `${bytes} bytes`).toBe('PROOF_FAILED')
      expect(await codeOf(gathered(files.rows(request, 9)))).toBe('PROOF_FAILED')
      expect(await codeOf(drained(files.csv(request)))).toBe('PROOF_FAILED')
    }
    const [other = ''] = await written(simple, csvOf(simpleRows(9), simple.columns))
    expect(await codeOf(files.inspect({ ...request, files: [other] }))).toBe('PROOF_FAILED')
    expect(await codeOf(files.inspect({ ...request, files: [`${file}.gone`] }))).toBe('PROOF_FAILED')
  })
})

/** Damages the bytes of a Parquet file. */
const CUTS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  'cut at its end': (bytes) => bytes.subarray(0, bytes.length - 4),
  'cut at its beginning': (bytes) => bytes.subarray(bytes.length >> 1),
  'of which nothing is left': () => Buffer.alloc(0),
  'with zeros in place of its rows': (bytes) => Buffer.from(bytes).fill(0, 4, bytes.length >> 1),
}

it.each(Object.entries(CUTS))('a file %s is no damaged database when keys are compared with it', async (name, cut) => {
  const table = stored([ID])
  const rows = Array.from({ length: 50_000 }, (_, i): Row => [String((i * 7919) % 1_000_003)])
  const [whole = ''] = await written(table, csvOf(rows, table.columns))
  const file = join(folder, `${name.replaceAll(' ', '-')}.parquet`)
  writeFileSync(file, cut(readFileSync(whole)))
  const columns = table.columns.map((one) => ({ ...one, archived: true, hot: true }))
  await using query = await openDuckdbArchiveQuery({
    table: { name: 'things' },
    columns,
    sql: 'SELECT count(*) FROM things',
    limit: 1,
    files: [file],
    signal: NEVER,
  })
  const has = table.columns.map((one) => ({ physical: one.physical, stored: one.stored }))
  const shared = [{ within: null, key: ['id'], files: [{ file, label: '2020-Q1', rows: 50_000n, has }] }]
  await expect(query.addRows(columns, csvOf(rows.slice(0, 2), table.columns), [], shared)).rejects.toMatchObject({
    code: 'PARTITION_CHANGED',
    message: expect.stringMatching(/^a file of the archive differs from the proved one: /) as string,
  })
})
