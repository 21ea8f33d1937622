/** Values of a stream and values of a copy: the same cells, for every type, transfer form, and setting of the role. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ColumnType } from '../../src/model/copy/column-type.ts'
import type { Row } from '../../src/model/copy/rows.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { FollowedTable } from '../../src/model/follow/port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { readAll, request, SIGNAL, zooSql, ZOO_TYPES } from './copy-postgresql-kit.ts'
import { startRecord, followed, open, startLogical, take, type LogicalServer } from './replication-kit.ts'

describe.skipIf(!POSTGRES_OWN)('values of a stream (needs a server of its own)', () => {
  let live: LogicalServer
  let store: CopyStore

  beforeAll(async () => {
    live = await startLogical()
    store = await openPostgresCopy(live.url)
    await live.sql.run(ZOO_TYPES)
  })

  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    await live.sql.close()
    await live.server[Symbol.asyncDispose]()
  })

  /** What the stream sends for rows written by `fill`, and what the source then reads of them. */
  async function both(table: FollowedTable, fill: string, url = live.url): Promise<{ told: unknown[]; read: Row[] }> {
    const name = table.table.table.name
    const at = await startRecord(live.sql, `"${name}"`)
    await live.sql.run(`BEGIN; ${fill}; COMMIT`)
    await using stream = await open(url, at, [table])
    const reported = (await take(stream, 1)).flatMap((change) => (change.type === 'insert' ? [change.row] : []))
    await using view = await store.source(SIGNAL)
    return { told: reported, read: await readAll(view, request(table.table, { columns: table.columns })) }
  }

  /** Creates and empties the table, so that its rows can be written again while the stream exists. */
  async function zoo(name: string, more: (table: FollowedTable) => FollowedTable = (table) => table) {
    const [create = '', ...inserts] = zooSql(name).split(';\n')
    await live.sql.run(
      create.slice(0, create.indexOf('INSERT INTO') === -1 ? undefined : create.indexOf('INSERT INTO')),
    )
    const first = create.includes('INSERT INTO') ? [create.slice(create.indexOf('INSERT INTO'))] : []
    return { table: more(await followed(store, `public.${name}`)), fill: [...first, ...inserts].join(';\n') }
  }

  test('every type of the zoo is equal', async () => {
    const { table, fill } = await zoo('zoo')
    const { told: reported, read } = await both(table, fill)
    expect(read.length).toBeGreaterThan(5)
    expect(reported).toEqual(read)
  })

  test('a role with settings of its own reads the same values', async () => {
    await live.sql.run(`CREATE ROLE odd LOGIN REPLICATION SUPERUSER PASSWORD 'odd';
      ALTER ROLE odd SET DateStyle TO 'SQL, DMY'; ALTER ROLE odd SET IntervalStyle TO 'sql_standard'; ALTER ROLE odd SET extra_float_digits TO -15;
      ALTER ROLE odd SET bytea_output TO 'escape'; ALTER ROLE odd SET TimeZone TO 'Asia/Kathmandu'; ALTER ROLE odd SET xmloption TO document;
      ALTER ROLE odd SET default_transaction_read_only TO on; ALTER ROLE odd SET statement_timeout TO '1s'`)
    const { table, fill } = await zoo('odd_zoo')
    const { told: reported, read } = await both(table, fill, live.server.url('live', 'odd', 'odd'))
    expect(reported).toEqual(read)
  })

  test('columns that are transferred as another type are equal', async () => {
    const other: Readonly<Record<string, ColumnType>> = {
      b: { kind: 'text' },
      i2: { kind: 'decimal' },
      i8: { kind: 'text' },
      exact: { kind: 'decimal', precision: 38, scale: 10, cut: 2 },
      f4: { kind: 'float', bits: 64 },
      bytes: { kind: 'text' },
      tm: { kind: 'time', digits: 6, cut: 2 },
      ts: { kind: 'timestamp', zone: false, digits: 6, cut: 3 },
      jb: { kind: 'text' },
      ints: { kind: 'json' },
      words: { kind: 'text' },
      iv: { kind: 'text' },
      js: { kind: 'native', name: 'json' },
      jsons: { kind: 'native', name: 'jsonb[]' },
      prs: { kind: 'native', name: 'pair[]' },
      numbers: { kind: 'native', name: 'numeric[]' },
    }
    const { table, fill } = await zoo('other_zoo', (itself) => ({
      ...itself,
      columns: itself.columns
        .filter(({ name }) => name === 'id' || other[name] !== undefined)
        .map((column) => ({ ...column, as: other[column.name] ?? column.as })),
    }))
    const { told: reported, read } = await both(table, fill)
    expect(reported).toEqual(read)
  })

  test('arrays of all kinds are equal: dimensions, bounds, delimiters, elements that a cast to text changes', async () => {
    await live.sql
      .run(`CREATE DOMAIN flag AS boolean; CREATE DOMAIN five AS character(5); CREATE DOMAIN address AS inet;
      CREATE TABLE arrays (id int PRIMARY KEY, bools bool[], flags flag[], small int2[], bigs int8[], reals real[], doubles double precision[], exact numeric(10,3)[],
        texts text[], chars character(4)[], varchars varchar(9)[], fives five[], bytes bytea[], uuids uuid[], days date[], clocks time[], stamps timestamp[],
        moments timestamptz[], jsons json[], jsonbs jsonb[], boxes box[], ips inet[], nets cidr[], homes address[], names name[], codes "char"[],
        moods mood[], pairs pair[], ranges int4range[], cash money[], waits interval[], labels label, oids oidvector)`)
    const { told: reported, read } = await both(
      await followed(store, 'public.arrays'),
      String.raw`INSERT INTO arrays VALUES (1, '{t,f,NULL}', '{t,NULL,f}', '{-32768,32767}', '[0:1]={-9223372036854775808,9223372036854775807}', '{-0,NaN,Infinity,0.1,1e-45,3.4028235e38}',
        '{-0,-Infinity,0.1,1e300,5e-324,100}', '{1.500,NaN,-0.001}', ARRAY['', 'NULL', 'null', NULL, '{', '}', ',', '"', E'\\', E'a\nb', 'é😀', ' x '], '{ab,"c d",""}',
        '{a,b}', '{ab,"c d",""}', ARRAY['\x00ff'::bytea, '\x5c', ''], '{00000000-0000-0000-0000-000000000000}', '{2024-02-29,"0044-03-15 BC",infinity,12024-01-01}',
        '{24:00:00,12:00:00.500}', '{"0044-03-15 12:00:00.5 BC",infinity,"2024-02-29 23:59:59.999999"}', '{"4713-01-01 00:00:00+00 BC",-infinity,"2024-02-29 12:34:56.7+02"}',
        ARRAY['{"b":1, "a":[1.50,1e3,"\u00e9"], "b":2}', 'null', '"x"', NULL, '[1,[2]]']::json[], ARRAY['{"n":1.50}', 'null', '[]', NULL]::jsonb[],
        ARRAY['(1,2),(3,4)'::box, NULL, '((5,6),(7,8))'], '{1.2.3.4,::1,1.2.3.0/24,::1/64,NULL}', '{10.0.0.0/8,1.2.3.4}', '{1.2.3.4,NULL}', '{"a name",NULL}', ARRAY['x'::"char", ''::"char"],
        ARRAY['sad', NULL, 'it''s "ok"']::mood[], ARRAY[ROW(1, 'a,"b"')::pair, ROW(NULL, NULL)::pair, NULL], '{"[1,10)",empty,"(,5]"}', '{1234.56,-0.01}',
        '{"1 year 2 mons -3 days 04:05:06.789",0}', 'x', '1 2 3');
      INSERT INTO arrays (id, small, texts, jsonbs, boxes) VALUES (2, '{{1,2},{3,NULL}}', '[2:3][-1:0]={{a,b},{"c d","{}"}}', '{}', '{(1,2),(3,4);(5,6),(7,8)}'), (3, '{}', '{}', NULL, '{}')`,
    )
    expect(read).toHaveLength(3)
    expect(reported).toEqual(read)
  })

  test('an array whose elements a cast changes in an unknown way is refused by name', async () => {
    await live.sql.run(`CREATE TYPE odd_pair AS (a int, b int);
      CREATE FUNCTION odd_text(odd_pair) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT ''odd''';
      CREATE CAST (odd_pair AS text) WITH FUNCTION odd_text(odd_pair);
      CREATE TABLE odd_pairs (id int PRIMARY KEY, pairs odd_pair[])`)
    const table = await followed(store, 'public.odd_pairs')
    const at = await startRecord(live.sql, 'odd_pairs')
    await expect(open(live.url, at, [table])).rejects.toMatchObject({
      code: 'NOT_FOLLOWABLE',
      where: 'public.odd_pairs.pairs',
    })
    const spelled = table.columns.map((column) => ({ ...column, as: { kind: 'json', spelled: true } as const }))
    await expect(open(live.url, at, [{ ...table, columns: spelled }])).rejects.toMatchObject({ code: 'NOT_FOLLOWABLE' })
  })
})
