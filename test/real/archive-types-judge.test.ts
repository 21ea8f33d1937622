/**
 * Each type that an archive accepts, with its extreme values: the server prints the same before a partition leaves and
 * after its restore, and foreign readers find these values in the files.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { JUDGES_MISSING, ValuesJudge } from '../judges/judge.ts'
import { MYSQL, POSTGRESQL, POSTGRESQL_FIRST, SQLITE, type Held, type TypeCase } from '../support/archive-types.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import { done, errorOf, leaveCommands } from '../support/leave-and-return.ts'

const SYSTEMS = ['postgresql', 'mysql', 'sqlite'] as const
type Judged = (typeof SYSTEMS)[number]
const WITHOUT = new Map(await Promise.all(SYSTEMS.map(async (system) => [system, await missing(system)] as const)))
const CASES = { postgresql: POSTGRESQL, mysql: MYSQL, sqlite: SQLITE }

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

const column = (at: number): string => `v${at}`

/** Bytes and text of a value, as the server returns them. */
function judged(system: Judged, name: string, { held, type }: TypeCase): readonly string[] {
  switch (system) {
    case 'postgresql':
      return [`sent(${name})`, `said(${name})`, `pg_column_size(${name})`]
    case 'mysql':
      // For a member its number, for a FLOAT more digits than the server shows.
      return /^(?:uuid|inet|geometry|point|polygon)/.test(type)
        ? [`HEX(${name})`, 'NULL', 'NULL']
        : [`HEX(${name})`, `HEX(CAST(${name} AS CHAR))`, held === 'float32' ? `${name} + 0e0` : `${name} + 0`]
    case 'sqlite':
      return [`typeof(${name})`, `quote(${name})`, `hex(${name})`]
  }
}

/** SQL that prints a value as `judge_values` does. */
const FILED: Readonly<Record<Judged, Readonly<Record<Held, (name: string, type: string) => string>>>> = {
  postgresql: {
    bool: (name) => `CASE ${name} WHEN true THEN 'true' WHEN false THEN 'false' END`,
    number: (name) => `${name}::text`,
    float32: (name) => `encode(float4send(${name}), 'hex')`,
    float64: (name) => `encode(float8send(${name}), 'hex')`,
    // Trailing spaces of char(n) are not part of its value.
    text: (name, type) =>
      `encode(convert_to(${/^char\(\d+\)$/.test(type) ? `rtrim(said(${name}), ' ')` : `said(${name})`}, 'UTF8'), 'hex')`,
    time: (name) => `encode(convert_to(said(${name}), 'UTF8'), 'hex')`,
    bytes: (name) => `encode(${name}, 'hex')`,
    days: (name) => `(${name} - DATE '1970-01-01')::text`,
    micros: (name) => `(extract(epoch FROM ${name}) * 1000000)::bigint::text`,
  },
  mysql: {
    bool: (name) => `CASE ${name} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END`,
    number: (name) => `CAST(${name} + 0 AS CHAR)`,
    float32: (name) => `CAST(${name} + 0e0 AS CHAR)`,
    float64: (name) => `CAST(${name} AS CHAR)`,
    text: (name, type) =>
      /^(?:geometry|point|polygon)/.test(type)
        ? `LOWER(HEX(HEX(${name})))`
        : `LOWER(HEX(CONVERT(CAST(${name} AS CHAR) USING utf8mb4)))`,
    time: (name) => `LOWER(HEX(${name}))`,
    bytes: (name) => `LOWER(HEX(${name}))`,
    days: (name) => `CAST(TO_DAYS(${name}) - TO_DAYS('1970-01-01') AS CHAR)`,
    micros: (name) => `CAST(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', ${name}) AS CHAR)`,
  },
  sqlite: {
    bool: (name) => `CASE ${name} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END`,
    number: (name) => `CAST(${name} AS TEXT)`,
    float32: (name) => name,
    float64: (name) => name,
    text: (name) => `iif(${name} IS NULL, NULL, lower(hex(${name})))`,
    time: (name) => name,
    bytes: (name) => `iif(${name} IS NULL, NULL, lower(hex(${name})))`,
    days: (name) => name,
    micros: (name) => name,
  },
}

/** Conversions that SQL cannot do. */
function filed(system: Judged, { held }: TypeCase, text: string | null): string | null {
  if (text === null) return null
  if (held === 'time')
    return Buffer.from(
      Buffer.from(text, 'hex')
        .toString()
        .replace(/(\.\d*?)0+$/, '$1')
        .replace(/\.$/, ''),
    ).toString('hex')
  if ((held !== 'float32' && held !== 'float64') || system === 'postgresql') return text
  const bytes = Buffer.alloc(held === 'float32' ? 4 : 8)
  const value = text === 'Infinity' || text === 'inf' ? Infinity : Number(text)
  if (held === 'float32') bytes.writeFloatBE(value)
  else bytes.writeDoubleBE(value)
  return bytes.toString('hex')
}

async function makeTypes(system: Judged, cases: readonly TypeCase[]): Promise<Place> {
  const place = await makePlace(system, folder.path)
  if (system === 'postgresql') await place.sql(...POSTGRESQL_FIRST, ...PG_JUDGES)
  const declared = cases.map(({ type }, i) => `${column(i)} ${type}`).join(', ')
  const key = system === 'sqlite' ? 'id INTEGER PRIMARY KEY, d TEXT NOT NULL' : 'id int PRIMARY KEY, d date NOT NULL'
  const most = Math.max(...cases.map(({ values }) => values.length)) + 1
  const rows = Array.from({ length: most }, (_, row) => {
    const values = cases.map(({ values: all }, i) => all[(row + i) % (all.length + 1)] ?? 'NULL')
    return `INSERT INTO s VALUES (${row + 1}, '2023-02-01', ${values.join(', ')})`
  })
  const hot = `INSERT INTO s VALUES (1000, '2026-11-01', ${cases.map(() => 'NULL').join(', ')})`
  await place.sql(
    `CREATE TABLE s (${key}, ${declared})`,
    ...(system === 'mysql' ? [`SET SESSION sql_mode = '', time_zone = '+00:00'`] : []),
    ...rows,
    hot,
  )
  return place
}

/** A session whose output differs from that of an archive, and functions that print like an archive. */
const PG_JUDGES: readonly string[] = [
  `CREATE FUNCTION said(v anyelement) RETURNS text LANGUAGE plpgsql SET datestyle = 'ISO' SET intervalstyle = 'iso_8601' SET extra_float_digits = 3 SET timezone = 'UTC'
     SET bytea_output = 'hex' AS $$ BEGIN RETURN CASE WHEN num_nulls(v) = 0 THEN format('%s', v) END; END $$`,
  `CREATE FUNCTION sent(v anyelement) RETURNS text LANGUAGE plpgsql AS $$ DECLARE send text; found text; BEGIN
     IF num_nulls(v) = 1 THEN RETURN NULL; END IF;
     SELECT typsend::text INTO send FROM pg_catalog.pg_type WHERE oid = pg_typeof(v);
     EXECUTE 'SELECT encode(' || send || '($1), ''hex'')' INTO found USING v; RETURN found; END $$`,
  `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET datestyle = ''German, DMY''', current_database());
     EXECUTE format('ALTER DATABASE %I SET intervalstyle = ''sql_standard''', current_database());
     EXECUTE format('ALTER DATABASE %I SET extra_float_digits = -15', current_database());
     EXECUTE format('ALTER DATABASE %I SET timezone = ''Asia/Kolkata''', current_database());
     EXECUTE format('ALTER DATABASE %I SET bytea_output = ''escape''', current_database()); END $$`,
]

const named = (cases: readonly TypeCase[], values: readonly (string | null)[], each: number): readonly string[] =>
  cases.map(
    ({ type, asText }, i) =>
      `${type}${asText === undefined ? '' : ' as text'}: ${values
        .slice(i * each, (i + 1) * each)
        .map((one) => (one === null ? 'NULL' : one.slice(0, 200)))
        .join(' | ')}`,
  )

describe.each(SYSTEMS)('%s', (system) => {
  const why = WITHOUT.get(system) ?? ''

  it.skipIf(why !== '')(`values of all types are restored, and can be read${why}`, { timeout: 180_000 }, async () => {
    const cases = CASES[system]
    const place = await makeTypes(system, cases)
    const words = cases.flatMap((one, i) => judged(system, column(i), one))
    const each = 3
    const judge = async (): Promise<readonly (readonly string[])[]> =>
      (await place.rows(`SELECT ${words.join(', ')} FROM s WHERE id < 1000 ORDER BY id`)).map((row) =>
        named(cases, row, each),
      )
    const wanted = await place.rows(
      `SELECT id, ${cases.map(({ held, type }, i) => FILED[system][held](column(i), type)).join(', ')} FROM s WHERE id < 1000 ORDER BY id`,
    )
    const before = await judge()
    const refusedBy = (part: TypeCase['asText']): readonly string[] =>
      cases.flatMap(({ asText: is }, i) => (is === part ? [column(i)] : []))
    const [byType, byValues] = [refusedBy('type'), refusedBy('values')]
    const { run, drop, restore, verify } = leaveCommands(place, folder.path, { asText: [...byType, ...byValues] })
    for (const one of byType) {
      const others = byType.filter((name) => name !== one)
      const refusal = errorOf(await perform({ ...run, asText: others, dryRun: true }))
      expect(refusal).toMatchObject({
        code: 'UNSUPPORTED_TYPE',
        text: expect.stringContaining(`--as-text ${one} `) as string,
      })
    }
    const planned = await done({ ...run, asText: byType, dryRun: true, exact: true })
    const refused = planned.events.flatMap((event) =>
      event.type === 'log' ? (/would be refused: .* in (v\d+)/.exec(event.message)?.[1] ?? []) : [],
    )
    expect(refused).toEqual(byValues)
    await done(run)
    if (JUDGES_MISSING === '') {
      await using other = await ValuesJudge.start()
      const [[root] = []] = await place.rows('SELECT archive FROM migration_archives')
      const rows = new Map((await other.read(String(root))).map((row) => [row['id'], row]))
      for (const [id, ...values] of wanted) {
        const found = cases.map((_, i) => rows.get(id)?.[column(i)] ?? null)
        expect(named(cases, found, 1)).toEqual(
          named(
            cases,
            values.map((one, i) => filed(system, cases[i] as TypeCase, one)),
            1,
          ),
        )
      }
    }
    await done(drop)
    expect(await judge()).toEqual([])
    await done(verify)
    await done(restore)
    const after = await judge()
    expect(after).toHaveLength(before.length)
    for (const [i, row] of before.entries()) expect(after[i]).toEqual(row)
  })

  it.skipIf(system !== 'postgresql' || why !== '')(
    `an archive of an older sluice, which trimmed the spaces of bpchar, can be continued${why}`,
    { timeout: 60_000 },
    async () => {
      const place = await makePlace(system, folder.path)
      await place.sql(
        'CREATE TABLE s (id int PRIMARY KEY, d date NOT NULL, v bpchar)',
        `INSERT INTO s VALUES (1, '2023-02-01', 'ab'), (2, '2023-05-01', 'ab  '), (3, '2026-11-01', 'ab ')`,
      )
      const { run, drop, restore } = leaveCommands(place, folder.path)
      await done(run)
      await done(drop)
      const older = `replace(stored, '"as":{"kind":"native","name":"bpchar"}', '"as":{"kind":"text","padded":true}')`
      await place.sql(
        `UPDATE migration_archives SET stored = ${older}`,
        `UPDATE migration_archive_partitions SET stored = ${older}`,
      )
      expect(await place.rows(`SELECT count(*) FROM migration_archives WHERE stored LIKE '%"padded":true}%'`)).toEqual([
        ['1'],
      ])
      await done({ ...run, partitions: ['2023-Q2'] })
      await done({ ...run, partitions: ['2023-Q2'], drop: true, confirm: 's' })
      const query = {
        kind: 'query',
        from: place.url,
        table: 's',
        query: 'SELECT id, v FROM s ORDER BY id',
        limit: 9,
        format: 'json',
      }
      const { events } = await done(query as Operation)
      expect(events.flatMap((event) => (event.type === 'row' ? [event.values] : []))).toEqual([
        [1, 'ab'],
        [2, 'ab  '],
        [3, 'ab '],
      ])
      await done({ ...restore, partitions: ['2023-Q1', '2023-Q2'] } as Operation)
      expect(await place.rows('SELECT id, octet_length(v) FROM s ORDER BY id')).toEqual([
        ['1', '2'],
        ['2', '4'],
        ['3', '3'],
      ])
    },
  )
})
