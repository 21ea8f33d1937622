/**
 * An archive belongs to one database. Copies of it, and the database itself after a failover or a restore, are refused
 * until they adopt the archive.
 */
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

/** The archive as a foreign reader sees it: names, sizes and times of files, and the rows that the log names. */
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

/** Name of the detached table of the first quarter. */
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
  '%s, %s: a copy of the database is refused, and the original is not affected',
  { timeout: 90_000 },
  async ([system, form], { skip }) => {
    const why = await missing(system)
    if (why !== '') skip(why)
    const folder = newFolder()
    const made = await makeBookings(await makePlace(system, folder), form, join(folder, 'archive'), 60)
    const { place: prod, archive } = made
    // Restored and published again: the copy has no record of that.
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
      // New rows of an archived quarter, and of one that is not archived.
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
    // A copy made before the archive has no ledger for it, and finds the folder used by another table.
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
  'MySQL: a copy on the same server under another name looks for its own table in the archive',
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

test('PostgreSQL: verify, list and plan of a clone warn that a run would refuse the archive', async ({ skip }) => {
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
  // The archive has not changed yet: its bytes are those that this ledger proved.
  expect(await reported(inspected.verify)).toEqual([0, warning])
  expect(await reported(list(stage.url))).toEqual([0, warning, ['archived', another], ['archived', another]])
  expect(await reported(plan(inspected.run))).toEqual([0, ['archive.columns', another], warning])
  for (const operation of [commands.verify, list(prod.url), plan(commands.run)]) {
    expect((await reported(operation)).filter((one) => JSON.stringify(one).includes('refuse'))).toEqual([])
  }
  // The original continues: now the log has an ownership token that the clone does not know.
  expect(await ended({ ...commands.restore, partitions: ['2020-Q1'] } as Operation)).toBe('ok')
  const before = await outside(archive)
  const foreign = [
    'foreign archive',
    expect.stringMatching(
      /was written with an ownership token that is not in this ledger: this is not the archive of this/,
    ),
  ]
  expect((await reported(inspected.verify)).slice(0, 3)).toEqual([1, warning, foreign])
  // As after a restore of the original from its own backup: only the ownership token shows the difference.
  await stage.sql(`UPDATE migration_archives SET origin = replace(origin, '"database"', '"unknown"')`)
  const head = expect.stringContaining('was written with an ownership token that is not in this ledger')
  const headWarning = [
    'warn',
    expect.stringContaining('an ownership token that is not in this ledger'),
    expect.stringContaining('sluice archive adopt'),
  ]
  expect((await reported(inspected.verify)).slice(0, 2)).toEqual([1, foreign])
  expect(await reported(list(stage.url))).toEqual([0, headWarning, ['archived', head], ['archived', head]])
  expect(await reported(plan(inspected.run))).toEqual([0, ['archive.columns', head], headWarning])
  expect(await outside(archive)).toEqual(before)
  rmSync(folder, { recursive: true, force: true })
})

test('PostgreSQL: after a load from a dump, tables are found by name and bounds despite new OIDs', async ({ skip }) => {
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
    // The OIDs of a new server begin where those of the old one began.
    `UPDATE migration_archive_partitions SET native_identity = '${TABLE}_2'::regclass::oid::text WHERE partition_name = '2020-Q1'`,
    `UPDATE sluice_archived.${left} SET note = 'other' WHERE id = 5`,
  )
  const there = of(made, loaded)
  const counted = async (): Promise<string> => (await countedBy(there.query)).counted
  const all = (await countedBy(query)).counted
  expect(await counted()).toBe(all)
  // The table's own OID again, which is in its name.
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
  // As after a kill before the program recorded which database owns the archive now.
  const before = (await rowsOf(made.place, 'SELECT origin FROM migration_archives'))[0]?.[0] ?? ''
  await loaded.sql(`UPDATE migration_archives SET origin = '${before}'`)
  expect(await ended(adopt(loaded))).toBe('ok')
  expect(await numbers(loaded)).toEqual(await tables(loaded))
  expect(await counted()).toBe(all)
  // Another dump: the name still has the OID of the first database. A detach was recorded and had not begun.
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

test('PostgreSQL: after a second dump, the rows tell a detached table from another one with its name', async ({
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
  // A detached partition of the same name in another schema gets such a name, too.
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
  // Rows that a login may not read are not treated as different rows.
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
  // If both tables have the proved rows, neither is chosen.
  await third.sql(`DELETE FROM ${other}`, `INSERT INTO ${other} SELECT * FROM sluice_archived.${left}`)
  const refused = await perform(adopt(third))
  expect(refused.finished.error?.code).toBe('PROOF_FAILED')
  const [finding] = refused.events.filter((event) => event.type === 'archive.finding')
  expect(finding).toMatchObject({ finding: 'differs from the source', partition: '2020-Q1' })
  for (const name of [left, `${TABLE}_0_99`]) expect(finding?.detail).toContain(`sluice_archived.${name}`)
  rmSync(folder, { recursive: true, force: true })
})

test('PostgreSQL: a published partition that was detached or dropped by hand blocks an adoption', async ({ skip }) => {
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

test('an archive whose folder is missing is listed, and the folder is not created', async () => {
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

test('SQLite: the adopter may continue, and the other database is refused; rows that differ must be accepted', async () => {
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
  // The checksum of the source rows has changed: the restore removes nothing from the archive.
  const { restore } = of(made, moved)
  const first = { ...restore, partitions: ['2020-Q1'] } as Operation
  expect(await ended(first)).toBe('PARTITION_CHANGED')
  expect(await ended({ ...restore, asChanged: true, confirm: TABLE } as Operation)).toBe('ok')
  expect(await ended(of(made, prod).restore)).toBe('ARCHIVE_FOREIGN')
  expect(await ended(of(made, prod).sweep)).toBe('ARCHIVE_FOREIGN')
  // Adopted back: the restore removed the files from the log, but they exist and this ledger has proved them.
  expect(await ended(adopt(prod))).toBe('ok')
  expect((await outside(archive)).sum).toBe(before.sum)
  expect(await ended(of(made, moved).sweep)).toBe('ARCHIVE_FOREIGN')
  rmSync(folder, { recursive: true, force: true })
})

test('SQLite: an adoption names missing files and files of another size, and reports that their bytes were not read', async () => {
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
  // Once accepted, the ledger has the same entries as before.
  expect(await ended(adopt(place, { accept: ['2020-Q1', '2020-Q2'] }))).toBe('ok')
  expect((await place.rows('SELECT state FROM migration_archive_partitions')).map(String)).toEqual([
    'DROPPED',
    'DROPPED',
  ])
  expect(await ended(verify)).not.toBe('ok')
  rmSync(folder, { recursive: true, force: true })
})

test('SQLite: a restore in place from a backup made before the last commit', async () => {
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
  // The same file with its earlier bytes: only the log shows the difference.
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

/**
 * Ledger and rows are in one SQLite file. Setting it back has the effect of lost last commits or of a restored backup.
 */
test('SQLite: a ledger set back to before a restore keeps its files, and an adoption names them again', async () => {
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
  // `intend` of the restore survives the crash and the restore itself does not: the log is its own and names no file.
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
    expect.objectContaining({
      level: 'note',
      message: expect.stringMatching(/1 file of 2020-Q1 stays: the log no longer names it/),
    }),
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
  // From a backup alone, with the same steps.
  setBack('dropped')
  expect(await ended(commands.restore)).toBe('ARCHIVE_FOREIGN')
  expect(await ended(adopt(prod))).toBe('ok')
  expect(await ended(sweep)).toBe('ok')
  expect(await ended(commands.restore)).toBe('ok')
  expect(await rows()).toEqual(all)
  rmSync(folder, { recursive: true, force: true })
})

test('PostgreSQL: after a failover with a new timeline, one adoption is enough', async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const folder = newFolder()
  const made = await makeBookings(await makePlace('postgresql', folder), 'native', join(folder, 'archive'), 60)
  const { place: prod } = made
  const commands = of(made, prod)
  expect(await ended({ ...commands.run, partitions: ['2020-Q1'] } as Operation)).toBe('ok')
  // As after a promotion of a standby: the same rows and ledger, under a timeline that the ledger does not know.
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
  'killed when the ownership token is %s: the next run ends correctly',
  async ([, at, when]) => {
    const folder = newFolder()
    const made = await makeBookings(await makePlace('sqlite', folder), 'plain', join(folder, 'archive'), 60)
    const commands = of(made, made.place)
    expect(await ended({ ...commands.run, partitions: ['2020-Q1'] } as Operation)).toBe('ok')
    const killed = await startArchiver(commands.run, { at, when }).ended
    expect(killed.signal).toBe('SIGKILL')
    // A copy made at this time knows the same tokens; the first of the two that commits owns the archive.
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

test('with two identical ledgers the log decides, and the loser removes nothing', async () => {
  const folder = newFolder()
  const made = await makeBookings(await makePlace('sqlite', folder), 'plain', join(folder, 'archive'), 60)
  const { place: prod, archive } = made
  expect(await ended({ ...of(made, prod).run, partitions: ['2020-Q1'] } as Operation)).toBe('ok')
  const reference = await cloneOf(prod, 'twin', folder)
  // Nothing in the databases distinguishes them.
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

/** A new ledger is created in the first schema of the login's search_path: another login has another first schema. */
test(
  'PostgreSQL: a ledger is found by the table that it names, in any schema',
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
    // If this login cannot read a ledger, the tables that it names are unknown.
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
    // A login that may not write there is refused, and creates no ledger of its own.
    for (const operation of [byBert.run, byBert.restore, byBert.sweep])
      expect(`${operation.kind} ${await ended(operation)}`).toBe(`${operation.kind} TABLE_REFUSED`)
    const ledgers = `SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = 'migration_archives' ORDER BY 1`
    expect(await place.rows(ledgers)).toEqual([['anna']])
    // A member of that role may continue. For a superuser who is no member, the table would run a stranger's code.
    await place.sql(`GRANT ${id}_anna TO ${id}_bert`)
    expect(await ended({ ...byBert.restore, partitions: ['2020-Q1'] } as Operation)).toBe('ok')
    expect(await ended(of(made, place).run)).toBe('TABLE_REFUSED')
    expect(await ended(byBert.run)).toBe('ok')
    expect(await place.rows(ledgers)).toEqual([['anna']])
    expect(await counted(byBert.query)).toBe(all)
    // A ledger that names another table is ignored; a second one that names the same table is refused by name.
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
      /^ARCHIVE_CONFLICT: two archive ledgers record archives of public.bookings: .*anna.* and .*carl/,
    )
    // A ledger of a role that may not archive the table is ignored.
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

test('PostgreSQL: a ledger of copies is found by the table that it names, in any schema', async ({ skip }) => {
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
  // A member of that role reads it, creates no second one, and continues in it by its name.
  await place.sql(`GRANT ${id}_anna TO ${id}_bert`)
  expect(await runs(bert)).toEqual([run])
  expect((await perform({ kind: 'copy-runs', to: bert.url, limit: 10, runId: run })).finished.error).toBeUndefined()
  const { finished } = await perform(copy(bert))
  expect(finished.error).toMatchObject({
    code: 'TABLE_REFUSED',
    message: 'the copy of public.goods is recorded in another ledger, the ledger of schema anna',
    hint: expect.stringContaining('?schema=anna at the end of the URL of the target and --to-schema public'),
  })
  expect(await place.rows(ledgers)).toEqual([['anna']])
  const named = new URL(bert.url)
  named.searchParams.set('schema', 'anna')
  expect(await ended(copy({ ...bert, url: named.href }, { again: true }))).toBe('ok')
  expect(await runs(anna)).toHaveLength(2)
  // It is not used for another table, and each ledger that is not shown is reported.
  expect(await ended(copyOf(source, bert, 'goods', { toSchema: 'bert' }))).toBe('ok')
  expect(await place.rows(ledgers)).toEqual([['anna'], ['bert']])
  expect(await runs(bert)).toContainEqual('another ledger of copies (the ledger of schema anna) is not shown here')
  expect(await runs(place)).toContainEqual('another ledger of copies (the ledger of schema bert) is not shown here')
  // A stream in her ledger also blocks other logins from removing or changing rows of its table.
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
  // A superuser fills the table that anna's ledger names; a ledger of a role that may not fill it is ignored.
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
  '%s: files of the former database stay until its ledger was read or is declared gone',
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
    // Another database owns the archive by now; the rows of the first one are in the files only.
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
    // A ledger that was read in vain is not the one that the command names.
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
    // Files that this ledger does not call the only copy belong to no ledger.
    expect(asked.left).toBe(2)
    expect(asked.said).toContain('DROPPED')
    expect(existsSync(stray)).toBe(false)
    // A copy of it has its ledger, but is another database.
    const copy = await cloneOf(prod, 'copy', folder)
    expect(await swept({ ledgers: [copy.url] })).toMatchObject({
      left: 2,
      said: expect.stringContaining('is another database'),
    })
    // Its own files are swept as before: this ledger wrote them.
    for (const operation of [{ ...run, partitions: ['2020-Q1', '2020-Q2'] } as Operation, restore])
      expect(await ended(operation)).toBe('ok')
    expect(dataFiles(archive)).toHaveLength(4)
    expect((await swept({})).left).toBe(2)
    const gone = { ledgers: [`gone:${id}`] }
    expect((await perform({ ...sweep, ...gone, dryRun: true } as Operation)).finished.totals['findings']).toBe('2')
    // An erasure ends no history before all ledgers were read, and none that another ledger needs.
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
    // The needs of the other database's ledger are known before anything is erased.
    const asks = { ...erase, ledgers: [prod.url] }
    for (const operation of [asks, { ...asks, dryRun: true }]) {
      const { error } = (await perform(operation)).finished
      expect(error?.message).toMatch(/ cannot be destroyed: the ledger .* records 2020-Q[12] as DROPPED: /)
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

test('SQLite: the log of an older sluice that named no ledgers is swept as before, and the ledgers read are reported', async () => {
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

test('SQLite: a copy that archives a partition again keeps files that the original calls the only copy', async () => {
  const folder = newFolder()
  const made = await makeBookings(await makePlace('sqlite', folder), 'plain', join(folder, 'archive'), 12)
  const { place: prod, archive } = made
  const { run, drop } = of(made, prod)
  expect(await ended(run)).toBe('ok')
  const moved = await cloneOf(prod, 'moved', folder)
  expect(await ended(drop)).toBe('ok')
  // The log comes back from a backup that lacks its last commit; in the copy that partition is being exported.
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
  '%s (%s): a backup from after a %s whose files were swept after a restore is accepted, and others come back',
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
    // Rows that were dropped are in the other database only; all others are found and come back.
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
  '%s (%s, %s): a backup without some rows, whose files were swept, names the lost ones before and after',
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
    // A drop had removed the first 10 of 30 rows, or a user dropped the detached table.
    await backup.sql(
      ...(isPlain
        ? [
            `DELETE FROM ${TABLE} WHERE id < 10`,
            `UPDATE migration_archive_partitions SET removed_rows = 10, removed_sum = '1' WHERE partition_name = '2020-Q1'`,
          ]
        : [`DROP TABLE sluice_archived."${await detachedName(backup)}"`]),
      // As an interrupted detach leaves it.
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
