import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { wireLine } from '../../src/model/archive/wire.ts'
import type { StoredColumn } from '../../src/model/archive/stored-column.ts'
import { normalizer } from '../../src/model/copy/canonical.ts'
import type { ColumnType, TableSpec } from '../../src/model/copy/column-type.ts'
import { RowChecksum } from '../../src/model/copy/row-hash.ts'
import type { Row } from '../../src/model/copy/rows.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { ReadColumn } from '../../src/model/copy/read-column.ts'
import type { RowRequest, SourceView } from '../../src/model/copy/source-port.ts'
import { loadCsv, refitted, type Refit } from '../../src/stores/postgresql/archive/csv-in.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { CopySession } from '../../src/stores/postgresql/server/session.ts'
import { postgresSettings } from '../../src/stores/postgresql/server/settings.ts'
import {
  POSTGRES_AVAILABLE,
  POSTGRES_MISSING,
  startPostgres,
  type PostgresServer,
} from '../support/servers/postgresql.ts'
import {
  asThemselves,
  chunk,
  collect,
  psql,
  readAll,
  request,
  SIGNAL,
  tableNamed,
  ZOO_TYPES,
  zooSql,
  type Psql,
} from './copy-postgresql-kit.ts'

/** Fields of CSV; null for an empty one without quotes. */
function parsed(csv: string): (string | null)[][] {
  const rows: (string | null)[][] = []
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))([,\n])/gy
  let row: (string | null)[] = []
  while (field.lastIndex < csv.length) {
    const [, quoted, plain, end] = field.exec(csv) ?? []
    if (end === undefined) throw new Error('this is no CSV')
    row.push(quoted?.replaceAll('""', '"') ?? (plain === '' ? null : (plain ?? null)))
    if (end === ',') continue
    rows.push(row)
    row = []
  }
  return rows
}

/** The values that a reader of the wire format gets for the fields. */
function cells(row: readonly (string | null)[], columns: readonly ReadColumn[]): Row {
  return row.map((field, i) => {
    const { kind } = columns[i]?.as ?? {}
    if (field === null || columns[i] === undefined) return null
    return kind === 'bytes' ? Buffer.from(field, 'hex') : normalizer(columns[i].as)(field)
  })
}

/** Bytes as text, because a comparison of a million numbers takes seconds. */
function shown(row: Row): unknown {
  return row.map((cell) => (typeof cell === 'object' && cell !== null ? Buffer.from(cell).toString('hex') : cell))
}

function stored(columns: readonly ReadColumn[]): readonly StoredColumn[] {
  return columns.map((column) => ({ ...column, physical: column.name, stored: 'string' }))
}

/** As an archive requests it: a type without a form of its own is read as the text that the server prints. */
function archived(table: TableSpec): RowRequest {
  const native = ({ kind }: ColumnType): boolean => kind === 'json' || kind === 'list'
  const columns = table.columns.map((column) => ({
    name: column.name,
    as: native(column.type) ? ({ kind: 'native', name: column.native } as const) : column.type,
    column,
  }))
  return request(table, { columns })
}

describe.skipIf(!POSTGRES_AVAILABLE)(`rows of PostgreSQL as CSV ${POSTGRES_MISSING}`, () => {
  let server: PostgresServer
  let store: CopyStore
  let direct: Psql
  let session: CopySession
  let view: SourceView
  let zoo: TableSpec

  beforeAll(async () => {
    server = await startPostgres()
    await server.createDatabase('csv')
    direct = await psql(server.url('csv'))
    await direct.run(`ALTER DATABASE csv SET extra_float_digits = -5; ALTER DATABASE csv SET IntervalStyle = 'sql_standard';
      ALTER DATABASE csv SET TimeZone = 'Asia/Kathmandu'; ALTER DATABASE csv SET DateStyle = 'German';
      ALTER DATABASE csv SET bytea_output = 'escape'`)
    await direct.run(ZOO_TYPES)
    await direct.run(zooSql('zoo'))
    await direct.run(`ALTER TABLE zoo ADD big bytea, ADD mark text;
      UPDATE zoo SET big = decode(repeat('00ff0a22', 262144), 'hex') WHERE id = 2;
      UPDATE zoo SET mark = E'\\uFEFFbom, "quoted"\\r\\n' WHERE id IN (0, 3); UPDATE zoo SET mark = E'\\uFEFF' WHERE id = 1;
      CREATE TABLE lone (t text); INSERT INTO lone VALUES ('\\.'), (NULL), (''), ('a'), ('\\N'), (E'\\n\\\\.\\n'), ('"'), ('\\');
      CREATE TABLE made (g int GENERATED ALWAYS AS (id * 2) STORED, id int PRIMARY KEY, h int GENERATED ALWAYS AS (id + 1) STORED,
        raw bytea, t text, i int GENERATED ALWAYS AS (id + 2) STORED);
      INSERT INTO made VALUES (DEFAULT, 1, DEFAULT, '\\x', 'a,"b"'), (DEFAULT, 2, DEFAULT, NULL, NULL), (DEFAULT, 3, DEFAULT, '\\x00', '');
      CREATE TABLE empty (id int PRIMARY KEY)`)
    store = await openPostgresCopy(server.url('csv'))
    session = await CopySession.open(postgresSettings(server.url('csv')), 'write')
    zoo = await tableNamed(store, 'zoo')
    view = await store.source(SIGNAL)
  })

  afterAll(async () => {
    await view[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
    await session[Symbol.asyncDispose]()
    await direct.close()
    await server[Symbol.asyncDispose]()
  })

  async function csvOf(wanted: RowRequest): Promise<{ readonly text: string; readonly rows: bigint }> {
    const rows = view.csv?.(wanted, SIGNAL)
    if (rows === undefined) throw new Error('no CSV')
    const all: Buffer[] = []
    for (;;) {
      const next = await rows.next()
      if (next.done === true) return { text: Buffer.concat(all).toString('utf8'), rows: next.value }
      all.push(next.value)
    }
  }

  async function* pieces(text: string, size = 1000): AsyncGenerator<Buffer> {
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
  }

  /** Writes into a new table of the same columns, and returns its rows. */
  async function written(table: TableSpec, wanted: RowRequest, csv: AsyncIterable<Buffer>): Promise<unknown> {
    const name = `${table.table.name}_again`
    await direct.run(`DROP TABLE IF EXISTS ${name}; CREATE TABLE ${name} (LIKE ${table.table.name} INCLUDING ALL)`)
    const target = { ...table, table: { schema: 'public', name } }
    const rows = await loadCsv(session, target.table, wanted.columns, csv)
    await using writer = await store.target().open(chunk(target, { columns: wanted.columns }))
    const digest = await writer.digest({ scheme: 'canonical' })
    expect(rows).toBe(digest.rows)
    return digest
  }

  test('the CSV that the server prints has the values of a read, and the checksum that the server computes', async () => {
    const wanted = archived(zoo)
    const { text, rows } = await csvOf(wanted)
    const read = await readAll(view, wanted)
    expect(rows).toBe(BigInt(read.length))
    const fields = parsed(text)
    expect(fields.map((row) => shown(cells(row, wanted.columns)))).toEqual(read.map(shown))
    const sum = new RowChecksum()
    for (const row of fields) sum.add(cells(row, wanted.columns))
    expect(sum.digest()).toEqual(await view.digest(wanted, SIGNAL))
    // Byte for byte, if the format leaves no choice.
    const slow = parsed(read.map((row) => wireLine(row, stored(wanted.columns))).join(''))
    const fixed = wanted.columns.flatMap(({ as }, i) => (as.kind === 'decimal' || as.kind === 'float' ? [] : [i]))
    const only = (table: (string | null)[][]): unknown => table.map((row) => fixed.map((i) => row[i]))
    expect(only(fields)).toEqual(only(slow))
    expect(fields[1]?.at(-1)).toBe('\uFEFF')
  })

  test('values without a form in SQL are read and printed by sluice', async () => {
    const wanted = request(zoo)
    const { text, rows } = await csvOf(wanted)
    const read = await readAll(view, wanted)
    expect(rows).toBe(BigInt(read.length))
    expect(text).toBe(read.map((row) => wireLine(row, stored(wanted.columns))).join(''))
  })

  test('a range, a condition and an order are applied; no rows give no bytes', async () => {
    const wanted = archived(zoo)
    const range = { by: 'key', after: ['1'], through: ['4'] } as const
    const { text, rows } = await csvOf({ ...wanted, columns: wanted.columns.slice(0, 1), range, where: 'id <> 3' })
    expect([text, rows]).toEqual(['2\n4\n', 2n])
    expect(await csvOf(archived(await tableNamed(store, 'empty')))).toEqual({ text: '', rows: 0n })
    await expect(csvOf({ ...wanted, where: 'nothing = 1' })).rejects.toMatchObject({ code: 'BAD_PREDICATE' })
  })

  test('a signal ends it within a second', async () => {
    await direct.run('CREATE TABLE long AS SELECT i, repeat(md5(i::text), 8) AS t FROM generate_series(1, 50000) i')
    await using own = await store.source(SIGNAL)
    const stop = new AbortController()
    const rows = own.csv?.(archived(await tableNamed(store, 'long')), stop.signal)
    const first = await rows?.next()
    expect(first?.done).toBe(false)
    stop.abort(new Error('enough'))
    const started = Date.now()
    await expect(
      (async () => {
        for (;;) if ((await rows?.next())?.done !== false) return
      })(),
    ).rejects.toMatchObject({ code: 'ABORTED' })
    expect(Date.now() - started).toBeLessThan(1000)
  })

  test.each(['zoo', 'lone', 'made'])('is restored into a table like %s unchanged', async (name) => {
    const table = await tableNamed(store, name)
    const wanted = archived(table)
    const { text } = await csvOf(wanted)
    const before = await view.digest(wanted, SIGNAL)
    expect(await written(table, wanted, pieces(text))).toEqual(before)
    const slow = (await readAll(view, wanted)).map((row) => wireLine(row, stored(wanted.columns))).join('')
    expect(await written(table, wanted, pieces(slow, name === 'zoo' ? 4096 : 1))).toEqual(before)
  })

  test('a line that is no row of the table ends the load, and so does an error of the reader', async () => {
    const table = await tableNamed(store, 'empty')
    const loaded = (csv: AsyncIterable<Buffer>) => loadCsv(session, table.table, asThemselves(table), csv)
    await expect(loaded(pieces('1\n1\n'))).rejects.toMatchObject({ code: '23505' })
    await expect(loaded(pieces('1\nx\n'))).rejects.toMatchObject({ code: '22P02' })
    const broken = async function* broken(): AsyncGenerator<Buffer> {
      yield Buffer.from('1\n2')
      throw new Error('the file ends here')
    }
    await expect(loaded(broken())).rejects.toThrow('the file ends here')
    expect(await direct.rows('SELECT FROM empty')).toEqual([])
  })

  test('fields are converted in the same way however the CSV is cut', async () => {
    const value = fc.oneof(
      fc.constantFrom(null, '', '\\.', '\\', '00ff'),
      fc.string({ unit: fc.constantFrom(',', '"', '\n', '\\', 'a') }),
    )
    const fits = fc.array(fc.constantFrom<Refit | null>(null, 'bytes', 'drop', 'quoted'), {
      minLength: 1,
      maxLength: 5,
    })
    const cases = fits
      .filter((some) => some.some((fit) => fit !== 'drop'))
      .chain((some) =>
        fc.tuple(
          fc.constant(some),
          fc.array(fc.array(value, { minLength: some.length, maxLength: some.length }), { maxLength: 5 }),
          fc.integer({ min: 1, max: 9 }),
        ),
      )
    await fc.assert(
      fc.asyncProperty(cases, async ([some, rows, size]) => {
        const columns = stored(
          some.map((_, i): ReadColumn => ({ name: String(i), as: { kind: 'text' }, column: TEXT })),
        )
        const text = rows.map((row) => wireLine(row, columns)).join('')
        const changed = Buffer.concat(await collect(refitted(pieces(text, size), some))).toString('utf8')
        const expected = rows.map((row) =>
          row.flatMap((cell, i) => {
            if (some[i] === 'drop') return []
            return [some[i] === 'bytes' && cell !== null ? `\\x${cell}` : cell]
          }),
        )
        expect(parsed(changed)).toEqual(expected)
        some.forEach((fit, i) => fit === 'quoted' && i === 0 && expect(changed).not.toMatch(/^\\/))
      }),
      { numRuns: 300 },
    )
  })
})

const TEXT = { name: 't', type: { kind: 'text' }, native: 'text', nullable: true } as const
