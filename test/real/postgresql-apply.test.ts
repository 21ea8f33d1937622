import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Put } from '../../src/model/copy/change.ts'
import type { Row } from '../../src/model/copy/rows.ts'
import { missing } from '../support/copy-systems.ts'
import { majorOf } from '../support/servers/postgresql.ts'
import { ZOO_TYPES, zooSql, SIGNAL, request, readAll } from './copy-postgresql-kit.ts'
import {
  applied,
  changeTable,
  closingOf,
  makeTarget,
  MANY,
  put,
  requestOf,
  type Target,
} from './postgresql-apply-kit.ts'

const absent = await missing('postgresql')

/** Rows that no test reads; they make a batch large. */
function crowd(make: (n: number) => Row): Put[] {
  return Array.from({ length: MANY }, (_, n) => put(make(1_000_000 + n)))
}

describe.skipIf(absent !== '')(`changes applied to PostgreSQL ${absent}`, () => {
  let target: Target
  const rows = (query: string): Promise<readonly (readonly (string | null)[])[]> => target.place.rows(query)

  beforeAll(async () => {
    target = await makeTarget(ZOO_TYPES)
  })
  afterAll(async () => target.store[Symbol.asyncDispose]())

  async function open(name: string, sql: string, identity: readonly string[] = ['id']) {
    await target.place.sql(sql)
    return target.changes.open(requestOf([await changeTable(target.store, name, identity)]))
  }

  for (const [size, more] of [
    ['small', 0],
    ['large', MANY],
  ] as const) {
    const others = (make: (n: number) => Row): Put[] => (more === 0 ? [] : crowd(make))

    test(`rows are inserted, updated and deleted: ${size}`, async () => {
      const name = `plain_${size}`
      await using writer = await open(
        name,
        `CREATE TABLE ${name} (id int PRIMARY KEY, a text, n int GENERATED ALWAYS AS (id * 2) STORED)`,
      )
      const all = others((n) => [String(n), 'x'])
      await applied(writer, [put(['1', 'one']), put(['2', null]), put(['3', "'; --\t\\"]), ...all])
      await applied(writer, [put(['2', 'two']), put(['4', 'four']), ...all], [['1'], ['77']])
      expect(await rows(`SELECT * FROM ${name} WHERE id < 1000 ORDER BY id`)).toEqual([
        ['2', 'two', '4'],
        ['3', "'; --\t\\", '6'],
        ['4', 'four', '8'],
      ])
    })

    test(`a secondary unique value moves from row to row: ${size}`, async () => {
      const name = `swap_${size}`
      await using writer = await open(
        name,
        `CREATE TABLE ${name} (id int PRIMARY KEY, u text UNIQUE); INSERT INTO ${name} VALUES (1, 'a'), (2, 'b'), (3, 'c')`,
      )
      await applied(
        writer,
        [put(['1', 'b']), put(['2', 'c']), put(['4', 'a']), ...others((n) => [String(n), `u${n}`])],
        [['3']],
      )
      expect(await rows(`SELECT * FROM ${name} WHERE id < 1000 ORDER BY id`)).toEqual([
        ['1', 'b'],
        ['2', 'c'],
        ['4', 'a'],
      ])
    })

    test(`keys that rotate keep the unchanged values of their rows: ${size}`, async () => {
      const name = `circle_${size}`
      await using writer = await open(
        name,
        `CREATE TABLE ${name} (id int PRIMARY KEY, big text, n int); INSERT INTO ${name} SELECT i, 'big ' || i, i FROM generate_series(1, 4) i`,
      )
      const moved = (from: string, to: string): Put => ({ row: [to, undefined, '0'], key: [to], base: [from] })
      const { lacking } = await applied(
        writer,
        [
          moved('1', '2'),
          moved('2', '3'),
          moved('3', '1'),
          moved('99', '5'),
          { row: ['4', undefined, '7'], key: ['4'], base: ['4'] },
          ...others((n) => [String(n), 'x', '1']),
        ],
        [],
      )
      expect(lacking).toEqual([['5']])
      expect(await rows(`SELECT * FROM ${name} WHERE id < 1000 ORDER BY id`)).toEqual([
        ['1', 'big 3', '0'],
        ['2', 'big 1', '0'],
        ['3', 'big 2', '0'],
        ['4', 'big 4', '7'],
      ])
    })

    test(`unchanged values are kept, also from a deleted base row, and missing rows are reported: ${size}`, async () => {
      for (const [name, more2] of [
        [`toast_${size}`, ''],
        [`toast_unique_${size}`, ' UNIQUE'],
      ] as const) {
        await using writer = await open(
          name,
          `CREATE TABLE ${name} (id int PRIMARY KEY, big text, n int${more2}); INSERT INTO ${name} VALUES (1, repeat('x', 100000), 1), (2, 'two', 2), (3, 'three', 3)`,
        )
        const { lacking } = await applied(
          writer,
          [
            { row: ['1', undefined, '10'], key: ['1'], base: ['1'] },
            { row: ['9', undefined, '90'], key: ['9'], base: ['2'] },
            { row: ['8', undefined, '80'], key: ['8'], base: ['8'] },
            ...others((n) => [String(n), 'x', String(n)]),
          ],
          [['2']],
        )
        expect(lacking).toEqual([['8']])
        expect(await rows(`SELECT id, length(big), n FROM ${name} WHERE id < 1000 ORDER BY id`)).toEqual([
          ['1', '100000', '10'],
          ['3', '5', '3'],
          ['9', '3', '90'],
        ])
      }
    })

    test(`a partitioned target with a key wider than the identity is written: ${size}`, async () => {
      const name = `wide_${size}`
      await using writer = await open(
        name,
        `CREATE TABLE ${name} (id int, at date, a text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
         CREATE TABLE ${name}_1 PARTITION OF ${name} FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
         CREATE TABLE ${name}_2 PARTITION OF ${name} FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
         INSERT INTO ${name} VALUES (1, '2024-01-05', 'a'), (2, '2024-02-05', 'b'), (3, '2024-01-06', 'c')`,
      )
      await applied(
        writer,
        [
          put(['1', '2024-02-09', 'moved']),
          put(['4', '2024-01-01', 'd']),
          ...others((n) => [String(n), '2024-01-01', 'x']),
        ],
        [['2']],
      )
      expect(await rows(`SELECT *, tableoid::regclass FROM ${name} WHERE id < 1000 ORDER BY id`)).toEqual([
        ['1', '2024-02-09', 'moved', `${name}_2`],
        ['3', '2024-01-06', 'c', `${name}_1`],
        ['4', '2024-01-01', 'd', `${name}_1`],
      ])
    })

    test(`every type arrives unchanged: ${size}`, async () => {
      const name = `zoo_${size}`
      const reference = `${name}_from`
      await target.place.sql(zooSql(reference), `CREATE TABLE ${name} (LIKE ${reference} INCLUDING ALL)`)
      const of = await changeTable(target.store, name, ['id'])
      await using view = await target.store.source(SIGNAL)
      const from = await changeTable(target.store, reference, ['id'])
      const all = await readAll(view, request(from.table))
      const idAt = from.columns.findIndex((one) => one.name === 'id')
      const puts = all.map((row): Put => ({ row, key: [row[idAt] ?? null], base: null }))
      const more3 = others((n) => from.columns.map((_, at) => (at === idAt ? String(n) : null)))
      await using writer = await target.changes.open(requestOf([of]))
      for (let i = 0; i < 2; i++) await applied(writer, [...puts, ...more3])
      const texts = (table: string): Promise<unknown> =>
        rows(`SELECT t::text FROM ${table} t WHERE id < 1000 ORDER BY id`)
      expect(await texts(name)).toEqual(await texts(reference))
    })
  }

  test('every set of unchanged columns is applied', async () => {
    const columns = ['a', 'b', 'c', 'd']
    await using writer = await open(
      'masks',
      `CREATE TABLE masks (id int PRIMARY KEY, ${columns.map((one) => `${one} text`).join(', ')})`,
    )
    for (const times of [1, 50]) {
      const ids = Array.from({ length: 16 * times }, (_, id) => id)
      const isKept = (id: number, at: number): boolean => ((id >> at) & 1) === 1
      await applied(
        writer,
        ids.map((id) => put([String(id), ...columns.map((one) => `${one} before`)])),
      )
      const changed = ids.map((id): Put => {
        const cells = columns.map((one, at) => (isKept(id, at) ? undefined : `${one} after`))
        return { row: [String(id), ...cells], key: [String(id)], base: [String(id)] }
      })
      const absentOnes = ['-1', '-16'].map((id): Put => ({
        row: [id, 'x', undefined, 'x', 'x'],
        key: [id],
        base: [id],
      }))
      const nothing: Put = { row: ['-2', ...columns.map(() => undefined)], key: ['-2'], base: ['-2'] }
      const { lacking } = await applied(writer, [...absentOnes, ...changed, nothing])
      expect(lacking).toEqual([['-1'], ['-16'], ['-2']])
      expect(await rows('SELECT * FROM masks ORDER BY id')).toEqual(
        ids.map((id) => [String(id), ...columns.map((one, at) => `${one} ${isKept(id, at) ? 'before' : 'after'}`)]),
      )
    }
  })

  test('a large value that has not changed is not written again, even if a table has other unique indexes', async ({
    skip,
  }) => {
    skip((await majorOf(target.place.url)) < 17, 'pg_column_toast_chunk_id is of PostgreSQL 17')
    await using writer = await open(
      'stays',
      `CREATE TABLE stays (id int PRIMARY KEY, big text, u text UNIQUE, n int); ALTER TABLE stays ALTER big SET STORAGE EXTERNAL;
       INSERT INTO stays SELECT i, repeat('x', 10000), 'u' || i, 0 FROM generate_series(1, 3) i`,
    )
    const stored = (): Promise<unknown> =>
      rows('SELECT id, pg_column_toast_chunk_id(big) FROM stays WHERE id < 3 ORDER BY id')
    const before = await stored()
    for (const more of [[], crowd((n) => [String(n), 'x', `u${n}`, '0'])]) {
      const kept = (id: string, u: string, n: string): Put => ({ row: [id, undefined, u, n], key: [id], base: [id] })
      const { lacking } = await applied(writer, [
        kept('1', 'u1', '1'),
        kept('2', 'u2', '2'),
        kept('3', `v${more.length}`, '3'),
        ...more,
      ])
      expect(lacking).toEqual([])
      expect(await stored()).toEqual(before)
    }
    expect(await rows('SELECT id, length(big), u, n FROM stays WHERE id < 9 ORDER BY id')).toEqual([
      ['1', '10000', 'u1', '1'],
      ['2', '10000', 'u2', '2'],
      ['3', '10000', `v${MANY}`, '3'],
    ])
  })

  test('names with a meaning in SQL are only names', async () => {
    const name = 'a "b" $1 \\ ; DROP'
    const q = `"${name.replaceAll('"', '""')}"`
    await target.place.sql(
      `CREATE TABLE ${q} ("o" int PRIMARY KEY, "c0" text, "k""0; --" text UNIQUE, s text)`,
      `INSERT INTO ${q} VALUES (1, 'x', 'u', 's')`,
    )
    const [spec] = (await target.store.tables('*', SIGNAL)).filter(({ table }) => table.name === name)
    if (spec === undefined) throw new Error('no table')
    const table = {
      table: spec,
      columns: spec.columns.map((column) => ({ name: column.name, as: column.type, column })),
      identity: ['o'],
    }
    await using writer = await target.changes.open(requestOf([table]))
    for (const more of [[], crowd((n) => [String(n), 'x', `u${n}`, ''])]) {
      const { lacking } = await applied(writer, [
        { row: ['1', undefined, 'v', 's'], key: ['1'], base: ['1'] },
        put(['2', 'y', 'u', 's']),
        ...more,
      ])
      expect(lacking).toEqual([])
    }
    expect(await rows(`SELECT * FROM ${q} WHERE o < 10 ORDER BY 1`)).toEqual([
      ['1', 'x', 'v', 's'],
      ['2', 'y', 'u', 's'],
    ])
  })

  test('triggers do not fire, unless an option keeps them', async () => {
    const sql = `CREATE TABLE fires (id int PRIMARY KEY, a text); CREATE TABLE fired (n int);
      CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO fired VALUES (1); RETURN NEW; END $$;
      CREATE TRIGGER fire AFTER INSERT OR UPDATE ON fires FOR EACH ROW EXECUTE FUNCTION fire()`
    await using silent = await open('fires', sql)
    await applied(silent, [put(['1', 'x']), ...crowd((n) => [String(n), 'x'])])
    expect(await rows('SELECT count(*) FROM fired')).toEqual([['0']])
    const table = await changeTable(target.store, 'fires', ['id'])
    await using loud = await target.changes.open(requestOf([table], { fireTriggers: true }))
    await applied(loud, [put(['1', 'y']), put(['2', 'y'])])
    expect(await rows('SELECT count(*) FROM fired')).toEqual([['2']])
  })

  test('a foreign key that is added meanwhile deletes no rows: the transaction is refused, unless keys do not fire', async () => {
    await target.place.sql(
      'CREATE TABLE up (id int, part int, u text, PRIMARY KEY (id, part), UNIQUE (part, u)) PARTITION BY LIST (part)',
      'CREATE TABLE up_1 PARTITION OF up DEFAULT; CREATE UNIQUE INDEX ON up_1 (u)',
      'CREATE TABLE below (id int, u text); CREATE TABLE beside (id int, part int, u text)',
    )
    const table = await changeTable(target.store, 'up', ['id', 'part'])
    await using loud = await target.changes.open(requestOf([table], { fireTriggers: true }))
    await using quiet = await target.changes.open(requestOf([table]))
    const row = (u: string): Put => put(['1', '1', u], 2)
    await applied(loud, [row('a')])
    for (const [name, key] of [
      ['below', 'FOREIGN KEY (u) REFERENCES up_1 (u) ON DELETE CASCADE'],
      ['beside', 'FOREIGN KEY (part, u) REFERENCES up (part, u) ON DELETE SET NULL'],
    ]) {
      await target.place.sql(
        `INSERT INTO ${name} (id, ${name === 'beside' ? 'part, ' : ''}u) VALUES (1, ${name === 'beside' ? '1, ' : ''}'a')`,
        `ALTER TABLE ${name} ADD CONSTRAINT fires ${key}`,
      )
      await expect(applied(loud, [row('b')])).rejects.toMatchObject({
        code: 'TABLE_REFUSED',
        message: expect.stringMatching(`would delete or change rows of (public.)?${name}$`) as string,
      })
      await loud.rollBack()
      expect(await rows(`SELECT up.u, o.u FROM up, ${name} o`)).toEqual([['a', 'a']])
      await applied(quiet, [row('b')])
      await applied(quiet, [row('a')])
      expect(await rows(`SELECT up.u, o.u FROM up, ${name} o`)).toEqual([['a', 'a']])
      await target.place.sql(`ALTER TABLE ${name} DROP CONSTRAINT fires`)
    }
    // A key that only refuses rows refuses them by itself.
    await target.place.sql('ALTER TABLE below ADD FOREIGN KEY (u) REFERENCES up_1 (u)')
    await applied(loud, [put(['2', '1', 'c'], 2)])
  })

  test('deferrable unique constraints are checked at the end of a transaction, and not at all with triggers disabled', async () => {
    await target.place.sql('CREATE TABLE later (id int PRIMARY KEY, u text UNIQUE DEFERRABLE)')
    const table = await changeTable(target.store, 'later', ['id'])
    await using loud = await target.changes.open(requestOf([table], { fireTriggers: true }))
    await applied(loud, [put(['1', 'a']), put(['2', 'b'])])
    await loud.apply(0, { puts: [put(['1', 'b'])], gone: [] })
    await loud.apply(0, { puts: [put(['2', 'a'])], gone: [] })
    expect(await loud.commit(closingOf())).toBe('committed')
    await loud.apply(0, { puts: [put(['3', 'a'])], gone: [] })
    await expect(loud.commit(closingOf())).rejects.toMatchObject({ code: 'ROW_REFUSED' })
    await loud.rollBack()
    await using quiet = await target.changes.open(requestOf([table]))
    await applied(quiet, [put(['3', 'a'])])
    const { notes } = await target.changes.inspect(requestOf([table]))
    expect(notes).toContainEqual(expect.stringMatching(/does not check deferrable constraints.*later_u_key/))
  })

  test('identity columns that the server numbers are written', async () => {
    const sql = `CREATE TABLE numbered (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a text);
      CREATE TABLE numbered2 (id int PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, a text)`
    await target.place.sql(sql)
    const tables = [
      await changeTable(target.store, 'numbered', ['id']),
      await changeTable(target.store, 'numbered2', ['id']),
    ]
    await using writer = await target.changes.open(requestOf(tables))
    for (const more of [0, MANY]) {
      const others = more === 0 ? [] : crowd((n) => [String(n), 'x'])
      for (const text of ['a', 'b']) await applied(writer, [put(['7', text]), ...others])
      for (const text of ['1', '2']) {
        await applied(
          writer,
          [put(['7', text, 'x']), ...others.map(({ row }) => put([row[0] ?? null, '5', 'x']))],
          [],
          1,
        )
      }
    }
    expect(await rows('SELECT * FROM numbered WHERE id < 10')).toEqual([['7', 'b']])
    expect(await rows('SELECT * FROM numbered2 WHERE id < 10')).toEqual([['7', '2', 'x']])
  })

  test('TRUNCATE applies to several tables, and row by row if another table refers to one', async () => {
    await target.place
      .sql(`CREATE TABLE cut_a (id int PRIMARY KEY); CREATE TABLE cut_b (id int PRIMARY KEY, a int REFERENCES cut_a);
      INSERT INTO cut_a VALUES (1); INSERT INTO cut_b VALUES (1, 1)`)
    const [a, b] = [await changeTable(target.store, 'cut_a', ['id']), await changeTable(target.store, 'cut_b', ['id'])]
    await using writer = await target.changes.open(requestOf([a, b]))
    await applied(writer, [put(['2'])])
    await writer.truncate([0, 1])
    await applied(writer, [put(['3'])])
    expect(await rows('SELECT (SELECT count(*) FROM cut_a), (SELECT count(*) FROM cut_b)')).toEqual([['1', '0']])
    await writer.truncate([0])
    await applied(writer, [put(['4'])])
    expect(await rows('SELECT id FROM cut_a')).toEqual([['4']])
  })

  test('a lost fence, a rollback and a lost connection leave no rows', async () => {
    const writer = await open('fenced', 'CREATE TABLE fenced (id int PRIMARY KEY, a text)')
    const batches = [[put(['1', 'x'])], [put(['1', 'x']), ...crowd((n) => [String(n), 'x'])]]
    for (const puts of batches) {
      await writer.apply(0, { puts, gone: [] })
      expect(await writer.commit(closingOf('somebody else'))).toBe('fenced')
      await writer.apply(0, { puts, gone: [] })
      await writer.rollBack()
    }
    expect(await rows('SELECT * FROM fenced')).toEqual([])
    // The session can be used again.
    await applied(writer, batches[1] ?? [])
    await writer.apply(0, { puts: [put(['2', 'y'])], gone: [['1']] })
    await rows(`SELECT pg_terminate_backend(${writer.session.split(' ')[0]}, 5000)`)
    await expect(writer.apply(0, { puts: [put(['3', 'y'])], gone: [] })).rejects.toMatchObject({
      code: 'CONNECTION_LOST',
      retryable: true,
    })
    await expect(writer.commit(closingOf())).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    await writer[Symbol.asyncDispose]()
    expect(await rows('SELECT id FROM fenced WHERE id < 10')).toEqual([['1']])
  })

  test('a row that cannot be stored is named, and the session continues', async () => {
    await using writer = await open(
      'strict',
      'CREATE TABLE strict (id int PRIMARY KEY, v varchar(3), CHECK (id <> 13))',
    )
    for (const more of [[], crowd((n) => [String(n), 'x'])]) {
      for (const bad of [
        ['1', 'toolong'],
        ['13', 'x'],
        ['2', 'nul\0'],
        ['2', '\ud800'],
      ]) {
        await expect(writer.apply(0, { puts: [put(bad), ...more], gone: [] })).rejects.toMatchObject({
          code: 'ROW_REFUSED',
        })
        await writer.rollBack()
      }
      await applied(writer, [put(['1', 'ok']), ...more])
    }
    await expect(writer.apply(0, { puts: [], gone: [[null]] })).rejects.toMatchObject({ code: 'ROW_REFUSED' })
    await writer.rollBack()
    expect(await rows('SELECT count(*) FROM strict')).toEqual([[String(MANY + 1)]])
  })

  test('a text whose blanks a varchar would cut is refused, however its row is written', async () => {
    await target.place.sql(
      'CREATE TABLE blanks (id int PRIMARY KEY, v varchar(5), big text)',
      "INSERT INTO blanks SELECT n, 'ab', 'x' FROM generate_series(1, 3) AS n",
    )
    const found = await changeTable(target.store, 'blanks', ['id'])
    const columns = found.columns.map((one) => (one.name === 'v' ? { ...one, as: { kind: 'text' } as const } : one))
    await using writer = await target.changes.open(requestOf([{ ...found, columns }]))
    const kept = (v: string, to = '2'): Put => ({ row: [to, v, undefined], key: [to], base: ['2'] })
    for (const more of [[], crowd((n) => [String(n), 'x', 'y'])]) {
      for (const make of [(v: string) => put(['1', v, 'y']), kept, (v: string) => kept(v, '9')]) {
        const refusal = { code: 'ROW_REFUSED', message: expect.stringContaining('column v of') as string }
        await expect(writer.apply(0, { puts: [make('äbcd😀 '), ...more], gone: [] })).rejects.toMatchObject(refusal)
        await writer.rollBack()
      }
      await applied(writer, [put(['1', 'äb😀  ', 'y']), kept('abc  '), ...more])
    }
    expect(await rows('SELECT v FROM blanks WHERE id < 10 ORDER BY id')).toEqual([['äb😀  '], ['abc  '], ['ab']])
  })

  test('a text of a list whose blanks a varchar would cut is refused', async () => {
    await target.place.sql('CREATE TABLE lists (id int PRIMARY KEY, v varchar(5)[])')
    const found = await changeTable(target.store, 'lists', ['id'])
    const as = { kind: 'list', of: { kind: 'text' } } as const
    const columns = found.columns.map((one) => (one.name === 'v' ? { ...one, as } : one))
    await using writer = await target.changes.open(requestOf([{ ...found, columns }]))
    for (const more of [[], crowd((n) => [String(n), '[]'])]) {
      for (const cut of ['["a","äbcd😀 "]', '[["a"],["\\"bcde "]]', '[2:2]={"abcde "}']) {
        await expect(writer.apply(0, { puts: [put(['1', cut]), ...more], gone: [] })).rejects.toMatchObject({
          code: 'ROW_REFUSED',
        })
        await writer.rollBack()
      }
      await applied(writer, [put(['1', '["abcd ","\\"bcd ",null]']), ...more])
    }
    expect(await rows('SELECT v FROM lists WHERE id = 1')).toEqual([['{"abcd ","\\"bcd ",NULL}']])
  })

  test('a table that changes while a session is open is read again', async () => {
    await using writer = await open('changing', 'CREATE TABLE changing (id int PRIMARY KEY, a int)')
    const large = crowd((n) => [String(n), String(n)])
    const values = (): Promise<unknown> => rows('SELECT * FROM changing WHERE id < 3 ORDER BY id')
    /** The first attempt fails because the columns are out of date; the second has read them again. */
    async function atSecond(puts: readonly Put[], code: string): Promise<void> {
      await expect(writer.apply(0, { puts, gone: [] })).rejects.toMatchObject({ code, retryable: true })
      await writer.rollBack()
      await applied(writer, puts)
    }
    await applied(writer, [put(['1', '1']), put(['2', '2']), ...large])
    await target.place.sql('ALTER TABLE changing ALTER a TYPE bigint')
    await atSecond([put(['1', '5000000000']), ...large], 'ROW_REFUSED')
    await target.place.sql('ALTER TABLE changing ALTER a TYPE numeric')
    await atSecond([put(['1', '1.5'])], 'ROW_REFUSED')
    await target.place.sql('ALTER TABLE changing ADD UNIQUE (a)')
    const swapped = [put(['1', '2']), put(['2', '1.5'])]
    // Without MERGE every changed row is deleted first, so no value conflicts with itself.
    if ((await majorOf(target.place.url)) < 15) await applied(writer, swapped)
    else await atSecond(swapped, 'ROW_REFUSED')
    expect(await values()).toEqual([
      ['1', '2'],
      ['2', '1.5'],
    ])
    await target.place.sql('ALTER TABLE changing DROP a')
    const failing = writer.apply(0, { puts: [put(['1', '3'])], gone: [] })
    await expect(failing).rejects.toMatchObject({ code: 'TABLE_REFUSED', retryable: true })
    await writer.rollBack()
    const again = writer.apply(0, { puts: [put(['1', '3'])], gone: [] })
    await expect(again).rejects.toMatchObject({
      code: 'TABLE_REFUSED',
      retryable: false,
      message: 'public.changing has no column a',
    })
    await writer.rollBack()
    await target.place.sql('ALTER TABLE changing ADD a int, DROP CONSTRAINT changing_pkey')
    const bare = writer.apply(0, { puts: [put(['1', '3'])], gone: [] })
    await expect(bare).rejects.toMatchObject({
      code: 'TABLE_REFUSED',
      message: expect.stringContaining('no index') as string,
    })
  })

  test('a row that an unchanged table refuses is refused permanently in each transaction', async () => {
    await target.place.sql("CREATE TYPE few AS ENUM ('a')")
    await using writer = await open('constant', 'CREATE TABLE constant (id int PRIMARY KEY, a few, CHECK (id <> 13))')
    for (const more of [[], crowd((n) => [String(n), 'a'])]) {
      for (const bad of [put(['1', 'new']), put(['13', 'a'])]) {
        await applied(writer, [put(['2', 'a']), ...more])
        const failing = writer.apply(0, { puts: [bad, ...more], gone: [] })
        await expect(failing).rejects.toMatchObject({ code: 'ROW_REFUSED', retryable: false })
        await writer.rollBack()
      }
    }
    await target.place.sql("ALTER TYPE few ADD VALUE 'new'")
    await applied(writer, [put(['1', 'new'])])
    expect(await rows('SELECT id, a FROM constant WHERE id < 3 ORDER BY id')).toEqual([['1', 'new'], ['2', 'a']]) // prettier-ignore
  })

  test('a table that another one has replaced under its name is not written', async () => {
    await using writer = await open('named', 'CREATE TABLE named (id int PRIMARY KEY, a text)')
    await applied(writer, [put(['1', 'a']), put(['200', 'a'])])
    await target.place.sql('ALTER TABLE named RENAME TO named_old', 'CREATE VIEW named AS SELECT * FROM named_old WHERE id < 100') // prettier-ignore
    await expect(applied(writer, [put(['1', 'b'])], [['200']])).rejects.toMatchObject({ code: 'TABLE_REFUSED', retryable: false }) // prettier-ignore
    await writer.rollBack()
    await target.place.sql('DROP VIEW named', 'ALTER TABLE named_old RENAME TO named')
    expect(await rows('SELECT id, a FROM named ORDER BY id')).toEqual([['1', 'a'], ['200', 'a']]) // prettier-ignore
    await applied(writer, [put(['1', 'b'])], [['200']])
    expect(await rows('SELECT id, a FROM named ORDER BY id')).toEqual([['1', 'b']])
    await target.place.sql('DROP TABLE named', 'CREATE TABLE named (id int PRIMARY KEY, a text)')
    for (let times = 0; times < 2; times++) {
      await expect(applied(writer, [put(['1', 'c'])])).rejects.toMatchObject({ code: 'TABLE_REFUSED' })
      await writer.rollBack()
    }
    expect(await rows('SELECT id, a FROM named')).toEqual([])
  })

  test('columns that exchange names during a session end the transaction, and others may be added or dropped', async () => {
    await using writer = await open('exchanged', 'CREATE TABLE exchanged (id int PRIMARY KEY, v text, w text)')
    const exchange = (): Promise<void> =>
      target.place.sql(...['v TO x', 'w TO v', 'x TO w'].map((names) => `ALTER TABLE exchanged RENAME ${names}`))
    await applied(writer, [put(['1', 'v', 'w'])])
    for (const more of [[], crowd((n) => [String(n), 'v', 'w'])]) {
      await exchange()
      await expect(applied(writer, [put(['2', 'v', 'w']), ...more])).rejects.toMatchObject({
        code: 'TABLE_REFUSED',
        retryable: false,
        reason: expect.stringContaining('have exchanged their names') as string,
        hint: expect.stringContaining('--resync') as string,
      })
      await writer.rollBack()
      expect(await rows('SELECT id, v, w FROM exchanged')).toEqual([['1', 'w', 'v']])
      await exchange()
    }
    await target.place.sql('ALTER TABLE exchanged ADD y int')
    await applied(writer, [put(['2', 'v', 'w'])])
    await target.place.sql('ALTER TABLE exchanged DROP y')
    await applied(writer, [put(['3', 'v', 'w'])])
    expect(await rows('SELECT * FROM exchanged ORDER BY id')).toEqual(['1', '2', '3'].map((id) => [id, 'v', 'w']))
  })

  test('many transactions leave the catalog unchanged', async () => {
    await using writer = await open('calm', 'CREATE TABLE calm (id int PRIMARY KEY, a text)')
    const large = crowd((n) => [String(n), 'x'])
    await applied(writer, large)
    const written = async (): Promise<number> => {
      await applied(writer, [])
      const [[n] = []] = await rows("SELECT count(*) FROM pg_class WHERE relname LIKE 'sluice_changes%'")
      return Number(n)
    }
    const before = await written()
    const [[xmin] = []] = await rows("SELECT xmin FROM pg_class WHERE relname LIKE 'sluice_changes%'")
    for (let i = 0; i < 5; i++) await applied(writer, large)
    expect(await written()).toBe(before)
    expect(await rows("SELECT xmin FROM pg_class WHERE relname LIKE 'sluice_changes%'")).toEqual([[xmin]])
  })

  test('transactions carry their origin', async () => {
    await target.place.sql('CREATE TABLE marked (id int PRIMARY KEY)')
    const table = await changeTable(target.store, 'marked', ['id'])
    const origin = `sluice_test_${process.pid}`
    const writer = await target.changes.open(requestOf([table], { origin }))
    await applied(writer, [put(['1'])])
    // The server records where the last transaction of an origin ends.
    const noted = async (): Promise<string | null> => {
      const [[lsn] = []] = await rows(
        `SELECT local_lsn FROM pg_replication_origin_status WHERE external_id = '${origin}'`,
      )
      return lsn ?? null
    }
    const first = await noted()
    await applied(writer, [put(['2'])])
    expect(first).not.toBeNull()
    expect(await noted()).not.toBe(first)
    await expect(target.changes.open(requestOf([table], { origin }))).rejects.toMatchObject({
      code: 'TARGET_BUSY',
      retryable: true,
    })
    await writer[Symbol.asyncDispose]()
    await using next = await target.changes.open(requestOf([table], { origin }))
    await next[Symbol.asyncDispose]()
    await target.place.sql(`SELECT pg_replication_origin_drop('${origin}')`)
  })
  describe('a table that the planner believes to be almost empty, and was filled since', () => {
    const ROWS = 40_000

    /** Its last vacuum found no rows in many pages. */
    async function misjudged(name: string, more = '') {
      const writer = await open(
        name,
        `CREATE TABLE ${name} (id int PRIMARY KEY, u int, a text) WITH (autovacuum_enabled = off, toast_tuple_target = 128);
         INSERT INTO ${name} SELECT i, i, repeat('x', 100) FROM generate_series(1, 5000) AS i; DELETE FROM ${name}; ANALYZE ${name};
         INSERT INTO ${name} SELECT i, i, 'x' FROM generate_series(1, ${ROWS}) AS i; ${more}`,
      )
      expect(await rows(`SELECT reltuples, relpages > 10 FROM pg_class WHERE relname = '${name}'`)).toEqual([
        ['0', 't'],
      ])
      return writer
    }

    /** Index entries of the primary key that were read, once the server has counted the changes of so many rows. */
    async function entriesRead(name: string, column: 'n_tup_del' | 'n_tup_upd', changed: number): Promise<number> {
      const before = column === 'n_tup_del' ? 5000 : 0
      await expect
        .poll(() => rows(`SELECT ${column} FROM pg_stat_user_tables WHERE relname = '${name}'`), { timeout: 60_000 })
        .toEqual([[String(before + changed)]])
      const [row] = await rows(`SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = '${name}_pkey'`)
      return Number(row?.[0])
    }

    for (const [size, gone] of [
      ['small', 100],
      ['large', MANY],
    ] as const) {
      test(`deleted rows are found by their index: ${size}`, async () => {
        const name = `misjudged_${size}`
        await using writer = await misjudged(name)
        await applied(
          writer,
          [],
          Array.from({ length: gone }, (_, i) => [String(i + 1)]),
        )
        expect(await entriesRead(name, 'n_tup_del', gone)).toBeLessThan(ROWS)
      })

      test(`rows with changed unique values are found by their index: ${size}`, async () => {
        const name = `misjudged_unique_${size}`
        await using writer = await misjudged(name, `CREATE UNIQUE INDEX ON ${name} (u)`)
        const puts = Array.from({ length: gone }, (_, i) => put([String(i + 1), String(100_000 + i), 'y']))
        await applied(writer, puts)
        expect(await entriesRead(name, 'n_tup_del', gone)).toBeLessThan(ROWS)
      })
    }

    test('rows with unchanged values are found by their index', async () => {
      const name = 'misjudged_partial'
      await using writer = await misjudged(name)
      const puts = Array.from({ length: MANY }, (_, i): Put => {
        const key = [String(i + 1)]
        return { row: [...key, String(i), undefined], key, base: key }
      })
      await applied(writer, puts)
      expect(await entriesRead(name, 'n_tup_upd', MANY)).toBeLessThan(ROWS)
    })
  })
})
