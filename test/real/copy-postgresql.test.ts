import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { canonicalJson, canonicalCellText, normalizer } from '../../src/model/copy/canonical.ts'
import type { ColumnType, TableSpec } from '../../src/model/copy/column-type.ts'
import type { FrameFormat, Row } from '../../src/model/copy/rows.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { ReadColumn } from '../../src/model/copy/read-column.ts'
import type { RowRequest, SourceView } from '../../src/model/copy/source-port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import {
  POSTGRES_AVAILABLE,
  POSTGRES_MISSING,
  startPostgres,
  type PostgresServer,
} from '../support/servers/postgresql.ts'
import {
  asThemselves,
  chunk,
  CLOSING,
  collect,
  psql,
  readAll,
  request,
  SIGNAL,
  sumOf,
  tableNamed,
  ZOO,
  ZOO_TYPES,
  zooSql,
  type Psql,
} from './copy-postgresql-kit.ts'

describe.skipIf(!POSTGRES_AVAILABLE)(`PostgreSQL as source and target of copies ${POSTGRES_MISSING}`, () => {
  let server: PostgresServer
  let from: CopyStore
  let to: CopyStore
  let here: Psql
  let there: Psql
  let zoo: TableSpec
  let view: SourceView

  beforeAll(async () => {
    server = await startPostgres()
    for (const name of ['here', 'there']) await server.createDatabase(name)
    here = await psql(server.url('here'))
    there = await psql(server.url('there'))
    for (const side of [here, there]) await side.run(ZOO_TYPES)
    // Texts must not depend on the settings that a user's sessions start with.
    await here.run(`ALTER DATABASE here SET extra_float_digits = -5; ALTER DATABASE here SET IntervalStyle = 'sql_standard';
      ALTER DATABASE here SET TimeZone = 'Asia/Kathmandu'; ALTER DATABASE here SET DateStyle = 'German'; ALTER DATABASE here SET bytea_output = 'escape'`)
    const settings =
      "SET TimeZone = 'UTC'; SET DateStyle = ISO; SET IntervalStyle = iso_8601; SET bytea_output = hex; SET extra_float_digits = 1"
    for (const side of [here, there]) await side.run(settings)
    await here.run(zooSql('zoo'))
    from = await openPostgresCopy(server.url('here'))
    to = await openPostgresCopy(server.url('there'))
    zoo = await tableNamed(from, 'zoo')
    await here.run("CREATE TABLE two (id int PRIMARY KEY, t text); INSERT INTO two VALUES (1, E'a\\tb'), (2, NULL)")
    view = await from.source(SIGNAL)
  })

  afterAll(async () => {
    await view[Symbol.asyncDispose]()
    await from[Symbol.asyncDispose]()
    await to[Symbol.asyncDispose]()
    for (const side of [here, there]) await side.close()
    await server[Symbol.asyncDispose]()
  })

  function frames(wanted: RowRequest, format: FrameFormat): AsyncIterable<Buffer> {
    if (view.frames === undefined) throw new Error('no frames')
    return view.frames(wanted, format, SIGNAL)
  }

  /** Rows of a table as the server prints them. In canonical form, numbers have no trailing zeros. */
  async function printed(side: Psql, table: string, columns: readonly string[], canonical = false): Promise<unknown> {
    const texts = columns.map((name) => {
      if (canonical && name === 'free') return 'trim_scale(free)::text'
      return name === 'js' ? 'js::jsonb::text' : `"${name}"::text`
    })
    const rows = await side.rows(`SELECT ${texts.join(', ')} FROM ${table} ORDER BY id`)
    if (!canonical) return rows
    return rows.map((row) =>
      row.map((text, i) => {
        const name = columns[i] ?? ''
        if (typeof text !== 'string') return text
        return /^j[sb]$/.test(name) ? canonicalJson(text) : name === 'numbers' ? text.replace('1.50', '1.5') : text
      }),
    )
  }

  describe('the type zoo', () => {
    test('has these types', () => {
      const kinds = Object.fromEntries(zoo.columns.map(({ name, type }) => [name, type]))
      expect(kinds).toEqual({
        id: { kind: 'int', bits: 64 },
        b: { kind: 'bool' },
        i2: { kind: 'int', bits: 16 },
        i4: { kind: 'int', bits: 32 },
        i8: { kind: 'int', bits: 64 },
        exact: { kind: 'decimal', precision: 38, scale: 10 },
        free: { kind: 'decimal' },
        f4: { kind: 'float', bits: 32 },
        f8: { kind: 'float', bits: 64 },
        t: { kind: 'text' },
        v: { kind: 'text', most: 30 },
        c: { kind: 'text', most: 6, padded: true },
        bytes: { kind: 'bytes' },
        u: { kind: 'uuid' },
        d: { kind: 'date' },
        tm: { kind: 'time', digits: 6 },
        tm3: { kind: 'time', digits: 3 },
        ts: { kind: 'timestamp', zone: false, digits: 6 },
        ts2: { kind: 'timestamp', zone: false, digits: 2 },
        tz: { kind: 'timestamp', zone: true, digits: 6 },
        js: { kind: 'json' },
        jb: { kind: 'json' },
        ints: { kind: 'list', of: { kind: 'int', bits: 32 } },
        words: { kind: 'list', of: { kind: 'text' } },
        numbers: { kind: 'list', of: { kind: 'decimal' } },
        floats: { kind: 'list', of: { kind: 'float', bits: 64 } },
        stamps: { kind: 'list', of: { kind: 'timestamp', zone: true, digits: 6 } },
        uuids: { kind: 'list', of: { kind: 'uuid' } },
        jsons: { kind: 'list', of: { kind: 'json' } },
        m: { kind: 'native', name: 'mood' },
        moods: { kind: 'list', of: { kind: 'native', name: 'mood' } },
        r: { kind: 'native', name: 'int4range' },
        iv: { kind: 'native', name: 'interval' },
        ttz: { kind: 'native', name: 'time with time zone' },
        ip: { kind: 'native', name: 'inet' },
        bits: { kind: 'native', name: 'bit' },
        p: { kind: 'native', name: 'point' },
        money: { kind: 'native', name: 'money' },
        x: { kind: 'native', name: 'xml' },
        pos: { kind: 'decimal', precision: 8, scale: 2 },
        lab: { kind: 'text', most: 20 },
        pr: { kind: 'native', name: 'pair' },
        prs: { kind: 'list', of: { kind: 'native', name: 'pair' } },
        labs: { kind: 'list', of: { kind: 'native', name: 'short' } },
        n: { kind: 'native', name: 'name' },
      } satisfies Record<string, ColumnType>)
      expect(zoo.columns.map(({ native }) => native).slice(1)).toEqual(Object.values(ZOO).map(([type]) => type))
    })

    test('is copied as rows: the same rows are written, and the server computes the same digest', async () => {
      const target = { ...zoo, table: { schema: 'public', name: 'zoo_rows' } }
      await to.target().create(target, SIGNAL)
      const read = await readAll(view, request(zoo))
      await using writer = await to.target().open(chunk(target))
      expect(await writer.write(read)).toBe(read.length)
      expect(await writer.digest({ scheme: 'canonical' })).toEqual(sumOf(read))
      expect(await writer.digest({ scheme: 'count' })).toEqual({ rows: BigInt(read.length), sum: '' })
      expect(await writer.commit(CLOSING)).toBe('committed')
      const names = zoo.columns.map(({ name }) => name)
      expect(await printed(there, 'zoo_rows', names, true)).toEqual(await printed(here, 'zoo', names, true))
    })

    test.each(['pg-text', 'pg-binary'] as const)(
      'is copied as frames in %s, and the digest of the copied bytes is equal',
      async (format) => {
        const columns = zoo.columns.filter(({ type }) => format === 'pg-text' || !isNative(type))
        const source = { ...zoo, columns }
        const target = { ...source, table: { schema: 'frames', name: format } }
        await to.target().create(target, SIGNAL)
        const hash = createHash('sha256')
        await using writer = await to.target().open(chunk(target))
        async function* hashed(): AsyncGenerator<Buffer> {
          for await (const piece of frames(request(source), format)) {
            hash.update(piece)
            yield piece
          }
        }
        const rows = (await writer.writeFrames?.(hashed(), format)) ?? 0n
        expect(rows).toBe(9n)
        expect(await writer.digest({ scheme: 'echo', frames: format })).toEqual({ rows, sum: hash.digest('hex') })
        expect(await writer.digest({ scheme: 'canonical' })).toEqual(await view.digest(request(source), SIGNAL))
        expect(await writer.commit(CLOSING)).toBe('committed')
        const names = columns.map(({ name }) => name)
        expect(await printed(there, `frames."${format}"`, names)).toEqual(await printed(here, 'zoo', names))
      },
    )

    test('frames are the bytes that psql would write', async () => {
      const table = await tableNamed(from, 'two')
      const text = Buffer.concat(await collect(frames(request(table), 'pg-text')))
      expect(text.toString()).toBe('1\ta\\tb\n2\t\\N\n')
      const binary = Buffer.concat(await collect(frames(request(table), 'pg-binary')))
      expect(binary.toString('latin1')).toBe(
        'PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0' +
          '\0\x02\0\0\0\x04\0\0\0\x01\0\0\0\x03a\tb' +
          '\0\x02\0\0\0\x04\0\0\0\x02\xff\xff\xff\xff' +
          '\xff\xff',
      )
    })

    test.each(Object.keys(ZOO))(
      '%s: the fast read equals the slow one, and the digest in SQL equals both',
      async (name) => {
        const column = asThemselves(zoo).find((one) => one.name === name)
        if (column === undefined) throw new Error(name)
        const cast = column.as.kind === 'list' && column.as.of.kind === 'native' ? '::text[]' : ''
        const list = column.as.kind === 'list' ? `to_jsonb("${name}"${cast})::text` : `"${name}"`
        const texts = await here.rows(
          `SELECT CASE WHEN "${name}" IS DISTINCT FROM NULL THEN format('%s', ${list}) END FROM zoo ORDER BY id`,
        )
        const slow = texts.map(([text]): Row => [typeof text === 'string' ? normalizer(column.as)(text) : null])
        const wanted = request(zoo, { columns: [column] })
        const shown = (rows: readonly Row[]): unknown =>
          rows.map(([cell]) => (cell == null ? null : canonicalCellText(cell)))
        expect(shown(await readAll(view, wanted))).toEqual(shown(slow))
        expect(await view.digest(wanted, SIGNAL)).toEqual(sumOf(slow))
      },
    )

    const OTHERWISE: readonly (readonly [name: string, as: ColumnType])[] = [
      ['f4', { kind: 'float', bits: 64 }],
      ['f8', { kind: 'float', bits: 32 }],
      ['i4', { kind: 'decimal' }],
      ['i8', { kind: 'text' }],
      ['b', { kind: 'text' }],
      ['c', { kind: 'text' }],
      ['t', { kind: 'text', padded: true }],
      ['free', { kind: 'text' }],
      ['m', { kind: 'text' }],
      ['ip', { kind: 'text' }],
      ['ints', { kind: 'json' }],
      ['t', { kind: 'native', name: 'text' }],
      ['tz', { kind: 'timestamp', zone: true, digits: 9 }],
      ['pos', { kind: 'decimal', precision: 10, scale: 4 }],
    ]
    test.each(OTHERWISE)('%s as %o: the digest is that of the rows', async (name, as) => {
      const column = zoo.columns.find((one) => one.name === name)
      if (column === undefined) throw new Error(name)
      const columns: ReadColumn[] = [{ name, as, column }]
      const wanted = request(zoo, { columns })
      expect(await view.digest(wanted, SIGNAL)).toEqual(sumOf(await readAll(view, wanted)))
    })

    test('any text and any bytes are read as they were written', async () => {
      await there.run('CREATE TABLE anything (id int PRIMARY KEY, t text, b bytea)')
      const table = await tableNamed(to, 'anything')
      const texts = fc.string({ unit: 'binary', maxLength: 20 }).filter((text) => !text.includes('\0'))
      const values = fc.array(fc.tuple(fc.option(texts), fc.option(fc.uint8Array({ maxLength: 20 }))), {
        maxLength: 200,
      })
      await fc.assert(
        fc.asyncProperty(values, async (pairs) => {
          const rows = pairs.map(([text, bytes], i): Row => [String(i), text, bytes])
          await using writer = await to.target().open(chunk(table, { onExisting: 'replace-range' }))
          await writer.write(rows)
          expect(await writer.digest({ scheme: 'canonical' })).toEqual(sumOf(rows))
          await writer.commit(CLOSING)
          await using later = await to.source(SIGNAL)
          const shown = (all: readonly Row[]): unknown =>
            all.map((row) => row.map((cell) => cell && canonicalCellText(cell)))
          expect(shown(await readAll(later, request(table)))).toEqual(shown(rows))
        }),
        { numRuns: 8 },
      )
    })

    test('a single-precision number that is read as double keeps its value', async () => {
      const column = zoo.columns.find((one) => one.name === 'f4')
      if (column === undefined) throw new Error('f4')
      const columns: ReadColumn[] = [{ name: 'f4', as: { kind: 'float', bits: 64 }, column }]
      const rows = await readAll(view, request(zoo, { columns }))
      expect(rows[4]).toEqual([Math.fround(0.1)])
    })

    test('each type is declared as a type that is read as the same type', async () => {
      const types: readonly ColumnType[] = [
        ...zoo.columns.map(({ type }) => type),
        ...([8, 16, 24, 32, 64] as const).flatMap((bits): ColumnType[] => [
          { kind: 'int', bits },
          { kind: 'int', bits, unsigned: true },
        ]),
        { kind: 'decimal', precision: 2000, scale: 5 },
        { kind: 'decimal', precision: 5, scale: -2 },
        { kind: 'text', most: 100_000_000 },
        { kind: 'text', padded: true },
        { kind: 'time', digits: 9 },
        { kind: 'timestamp', zone: true, digits: 0 },
        { kind: 'list', of: { kind: 'int', bits: 64, unsigned: true } },
      ]
      const columns = types.map((type, i) => ({ name: `c${i}`, nullable: true, ...to.declare(type) }))
      const described = columns.map((one) => {
        const zeros = one.type.kind === 'decimal' && one.type.scale !== 0 ? { zeros: true } : {}
        return {
          ...one,
          ...(one.type.kind === 'decimal' && one.type.precision === undefined ? { exactAs: one.native } : {}),
          ...zeros,
        }
      })
      const table = { schema: 'public', name: 'declared' }
      await to.target().create({ ...zoo, table, columns, key: [] }, SIGNAL)
      const found = await tableNamed(to, 'public.declared')
      expect(found.columns).toEqual(described)
      expect(found).toMatchObject({ key: [], primary: false, rows: 0n })
    })
  })

  describe('tables', () => {
    const names = async (pattern: string): Promise<readonly string[]> =>
      (await from.tables(pattern, SIGNAL)).map(({ table }) => `${table.schema}.${table.name}`)

    beforeAll(async () => {
      await here.run(`
        CREATE SCHEMA shop; SET search_path TO shop;
        CREATE TABLE parted (day date, id int, v text, PRIMARY KEY (day, id)) PARTITION BY RANGE (day);
        CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2024-07-01');
        CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2024-07-01') TO ('2025-01-01') PARTITION BY HASH (id);
        CREATE TABLE parted_2a PARTITION OF parted_2 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
        INSERT INTO parted SELECT date '2024-01-01' + i, i, 'v' FROM generate_series(0, 299) i;
        CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child () INHERITS (parent);
        INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2);
        CREATE TABLE plain_parent (id int PRIMARY KEY); CREATE TABLE rich_child (more text) INHERITS (plain_parent);
        INSERT INTO plain_parent VALUES (1); INSERT INTO rich_child VALUES (2, 'x');
        CREATE TABLE "we""ird.na*me
😀; DROP TABLE parent" ("k""ey" int PRIMARY KEY, "col
umn" text, "%s" int);
        INSERT INTO "we""ird.na*me
😀; DROP TABLE parent" VALUES (1, 'x', 2), (2, NULL, NULL);
        CREATE VIEW a_view AS SELECT 1 AS one; CREATE MATERIALIZED VIEW a_copy AS SELECT 1 AS one;
        CREATE TABLE made (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, s serial, a int, twice int GENERATED ALWAYS AS (a * 2) STORED,
          d int DEFAULT 7, e text COLLATE "de-x-icu", f text COLLATE "C");
        INSERT INTO made (a) SELECT generate_series(1, 5);
        CREATE TABLE keys (a int NOT NULL, b int, c text NOT NULL, d int NOT NULL, f float8);
        CREATE UNIQUE INDEX part ON keys (d) WHERE d > 0; CREATE UNIQUE INDEX expression ON keys ((d + 1));
        CREATE UNIQUE INDEX nullable ON keys (b);
        CREATE TABLE heap (a int); INSERT INTO heap SELECT generate_series(1, 10000);
        ANALYZE; RESET search_path`)
    })

    test('are found by name and pattern; partitions and views are not', async () => {
      expect(await names('shop.*')).toEqual([
        'shop.child', 'shop.heap', 'shop.keys', 'shop.made', 'shop.parent', 'shop.parted', 'shop.plain_parent', 'shop.rich_child',
        'shop.we"ird.na*me\n😀; DROP TABLE parent',
      ]) // prettier-ignore
      expect(await names('shop.parted_2a')).toEqual(['shop.parted_2a'])
      expect(await names('shop.child')).toEqual(['shop.child'])
      expect(await names('"shop"."heap"')).toEqual(['shop.heap'])
      expect(await names('s*.h*')).toEqual(['shop.heap'])
      expect(await names('heap')).toEqual([])
      expect(await names('zo*')).toEqual(['public.zoo'])
      expect(await names('*')).toEqual(['public.two', 'public.zoo'])
      expect(await names('shop.h_ap')).toEqual([])
      expect(await names('')).toEqual([])
      expect(await names('shop.we"ird.na*me\n😀; DROP TABLE parent')).toHaveLength(1)
    })

    test('with partitions are one table with all their rows', async () => {
      const parted = await tableNamed(from, 'shop.parted')
      expect(parted).toMatchObject({
        key: ['day', 'id'],
        primary: true,
        rows: 300n,
        partitioning: 'range (day), 2 partitions',
      })
      expect(parted.blocks).toBeUndefined()
      expect(parted.bytes).toBeGreaterThan(0n)
      await using fresh = await from.source(SIGNAL)
      expect(await readAll(fresh, request(parted))).toHaveLength(300)
    })

    test('without statistics get an estimate from their number of blocks', async () => {
      await here.run(`CREATE TABLE uncounted (id int PRIMARY KEY, a int, t text) WITH (autovacuum_enabled = off);
        INSERT INTO uncounted SELECT n, n, 'row ' || n FROM generate_series(1, 10000) n`)
      const { rows } = await tableNamed(from, 'uncounted')
      expect(rows).toBeGreaterThan(5_000n)
      expect(rows).toBeLessThan(20_000n)
    })

    test('with INHERITS are read alone, both parent and child', async () => {
      await using fresh = await from.source(SIGNAL)
      const rows = async (name: string): Promise<readonly Row[]> =>
        readAll(fresh, request(await tableNamed(from, `shop.${name}`)))
      expect(await rows('parent')).toEqual([['1']])
      expect(await rows('child')).toEqual([['2']])
      expect(await rows('plain_parent')).toEqual([['1']])
      expect(await rows('rich_child')).toEqual([['2', 'x']])
    })

    test('have columns with their identity, default and generation', async () => {
      const made = await tableNamed(from, 'shop.made')
      expect(made.columns).toEqual([
        { name: 'id', type: { kind: 'int', bits: 32 }, native: 'integer', nullable: false, identity: true },
        { name: 's', type: { kind: 'int', bits: 32 }, native: 'integer', nullable: false, hasDefault: true },
        { name: 'a', type: { kind: 'int', bits: 32 }, native: 'integer', nullable: true },
        { name: 'twice', type: { kind: 'int', bits: 32 }, native: 'integer', nullable: true, generated: true },
        { name: 'd', type: { kind: 'int', bits: 32 }, native: 'integer', nullable: true, hasDefault: true },
        {
          name: 'e',
          type: { kind: 'text' },
          native: 'text',
          nullable: true,
          collation: expect.stringMatching(/^de-x-icu \d/),
          sortsOnly: true,
        },
        { name: 'f', type: { kind: 'text' }, native: 'text', nullable: true },
      ])
      expect(made).toMatchObject({ rows: 5n, primary: true, key: ['id'] })
    })

    test('have the best available key', async () => {
      const key = async (): Promise<unknown> => {
        const { key: columns, primary } = await tableNamed(from, 'shop.keys')
        return [columns, primary]
      }
      expect(await key()).toEqual([['b'], false])
      await here.run('CREATE UNIQUE INDEX two ON shop.keys (a, c) INCLUDE (f)')
      expect(await key()).toEqual([['a', 'c'], false])
      await here.run('ALTER TABLE shop.keys ADD PRIMARY KEY (c, d)')
      expect(await key()).toEqual([['c', 'd'], true])
    })

    test('without a key get a new identity when they are rewritten; others do not', async () => {
      const identity = async (name: string): Promise<string> => (await tableNamed(from, `shop.${name}`)).identity
      const [heap, keyed] = [await identity('heap'), await identity('made')]
      expect((await tableNamed(from, 'shop.heap')).blocks).toBeGreaterThan(40n)
      await here.run('VACUUM FULL shop.heap')
      await here.run('VACUUM FULL shop.made')
      expect(await identity('heap')).not.toBe(heap)
      expect(await identity('made')).toBe(keyed)
    })

    test('with hostile names are copied, and so are identity columns', async () => {
      for (const name of ['we"ird.na*me\n😀; DROP TABLE parent', 'made']) {
        const source = await tableNamed(from, `shop.${name}`)
        const target = { ...source, table: { schema: 'he"re; DROP', name } }
        await to.target().create(target, SIGNAL)
        await using fresh = await from.source(SIGNAL)
        const columns = asThemselves(source).filter(({ column }) => column.generated !== true)
        const read = await readAll(fresh, request(source, { columns }))
        expect(read).toHaveLength(Number(source.rows))
        await using writer = await to.target().open(chunk(target, { onExisting: 'upsert' }))
        expect(await writer.write(read)).toBe(read.length)
        expect(await writer.digest({ scheme: 'canonical' })).toEqual(sumOf(read))
        expect(await writer.commit(CLOSING)).toBe('committed')
        await to.target().finish(target, SIGNAL)
      }
      await there.run('INSERT INTO "he""re; DROP".made (s, a) VALUES (0, 0)')
      expect(await there.rows('SELECT max(id) FROM "he""re; DROP".made')).toEqual([['6']])
      await to.target().clear({ ...(await tableNamed(to, 'he"re; DROP.made')) }, SIGNAL)
      expect(await there.rows('SELECT count(*) FROM "he""re; DROP".made')).toEqual([['0']])
    })

    test('a target computes generated columns, and sequences continue after the largest value', async () => {
      await there.run(`CREATE TABLE made (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, s serial, a int,
        twice int GENERATED ALWAYS AS (a * 2) STORED, down int GENERATED BY DEFAULT AS IDENTITY (INCREMENT -1))`)
      const target = await tableNamed(to, 'public.made')
      const columns = asThemselves(target)
      await using writer = await to.target().open(chunk(target, { columns }))
      const rows: readonly Row[] = [
        ['40', '7', '1', '2', '-5'],
        ['41', '9', '2', '4', '-9'],
      ]
      expect(await writer.write(rows)).toBe(2)
      expect(await writer.digest({ scheme: 'canonical' })).toEqual(sumOf(rows))
      await writer.commit(CLOSING)
      await to.target().finish(target, SIGNAL)
      await to.target().finish(target, SIGNAL)
      await there.run('INSERT INTO made (a) VALUES (3)')
      expect(await there.rows('SELECT * FROM made ORDER BY id DESC LIMIT 1')).toEqual([['42', '10', '3', '6', '-10']])
    })

    test('keys of texts are sorted by bytes, even if the database sorts differently', async () => {
      await server.createDatabase('locale', "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-DE'")
      await using other = await openPostgresCopy(server.url('locale'))
      const [text, id] = [{ kind: 'text' }, { kind: 'int', bits: 32 }] as const
      const columns = [
        { name: 'k', type: text, native: 'text', nullable: false },
        { name: 'e', type: text, native: 'text', nullable: true, collation: 'de-x-icu 0.0' },
        { name: 'v', type: text, native: 'text', nullable: true },
        { name: 'i', type: id, native: 'integer', nullable: true },
      ]
      const wanted = { ...zoo, table: { schema: 'public', name: 'texts' }, columns, key: ['k'] }
      await other.target().create(wanted, SIGNAL)
      const { columns: found } = await tableNamed(other, 'texts')
      expect(found.map(({ collation }) => collation)).toEqual([
        undefined,
        expect.stringMatching(/^de-x-icu \d/),
        expect.stringMatching(/^de-DE ICU \d/),
        undefined,
      ])
    })

    test('with a missing or an invalid type are refused with the name of the type', async () => {
      for (const native of ['nowhere.mood', 'int); DROP TABLE made; --', 'int DEFAULT 1', '']) {
        const columns = [{ name: 'c', native, type: { kind: 'native', name: native }, nullable: true }] as const
        const wanted = { ...zoo, table: { schema: 'public', name: 'refused' }, columns, key: [] }
        await expect(to.target().create(wanted, SIGNAL)).rejects.toMatchObject({
          code: 'TABLE_REFUSED',
          message: `public.refused.c needs the type ${native}`,
        })
      }
      expect(await to.tables('public.refused', SIGNAL)).toEqual([])
      const again = to.target().create(await tableNamed(to, 'public.made'), SIGNAL)
      await expect(again).rejects.toMatchObject({ code: 'TABLE_REFUSED', message: 'relation "made" already exists' })
    })

    test('two stores of one database have the same identity under any host name', async () => {
      await using again = await openPostgresCopy(server.url('here').replace('127.0.0.1', 'localhost'))
      expect(again.identity).toBe(from.identity)
      expect(to.identity).not.toBe(from.identity)
    })
  })
})

/** True if the binary form contains type OIDs, which differ between databases. */
function isNative(type: ColumnType): boolean {
  return type.kind === 'native' || (type.kind === 'list' && isNative(type.of))
}
