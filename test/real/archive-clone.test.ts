/** An archive belongs to one database: its copies, and itself after a failover or a restore, are refused until somebody adopts the archive. */
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import pg from 'pg'
import { expect, test } from 'vitest'
import { DuckDBInstance } from '@duckdb/node-api'
import { commandsOf, countedBy, makeBookings, TABLE, type Archived, type Form } from '../support/archive-places.ts'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import { cloneOf } from '../support/clones.ts'
import { startArchiver } from '../fault/archive-kit.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { wholeCommands } from '../../src/app/whole-commands/whole.ts'
import { redactUrl } from '../../src/shared/redact.ts'

const newFolder = (): string => mkdtempSync(join(tmpdir(), 'sluice-clone-'))

type Outside = { readonly files: readonly string[]; readonly sum: string }

/** What a reader finds who knows nothing of us: names, sizes and times in the folder, and the rows that the log names. */
async function outside(archive: string): Promise<Outside> {
  const files = readdirSync(archive, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
  const active = new Set<string>()
  for (const file of files.filter((name) => /_delta_log\/\d{20}\.json$/.test(name))) {
    for (const line of readFileSync(file, 'utf8').trim().split('\n')) {
      const { add, remove } = JSON.parse(line) as Record<'add' | 'remove', { path: string } | undefined>
      if (remove !== undefined) active.delete(decodeURIComponent(remove.path))
      if (add !== undefined) active.add(decodeURIComponent(add.path))
    }
  }
  const instance = await DuckDBInstance.create(':memory:')
  const duckdb = await instance.connect()
  const list = [...active].map((path) => `'${join(archive, path)}'`).join(', ')
  const sql = `SELECT count(*) || ' ' || coalesce(sum(amount::DECIMAL(18,2)), 0) FROM read_parquet([${list}], hive_partitioning = false)`
  const sum = active.size === 0 ? 'none' : String((await duckdb.runAndReadAll(sql)).getRows()[0]?.[0])
  duckdb.closeSync()
  instance.closeSync()
  return { files: files.map((file) => `${file} ${statSync(file).size} ${statSync(file).mtimeMs}`), sum }
}

/** Every value as a text. */
async function rowsOf({ system, url }: Place, sql: string): Promise<readonly (readonly string[])[]> {
  if (system === 'sqlite') {
    const database = new Database(url.slice('sqlite:///'.length))
    const rows = database.prepare(sql).raw().all() as unknown[][]
    database.close()
    return rows.map((row) => row.map(String))
  }
  const session = new pg.Client({ connectionString: url })
  await session.connect()
  try {
    return (await session.query<unknown[]>({ text: sql, rowMode: 'array' })).rows.map((row) => row.map(String))
  } finally {
    await session.end()
  }
}

/** Of the table of the first quarter, which has left its parent. */
async function detachedName(place: Place): Promise<string> {
  const [row] = await rowsOf(
    place,
    `SELECT relname FROM pg_class WHERE relnamespace = 'sluice_archived'::regnamespace AND relkind = 'r' AND relname LIKE '%${TABLE}_0%'`,
  )
  return row?.[0] ?? ''
}

const adopt = (place: Pick<Place, 'url'>, more: object = {}): Operation => ({
  kind: 'archive-adopt',
  from: place.url,
  table: TABLE,
  confirm: TABLE,
  accept: [],
  dryRun: false,
  ...more,
})

async function ended(operation: Operation): Promise<string> {
  const { finished } = await perform(operation)
  return finished.error === undefined ? 'ok' : finished.error.code
}

const of = (made: Archived, place: Place): ReturnType<typeof commandsOf> => commandsOf({ ...made, place })

const ALL = process.env['SLUICE_TEST_ALL'] !== undefined
const FORMS: readonly (readonly ['sqlite' | 'postgresql', Form])[] = [
  ['sqlite', 'plain'],
  ['postgresql', 'native'],
  ...(ALL ? [['postgresql', 'plain'] as const] : []),
]

test.for(FORMS)(
  '%s, %s: a copy of the database is refused, and the original does not notice',
  { timeout: 90_000 },
  async ([system, form], { skip }) => {
    const why = await missing(system)
    if (why !== '') skip(why)
    const folder = newFolder()
    const made = await makeBookings(await makePlace(system, folder), form, join(folder, 'archive'), 60)
    const { place: prod, archive } = made
    // Restored and published again: what the copy has not seen.
    const stage = await cloneOf(prod, 'early', folder)
    const commands = of(made, prod)
    expect(await ended(commands.run)).toBe('ok')
    const copies = [await cloneOf(prod, 'stage', folder)]
    expect(await ended(commands.drop)).toBe('ok')
    copies.push(await cloneOf(prod, 'late', folder))
    const [first] = copies as [Place]
    copies.push(await cloneOf(first, 'again', folder))
    const before = await outside(archive)
    expect(before.sum).toBe('120 2904.00')
    for (const copy of copies) {
      const ran = of(made, copy)
      // New rows of a quarter that is archived, and of one that is not.
      if (form === 'plain') {
        await copy.sql(
          `UPDATE ${TABLE} SET amount = 1`,
          `INSERT INTO ${TABLE} VALUES (900001, '2019-05-05 00:00:00', 'x', 1)`,
        )
      } else {
        await copy.sql(
          `UPDATE ${TABLE} SET amount = 1`,
          `CREATE TABLE IF NOT EXISTS ${TABLE}_9 PARTITION OF ${TABLE} FOR VALUES FROM ('2019-04-01') TO ('2019-07-01')`,
          `INSERT INTO ${TABLE} VALUES (900001, '2019-05-05 00:00:00', 'x', 1)`,
        )
      }
      for (const operation of ALL || copy === first
        ? [ran.run, ran.run, ran.drop, ran.restore, ran.sweep]
        : [ran.run]) {
        expect(`${operation.kind} ${await ended(operation)}`).toBe(`${operation.kind} ARCHIVE_FOREIGN`)
      }
      expect(await outside(archive)).toEqual(before)
    }
    // A copy from before the archive has no ledger of it, and a folder that is another table's.
    expect(await ended(of(made, stage).run)).toBe('ARCHIVE_CONFLICT')
    expect((await outside(archive)).sum).toBe(before.sum)
    for (const operation of [
      commands.restore,
      { ...commands.run, partitions: ['2020-Q1', '2020-Q2'] } as Operation,
      commands.verify,
    ]) {
      expect(await ended(operation)).toBe('ok')
    }
    expect((await outside(archive)).sum).toBe(before.sum)
    rmSync(folder, { recursive: true, force: true })
  },
)

test(
  'MySQL: a copy beside the original, under another name, asks the archive for its own table',
  {
    timeout: 90_000,
  },
  async ({ skip }) => {
    const why = await missing('mysql')
    if (why !== '') skip(why)
    const folder = newFolder()
    const prod = await makePlace('mysql', folder)
    const made = await makeBookings(prod, 'plain', join(folder, 'archive'), 60)
    const commands = of(made, prod)
    expect(await ended(commands.run)).toBe('ok')
    expect(await ended(commands.drop)).toBe('ok')
    const { counted } = await countedBy(commands.query)
    const stage = await cloneOf(prod, 'stage', folder)
    const to = new URL(stage.url).pathname.slice(1)
    const copied = of(made, stage)
    expect((await countedBy(copied.query)).counted).toBe(counted)
    const { events } = await perform({ kind: 'archive-list', from: stage.url, tables: [], count: false })
    expect(new Set(events.flatMap((event) => (event.type === 'archived' ? [event.table] : [])))).toEqual(
      new Set([`${to}.${TABLE}`]),
    )
    const adoption = expect.stringContaining(`sluice archive adopt --table ${to}.${TABLE} --confirm=${to}.${TABLE}`)
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'log', level: 'warn', table: `${to}.${TABLE}`, hint: adoption }),
    )
    for (const operation of [copied.run, copied.restore, { ...copied.sweep, dryRun: false } as Operation]) {
      const { finished } = await perform(operation)
      expect(finished.error, operation.kind).toMatchObject({ code: 'ARCHIVE_FOREIGN', hint: adoption })
    }
    expect(await ended(adopt(stage))).toBe('ok')
    expect((await countedBy(copied.query)).counted).toBe(counted)
    expect(await ended(commands.run)).toBe('ARCHIVE_FOREIGN')
    expect(await ended(copied.restore)).toBe('ok')
    const ids = `SELECT CONCAT(COUNT(*), ' ', SUM(id)) FROM ${TABLE}`
    expect(await stage.rows(ids)).toEqual([[counted]])
    expect((await countedBy(copied.query)).counted).toBe(counted)
    rmSync(folder, { recursive: true, force: true })
  },
)

test('PostgreSQL: whoever looks at the archive of a clone learns that a run would refuse it', async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const folder = newFolder()
  const made = await makeBookings(await makePlace('postgresql', folder), 'native', join(folder, 'archive'), 60)
  const { place: prod, archive } = made
  const commands = of(made, prod)
  expect(await ended(commands.run)).toBe('ok')
  const stage = await cloneOf(prod, 'look', folder)
  const inspected = of(made, stage)
  const list = (from: string): Operation => ({ kind: 'archive-list', from, tables: [], count: false })
  const plan = (run: Operation): Operation => ({ ...run, dryRun: true }) as Operation
  const reported = async (operation: Operation): Promise<readonly unknown[]> => {
    const { events, finished } = await perform(operation)
    const said = events.flatMap((event): unknown[] => {
      if (event.type === 'log') return [[event.level, event.message, event.hint ?? '']]
      if (event.type === 'archived' || event.type === 'archive.columns') return [[event.type, event.foreign ?? 'own']]
      return event.type === 'archive.finding' ? [[event.finding, event.detail]] : []
    })
    return [finished.exitCode, ...said]
  }
  const adoption = expect.stringContaining(`sluice archive adopt --table public.${TABLE} --confirm=public.${TABLE}`)
  const another = expect.stringContaining('is another database: its database was ')
  const warning = ['warn', expect.stringContaining('a run would refuse this archive: '), adoption]
  // Nobody has gone on with it yet: the bytes are those that this ledger has proved.
  expect(await reported(inspected.verify)).toEqual([0, warning])
  expect(await reported(list(stage.url))).toEqual([0, warning, ['archived', another], ['archived', another]])
  expect(await reported(plan(inspected.run))).toEqual([0, ['archive.columns', another], warning])
  for (const operation of [commands.verify, list(prod.url), plan(commands.run)]) {
    expect((await reported(operation)).filter((one) => JSON.stringify(one).includes('refuse'))).toEqual([])
  }
  // The original goes on: now the log has a head that the clone does not know.
  expect(await ended({ ...commands.restore, partitions: ['2020-Q1'] } as Operation)).toBe('ok')
  const before = await outside(archive)
  const foreign = [
    'foreign archive',
    expect.stringMatching(
      /was written with an ownership token that this ledger does not know: this is not the archive of this/,
    ),
  ]
  expect((await reported(inspected.verify)).slice(0, 3)).toEqual([1, warning, foreign])
  // As the original would find it, were it restored from its own backup: nothing but the head tells.
  await stage.sql(`UPDATE migration_archives SET origin = replace(origin, '"database"', '"unknown"')`)
  const head = expect.stringContaining('was written with an ownership token that this ledger does not know')
  const headWarning = [
    'warn',
    expect.stringContaining('an ownership token that this ledger does not know'),
    expect.stringContaining('sluice archive adopt'),
  ]
  expect((await reported(inspected.verify)).slice(0, 2)).toEqual([1, foreign])
  expect(await reported(list(stage.url))).toEqual([0, headWarning, ['archived', head], ['archived', head]])
  expect(await reported(plan(inspected.run))).toEqual([0, ['archive.columns', head], headWarning])
  expect(await outside(archive)).toEqual(before)
  rmSync(folder, { recursive: true, force: true })
})

test('PostgreSQL: loaded from a dump, tables are found by name and bounds, whichever numbers they have', async ({
  skip,
}) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const folder = newFolder()
  const made = await makeBookings(await makePlace('postgresql', folder), 'native', join(folder, 'archive'), 60)
  const { run, query } = of(made, made.place)
  expect(await ended({ ...run, partitions: ['2020-Q1'], olderThan: undefined } as unknown as Operation)).toBe('ok')
  expect(
    await ended({ ...run, partitions: ['2020-Q2'], olderThan: undefined, detach: false } as unknown as Operation),
  ).toBe('ok')
  const loaded = await cloneOf(made.place, 'loaded', folder)
  const [[left] = []] = await rowsOf(
    loaded,
    "SELECT relname FROM pg_class WHERE relnamespace = 'sluice_archived'::regnamespace AND relkind = 'r'",
  )
  const again = (table: string, schema: string): readonly string[] => [
    `CREATE TABLE ${schema}.again (LIKE ${schema}.${table} INCLUDING ALL)`,
    `INSERT INTO ${schema}.again SELECT * FROM ${schema}.${table}`,
    `DROP TABLE ${schema}.${table}`,
    `ALTER TABLE ${schema}.again RENAME TO ${table}`,
  ]
  await loaded.sql(
    ...again(left ?? '', 'sluice_archived'),
    ...again(`${TABLE}_1`, 'public'),
    `ALTER TABLE ${TABLE} ATTACH PARTITION ${TABLE}_1 FOR VALUES FROM ('2020-04-01') TO ('2020-07-01')`,
    // The numbers of a new server begin where those of the old one did.
    `UPDATE migration_archive_partitions SET native_identity = '${TABLE}_2'::regclass::oid::text WHERE partition_name = '2020-Q1'`,
    `UPDATE sluice_archived.${left} SET note = 'other' WHERE id = 5`,
  )
  const there = of(made, loaded)
  const counted = async (): Promise<string> => (await countedBy(there.query)).counted
  const all = (await countedBy(query)).counted
  expect(await counted()).toBe(all)
  // Its own number again, by which the table is called.
  await loaded.sql(
    `UPDATE migration_archive_partitions SET native_identity = '${/\d+$/.exec(left ?? '')?.[0] ?? ''}' WHERE partition_name = '2020-Q1'`,
  )
  const differing = await perform(adopt(loaded))
  expect(differing.finished.error?.code).toBe('PROOF_FAILED')
  expect(differing.events.flatMap((one) => (one.type === 'archive.finding' ? [one.partition] : []))).toEqual([
    '2020-Q1',
  ])
  await loaded.sql(`UPDATE sluice_archived.${left} SET note = 'row 5 of 0, ${(5 * 7919).toString(36)}' WHERE id = 5`)
  expect((await perform(adopt(loaded))).finished).toMatchObject({
    exitCode: 0,
    totals: { partitions: '2', findings: '0' },
  })
  expect(await counted()).toBe(all)
  const numbers = (place: Place): Promise<readonly (readonly string[])[]> =>
    rowsOf(place, 'SELECT native_identity FROM migration_archive_partitions ORDER BY partition_name')
  const tables = (place: Place): Promise<readonly (readonly string[])[]> =>
    rowsOf(place, `SELECT unnest(ARRAY['sluice_archived.${left}', '${TABLE}_1'])::regclass::oid`)
  expect(await numbers(loaded)).toEqual(await tables(loaded))
  // As a program leaves it that is killed before it has noted which database owns the archive now.
  const before = (await rowsOf(made.place, 'SELECT origin FROM migration_archives'))[0]?.[0] ?? ''
  await loaded.sql(`UPDATE migration_archives SET origin = '${before}'`)
  expect(await ended(adopt(loaded))).toBe('ok')
  expect(await numbers(loaded)).toEqual(await tables(loaded))
  expect(await counted()).toBe(all)
  // Another dump: the name has the number of the first database still. And a detach was noted, and had not begun.
  const second = await cloneOf(loaded, 'second', folder)
  await second.sql(
    ...again(left ?? '', 'sluice_archived'),
    ...again(`${TABLE}_1`, 'public'),
    `ALTER TABLE ${TABLE} ATTACH PARTITION ${TABLE}_1 FOR VALUES FROM ('2020-04-01') TO ('2020-07-01')`,
    "UPDATE migration_archive_partitions SET leaving = 1 WHERE partition_name = '2020-Q2'",
  )
  expect(await ended(adopt(second))).toBe('ok')
  expect(await numbers(second)).toEqual(await tables(second))
  const last = of(made, second)
  expect((await countedBy(last.query)).counted).toBe(all)
  expect(await ended({ ...last.restore, partitions: ['2020-Q1', '2020-Q2'] } as Operation)).toBe('ok')
  expect((await countedBy(last.query)).counted).toBe(all)
  expect(await rowsOf(second, `SELECT count(*) FROM ${TABLE}`)).toEqual([['180']])
  rmSync(folder, { recursive: true, force: true })
})

test('PostgreSQL: loaded from a second dump, a detached table is told from another one of its name by its rows', async ({
  skip,
}) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const folder = newFolder()
  const made = await makeBookings(await makePlace('postgresql', folder), 'native', join(folder, 'archive'), 60)
  const { run, query } = of(made, made.place)
  expect(await ended({ ...run, partitions: ['2020-Q1'], olderThan: undefined } as unknown as Operation)).toBe('ok')
  const all = (await countedBy(query)).counted
  const [[left = ''] = []] = await rowsOf(
    made.place,
    "SELECT relname FROM pg_class WHERE relnamespace = 'sluice_archived'::regnamespace AND relkind = 'r'",
  )
  // A partition of the same name in another schema leaves its table under such a name, too.
  const other = `sluice_archived.${TABLE}_0_99`
  await made.place.sql(
    `CREATE TABLE ${other} (LIKE sluice_archived.${left} INCLUDING ALL)`,
    `INSERT INTO ${other} SELECT * FROM sluice_archived.${left} WHERE id < 4`,
    `CREATE TABLE sluice_archived.${TABLE}_0_98 (id int)`,
  )
  const dumped = async (place: Place, name: string): Promise<Place> => {
    const loaded = await cloneOf(place, name, folder)
    await loaded.sql(
      `CREATE TABLE sluice_archived.again (LIKE sluice_archived.${left} INCLUDING ALL)`,
      `INSERT INTO sluice_archived.again SELECT * FROM sluice_archived.${left}`,
      `DROP TABLE sluice_archived.${left}`,
      `ALTER TABLE sluice_archived.again RENAME TO ${left}`,
    )
    return loaded
  }
  const first = await dumped(made.place, 'first')
  expect(await ended(adopt(first))).toBe('ok')
  const second = await dumped(first, 'second')
  expect(await ended(adopt(second))).toBe('ok')
  expect(
    await rowsOf(second, "SELECT native_identity FROM migration_archive_partitions WHERE partition_name = '2020-Q1'"),
  ).toEqual(await rowsOf(second, `SELECT 'sluice_archived.${left}'::regclass::oid`))
  expect((await countedBy(of(made, second).query)).counted).toBe(all)
  const third = await dumped(second, 'third')
  // Rows that a login may not read are not taken for other rows.
  const url = new URL(third.url)
  const role = `r${new URL(made.place.url).pathname.slice(1)}`
  url.username = role
  url.password = 'pw'
  await third.sql(
    `CREATE ROLE ${role} LOGIN PASSWORD 'pw'`,
    `GRANT USAGE, CREATE ON SCHEMA public, sluice_archived TO ${role}`,
    `DO $$ DECLARE t regclass; BEGIN
       FOR t IN SELECT oid FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace IN ('public'::regnamespace, 'sluice_archived'::regnamespace) AND oid <> '${other}'::regclass
       LOOP EXECUTE format('ALTER TABLE %s OWNER TO ${role}', t); END LOOP; END $$`,
  )
  expect((await perform(adopt({ ...third, url: url.href }))).finished.error).toMatchObject({
    code: 'SOURCE_DENIED',
    message: `permission denied for table ${TABLE}_0_99`,
  })
  await third.sql(`REASSIGN OWNED BY ${role} TO CURRENT_USER`, `DROP OWNED BY ${role}`, `DROP ROLE ${role}`)
  // Where the rows of both are those that were proved, neither is taken.
  await third.sql(`DELETE FROM ${other}`, `INSERT INTO ${other} SELECT * FROM sluice_archived.${left}`)
  const refused = await perform(adopt(third))
  expect(refused.finished.error?.code).toBe('PROOF_FAILED')
  const [finding] = refused.events.filter((event) => event.type === 'archive.finding')
  expect(finding).toMatchObject({ finding: 'differs from the source', partition: '2020-Q1' })
  for (const name of [left, `${TABLE}_0_99`]) expect(finding?.detail).toContain(`sluice_archived.${name}`)
  rmSync(folder, { recursive: true, force: true })
})

test('PostgreSQL: a published partition that is no partition any more keeps an adoption', async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const folder = newFolder()
  const made = await makeBookings(await makePlace('postgresql', folder), 'native', join(folder, 'archive'), 20)
  const { run } = of(made, made.place)
  expect(await ended({ ...run, detach: false } as Operation)).toBe('ok')
  await made.place.sql(`ALTER TABLE ${TABLE} DETACH PARTITION ${TABLE}_0`, `DROP TABLE ${TABLE}_1`)
  const { finished, events } = await perform(adopt(made.place))
  expect(finished.error?.code).toBe('PROOF_FAILED')
  expect(events.flatMap((one) => (one.type === 'archive.finding' ? [one.partition] : [])).toSorted()).toEqual([
    '2020-Q1',
    '2020-Q2',
  ])
  rmSync(folder, { recursive: true, force: true })
})

test('an archive that is not there is listed, and no folder is made for it', async () => {
  const folder = newFolder()
  const made = await makeBookings(await makePlace('sqlite', folder), 'plain', join(folder, 'archive'), 60)
  const commands = of(made, made.place)
  expect(await ended(commands.run)).toBe('ok')
  rmSync(made.to, { recursive: true })
  const list = await perform({ kind: 'archive-list', from: made.place.url, tables: [], count: false })
  expect(list.finished.exitCode).toBe(0)
  expect(list.events).toContainEqual(
    expect.objectContaining({
      type: 'archived',
      foreign: expect.stringContaining('was not found: there is no folder'),
    }),
  )
  expect((await perform(commands.verify)).finished.exitCode).toBe(1)
  expect(existsSync(made.to)).toBe(false)
  rmSync(folder, { recursive: true, force: true })
})

test('SQLite: whoever adopts goes on, and the other one is refused; rows that differ have to be accepted', async () => {
  const folder = newFolder()
  const made = await makeBookings(await makePlace('sqlite', folder), 'plain', join(folder, 'archive'), 60)
  const { place: prod, archive } = made
  expect(await ended(of(made, prod).run)).toBe('ok')
  const moved = await cloneOf(prod, 'moved', folder)
  expect(await ended(adopt(moved, { confirm: 'other' }))).toBe('MISSING_CONFIRM')
  await moved.sql(`UPDATE ${TABLE} SET note = 'anonymous' WHERE id < 10`)
  const before = await outside(archive)
  for (const more of [{}, { dryRun: true }]) {
    const refused = await perform(adopt(moved, more))
    expect(refused.finished.error?.code).toBe('PROOF_FAILED')
    expect(refused.finished.error?.hint).toContain(`sluice restore --table ${TABLE} --partition LABEL --as-changed`)
    expect(refused.events).toContainEqual(
      expect.objectContaining({ type: 'archive.finding', finding: 'differs from the source', partition: '2020-Q1' }),
    )
  }
  expect(await outside(archive)).toEqual(before)
  const adopted = await perform(adopt(moved, { accept: ['2020-Q1'] }))
  expect(adopted.finished).toMatchObject({ exitCode: 0, totals: { partitions: '2', rows: '120', findings: '1' } })
  expect((await outside(archive)).sum).toBe(before.sum)
  // The sum of what is in the source has changed: nothing is removed by it.
  const { restore } = of(made, moved)
  const first = { ...restore, partitions: ['2020-Q1'] } as Operation
  expect(await ended(first)).toBe('PARTITION_CHANGED')
  expect(await ended({ ...restore, asChanged: true, confirm: TABLE } as Operation)).toBe('ok')
  expect(await ended(of(made, prod).restore)).toBe('ARCHIVE_FOREIGN')
  expect(await ended(of(made, prod).sweep)).toBe('ARCHIVE_FOREIGN')
  // And back: its restore took the files out of the log, and they are there and what this ledger has proved.
  expect(await ended(adopt(prod))).toBe('ok')
  expect((await outside(archive)).sum).toBe(before.sum)
  expect(await ended(of(made, moved).sweep)).toBe('ARCHIVE_FOREIGN')
  rmSync(folder, { recursive: true, force: true })
})

test('SQLite: an adoption names files that are gone or have another size, and says that their bytes were not read', async () => {
  const folder = newFolder()
  const made = await makeBookings(await makePlace('sqlite', folder), 'plain', join(folder, 'archive'), 60)
  const { place, archive } = made
  const { run, drop, verify } = of(made, place)
  expect(await ended(run)).toBe('ok')
  expect(await ended(drop)).toBe('ok')
  const whole = await perform(adopt(place, { dryRun: true }))
  expect(whole.finished).toMatchObject({
    exitCode: 0,
    totals: { partitions: '2', rows: '120', findings: '0' },
    notChecked: expect.stringContaining('sluice archive verify'),
  })
  const fileOf = (label: string): string => {
    const folderOf = join(archive, `sluice_partition=${label}`)
    return join(folderOf, readdirSync(folderOf)[0] ?? '')
  }
  rmSync(fileOf('2020-Q1'))
  appendFileSync(fileOf('2020-Q2'), 'x')
  for (const more of [{ dryRun: true }, {}]) {
    const refused = await perform(adopt(place, more))
    expect(refused.finished.error?.code).toBe('PROOF_FAILED')
    expect(
      refused.events.flatMap((event) =>
        event.type === 'archive.finding' ? [`${event.partition} ${event.finding}: ${event.detail}`] : [],
      ),
    ).toEqual([
      '2020-Q1 missing file: 60 rows were in the file',
      expect.stringMatching(/^2020-Q2 changed file: \d+ bytes, and \d+ when it was proved$/),
    ])
  }
  // Accepted, the ledger says of them what it said before.
  expect(await ended(adopt(place, { accept: ['2020-Q1', '2020-Q2'] }))).toBe('ok')
  expect((await place.rows('SELECT state FROM migration_archive_partitions')).map(String)).toEqual([
    'DROPPED',
    'DROPPED',
  ])
  expect(await ended(verify)).not.toBe('ok')
  rmSync(folder, { recursive: true, force: true })
})

test('SQLite: restored from a backup of before the last commit, in place', async () => {
  const folder = newFolder()
  const made = await makeBookings(await makePlace('sqlite', folder), 'plain', join(folder, 'archive'), 60)
  const { place: prod, archive } = made
  const file = prod.url.slice('sqlite:///'.length)
  const commands = of(made, prod)
  const one = (label: string): Operation => ({ ...commands.run, partitions: [label] }) as Operation
  expect(await ended(one('2020-Q1'))).toBe('ok')
  await cloneOf(prod, 'backup', folder)
  expect(await ended(one('2020-Q2'))).toBe('ok')
  const before = await outside(archive)
  // The same file with the bytes of before: nothing but the log tells.
  const database = new Database(file)
  database.pragma('wal_checkpoint(TRUNCATE)')
  database.close()
  copyFileSync(join(folder, 'backup.db'), file)
  rmSync(`${file}-wal`, { force: true })
  rmSync(`${file}-shm`, { force: true })
  expect(await ended(commands.run)).toBe('ARCHIVE_FOREIGN')
  expect(await outside(archive)).toEqual(before)
  expect(await ended(adopt(prod))).toBe('ok')
  expect(await ended(commands.run)).toBe('ok')
  expect((await outside(archive)).sum).toBe(before.sum)
  expect(await ended(commands.verify)).toBe('ok')
  rmSync(folder, { recursive: true, force: true })
})

/** Ledger and rows are one file of SQLite: set back, it is what a server leaves that forgot its last commits, or that came back from a backup. */
test('SQLite: the ledger is set back to before a restore: no file goes that it counts on, and an adoption names them again', async () => {
  const folder = newFolder()
  const made = await makeBookings(await makePlace('sqlite', folder), 'plain', join(folder, 'archive'), 60)
  const { place: prod, archive } = made
  const file = prod.url.slice('sqlite:///'.length)
  const commands = of(made, prod)
  const sweep = { ...commands.sweep, retentionMs: 0, confirm: 'all' } as Operation
  const rows = (): Promise<unknown> => prod.rows(`SELECT id, at, note, amount FROM ${TABLE} ORDER BY id`)
  const all = await rows()
  expect(await ended(commands.run)).toBe('ok')
  const parquet = (): number =>
    readdirSync(archive, { recursive: true }).filter(
      (one) => String(one).endsWith('.parquet') && !String(one).includes('_delta_log'),
    ).length
  const setBack = (name: string): void => {
    const database = new Database(file)
    database.pragma('wal_checkpoint(TRUNCATE)')
    database.close()
    copyFileSync(join(folder, `${name}.db`), file)
    rmSync(`${file}-wal`, { force: true })
    rmSync(`${file}-shm`, { force: true })
  }
  expect(await ended(commands.drop)).toBe('ok')
  await cloneOf(prod, 'dropped', folder)
  const before = (await outside(archive)).sum
  expect(await ended(commands.restore)).toBe('ok')
  expect((await outside(archive)).sum).toBe('none')
  // What `intend` of the restore stored survives a crash, and the restore does not: the log is own, and names nothing.
  const heads = await prod.rows('SELECT head, delta_version, state FROM migration_archive_heads')
  setBack('dropped')
  expect(await ended(sweep)).toBe('ARCHIVE_FOREIGN')
  await prod.sql(
    'DELETE FROM migration_archive_heads',
    ...heads.map((row) => {
      const [head, version, state] = Object.values(row as object).map(String)
      return `INSERT INTO migration_archive_heads (schema_name, table_name, head, delta_version, state) VALUES ('', '${TABLE}', ${head}, ${version}, '${state}')`
    }),
  )
  const kept = parquet()
  const swept = await perform(sweep)
  expect(swept.finished).toMatchObject({ exitCode: 0, totals: { findings: '0' } })
  expect(swept.events).toContainEqual(
    expect.objectContaining({ level: 'note', message: expect.stringMatching(/2020-Q1: 1 file of it stays/) }),
  )
  expect(parquet()).toBe(kept)
  const refused = await perform(commands.restore)
  expect(JSON.stringify(refused.events)).toContain('sluice archive adopt')
  expect(await ended(adopt(prod, { dryRun: true }))).toBe('ok')
  expect((await outside(archive)).sum).toBe('none')
  expect(await ended(adopt(prod))).toBe('ok')
  expect((await outside(archive)).sum).toBe(before)
  expect(await ended(commands.verify)).toBe('ok')
  expect(await ended(commands.restore)).toBe('ok')
  expect(await rows()).toEqual(all)
  // From a backup alone, and the same circle.
  setBack('dropped')
  expect(await ended(commands.restore)).toBe('ARCHIVE_FOREIGN')
  expect(await ended(adopt(prod))).toBe('ok')
  expect(await ended(sweep)).toBe('ok')
  expect(await ended(commands.restore)).toBe('ok')
  expect(await rows()).toEqual(all)
  rmSync(folder, { recursive: true, force: true })
})

test('PostgreSQL: after a failover the timeline is another one: adopted once, it goes on', async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const folder = newFolder()
  const made = await makeBookings(await makePlace('postgresql', folder), 'native', join(folder, 'archive'), 60)
  const { place: prod } = made
  const commands = of(made, prod)
  expect(await ended({ ...commands.run, partitions: ['2020-Q1'] } as Operation)).toBe('ok')
  // As a promoted standby would find it: the same rows and ledger under a timeline that the ledger does not know.
  await prod.sql(
    `UPDATE migration_archives SET origin = replace(origin, '"timeline":"00000001"', '"timeline":"00000000"')`,
  )
  const refused = await perform(commands.run)
  expect(refused.finished.error).toMatchObject({ code: 'ARCHIVE_FOREIGN' })
  expect(refused.finished.error?.message).toContain('its timeline was 00000000 and is 00000001')
  expect(await ended(adopt(prod))).toBe('ok')
  expect(await ended(commands.run)).toBe('ok')
  expect(await ended(commands.drop)).toBe('ok')
  rmSync(folder, { recursive: true, force: true })
})

const KILLS = [
  ['stored', 'INSERT INTO migration_archive_heads', 'after'],
  ['put', 'link', 'after'],
  ['not closed', 'state PUBLISHED', 'before'],
  ['not put', 'link', 'before'],
  ['closed', 'COMMIT state PUBLISHED', 'after'],
] as const

test.for(ALL ? KILLS : KILLS.slice(0, 3))(
  'killed when the head is %s: the next run ends right',
  async ([, at, when]) => {
    const folder = newFolder()
    const made = await makeBookings(await makePlace('sqlite', folder), 'plain', join(folder, 'archive'), 60)
    const commands = of(made, made.place)
    expect(await ended({ ...commands.run, partitions: ['2020-Q1'] } as Operation)).toBe('ok')
    const killed = await startArchiver(commands.run, { at, when }).ended
    expect(killed.signal).toBe('SIGKILL')
    // A copy that was made at that moment knows the same heads; the first of the two that commits has it.
    const copy = await cloneOf(made.place, 'copy', folder)
    expect(await ended(commands.run)).toBe('ok')
    expect(await ended(of(made, copy).run)).toBe('ARCHIVE_FOREIGN')
    expect((await outside(made.archive)).sum).toBe('120 2904.00')
    expect(await made.place.rows('SELECT state, count(*) FROM migration_archive_heads GROUP BY 1')).toEqual([
      ['left', '1'],
    ])
    expect(await ended(commands.drop)).toBe('ok')
    expect(await ended(commands.restore)).toBe('ok')
    rmSync(folder, { recursive: true, force: true })
  },
)

test('two ledgers that are alike to the byte: the log decides, and the loser takes nothing away', async () => {
  const folder = newFolder()
  const made = await makeBookings(await makePlace('sqlite', folder), 'plain', join(folder, 'archive'), 60)
  const { place: prod, archive } = made
  expect(await ended({ ...of(made, prod).run, partitions: ['2020-Q1'] } as Operation)).toBe('ok')
  const reference = await cloneOf(prod, 'twin', folder)
  // Nothing that a database knows of itself tells them apart.
  const { ino, birthtimeNs } = statSync(reference.url.slice('sqlite:///'.length), { bigint: true })
  await reference.sql(`UPDATE migration_archives SET origin = '{"file":"${ino}","made":"${birthtimeNs}"}'`)
  const both = await Promise.all([
    startArchiver(of(made, prod).run).ended,
    startArchiver(of(made, reference).run).ended,
  ])
  const codes = both.map(({ finished }) => finished?.error?.code ?? 'ok').toSorted()
  expect(codes).toEqual(['ARCHIVE_FOREIGN', 'ok'])
  expect((await outside(archive)).sum).toBe('120 2904.00')
  cpSync(archive, join(folder, 'kept'), { recursive: true })
  rmSync(folder, { recursive: true, force: true })
})

/** The first schema of a login's search_path is where a new ledger is made: another login has another first schema. */
test(
  'PostgreSQL: a ledger is found by the table that it names, in whichever schema it lies',
  { timeout: 240_000 },
  async ({ skip }) => {
    const why = await missing('postgresql')
    if (why !== '') skip(why)
    const folder = newFolder()
    const made = await makeBookings(await makePlace('postgresql', folder), 'native', join(folder, 'archive'), 60)
    const { place } = made
    const id = new URL(place.url).pathname.slice(1)
    const login = async (name: string, ...more: readonly string[]): Promise<Place> => {
      const role = `${id}_${name}`
      await place.sql(
        `CREATE ROLE ${role} LOGIN PASSWORD 'pw'`,
        `CREATE SCHEMA ${name} AUTHORIZATION ${role}`,
        `ALTER ROLE ${role} SET search_path TO ${name}, public`,
        `GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${role}`,
        ...more.map((sql) => sql.replaceAll('ROLE', role)),
      )
      const url = new URL(place.url)
      url.username = role
      url.password = 'pw'
      return { ...place, url: url.href }
    }
    const owns = [...Array(3).keys()].map((i) => `ALTER TABLE ${TABLE}_${i} OWNER TO ROLE`)
    const anna = await login(
      'anna',
      `ALTER TABLE ${TABLE} OWNER TO ROLE`,
      ...owns,
      'GRANT CREATE ON SCHEMA public TO ROLE',
      `GRANT CREATE ON DATABASE ${id} TO ROLE`,
    )
    const commands = of(made, anna)
    expect(await ended(commands.run)).toBe('ok')
    expect(await ended(commands.drop)).toBe('ok')
    const bert = await login('bert')
    const byBert = of(made, bert)
    const counted = async (operation: Operation): Promise<string> => {
      const { finished, events } = await perform(operation)
      const rows = events.flatMap((event) => (event.type === 'row' ? [event.values.map(String).join(' ')] : []))
      return finished.error === undefined ? rows.join() : `${finished.error.code}: ${finished.error.message}`
    }
    // Of a ledger that this login cannot read it is not known which tables it names.
    expect(await counted(byBert.query)).toMatch(
      /^TABLE_REFUSED: this login cannot read the ledger of archives in schema anna/,
    )
    await place.sql(
      `GRANT USAGE ON SCHEMA anna TO ${id}_bert`,
      `GRANT SELECT ON ALL TABLES IN SCHEMA anna TO ${id}_bert`,
    )
    const all = await counted(commands.query)
    expect(all).toMatch(/^180 /)
    expect(await counted(byBert.query)).toBe(all)
    const list = await perform({ kind: 'archive-list', from: bert.url, tables: [], count: false })
    expect(list.finished.totals).toMatchObject({ tables: '1', partitions: '2' })
    expect(await perform(byBert.verify).then(({ finished }) => finished.totals)).toMatchObject({ checked: '2' })
    // Who may not write there is refused, and makes no ledger of his own.
    for (const operation of [byBert.run, byBert.restore, byBert.sweep])
      expect(`${operation.kind} ${await ended(operation)}`).toBe(`${operation.kind} TABLE_REFUSED`)
    const ledgers = `SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = 'migration_archives' ORDER BY 1`
    expect(await place.rows(ledgers)).toEqual([['anna']])
    // A member of that role goes on with it; for a superuser who is none, what the table runs is code of a stranger.
    await place.sql(`GRANT ${id}_anna TO ${id}_bert`)
    expect(await ended({ ...byBert.restore, partitions: ['2020-Q1'] } as Operation)).toBe('ok')
    expect(await ended(of(made, place).run)).toBe('TABLE_REFUSED')
    expect(await ended(byBert.run)).toBe('ok')
    expect(await place.rows(ledgers)).toEqual([['anna']])
    expect(await counted(byBert.query)).toBe(all)
    // Another one of the database that names another table is no matter; one that names the same is refused by name.
    await place.sql(
      `CREATE SCHEMA carl`,
      ...['archives', 'archive_partitions', 'archive_ledger', 'archive_heads'].map(
        (name) => `CREATE TABLE carl.migration_${name} AS TABLE anna.migration_${name}`,
      ),
      `UPDATE carl.migration_archives SET table_name = 'other'`,
    )
    expect(await counted(of(made, place).query)).toBe(all)
    await place.sql(`UPDATE carl.migration_archives SET table_name = '${TABLE}'`)
    expect(await counted(of(made, place).query)).toMatch(
      /^ARCHIVE_CONFLICT: two ledgers of archives name public.bookings: .*anna.* and .*carl/,
    )
    // What a role planted that may not archive the table is not asked.
    await login(
      'dora',
      `ALTER SCHEMA carl OWNER TO ROLE`,
      ...['archives', 'archive_partitions'].map((name) => `ALTER TABLE carl.migration_${name} OWNER TO ROLE`),
      'GRANT SELECT ON ALL TABLES IN SCHEMA carl TO PUBLIC',
      'GRANT USAGE ON SCHEMA carl TO PUBLIC',
    )
    expect(await counted(of(made, place).query)).toBe(all)
    rmSync(folder, { recursive: true, force: true })
  },
)

test('PostgreSQL: a ledger of copies is found by the table that it names, in whichever schema it lies', async ({
  skip,
}) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const folder = newFolder()
  const [source, place] = [await makePlace('sqlite', folder), await makePlace('postgresql', folder)]
  await source.sql('CREATE TABLE goods (id INTEGER PRIMARY KEY, v TEXT)', "INSERT INTO goods VALUES (1, 'a'), (2, 'b')")
  const id = new URL(place.url).pathname.slice(1)
  const login = async (name: string, ...more: readonly string[]): Promise<Place> => {
    const role = `${id}_${name}`
    await place.sql(
      `CREATE ROLE ${role} LOGIN PASSWORD 'pw'`,
      `CREATE SCHEMA ${name} AUTHORIZATION ${role}`,
      `ALTER ROLE ${role} SET search_path TO ${name}, public`,
      ...more.map((sql) => sql.replaceAll('ROLE', role)),
    )
    const url = new URL(place.url)
    url.username = role
    url.password = 'pw'
    return { ...place, url: url.href }
  }
  const anna = await login('anna', 'GRANT CREATE ON SCHEMA public TO ROLE')
  const bert = await login('bert', 'GRANT USAGE, CREATE ON SCHEMA public TO ROLE')
  const copy = (to: Place, more: object = {}): Operation => copyOf(source, to, 'goods', { toSchema: 'public', ...more })
  const runs = async (to: Place): Promise<readonly string[]> => {
    const { events } = await perform({ kind: 'copy-runs', to: to.url, limit: 10 })
    return events.flatMap((event) =>
      event.type === 'copy.run' ? [event.run] : event.type === 'log' ? [event.message] : [],
    )
  }
  const ledgers = `SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = 'migration_runs' ORDER BY 1`
  expect(await ended(copy(anna))).toBe('ok')
  const [run = ''] = await runs(anna)
  expect(await runs(bert)).toContainEqual(
    expect.stringMatching(/^schema anna has a ledger of copies that this login cannot read/),
  )
  // A member of that role reads it, begins no second one, and goes on with it by its name.
  await place.sql(`GRANT ${id}_anna TO ${id}_bert`)
  expect(await runs(bert)).toEqual([run])
  expect((await perform({ kind: 'copy-runs', to: bert.url, limit: 10, runId: run })).finished.error).toBeUndefined()
  const { finished } = await perform(copy(bert))
  expect(finished.error).toMatchObject({
    code: 'TABLE_REFUSED',
    message: 'public.goods was copied under another ledger, that of schema anna',
    hint: expect.stringContaining('?schema=anna at the end of the URL of the target and --to-schema public'),
  })
  expect(await place.rows(ledgers)).toEqual([['anna']])
  const named = new URL(bert.url)
  named.searchParams.set('schema', 'anna')
  expect(await ended(copy({ ...bert, url: named.href }, { again: true }))).toBe('ok')
  expect(await runs(anna)).toHaveLength(2)
  // Another table is no matter of it, and each ledger is said that is not shown.
  expect(await ended(copyOf(source, bert, 'goods', { toSchema: 'bert' }))).toBe('ok')
  expect(await place.rows(ledgers)).toEqual([['anna'], ['bert']])
  expect(await runs(bert)).toContainEqual('another ledger of copies is not shown here, that of schema anna')
  expect(await runs(place)).toContainEqual('another ledger of copies is not shown here, that of schema bert')
  // A stream of hers is one for whoever else takes rows out of its table, or changes them.
  await source.sql('CREATE TABLE kept (id INTEGER PRIMARY KEY, v TEXT)', 'PRAGMA journal_mode = WAL')
  const followed = copyOf(source, anna, 'kept', { toSchema: 'public', follow: { cdc: 'trigger', until: 'caught-up' } })
  expect(await ended(followed)).toBe('ok')
  const archive = {
    kind: 'archive',
    from: place.url,
    tables: ['public.kept'],
    to: folder,
    partitions: ['7'],
    byValue: 'id',
    asText: [],
  }
  expect(await ended({ ...archive, detach: true, drop: false, dryRun: false } as unknown as Operation)).toBe(
    'TABLE_FOLLOWED',
  )
  const [[stream] = []] = await place.rows('SELECT stream_id FROM anna.migration_streams')
  const follow = { kind: 'follow', to: place.url, stream: String(stream), end: false, untilCaughtUp: true }
  expect(await ended(follow as unknown as Operation)).toBe('TABLE_REFUSED')
  expect(await ended({ kind: 'follow-report', to: place.url, stream: String(stream) })).toBe('ok')
  // A superuser fills the table that anna's ledger names; what a role planted that may not fill it is not asked.
  expect(await ended(copy(place))).toBe('TABLE_REFUSED')
  await place.sql(`ALTER TABLE public.goods OWNER TO ${id}_bert`, `REVOKE ${id}_anna FROM ${id}_bert`)
  expect(await ended(copy(place, { again: true }))).toBe('ok')
  rmSync(folder, { recursive: true, force: true })
})

const dataFiles = (archive: string): string[] =>
  readdirSync(archive, { recursive: true, withFileTypes: true })
    .filter(({ name, parentPath }) => name.endsWith('.parquet') && !parentPath.includes('_delta_log'))
    .map(({ name, parentPath }) => join(parentPath, name))

test.for(['sqlite', 'postgresql'] as const)(
  '%s: files of a database that the archive was moved from stay until its ledger was asked, or is said to be gone',
  { timeout: 90_000 },
  async (system, { skip }) => {
    const why = await missing(system)
    if (why !== '') skip(why)
    const folder = newFolder()
    const made = await makeBookings(await makePlace(system, folder), 'plain', join(folder, 'archive'), 12)
    const { place: prod, archive } = made
    const first = of(made, prod)
    for (const operation of [first.run, first.drop]) expect(await ended(operation)).toBe('ok')
    const moved = await cloneOf(prod, 'moved', folder)
    const { restore, sweep, run } = of(made, moved)
    expect(await ended(adopt(moved))).toBe('ok')
    expect(await ended(restore)).toBe('ok')
    // Another database has them by now; the rows of the first one are in the files alone.
    expect((await outside(archive)).sum).toBe('none')
    expect(dataFiles(archive)).toHaveLength(2)
    const stray = join(archive, 'part-1-1-x.parquet')
    copyFileSync(dataFiles(archive)[0] ?? '', stray)
    const swept = async (more: object): Promise<{ readonly said: string; readonly left: number }> => {
      const { finished, events } = await perform({ ...sweep, retentionMs: 0, ...more } as Operation)
      const said = events.flatMap((event) => (event.type === 'log' ? [`${event.message} (${event.hint ?? ''})`] : []))
      return { said: [finished.error?.code ?? '', ...said].join('\n'), left: dataFiles(archive).length }
    }
    const [ledger = ''] = (await prod.rows('SELECT ledger FROM migration_archives'))[0] ?? []
    const { id } = JSON.parse(String(ledger)) as { readonly id: string }
    // A ledger that was asked in vain is not the one that the command names.
    const whole = wholeCommands(`sluice archive sweep --from ${moved.url} --confirm=all --ledger ${moved.url}`)
    for (const more of [{ dryRun: true }, {}, { ledgers: [moved.url] }]) {
      const { said, left } = await swept(more)
      expect(left).toBe(3)
      expect(said).toContain(`3 files`)
      expect(said).toMatch(new RegExp(`the ledger ${id} \\(${system}://[^@ ]+\\)`))
      expect(said).toContain(`--ledger LEDGER_URL, with the URL of that database`)
      expect(whole(said)).toMatch(/ --ledger LEDGER_URL --from \S+.*, with the URL of that database/)
      expect(said).toContain(`--ledger=gone:${id}`)
    }
    const asked = await swept({ ledgers: [prod.url] })
    // What it does not call the only copy is nobody's.
    expect(asked.left).toBe(2)
    expect(asked.said).toContain('DROPPED')
    expect(existsSync(stray)).toBe(false)
    // A copy of it has its ledger, and is another database.
    const copy = await cloneOf(prod, 'copy', folder)
    expect(await swept({ ledgers: [copy.url] })).toMatchObject({
      left: 2,
      said: expect.stringContaining('is another database'),
    })
    // Its own files go as before: what this ledger wrote, it wrote.
    for (const operation of [{ ...run, partitions: ['2020-Q1', '2020-Q2'] } as Operation, restore])
      expect(await ended(operation)).toBe('ok')
    expect(dataFiles(archive)).toHaveLength(4)
    expect((await swept({})).left).toBe(2)
    const gone = { ledgers: [`gone:${id}`] }
    expect((await perform({ ...sweep, ...gone, dryRun: true } as Operation)).finished.totals['findings']).toBe('2')
    // An erasure ends no history before all were asked, and none that another ledger counts on.
    const erase: Operation = {
      kind: 'archive-erase',
      from: moved.url,
      table: TABLE,
      where: 'id = 1',
      reason: 'T-1',
      confirm: TABLE,
      dryRun: false,
    }
    const foretold = [await outside(archive), await moved.rows(`SELECT count(*) FROM ${TABLE}`)]
    for (const more of [{}, { dryRun: true }, { ledgers: [prod.url] }]) {
      expect(await ended({ ...erase, ...more })).toBe('ARCHIVE_CONFLICT')
      expect(dataFiles(archive)).toHaveLength(2)
    }
    // What the ledger of another database needs is known before anything is erased.
    const asks = { ...erase, ledgers: [prod.url] }
    for (const operation of [asks, { ...asks, dryRun: true }]) {
      const { error } = (await perform(operation)).finished
      expect(error?.message).toMatch(/ stays: the ledger .* says DROPPED of 2020-Q[12]: /)
      expect(error?.hint).toMatch(
        /^sluice restore --from \S+ --table \S+ --partition 2020-Q[12], then run the same command again$/,
      )
      expect(error?.hint).toContain(redactUrl(prod.url))
    }
    expect([await outside(archive), await moved.rows(`SELECT count(*) FROM ${TABLE}`)]).toEqual(foretold)
    expect(await ended({ ...erase, ...gone })).toBe('ok')
    expect(dataFiles(archive)).toEqual([])
    rmSync(folder, { recursive: true, force: true })
  },
)

test('SQLite: a log of a sluice that named no ledgers is swept as before, and it is said which ledgers were asked', async () => {
  const folder = newFolder()
  const made = await makeBookings(await makePlace('sqlite', folder), 'plain', join(folder, 'archive'), 12)
  const { run, drop, restore, sweep } = of(made, made.place)
  for (const operation of [run, drop, restore]) expect(await ended(operation)).toBe('ok')
  const log = join(made.archive, '_delta_log')
  for (const name of readdirSync(log).filter((one) => one.endsWith('.json'))) {
    const lines = readFileSync(join(log, name), 'utf8').split('\n')
    expect(lines.filter((line) => line.includes('"appId":"sluice-ledger/'))).toHaveLength(1)
    writeFileSync(join(log, name), lines.filter((line) => !line.includes('sluice-ledger/')).join('\n'))
  }
  await made.place.sql('UPDATE migration_archives SET ledger = NULL')
  const { events } = await perform({ ...sweep, retentionMs: 0 } as Operation)
  expect(dataFiles(made.archive)).toEqual([])
  const said = events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
  expect(said).toContainEqual(expect.stringContaining('commits of an older sluice do not name a ledger'))
  rmSync(folder, { recursive: true, force: true })
})

test('SQLite: a copy that archives a partition anew leaves files that the original calls the only copy', async () => {
  const folder = newFolder()
  const made = await makeBookings(await makePlace('sqlite', folder), 'plain', join(folder, 'archive'), 12)
  const { place: prod, archive } = made
  const { run, drop } = of(made, prod)
  expect(await ended(run)).toBe('ok')
  const moved = await cloneOf(prod, 'moved', folder)
  expect(await ended(drop)).toBe('ok')
  // The log comes back from a backup that lacks its last commit; to the copy that partition is under way.
  const last = readdirSync(join(archive, '_delta_log')).toSorted().at(-1) ?? ''
  const text = readFileSync(join(archive, '_delta_log', last), 'utf8')
  const [, label = ''] = /"partition":"([^"]+)"/.exec(text) ?? []
  rmSync(join(archive, '_delta_log', last))
  const before = dataFiles(archive).filter((path) => path.includes(label))
  expect(before).toHaveLength(1)
  await moved.sql(
    `UPDATE migration_archive_partitions SET state = 'EXPORTING', delta_version = NULL WHERE partition_name = '${label}'`,
  )
  expect(await ended(adopt(moved))).toBe('ok')
  expect(await ended(of(made, moved).run)).toBe('ok')
  expect(dataFiles(archive)).toEqual(expect.arrayContaining(before))
  expect(dataFiles(archive)).toHaveLength(3)
  rmSync(folder, { recursive: true, force: true })
})

test.for([...FORMS.map((form) => [...form, 'run'] as const), ...FORMS.map((form) => [...form, 'drop'] as const)])(
  'a backup of %s (%s) of behind a %s, whose files were swept behind a restore since: accepted, and the other partitions come back',
  { timeout: 120_000 },
  async ([system, form, stage], { skip }) => {
    const absent = await missing(system)
    if (absent !== '') skip(absent)
    const folder = newFolder()
    const made = await makeBookings(await makePlace(system, folder), form, join(folder, 'archive'), 30)
    const { place: prod } = made
    const count = async ({ url }: Place): Promise<string> => {
      const { events } = await perform({ ...of(made, { ...prod, url }).query, query: `SELECT count(*) FROM ${TABLE}` } as Operation) // prettier-ignore
      return events.flatMap((event) => (event.type === 'row' ? event.values.map(String) : [])).join()
    }
    expect(await ended(of(made, prod).run)).toBe('ok')
    if (stage === 'drop') expect(await ended(of(made, prod).drop)).toBe('ok')
    const backup = await cloneOf(prod, 'backup', folder)
    expect(await ended({ ...of(made, prod).restore, partitions: ['2020-Q1'] } as Operation)).toBe('ok')
    expect(await ended({ ...of(made, prod).sweep, retentionMs: 0, confirm: 'all' } as Operation)).toBe('ok')

    const refused = await perform(adopt(backup))
    expect(refused.finished.error).toMatchObject({
      code: 'PROOF_FAILED',
      hint: expect.stringContaining('--accept-difference') as string,
    })
    expect(refused.events).toContainEqual(
      expect.objectContaining({
        finding: 'not in the log',
        partition: '2020-Q1',
        detail: expect.stringMatching(
          stage === 'drop'
            ? /are gone: version \d+ removed them \(restore\); all of its 30 rows are neither in the table nor in the archive$/
            : /are gone: version \d+ removed them \(restore\)$/,
        ),
      }),
    )
    expect(await ended(adopt(backup, { accept: ['2020-Q2'] }))).toBe('PROOF_FAILED')
    const accepted = await perform(adopt(backup, { accept: ['2020-Q1'] }))
    expect(accepted.finished.error).toBeUndefined()
    expect(accepted.events).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        message: expect.stringMatching(stage === 'drop' ? /2020-Q1 was DROPPED.*EXPIRED/ : /2020-Q1 was DETACHED.*RESTORED/), // prettier-ignore
      }),
    )
    // What was dropped is in the other database alone; everything else answers, and comes back.
    const left = stage === 'drop' ? '60' : '90'
    expect(await count(backup)).toBe(left)
    expect(await ended(of(made, backup).verify)).toBe('ok')
    expect(await ended({ ...of(made, backup).restore, partitions: ['2020-Q2'] } as Operation)).toBe('ok')
    expect(await count(backup)).toBe(left)
    const again = await perform({ ...of(made, backup).restore, partitions: ['2020-Q1'] } as Operation)
    expect(again.finished.error?.code).toBe(stage === 'drop' ? 'PARTITION_STATE' : undefined)
    expect(await ended({ ...of(made, backup).run, partitions: ['2020-Q2'] } as Operation)).toBe('ok')
    rmSync(folder, { recursive: true, force: true })
  },
)

test.for([...FORMS.map((form) => [...form, 'DETACHED'] as const), ['postgresql', 'native', 'DETACHING'] as const])(
  'a backup of %s (%s, %s) whose rows had left in part or whole, and whose files were swept since: the lost ones are named before and afterwards',
  { timeout: 120_000 },
  async ([system, form, left], { skip }) => {
    const absent = await missing(system)
    if (absent !== '') skip(absent)
    const folder = newFolder()
    const made = await makeBookings(await makePlace(system, folder), form, join(folder, 'archive'), 30)
    const { place: prod } = made
    const isPlain = form === 'plain'
    expect(await ended(of(made, prod).run)).toBe('ok')
    const backup = await cloneOf(prod, 'backup', folder)
    expect(await ended({ ...of(made, prod).restore, partitions: ['2020-Q1'] } as Operation)).toBe('ok')
    expect(await ended({ ...of(made, prod).sweep, retentionMs: 0, confirm: 'all' } as Operation)).toBe('ok')
    // A drop had taken the first 10 of 30 rows, or somebody dropped the table that had left.
    await backup.sql(
      ...(isPlain
        ? [
            `DELETE FROM ${TABLE} WHERE id < 10`,
            `UPDATE migration_archive_partitions SET removed_rows = 10, removed_sum = '1' WHERE partition_name = '2020-Q1'`,
          ]
        : [`DROP TABLE sluice_archived."${await detachedName(backup)}"`]),
      // As a detach leaves it that was broken off.
      `UPDATE migration_archive_partitions SET state = '${left}', away = ${left === 'DETACHING' ? 1 : 0} WHERE partition_name = '2020-Q1'`,
    )
    const lost = `${isPlain ? '10' : 'all of its 30'} rows are neither in the table nor in the archive`
    const refused = await perform(adopt(backup))
    expect(refused.finished.error?.hint).toContain('neither in the table nor in the archive')
    expect(refused.events).toContainEqual(
      expect.objectContaining({ partition: '2020-Q1', detail: expect.stringContaining(lost) as string }),
    )
    const accepted = await perform(adopt(backup, { accept: ['2020-Q1'] }))
    expect(accepted.finished.error).toBeUndefined()
    const state = isPlain ? 'RESTORED' : 'EXPIRED'
    expect(accepted.events).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        message: expect.stringMatching(new RegExp(`^2020-Q1 was ${left} .* it is ${state}.*${lost}$`)) as string,
      }),
    )
    expect(
      await rowsOf(backup, "SELECT state, away, removed_rows FROM migration_archive_partitions WHERE partition_name = '2020-Q1'"), // prettier-ignore
    ).toEqual([[state, '0', '0']])
    expect(await ended(of(made, backup).verify)).toBe('ok')
    expect(await ended(of(made, backup).run)).toBe('ok')
    rmSync(folder, { recursive: true, force: true })
  },
)
