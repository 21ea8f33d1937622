/** The hints of archive errors work as printed. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import { wholeCommands } from '../../src/app/whole-commands/whole.ts'
import { shellWords } from '../../src/shared/shell-words.ts'
import { commandsOf, TABLE } from '../support/archive-places.ts'
import { makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const noPostgres = await missing('postgresql')
let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-hints-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
afterEach(() => void vi.unstubAllEnvs())

type Run = Operation & { readonly kind: 'archive' }

async function archiving(...sql: readonly string[]): Promise<{
  readonly place: Place
  readonly run: Run
  readonly commands: ReturnType<typeof commandsOf>
}> {
  const place = await makePlace('sqlite', mkdtempSync(join(folder, 'place-')))
  await place.sql(...sql)
  const commands = commandsOf({ place, form: 'plain', to: mkdtempSync(join(folder, 'to-')) })
  return { place, run: commands.run as Run, commands }
}

function fine(ran: Ran): Ran {
  expect(ran.finished, JSON.stringify(ran.events.slice(-3))).toMatchObject({ exitCode: 0 })
  return ran
}

const hintOf = ({ events, finished }: Ran): string =>
  finished.error?.hint ??
  events.flatMap((event) => (event.type === 'archive.state' && event.error ? [event.error.hint ?? ''] : [])).join()

test('a text with invalid bytes is archived after its column is changed to a binary type', async () => {
  const { place, run, commands } = await archiving(
    `CREATE TABLE ${TABLE} (id INTEGER PRIMARY KEY, at DATETIME NOT NULL, t TEXT)`,
    `INSERT INTO ${TABLE} VALUES (1, '2020-01-02 00:00:00', CAST(x'ff41' AS TEXT)), (2, '2020-01-03 00:00:00', 'it''s'), (3, '2090-01-02 00:00:00', 'c')`,
  )
  const advice =
    'correct the value at the source, or change it to bytes (SET "t" = CAST("t" AS BLOB) in that row) and store the column with --as-text t'
  expect(hintOf(await perform(run))).toBe(advice)
  expect(hintOf(await perform({ ...run, asText: ['t'] }))).toBe(advice)
  await place.sql(`UPDATE ${TABLE} SET "t" = CAST("t" AS BLOB) WHERE id = 1`)
  const content = `SELECT id, quote(t), typeof(t) FROM ${TABLE} ORDER BY id`
  const before = await place.rows(content)
  fine(await perform({ ...run, asText: ['t'] }))
  fine(await perform({ ...run, drop: true, confirm: TABLE }))
  expect(await place.rows(`SELECT id FROM ${TABLE}`)).toEqual([['3']])
  fine(await perform({ ...commands.restore, partitions: ['2020-Q1'] } as Operation))
  expect(await place.rows(content)).toEqual(before)
})

test.skipIf(noPostgres !== '')(
  `a value of the partition column must be corrected: it cannot be stored as text${noPostgres}`,
  { timeout: 60_000 },
  async () => {
    const place = await makePlace('postgresql', folder)
    await place.sql(
      'CREATE TABLE m (id int, at timestamptz NOT NULL, "a b" date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)',
      "CREATE TABLE m_old PARTITION OF m FOR VALUES FROM (MINVALUE) TO ('2020-01-01Z')",
      "CREATE TABLE m_now PARTITION OF m FOR VALUES FROM ('2090-01-01Z') TO ('2091-01-01Z')",
      "INSERT INTO m VALUES (1, '-infinity', NULL), (2, '2019-01-01Z', 'infinity')",
    )
    const { run } = commandsOf({ place, form: 'native', to: mkdtempSync(join(folder, 'to-')) })
    const own = { ...run, tables: ['m'] } as Run
    const { events } = fine(await perform({ ...own, dryRun: true, exact: true }))
    const warned = events.flatMap((event) => (event.type === 'log' && event.level === 'warn' ? [event.hint] : []))
    expect(warned).toEqual([
      'correct these values at the source',
      "--as-text 'a b' stores the text that the source prints",
    ])
    const others = '; archive plan with the same options and --exact names columns with such values'
    expect(hintOf(await perform(own))).toBe(`correct the value at the source${others}`)
    const failed = fine(await perform({ ...own, dryRun: true, exact: true })).events
    expect(failed.flatMap((event) => (event.type === 'log' && event.level === 'warn' ? [event.hint] : []))).toEqual(
      warned,
    )
    await place.sql("UPDATE m SET at = '2018-01-01Z' WHERE id = 1")
    expect(hintOf(await perform(own))).toBe(
      `correct the value at the source, or store the text of the column with --as-text 'a b'${others}`,
    )
    fine(await perform({ ...own, asText: ['a b'] }))
  },
)

test('a computed column that has been stored as text since is named as such', async () => {
  const { run, commands } = await archiving(
    `CREATE TABLE ${TABLE} (id INTEGER PRIMARY KEY, at DATETIME NOT NULL, g AS (id + 0.5) STORED)`,
    `INSERT INTO ${TABLE} (id, at) VALUES (1, '2020-01-02 00:00:00'), (2, '2020-04-03 00:00:00'), (3, '2090-01-02 00:00:00')`,
  )
  fine(await perform({ ...run, partitions: ['2020-Q1'] }))
  fine(await perform({ ...run, asText: ['g'], partitions: ['2020-Q2'] }))
  fine(await perform({ ...run, drop: true, confirm: TABLE }))
  const asked = await perform({ ...commands.query, query: `SELECT id, g FROM ${TABLE}` } as Operation)
  expect(asked.finished.error).toMatchObject({
    code: 'BAD_QUERY',
    message: 'the query cannot read column g in 2020-Q1: these rows have no value for it',
    reason: 'the database computes the column, and these rows were archived when it was stored as another type',
    hint: expect.stringMatching(/^select "g__old", which has their values, remove the column from the query/) as string,
  })
  fine(await perform({ ...commands.query, query: `SELECT id, "g__old" FROM ${TABLE}` } as Operation))
  const back = fine(await perform({ ...commands.restore, partitions: ['2020-Q1'] } as Operation))
  const said = back.events.map((event) => JSON.stringify(event)).join('\n')
  expect(said).toContain('g was stored as double and is stored as text')
})

test('the error for a condition on a column added later says what helps', async () => {
  const { place, run } = await archiving(
    `CREATE TABLE ${TABLE} (id INTEGER PRIMARY KEY, at DATETIME NOT NULL)`,
    `INSERT INTO ${TABLE} VALUES (1, '2020-01-02 00:00:00'), (2, '2020-04-03 00:00:00'), (3, '2090-01-02 00:00:00')`,
  )
  fine(await perform({ ...run, partitions: ['2020-Q1'] }))
  await place.sql(`ALTER TABLE ${TABLE} ADD who TEXT`, `UPDATE ${TABLE} SET who = 'a'`)
  const erase = {
    kind: 'archive-erase',
    from: place.url,
    table: TABLE,
    where: "who = 'a'",
    reason: 'asked for it',
    confirm: TABLE,
    dryRun: false,
  } as unknown as Operation
  expect((await perform(erase)).finished.error).toMatchObject({
    code: 'BAD_PREDICATE',
    message: 'the archive has no column who: the table got it after rows were archived',
    hint: expect.stringContaining(`adds the column to the archive: sluice archive run --table ${TABLE}`) as string,
  })
  fine(await perform({ ...run, partitions: ['2020-Q2'] }))
  expect((await perform({ ...erase, dryRun: true } as Operation)).finished).toMatchObject({ exitCode: 0 })
})

test('the archive of another ledger: the printed command rebuilds the ledger; a foreign one needs another folder', async () => {
  const rows = [
    `CREATE TABLE ${TABLE} (id INTEGER PRIMARY KEY, at DATETIME NOT NULL)`,
    `INSERT INTO ${TABLE} VALUES (1, '2020-01-02 00:00:00'), (2, '2090-01-02 00:00:00')`,
  ]
  const { place, run } = await archiving(...rows)
  fine(await perform(run))
  const tables = await place.rows(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'migration_archive%'",
  )
  await place.sql(...tables.map(([name]) => `DROP TABLE "${name}"`))
  const { error } = (await perform(run)).finished
  expect(error).toMatchObject({ code: 'ARCHIVE_CONFLICT', message: expect.stringContaining('its id is') as string })
  const line = `sluice archive run --from ${place.url} --to ${run.to ?? ''} --table ${TABLE} --by at --older-than 8q`
  const command =
    /sluice (archive adopt .*) rebuilds the ledger/.exec(wholeCommands(line)(error?.hint ?? ''))?.[1] ?? ''
  const { request } = await parseCommandLine(shellWords(command, {}), {})
  if (request.kind !== 'operation') throw new Error(`${command} is no operation`)
  fine(await perform(request.operation))
  fine(await perform(run))
  fine(await perform({ ...run, drop: true, confirm: TABLE }))
  // Another table of the same name.
  const other = await archiving(...rows)
  const refused = (await perform({ ...other.run, to: run.to ?? '' })).finished.error
  expect(refused).toMatchObject({ code: 'ARCHIVE_CONFLICT' })
  expect(refused?.hint).toContain('name another folder in migration_archives.archive, then run the same command again')
  await other.place.sql(`UPDATE migration_archives SET archive = '${join(other.run.to ?? '', TABLE)}'`)
  const { to: _, ...again } = other.run
  fine(await perform(again))
  fine(await perform({ ...again, drop: true, confirm: TABLE }))
  expect(
    (await perform({ kind: 'archive-verify', from: other.place.url, tables: [], partitions: [], deep: true })).finished,
  ).toMatchObject({ exitCode: 0 })
  expect(
    (await perform({ kind: 'archive-verify', from: place.url, tables: [], partitions: [], deep: true })).finished,
  ).toMatchObject({ exitCode: 0 })
})

const RETYPED = [
  [
    'postgresql',
    'timestamp',
    'timestamp without time zone',
    'ALTER COLUMN at TYPE timestamptz',
    'ALTER COLUMN at TYPE timestamp',
  ],
  [
    'mysql',
    'timestamp NOT NULL DEFAULT now()',
    'timestamp',
    'MODIFY at datetime NOT NULL',
    'MODIFY at timestamp NOT NULL DEFAULT now()',
  ],
] as const

test.for(RETYPED)(
  '%s: a changed time column is restored to %s, or its rows go into another table',
  { timeout: 180_000 },
  async ([system, type, native, away, back], { skip }) => {
    const why = await missing(system)
    skip(why !== '', `needs ${system}: ${why}`)
    const place = await makePlace(system, mkdtempSync(join(folder, 'place-')))
    const made = commandsOf({ place, form: 'plain', to: mkdtempSync(join(folder, 'to-')) })
    const run = made.run as Run
    await place.sql(
      `CREATE TABLE ${TABLE} (id int PRIMARY KEY, at ${type}, note varchar(9))`,
      `INSERT INTO ${TABLE} VALUES (1, '2020-01-02 00:00:00', 'a'), (2, '2020-05-03 00:00:00', 'b'), (3, '2037-01-02 00:00:00', 'c')`,
    )
    fine(await perform({ ...run, partitions: ['2020-Q1'] }))
    fine(await perform({ ...run, partitions: ['2020-Q1'], drop: true, confirm: TABLE }))
    await place.sql(`ALTER TABLE ${TABLE} ${away}`)
    expect(hintOf(await perform(run))).toBe(
      `change the column back to ${native}; or put the rows into a table with another name, which gets its own archive`,
    )
    await place.sql(`CREATE TABLE later AS SELECT * FROM ${TABLE}`, 'ALTER TABLE later ADD PRIMARY KEY (id)')
    fine(await perform({ ...run, tables: ['later'] }))
    fine(await perform({ ...run, tables: ['later'], drop: true, confirm: 'later' }))
    expect(String(await place.rows('SELECT id FROM later'))).toBe('3')
    await place.sql(`ALTER TABLE ${TABLE} ${back}`)
    fine(await perform(run))
    fine(await perform({ ...made.restore, partitions: ['2020-Q1'] } as Operation))
    expect(String(await place.rows(`SELECT id, note FROM ${TABLE} ORDER BY id`))).toBe('1,a,2,b,3,c')
  },
)

test('a table that lost its time column is not archived, another one can be', { timeout: 60_000 }, async () => {
  const { place, run, commands } = await archiving(
    `CREATE TABLE ${TABLE} (id INTEGER PRIMARY KEY, at DATETIME NOT NULL, since DATETIME NOT NULL)`,
    `INSERT INTO ${TABLE} VALUES (1, '2020-01-02 00:00:00', '2020-05-03 00:00:00'), (2, '2090-01-02 00:00:00', '2020-05-04 00:00:00')`,
  )
  fine(await perform(run))
  fine(await perform({ ...run, drop: true, confirm: TABLE }))
  await place.sql(`ALTER TABLE ${TABLE} DROP COLUMN at`)
  expect(hintOf(await perform(run))).toBe('put the rows into a table with another name, which gets its own archive')
  await place.sql(
    'CREATE TABLE later (id INTEGER PRIMARY KEY, since DATETIME NOT NULL)',
    `INSERT INTO later SELECT id, since FROM ${TABLE}`,
  )
  fine(await perform({ ...run, tables: ['later'], by: 'since' }))
  const asked = await perform({ ...commands.query, query: `SELECT id FROM ${TABLE} ORDER BY id` } as Operation)
  expect(fine(asked).events.flatMap((event) => (event.type === 'row' ? [event.values.map(String)] : []))).toEqual([
    ['1'],
    ['2'],
  ])
})

test('the error for a column named like an SQL keyword shows the names that need quotes', async () => {
  const { run, commands } = await archiving(
    `CREATE TABLE ${TABLE} (id INTEGER PRIMARY KEY, at DATETIME NOT NULL, "order" INTEGER, "user" TEXT)`,
    `INSERT INTO ${TABLE} VALUES (1, '2020-01-02 00:00:00', 3, 'a'), (2, '2090-01-03 00:00:00', 4, 'b')`,
  )
  fine(await perform(run))
  const asked = (where: string): Promise<Ran> =>
    perform({ ...commands.query, query: `SELECT count(*) FROM ${TABLE} WHERE ${where}` } as Operation)
  for (const where of ["at >= '2020-01-01'", 'order > 1', 'nothing > 1']) {
    const hint = hintOf(await asked(where))
    expect(hint, where).toContain('(id, "at", "order", user)')
    expect(hint, where).toContain('names in double quotes need them')
  }
  fine(await asked(`"at" >= '2020-01-01' AND "order" > 1 AND user = 'a'`))
})

test('a run with nothing due reports the archive that it did not read; a new archive must be read first', async () => {
  vi.stubEnv('AWS_ENDPOINT_URL', 'http://127.0.0.1:9')
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'id')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'key')
  vi.stubEnv('AWS_REGION', 'us-east-1')
  const { place, run } = await archiving(
    `CREATE TABLE ${TABLE} (id INTEGER PRIMARY KEY, at DATETIME NOT NULL)`,
    `INSERT INTO ${TABLE} VALUES (1, '2020-01-02 00:00:00'), (2, '2090-01-02 00:00:00')`,
    `CREATE TABLE later (id INTEGER PRIMARY KEY, at DATETIME NOT NULL)`,
    `INSERT INTO later VALUES (2, '2090-01-02 00:00:00')`,
  )
  fine(await perform(run))
  await place.sql(`UPDATE migration_archives SET archive = 's3://gone/${TABLE}'`)
  const { to: _, by: __, ...again } = run as unknown as Record<string, unknown>
  const { finished } = fine(await perform(again as unknown as Operation))
  expect(finished).toMatchObject({
    totals: { partitions: '0' },
    notChecked: expect.stringMatching(/^nothing was due in .*; its archive s3:\/\/gone\/.* was not read \(/) as string,
  })
  const first = await perform({ ...run, tables: ['later'], to: 's3://gone/other' })
  expect(first.finished.exitCode, JSON.stringify(first.finished)).toBeGreaterThan(0)
  expect(await place.rows('SELECT table_name FROM migration_archives')).toEqual([[TABLE]])
})
