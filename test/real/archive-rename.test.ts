/**
 * An archive belongs to the table whose rows it has, despite new names of that table, or of another one that gets its
 * old name.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { commandsOf, countedBy, makeBookings, TABLE, type Archived, type Form } from '../support/archive-places.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform, type Place, type Ran, type System } from '../support/copy-systems.ts'

let folder: Folder
beforeAll(() => void (folder = temporaryFolder()))
afterAll(() => folder[Symbol.dispose]())

const ROWS = 5
const OLD = `${TABLE}_old`

async function archived(system: System, form: Form): Promise<Archived> {
  const place = await makePlace(system, folder.path)
  const made = await makeBookings(place, form, join(folder.path, `to-${randomBytes(4).toString('hex')}`), ROWS)
  const { run, drop } = commandsOf(made)
  await done(run)
  await done(drop)
  return made
}

async function done(operation: Operation): Promise<Ran> {
  const ran = await perform(operation)
  expect(ran.finished, `${operation.kind} ${JSON.stringify(ran.finished.error)}`).toMatchObject({ exitCode: 0 })
  return ran
}

/** Each command that names one table, with a label for messages. */
function commandsOn(made: Archived, name: string): readonly (readonly [string, Operation])[] {
  const { run, query, restore, verify, sweep } = commandsOf(made)
  const of = { from: made.place.url, table: name, confirm: name }
  const [partitions, tables] = [['2020-Q1'], [name]]
  return [
    ['query', { ...query, table: name, query: `SELECT count(*) AS n, sum(id) AS s FROM ${name}` } as Operation],
    ['restore --into', { ...restore, ...of, partitions, into: 'elsewhere' } as Operation],
    ['restore', { ...restore, ...of, partitions } as Operation],
    ['run', { ...run, tables } as Operation],
    ['plan', { ...run, tables, dryRun: true } as Operation],
    ['adopt', { kind: 'archive-adopt', ...of, accept: [], dryRun: false }],
    ['erase', { kind: 'archive-erase', ...of, where: 'id = 1', reason: 'r', dryRun: true }],
    ['list', { kind: 'archive-list', from: made.place.url, tables, count: false }],
    ['verify', { ...verify, tables } as Operation],
    ['sweep', { ...sweep, tables, confirm: name } as Operation],
    ['hold', { kind: 'archive-hold', ...of, partitions, reason: 'a case' }],
  ]
}

const answers = async (made: Archived, name: string): Promise<string> =>
  (
    await countedBy({
      ...commandsOf(made).query,
      table: name,
      query: `SELECT count(*), sum(id) FROM ${name}`,
    } as Operation)
  ).counted

const WITHOUT = await missing('postgresql')
const AWAY: Readonly<Record<string, string>> = { postgresql: WITHOUT, mysql: await missing('mysql'), sqlite: '' }

/** Waits until a table that is created now gets another mark: creation times of MySQL are whole seconds. */
async function marksDiffer(place: Place): Promise<void> {
  if (place.system !== 'mysql') return
  const young =
    "SELECT count(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE' AND CREATE_TIME >= NOW() - INTERVAL 1 SECOND"
  await expect.poll(() => place.rows(young), { timeout: 10_000 }).toEqual([['0']])
}

/** The table's name as in events. */
const named = ({ system, url }: Place, table: string): string =>
  system === 'sqlite' ? table : `${system === 'postgresql' ? 'public' : new URL(url).pathname.slice(1)}.${table}`
const likeOf = async ({ system, rows }: Place, table: string, like: string): Promise<string> => {
  if (system === 'postgresql') return `CREATE TABLE ${table} (LIKE ${like} INCLUDING ALL)`
  if (system === 'mysql') return `CREATE TABLE ${table} LIKE ${like}`
  const [[sql] = []] = await rows(`SELECT sql FROM sqlite_schema WHERE name = '${like}'`)
  return String(sql).replace(/^CREATE TABLE \S+/, `CREATE TABLE ${table}`)
}
const ALL = `${ROWS * 3} ${[0, 1, 2].flatMap((i) => Array.from({ length: ROWS }, (_, n) => i * 100_000 + n)).reduce((a, b) => a + b, 0)}`

describe.each([
  ['postgresql', 'plain'],
  ['postgresql', 'native'],
  ['mysql', 'plain'],
  ['sqlite', 'plain'],
] as const)('%s, %s', (system, form) => {
  test.skipIf(AWAY[system] !== '')(
    `all commands find the archive by the new name of its table, not by a name another table took${AWAY[system]}`,
    { timeout: 120_000 },
    async () => {
      const made = await archived(system, form)
      const { place } = made
      const rows = async (table: string): Promise<string> =>
        String((await place.rows(`SELECT count(*) FROM ${table}`))[0])
      await place.sql(`ALTER TABLE ${TABLE} RENAME TO ${OLD}`)
      for (const [words, operation] of commandsOn(made, OLD)) {
        const { finished } = await perform(operation)
        expect(finished.error?.message ?? '', words).not.toMatch(/was never archived|no table matches/)
        expect(finished.exitCode, `${words}: ${JSON.stringify(finished.error)}`).toBe(0)
      }
      await place.sql('DROP TABLE elsewhere')
      await done({ kind: 'archive-hold', from: place.url, table: OLD, partitions: ['2020-Q1'], reason: null })
      const { events } = await done({ kind: 'archive-list', from: place.url, tables: [], count: false })
      const listed = events.flatMap((event) => (event.type === 'archived' ? [`${event.table} ${event.state}`] : []))
      expect(listed).toContain(`${named(place, OLD)} DROPPED`)
      expect(await answers(made, OLD)).toBe(ALL)
      // By its old name, too, as long as that is unambiguous.
      await done({ kind: 'archive-list', from: place.url, tables: [TABLE], count: false })

      await place.sql(await likeOf(place, TABLE, OLD))
      await place.sql(`INSERT INTO ${TABLE} VALUES (7, '2020-02-02', 'new', 1)`)
      const before = await rows(OLD)
      for (const [words, operation] of commandsOn(made, TABLE)) {
        const { finished } = await perform(operation)
        expect(finished.error, words).toMatchObject({
          code: 'PLAN_CHANGED',
          message: `the archive of ${named(place, TABLE)} belongs to the table that is now called ${named(place, OLD)}`,
        })
        expect(finished.error?.hint, words).toContain(`--table ${named(place, OLD)}`)
      }
      expect([await rows(TABLE), await rows(OLD)]).toEqual(['1', before])
      // A pattern matches the present name of an archive's table; all other tables are processed.
      const all = await done({ ...commandsOf(made).verify, tables: [`${TABLE}*`] } as Operation)
      expect(all.events.filter(({ type }) => type === 'archive.finding')).toEqual([])
      await done({ ...commandsOf(made).restore, table: OLD, partitions: ['2020-Q1', '2020-Q2'] } as Operation)
      expect([await rows(TABLE), await rows(OLD), await answers(made, OLD)]).toEqual(['1', String(ROWS * 3), ALL])
      // The OID of a dropped table is ignored.
      await place.sql(`DROP TABLE ${OLD}${system === 'postgresql' ? ' CASCADE' : ''}`)
      expect(await answers(made, TABLE)).toBe('1 7')
    },
  )
})

describe.each(['sqlite', 'mysql'] as const)('%s, which has no OIDs for tables', (system) => {
  test.skipIf(AWAY[system] !== '')(
    `an archive stays with the name unless it is certain that its table was renamed${AWAY[system]}`,
    { timeout: 60_000 },
    async () => {
      const made = await archived(system, 'plain')
      const { place } = made
      const kept = `id >= 200000`
      const whole = async (words: string): Promise<void> => expect(await answers(made, TABLE), words).toBe(ALL)
      // A copy with the key is made, and the table altered: its rows identify it, even if some of them are gone.
      await place.sql(await likeOf(place, 'backup', TABLE), `INSERT INTO backup SELECT * FROM ${TABLE}`)
      await place.sql(`CREATE TABLE loose AS SELECT * FROM ${TABLE}`, `ALTER TABLE ${TABLE} ADD COLUMN more int`)
      await whole('altered beside copies of it')
      await place.sql(`ALTER TABLE ${TABLE} DROP COLUMN more`, ...(system === 'sqlite' ? ['VACUUM'] : []))
      await place.sql(`DELETE FROM ${TABLE} WHERE id IN (200000, 200004)`)
      const [[gone] = []] = await place.rows(`SELECT sum(id) FROM ${TABLE}`)
      expect(Number(gone), kept).toBe(200_001 + 200_002 + 200_003)
      const left = `${ROWS * 3 - 2} ${Number(ALL.split(' ')[1]) - 400_004}`
      expect(await answers(made, TABLE), 'some of the witnesses deleted').toBe(left)
      await place.sql(`INSERT INTO ${TABLE} SELECT * FROM backup WHERE id IN (200000, 200004)`, 'DROP TABLE backup')
      await done(commandsOf(made).run)
      // A schema change through a copy: the name stays with the rows.
      await place.sql(await likeOf(place, 'shadow', TABLE), `INSERT INTO shadow SELECT * FROM ${TABLE}`)
      await place.sql(`ALTER TABLE ${TABLE} RENAME TO ghost`, `ALTER TABLE shadow RENAME TO ${TABLE}`)
      await whole('another table in its place, with its rows')
      await marksDiffer(place)
      await done(commandsOf(made).run)
      await place.sql(`DELETE FROM ${TABLE}`, ...(system === 'sqlite' ? ['VACUUM'] : []))
      expect((await answers(made, TABLE)).split(' ')[0], 'emptied').toBe(String(ROWS * 2))
      await done({ ...commandsOf(made).restore, partitions: ['2020-Q1'] } as Operation)
      expect(await place.rows(`SELECT count(*) FROM ${TABLE}`)).toEqual([[String(ROWS)]])
      // Erased rows do not identify the table any more.
      const witness = async (): Promise<string> =>
        String((await place.rows('SELECT witness FROM migration_archives'))[0]?.[0])
      await place.sql(`INSERT INTO ${TABLE} VALUES (300000, '2090-03-03 00:00:00', 'new', 1)`)
      await done(commandsOf(made).run)
      expect(await witness()).toContain('300000')
      const erase = { kind: 'archive-erase', from: place.url, table: TABLE, confirm: TABLE, reason: 'r' } as const
      await done({ ...erase, where: 'id = 300000', dryRun: false })
      expect(await witness()).not.toContain('300000')
    },
  )

  test.skipIf(AWAY[system] !== '')(
    `ids that begin with 1 identify no table, and a widened type does not make another table${AWAY[system]}`,
    { timeout: 60_000 },
    async () => {
      const made = await archived(system, 'plain')
      const { place } = made
      const later = (): Promise<void> => marksDiffer(place)
      await later()
      await place.sql(`ALTER TABLE ${TABLE} RENAME TO ${OLD}`)
      const like = await likeOf(place, TABLE, OLD)
      const wider = system === 'mysql' ? [`ALTER TABLE ${OLD} MODIFY note varchar(200)`] : []
      await place.sql(like, `INSERT INTO ${TABLE} SELECT id, at, 'of another', '0.5' FROM ${OLD}`, ...wider)
      expect(await answers(made, OLD)).toBe(ALL)
      for (const [words, operation] of commandsOn(made, TABLE)) {
        const { finished } = await perform(operation)
        expect(finished.error, words).toMatchObject({ code: 'PLAN_CHANGED' })
      }
      // The two tables swap names, and swap back when both have an archive: each archive follows its rows.
      const swap = async (): Promise<void> => {
        await later()
        await place.sql(
          `ALTER TABLE ${TABLE} RENAME TO passing`,
          `ALTER TABLE ${OLD} RENAME TO ${TABLE}`,
          `ALTER TABLE passing RENAME TO ${OLD}`,
        )
      }
      await place.sql(`INSERT INTO ${TABLE} VALUES (1, '2020-02-02 00:00:00', 'of another', '1')`)
      await swap()
      expect(await answers(made, TABLE)).toBe(ALL)
      const { run, drop } = commandsOf(made)
      for (const one of [run, drop]) await done({ ...one, tables: [OLD], confirm: OLD } as Operation)
      await swap()
      expect([await answers(made, OLD), (await answers(made, TABLE)).split(' ')[0]]).toEqual([ALL, String(ROWS + 1)])
    },
  )

  test.skipIf(AWAY[system] !== '')(
    `a table with the keys and times of an archived one, but without its other columns, is another one${AWAY[system]}`,
    { timeout: 60_000 },
    async () => {
      const made = await archived(system, 'plain')
      const { place } = made
      const young =
        "SELECT count(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE' AND CREATE_TIME >= NOW()"
      const later = async (): Promise<void> => {
        if (system === 'mysql') await expect.poll(() => place.rows(young), { timeout: 10_000 }).toEqual([['0']])
      }
      let count = 0
      /** Changes all rows, and gives the identity of the table to another one. */
      const changed = async (table: string): Promise<void> => {
        await later()
        const copied =
          system === 'mysql'
            ? []
            : [
                await likeOf(place, 'passing', table),
                `INSERT INTO passing SELECT * FROM ${table}`,
                `DROP TABLE ${table}`,
                `ALTER TABLE passing RENAME TO ${table}`,
              ]
        const more = `ALTER TABLE ${table} ADD COLUMN more${(count += 1)} int`
        await place.sql(...copied, more, `UPDATE ${table} SET note = concat('changed ', ${count}), amount = ${count}`)
      }
      const like = async (table: string, of: string): Promise<void> => {
        const type = system === 'mysql' ? 'bigint' : 'integer'
        await place.sql(
          `CREATE TABLE ${table} (id ${type} PRIMARY KEY, at datetime NOT NULL, total int)`,
          `INSERT INTO ${table} SELECT id, at, 7 FROM ${of}`,
        )
      }
      await changed(TABLE)
      await like('invoices', TABLE)
      expect(await answers(made, TABLE)).toBe(ALL)
      expect((await answers(made, 'invoices')).split(' ')[0]).toBe(String(ROWS))
      for (const [words, operation] of commandsOn(made, 'invoices').slice(1, 3)) {
        const { finished } = await perform(operation)
        expect(finished.error?.message, words).toMatch(/was never archived/)
      }
      await place.sql('DROP TABLE invoices')
      await done(commandsOf(made).run)
      // Nor by the name in the ledger of a table that was renamed.
      await later()
      await place.sql(`ALTER TABLE ${TABLE} RENAME TO ${OLD}`)
      await done({ ...commandsOf(made).run, tables: [OLD] } as Operation)
      await changed(OLD)
      await like(TABLE, OLD)
      expect(await answers(made, OLD)).toBe(ALL)
      const { finished } = await perform({ ...commandsOf(made).restore, partitions: ['2020-Q1'] } as Operation)
      expect(finished.error).toMatchObject({ code: 'PLAN_CHANGED', hint: expect.stringContaining(OLD) })
      expect(finished.error?.hint).not.toContain('dropped')
    },
  )

  test.skipIf(AWAY[system] !== '')(
    `a table renamed and rebuilt at once keeps its archive, unless a second table has its rows${AWAY[system]}`,
    { timeout: 60_000 },
    async () => {
      const made = await archived(system, 'plain')
      const { place } = made
      const like = await likeOf(place, OLD, TABLE)
      const changed =
        system === 'mysql'
          ? [`ALTER TABLE ${TABLE} RENAME TO ${OLD}, ADD COLUMN more int, ALGORITHM = COPY`]
          : [
              like,
              `INSERT INTO ${OLD} SELECT * FROM ${TABLE}`,
              `DROP TABLE ${TABLE}`,
              `ALTER TABLE ${OLD} ADD COLUMN more int`,
            ]
      await place.sql(await likeOf(place, 'backup', TABLE), `INSERT INTO backup SELECT * FROM ${TABLE}`)
      await place.sql(...changed)
      for (const table of [OLD, 'backup']) {
        const { query } = commandsOf(made)
        const { finished } = await perform({ ...query, table, query: `SELECT count(*) FROM ${table}` } as Operation)
        expect(finished.error, table).toMatchObject({ code: 'PARTITION_STATE' })
      }
      await place.sql('DROP TABLE backup')
      expect(await answers(made, OLD)).toBe(ALL)
      await done({ ...commandsOf(made).run, tables: [OLD] } as Operation)
      expect(await answers(made, OLD)).toBe(ALL)
    },
  )

  test.skipIf(AWAY[system] !== '')(
    `a table that was renamed and lost a column may be the archived one, and is refused${AWAY[system]}`,
    { timeout: 60_000 },
    async () => {
      const made = await archived(system, 'plain')
      const { place } = made
      await place.sql(`ALTER TABLE ${TABLE} RENAME TO ${OLD}`, `ALTER TABLE ${OLD} DROP COLUMN note`)
      for (const [words, operation] of commandsOn(made, OLD)) {
        if (!['query', 'restore', 'run'].includes(words)) continue
        const { finished } = await perform(operation)
        expect(finished.error, words).toMatchObject({
          code: 'PARTITION_STATE',
          reason: expect.stringContaining('has some of its rows'),
        })
      }
      await place.sql(`ALTER TABLE ${OLD} RENAME TO ${TABLE}`)
      expect(await answers(made, TABLE)).toBe(ALL)
    },
  )

  test.skipIf(AWAY[system] !== '')(
    `columns that swapped names are refused, columns in another order are not${AWAY[system]}`,
    { timeout: 60_000 },
    async () => {
      const place = await makePlace(system, folder.path)
      const to = join(folder.path, `to-${randomBytes(4).toString('hex')}`)
      const made = { place, form: 'plain', to, archive: to } as const
      const kind = system === 'mysql' ? 'int' : 'integer'
      const columns = (a: string, b: string): string =>
        `(id ${kind} PRIMARY KEY, at datetime NOT NULL, ${a} int, ${b} int)`
      await place.sql(
        `CREATE TABLE ${TABLE} ${columns('a', 'b')}`,
        `INSERT INTO ${TABLE} VALUES (1, '2020-02-02', 1, 2), (2, '2090-02-02', 1, 2), (3, '2090-02-03', 1, 2)`,
      )
      const { run, drop, query } = commandsOf(made)
      await done(run)
      await done(drop)
      const rename =
        system === 'mysql'
          ? [`ALTER TABLE ${TABLE} CHANGE a b int, CHANGE b a int`]
          : ['a TO c', 'b TO a', 'c TO b'].map((one) => `ALTER TABLE ${TABLE} RENAME COLUMN ${one}`)
      await place.sql(...rename)
      for (const [words, operation] of commandsOn(made, TABLE)) {
        if (!['query', 'restore', 'restore --into', 'erase', 'run', 'plan'].includes(words)) continue
        const { finished } = await perform(operation)
        expect(finished.error, words).toMatchObject({
          code: 'PARTITION_CHANGED',
          reason: expect.stringContaining('b is called a now'),
        })
      }
      await place.sql(...rename)
      const moved =
        system === 'mysql'
          ? [`ALTER TABLE ${TABLE} MODIFY a int AFTER b`]
          : [
              `CREATE TABLE passing ${columns('b', 'a')}`,
              `INSERT INTO passing (id, at, a, b) SELECT id, at, a, b FROM ${TABLE}`,
              `DROP TABLE ${TABLE}`,
              `ALTER TABLE passing RENAME TO ${TABLE}`,
            ]
      await place.sql(...moved)
      const { counted } = await countedBy({
        ...query,
        query: `SELECT sum(a), sum(b), count(*) FROM ${TABLE}`,
      } as Operation)
      expect(counted).toBe('3 6 3')
      await done({ ...commandsOf(made).restore, partitions: ['2020-Q1'] } as Operation)
      expect(await place.rows(`SELECT a, b FROM ${TABLE} WHERE id = 1`)).toEqual([['1', '2']])
    },
  )

  test.skipIf(AWAY[system] !== '')(
    `a column whose name was taken by another one is not confused with it${AWAY[system]}`,
    { timeout: 120_000 },
    async () => {
      const place = await makePlace(system, folder.path)
      const to = join(folder.path, `to-${randomBytes(4).toString('hex')}`)
      const made = { place, form: 'plain', to, archive: to } as const
      await place.sql(
        `CREATE TABLE ${TABLE} (id ${system === 'mysql' ? 'int' : 'integer'} PRIMARY KEY, at datetime NOT NULL, last int, a int)`,
        `INSERT INTO ${TABLE} VALUES (1, '2020-02-02', 1, 10), (2, '2090-02-02', 2, 20), (3, '2090-02-03', 3, 30)`,
      )
      const { run, drop, query } = commandsOf(made)
      await done(run)
      await done(drop)
      // A new column before an archived one, and a copy of an archived column, are not taken for it.
      await place.sql(
        `ALTER TABLE ${TABLE} ADD COLUMN c int${system === 'mysql' ? ' AFTER id' : ''}`,
        `UPDATE ${TABLE} SET c = a`,
      )
      const sums = { ...query, query: `SELECT sum(a), sum(last) FROM ${TABLE}` } as Operation
      expect((await countedBy(sums)).counted).toBe('60 6')
      await place.sql(
        `ALTER TABLE ${TABLE} DROP COLUMN c`,
        `ALTER TABLE ${TABLE} RENAME COLUMN a TO b`,
        `ALTER TABLE ${TABLE} ADD COLUMN a int`,
        `UPDATE ${TABLE} SET a = 7`,
      )
      const { finished: asked } = await perform(sums)
      expect(asked.error).toMatchObject({ code: 'PARTITION_CHANGED' })
      // With another type, too.
      await place.sql(
        `ALTER TABLE ${TABLE} DROP COLUMN a`,
        `ALTER TABLE ${TABLE} ADD COLUMN a varchar(9)`,
        `UPDATE ${TABLE} SET a = '7'`,
      )
      for (const [words, operation] of commandsOn(made, TABLE)) {
        if (!['query', 'restore', 'restore --into', 'erase', 'run', 'plan'].includes(words)) continue
        const { finished } = await perform(operation)
        expect(finished.error, words).toMatchObject({
          code: 'PARTITION_CHANGED',
          reason: expect.stringContaining('a is called b now'),
          hint: expect.stringContaining('--renamed a=b'),
        })
      }
      // As the hint says.
      await place.sql(`ALTER TABLE ${TABLE} RENAME COLUMN a TO a2`)
      await done({ ...run, renamed: ['a=b'] } as Operation)
      await place.sql(`ALTER TABLE ${TABLE} RENAME COLUMN a2 TO a`)
      expect((await countedBy({ ...query, query: `SELECT sum(b), count(a) FROM ${TABLE}` } as Operation)).counted).toBe(
        '60 2',
      )
      await done({ ...commandsOf(made).restore, partitions: ['2020-Q1'] } as Operation)
      expect(await place.rows(`SELECT b, a FROM ${TABLE} WHERE id = 1`)).toEqual([['10', null]])
    },
  )

  test.skipIf(AWAY[system] !== '')(
    `a column that took the name of a dropped one is not confused with it${AWAY[system]}`,
    { timeout: 120_000 },
    async () => {
      const place = await makePlace(system, folder.path)
      const to = join(folder.path, `to-${randomBytes(4).toString('hex')}`)
      const made = { place, form: 'plain', to, archive: to } as const
      await place.sql(
        `CREATE TABLE ${TABLE} (id ${system === 'mysql' ? 'int' : 'integer'} PRIMARY KEY, at datetime NOT NULL, a int, c int, b int)`,
        `INSERT INTO ${TABLE} VALUES (1, '2020-02-02', 1, 0, 10), (2, '2090-02-02', 2, 0, 20), (3, '2090-02-03', 3, 0, 30)`,
      )
      const { run, drop, query } = commandsOf(made)
      await done(run)
      await done(drop)
      await place.sql(`ALTER TABLE ${TABLE} DROP COLUMN a`, `ALTER TABLE ${TABLE} RENAME COLUMN b TO a`)
      for (const [words, operation] of commandsOn(made, TABLE)) {
        if (!['query', 'restore', 'restore --into', 'erase', 'run', 'plan'].includes(words)) continue
        const { finished } = await perform(operation)
        expect(finished.error, words).toMatchObject({
          code: 'PARTITION_CHANGED',
          reason: expect.stringContaining('b is called a now'),
          hint: expect.stringMatching(/--dropped a,.*--renamed b=a/),
        })
      }
      // As the hint says.
      await place.sql(`ALTER TABLE ${TABLE} RENAME COLUMN a TO b`)
      await done({ ...run, dropped: ['a'] } as Operation)
      await place.sql(`ALTER TABLE ${TABLE} RENAME COLUMN b TO a`)
      await done({ ...run, renamed: ['b=a'] } as Operation)
      expect((await countedBy({ ...query, query: `SELECT sum(a), sum(c) FROM ${TABLE}` } as Operation)).counted).toBe(
        '60 0',
      )
      await done({ ...commandsOf(made).restore, partitions: ['2020-Q1'], without: ['a'] } as Operation)
      expect(await place.rows(`SELECT a, c FROM ${TABLE} WHERE id = 1`)).toEqual([['10', '0']])
    },
  )

  test.skipIf(AWAY[system] !== '')(
    `without a recorded row, a column with the name of a dropped neighbour is ambiguous${AWAY[system]}`,
    { timeout: 180_000 },
    async () => {
      const place = await makePlace(system, folder.path)
      const to = join(folder.path, `to-${randomBytes(4).toString('hex')}`)
      const made = { place, form: 'plain', to, archive: to } as const
      await place.sql(
        `CREATE TABLE ${TABLE} (id ${system === 'mysql' ? 'int' : 'integer'} PRIMARY KEY, at datetime NOT NULL, v int, w int, c varchar(9))`,
        `INSERT INTO ${TABLE} VALUES (1, '2020-02-02', 1, 10, 'x'), (2, '2090-02-02', 2, 20, 'y'), (3, '2090-02-03', 3, 30, 'z')`,
      )
      const { run, drop, query, restore } = commandsOf(made)
      const renamed = (before: string, now: string): string => `ALTER TABLE ${TABLE} RENAME COLUMN ${before} TO ${now}`
      const asked = async (sql: string): Promise<Ran['finished']> =>
        (await perform({ ...query, query: `SELECT ${sql} FROM ${TABLE}` } as Operation)).finished
      const counted = async (sql: string): Promise<string> =>
        (await countedBy({ ...query, query: `SELECT ${sql} FROM ${TABLE}` } as Operation)).counted
      await done(run)
      await done(drop)
      await place.sql(`ALTER TABLE ${TABLE} DROP COLUMN v`, renamed('w', 'v'))
      const doubted = {
        code: 'PLAN_CHANGED',
        message: expect.stringMatching(/: w is missing, and v may be the renamed column w$/),
        hint: expect.stringMatching(/--dropped w; if not, rename v to w.*--dropped v.*--renamed w=v/),
      }
      for (const sql of ['sum(v)', 'sum(w)', '*', 'count(*) FILTER (v = 1)'])
        expect((await asked(sql)).error, sql).toMatchObject(doubted)
      expect(await counted('count(*), count(c)')).toBe('3 3')
      for (const [words, operation] of commandsOn(made, TABLE)) {
        if (!['restore', 'run'].includes(words)) continue
        expect((await perform(operation)).finished.error, words).toMatchObject(doubted)
      }
      const erased = { kind: 'archive-erase', from: place.url, table: TABLE, reason: 'r', confirm: TABLE } as const
      const erase = (where: string): Operation => ({ ...erased, where, dryRun: true })
      expect((await perform(erase('v = 1'))).finished.error).toMatchObject(doubted)
      await done(erase("c = 'x'"))
      // As the hint says.
      await place.sql(renamed('v', 'w'))
      await done({ ...run, dropped: ['v'] } as Operation)
      await place.sql(renamed('w', 'v'))
      await done({ ...run, renamed: ['w=v'] } as Operation)
      expect(await counted('sum(v)')).toBe('60')
      await done({ ...restore, partitions: ['2020-Q1'], without: ['v'] } as Operation)
      expect(await place.rows(`SELECT v, c FROM ${TABLE} WHERE id = 1`)).toEqual([['10', 'x']])
    },
  )

  test.skipIf(AWAY[system] !== '').each([
    ['of its type', 'int', ''],
    ['of another type', 'varchar(9)', ''],
    ['behind another column', 'int', ', c int'],
  ])(
    `a name passed on and given to a new column %s is not confused with its column${AWAY[system]}`,
    { timeout: 120_000 },
    async (_, type, behind) => {
      const place = await makePlace(system, folder.path)
      const to = join(folder.path, `to-${randomBytes(4).toString('hex')}`)
      const made = { place, form: 'plain', to, archive: to } as const
      await place.sql(
        `CREATE TABLE ${TABLE} (id ${system === 'mysql' ? 'int' : 'integer'} PRIMARY KEY, at datetime NOT NULL, v int, w int${behind})`,
        `INSERT INTO ${TABLE} (id, at, v, w) VALUES (1, '2020-02-02', 1, 10), (2, '2090-02-02', 2, 20), (3, '2090-02-03', 3, 30)`,
      )
      const { run, drop, query } = commandsOf(made)
      const renamed = (before: string, now: string): string => `ALTER TABLE ${TABLE} RENAME COLUMN ${before} TO ${now}`
      const counted = async (sql: string): Promise<string> =>
        (await countedBy({ ...query, query: `SELECT ${sql} FROM ${TABLE}` } as Operation)).counted
      await done(run)
      await done(drop)
      // A copy of another column's values is not taken for it.
      await place.sql(`UPDATE ${TABLE} SET v = w`)
      expect(await counted('sum(v), sum(w)')).toBe('51 60')
      await place.sql(
        `ALTER TABLE ${TABLE} DROP COLUMN v`,
        renamed('w', 'v'),
        `ALTER TABLE ${TABLE} ADD COLUMN w ${type}`,
      )
      for (const [words, operation] of commandsOn(made, TABLE)) {
        if (!['query', 'restore', 'restore --into', 'erase', 'run', 'plan'].includes(words)) continue
        expect((await perform(operation)).finished.error, words).toMatchObject({
          code: 'PARTITION_CHANGED',
          reason: expect.stringContaining('w is called v now'),
          hint: expect.stringMatching(
            /rename the present w to a third name.*--dropped v,.*--renamed w=v.*--renamed v=v/,
          ),
        })
      }
      // As the hint says.
      await place.sql(renamed('w', 'x'), renamed('v', 'w'))
      await done({ ...run, dropped: ['v'] } as Operation)
      await place.sql(renamed('w', 'v'))
      await done({ ...run, renamed: ['w=v'] } as Operation)
      await place.sql(renamed('x', 'w'))
      await done({ ...run, renamed: ['x=w'] } as Operation)
      expect(await counted('sum(v), count(w)')).toBe('60 0')
      if (type !== 'int') return
      // Values moved between columns look the same, and --renamed decides.
      await place.sql(`UPDATE ${TABLE} SET w = v + 1`)
      await done(run)
      await place.sql(`UPDATE ${TABLE} SET v = v + 1, w = v + 2`)
      expect((await perform(run)).finished.error).toMatchObject({ code: 'PARTITION_CHANGED' })
      await done({ ...run, renamed: ['v=v'] } as Operation)
      expect(await counted('sum(v)')).toBe('62')
    },
  )

  test.skipIf(AWAY[system] !== '')(
    `the identity of a column next to a dropped one is certain by a recorded row, or by --dropped${AWAY[system]}`,
    { timeout: 180_000 },
    async () => {
      const place = await makePlace(system, folder.path)
      const to = join(folder.path, `to-${randomBytes(4).toString('hex')}`)
      const made = { place, form: 'plain', to, archive: to } as const
      await place.sql(
        `CREATE TABLE ${TABLE} (id ${system === 'mysql' ? 'int' : 'integer'} PRIMARY KEY, at datetime NOT NULL, u int, v int, w int)`,
        `INSERT INTO ${TABLE} VALUES (1, '2020-02-02', 1, 10, 100), (2, '2090-02-02', 2, 20, 200), (3, '2090-02-03', 3, 30, 300)`,
      )
      const { run, drop, query } = commandsOf(made)
      const sums = async (sql: string): Promise<Ran> =>
        await perform({ ...query, query: `SELECT ${sql} FROM ${TABLE}` } as Operation)
      await done(run)
      await done(drop)
      await place.sql(`ALTER TABLE ${TABLE} DROP COLUMN w`, `UPDATE ${TABLE} SET v = 21 WHERE id = 2`)
      expect((await sums('sum(u), sum(v)')).finished.error).toBeUndefined()
      await place.sql(`UPDATE ${TABLE} SET v = 31 WHERE id = 3`)
      expect((await sums('sum(u)')).finished.error).toBeUndefined()
      expect((await sums('sum(v)')).finished.error).toMatchObject({ code: 'PLAN_CHANGED' })
      await done({ ...run, dropped: ['w'] } as Operation)
      const { counted } = await countedBy({ ...query, query: `SELECT sum(v) FROM ${TABLE}` } as Operation)
      expect(counted).toBe('62')
    },
  )

  test.skipIf(AWAY[system] !== '')(
    `names shifted by one column, and a renamed neighbour of another type, are ambiguous${AWAY[system]}`,
    { timeout: 180_000 },
    async () => {
      const place = await makePlace(system, folder.path)
      const to = join(folder.path, `to-${randomBytes(4).toString('hex')}`)
      const made = { place, form: 'plain', to, archive: to } as const
      await place.sql(
        `CREATE TABLE ${TABLE} (id ${system === 'mysql' ? 'int' : 'integer'} PRIMARY KEY, at datetime NOT NULL, u int, v int, w int, n int, t varchar(9))`,
        `INSERT INTO ${TABLE} VALUES (1, '2020-02-02', 1, 10, 100, 5, '7'), (2, '2090-02-02', 2, 20, 200, 5, '8')`,
      )
      const { run, drop, query } = commandsOf(made)
      const refused = async (sql: string): Promise<string> =>
        (await perform({ ...query, query: `SELECT ${sql} FROM ${TABLE}` } as Operation)).finished.error?.message ?? ''
      await done(run)
      await done(drop)
      await place.sql(
        `ALTER TABLE ${TABLE} DROP COLUMN u`,
        `ALTER TABLE ${TABLE} RENAME COLUMN v TO u`,
        `ALTER TABLE ${TABLE} RENAME COLUMN w TO v`,
        `ALTER TABLE ${TABLE} DROP COLUMN n`,
        `ALTER TABLE ${TABLE} RENAME COLUMN t TO n`,
      )
      for (const name of ['u', 'v', 'w', 'n', 't'])
        expect(await refused(`count(${name})`), name).toMatch(/the columns of \S*bookings differ from t/)
      expect(await refused('count(*)')).toBe('')
    },
  )

  test(
    `each command reports that a table may be an archived one under another name`,
    { timeout: 60_000 },
    async (context) => {
      if ((await missing(system)) !== '') context.skip()
      const made = await archived(system, 'plain')
      // As a ledger of an older version has it.
      await made.place.sql('UPDATE migration_archives SET witness = NULL', `ALTER TABLE ${TABLE} RENAME TO ${OLD}`)
      for (const [words, operation] of commandsOn(made, OLD)) {
        if (!['query', 'restore', 'hold', 'erase'].includes(words)) continue
        const { finished } = await perform(operation)
        expect(finished.error, words).toMatchObject({ code: 'PARTITION_STATE' })
        expect(finished.error?.message, words).toMatch(/may be \S*bookings under another name/)
      }
    },
  )
})

test("the unit of numeric times is found in the archive under the table's new name", { timeout: 60_000 }, async () => {
  const place = await makePlace('sqlite', folder.path)
  const to = join(folder.path, `to-${randomBytes(4).toString('hex')}`)
  await place.sql(
    'CREATE TABLE ticks (id INTEGER PRIMARY KEY, at INTEGER NOT NULL)',
    'INSERT INTO ticks VALUES (1, 1580600000), (2, 3900000000)',
  )
  const run = { ...commandsOf({ place, form: 'plain', to }).run, tables: ['ticks'] }
  await done({ ...run, epoch: 's' } as Operation)
  await place.sql(
    'ALTER TABLE ticks RENAME TO tocks',
    'CREATE TABLE ticks (id INTEGER PRIMARY KEY, at INTEGER NOT NULL)',
  )
  const init = { kind: 'lifecycle-init', from: place.url, by: 'at', calendar: {}, write: null, replace: false } as const
  await done({ ...init, table: 'tocks' })
  const { finished } = await perform({ ...init, table: 'ticks' })
  expect(finished.error).toMatchObject({ code: 'BAD_FLAG', hint: expect.stringContaining('--epoch') })
})

test.skipIf(WITHOUT !== '')(`quoted names match those of the ledger${WITHOUT}`, { timeout: 60_000 }, async () => {
  const place = await makePlace('postgresql', folder.path)
  const to = join(folder.path, `to-${randomBytes(4).toString('hex')}`)
  await place.sql('CREATE SCHEMA "S"')
  for (const [i, name] of ['"S"."Mix.ed"', 'public."We""ird t"'].entries()) {
    await place.sql(
      `CREATE TABLE ${name} (id int PRIMARY KEY, at timestamp NOT NULL)`,
      `INSERT INTO ${name} VALUES (1, '2020-02-02'), (2, '2090-01-01')`,
    )
    const run = { ...commandsOf({ place, form: 'plain', to }).run, tables: [name] }
    await done(run)
    await done({ ...run, drop: true, confirm: name } as Operation)
    const of = { kind: 'restore', from: place.url, table: name, partitions: ['2020-Q1'], dryRun: false } as const
    await done({ ...of, into: `x${i}` })
    expect(await place.rows(`SELECT id::text FROM x${i}`)).toEqual([['1']])
    await done({ kind: 'archive-list', from: place.url, tables: [name], count: false })
    // A dropped table has its archive under the same name.
    await place.sql(`DROP TABLE ${name}`)
    await done({ ...of, into: `y${i}` })
  }
})

const SCHEMA_TABLES = `SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND (c.relname LIKE '${TABLE}%' OR n.nspname IN ('side', 'sluice_archived')) ORDER BY 2, 1`

/** A table in the schema `s`, whose first partition has an index and statistics of its own. */
async function inSchema(
  form: 'native' | 'divided',
): Promise<{ readonly made: Archived; readonly run: Operation; readonly before: unknown }> {
  const place = await makePlace('postgresql', folder.path)
  const to = join(folder.path, `to-${randomBytes(4).toString('hex')}`)
  const made = await makeBookings(place, form, to, ROWS)
  await place.sql('CREATE SCHEMA s')
  const tables = await place.rows(
    `SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relname LIKE '${TABLE}%' AND relnamespace = 'public'::regnamespace`,
  )
  await place.sql(...tables.map(([name]) => `ALTER TABLE public.${String(name)} SET SCHEMA s`))
  await place.sql(
    `CREATE INDEX own_index ON s.${TABLE}_0 (note)`,
    `CREATE STATISTICS s.own_statistics ON id, note FROM s.${TABLE}_0`,
    `COMMENT ON TABLE s.${TABLE}_0 IS 'of its own'`,
  )
  const run = { ...commandsOf(made).run, tables: [`s.${TABLE}`] } as Operation
  return { made, run, before: await place.rows(SCHEMA_TABLES) }
}

describe.skipIf(WITHOUT !== '').each(['native', 'divided'] as const)(
  `postgresql, %s, of a schema${WITHOUT}`,
  (form) => {
    const renamed = (before: unknown): unknown =>
      (before as readonly (readonly string[])[]).map(([schema, name]) => [schema === 's' ? 't' : schema, name])

    test('partitions are restored into a schema that was renamed', { timeout: 120_000 }, async () => {
      const { made, run, before } = await inSchema(form)
      const { place } = made
      await done(run)
      const name = `t.${TABLE}`
      if (form === 'native') {
        await done({ ...run, drop: true, confirm: `s.${TABLE}`, partitions: ['2020-Q1'] } as Operation)
      }
      await place.sql('ALTER SCHEMA s RENAME TO t')
      if (form === 'divided') await place.sql('ALTER SCHEMA side RENAME TO "si""de"')
      await done({
        ...commandsOf(made).restore,
        table: name,
      } as Operation)
      const there = await place.rows(SCHEMA_TABLES)
      if (form === 'native') expect(there).toEqual(renamed(before))
      else expect(there.map(([schema]) => schema)).toEqual(there.map(() => 't'))
      expect(await place.rows(`SELECT nspname FROM pg_namespace WHERE nspname IN ('s', 'side')`)).toEqual([])
      expect(
        await place.rows(
          `SELECT 't.own_index'::regclass::text, obj_description('t.${TABLE}_0'::regclass),
           (SELECT stxnamespace::regnamespace::text FROM pg_statistic_ext WHERE stxname = 'own_statistics')`,
        ),
      ).toEqual([['t.own_index', 'of its own', 't']])
      expect(await place.rows(`SELECT count(*)::text || ' ' || sum(id) FROM ${name}`)).toEqual([[ALL]])
      await done({ ...run, tables: [name], partitions: ['2020-Q1'] } as Operation)
      expect(await answers(made, name)).toBe(ALL)
    })

    test('a published partition is detached under its present name', { timeout: 120_000 }, async () => {
      const { made, run, before } = await inSchema(form)
      const { place } = made
      await done({ ...run, detach: false } as Operation)
      const name = `t.${TABLE}`
      await place.sql(
        'ALTER SCHEMA s RENAME TO t',
        `ALTER TABLE t.${TABLE}_1 RENAME TO called_otherwise`,
        // As after a kill before the recorded detach began.
        "UPDATE migration_archive_partitions SET leaving = 1 WHERE partition_name = '2020-Q2'",
      )
      const { finished } = await done({ ...run, tables: [name] } as Operation)
      expect(finished).toMatchObject({ exitCode: 0 })
      expect((await place.rows(`SELECT count(*)::int FROM ${name}`))[0]).not.toEqual([ROWS * 3])
      expect(await answers(made, name)).toBe(ALL)
      await done({
        ...commandsOf(made).restore,
        table: name,
      } as Operation)
      await place.sql(`ALTER TABLE t.called_otherwise RENAME TO ${TABLE}_1`)
      expect(await place.rows(SCHEMA_TABLES)).toEqual(renamed(before))
    })
  },
)

describe.skipIf(WITHOUT !== '')(`postgresql, of a schema that was renamed before they are restored${WITHOUT}`, () => {
  const warned = ({ events }: Ran): readonly string[] =>
    events.flatMap((event) => (event.type === 'log' && event.level === 'warn' ? [event.message] : []))

  test(
    'a login without CREATE on the database, and objects of a dropped partition that name the schema',
    { timeout: 120_000 },
    async () => {
      const { made, run } = await inSchema('native')
      const { place } = made
      const url = new URL(place.url)
      const role = `o${url.pathname.slice(1)}`
      url.username = role
      url.password = 'secret'
      await place.sql(
        `CREATE ROLE ${role} LOGIN PASSWORD 'secret'`,
        `DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO ${role}', current_database()); END $$`,
        `GRANT CREATE ON SCHEMA public, s TO ${role}`,
        `GRANT USAGE ON SCHEMA s TO ${role}`,
        ...['', '_0', '_1', '_2'].map((suffix) => `ALTER TABLE s.${TABLE}${suffix} OWNER TO ${role}`),
        'ALTER STATISTICS s.own_statistics OWNER TO ' + role,
        `CREATE FUNCTION s.noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
        `CREATE TRIGGER own_trigger AFTER INSERT ON s.${TABLE}_0 FOR EACH ROW EXECUTE FUNCTION s.noted()`,
        `CREATE FUNCTION s.seen(bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true'`,
        `CREATE POLICY own_policy ON s.${TABLE}_0 USING (s.seen(id) AND note <> 's.${TABLE}_0')`,
        'CREATE TABLE s.ids (id bigint PRIMARY KEY)',
        `INSERT INTO s.ids SELECT id FROM s.${TABLE}_0`,
        `GRANT SELECT, REFERENCES ON s.ids TO ${role}`,
        `ALTER TABLE s.${TABLE}_0 ADD CONSTRAINT own_key FOREIGN KEY (id) REFERENCES s.ids`,
        `COMMENT ON COLUMN s.${TABLE}_0.note IS 'noted'`,
        'COMMENT ON INDEX s.own_index IS $$an index$$',
      )
      const kept = `SELECT pg_get_triggerdef(t.oid), pg_get_constraintdef(c.oid), pg_get_expr(p.polqual, p.polrelid),
        col_description(r.oid, 3), obj_description('NAME.own_index'::regclass), pg_get_statisticsobjdef(s.oid)
      FROM pg_class r JOIN pg_trigger t ON tgname = 'own_trigger' AND tgrelid = r.oid JOIN pg_constraint c ON conname = 'own_key' AND conrelid = r.oid
        JOIN pg_policy p ON polrelid = r.oid JOIN pg_statistic_ext s ON stxrelid = r.oid WHERE r.relname = '${TABLE}_0'`
      const before = await place.rows(kept.replace('NAME', 's'))
      const from = { from: url.href }
      await done({ ...run, ...from })
      await done({ ...run, ...from, drop: true, confirm: `s.${TABLE}` } as Operation)
      await place.sql(
        `DO $$ BEGIN EXECUTE format('REVOKE CREATE ON DATABASE %I FROM ${role}', current_database()); END $$`,
        'ALTER SCHEMA s RENAME TO t',
      )
      const back = await done({ ...commandsOf(made).restore, ...from, table: `t.${TABLE}` } as Operation)
      expect(await place.rows(`SELECT count(*)::text || ' ' || sum(id) FROM t.${TABLE}`)).toEqual([[ALL]])
      // Statements that name another object of that schema are printed, and work with its present name.
      const lost = warned(back)
      expect(
        lost.map((text) => /not restored: (the \w+ \w+): .*the schema s was dropped or renamed/.exec(text)?.[1]),
      ).toEqual(['the constraint own_key', 'the trigger own_trigger', 'the policy own_policy'])
      for (const text of lost) {
        await place.sql((/, run (.*)$/.exec(text)?.[1] ?? '').replaceAll(/(?<!')\bs\./g, 't.'))
      }
      expect(await place.rows(kept.replace('NAME', 't'))).toEqual(
        before.map((row) => row.map((text) => String(text).replaceAll(/(?<!')\bs\./g, 't.'))),
      )
      await place.sql(`DROP OWNED BY ${role} CASCADE`, `DROP ROLE ${role}`)
    },
  )

  test(
    'a table with the name of a dropped partition in the schema of its parent makes a restore fail',
    { timeout: 120_000 },
    async () => {
      const { made, run } = await inSchema('native')
      const { place } = made
      await done({ ...run, partitions: ['2020-Q1'] } as Operation)
      await done({ ...run, drop: true, confirm: `s.${TABLE}`, partitions: ['2020-Q1'] } as Operation)
      await place.sql('ALTER SCHEMA s RENAME TO t', `CREATE TABLE t.${TABLE}_0 (x int)`)
      const restore = { ...commandsOf(made).restore, table: `t.${TABLE}`, partitions: ['2020-Q1'] } as Operation
      const refused = await perform(restore)
      expect(refused.finished.error).toMatchObject({
        code: 'TABLE_REFUSED',
        message: `the name t.${TABLE}_0 is already used by another table, view, index or type`,
      })
      // This is found before rows are restored.
      expect(refused.events.filter((event) => event.type === 'archive.progress')).toEqual([])
      await place.sql(`DROP TABLE t.${TABLE}_0`)
      await done(restore)
    },
  )

  test('statistics of the same name in the schema of its parent: a restore warns', { timeout: 120_000 }, async () => {
    const { made, run } = await inSchema('native')
    const { place } = made
    await done({ ...run, partitions: ['2020-Q1'] } as Operation)
    await done({ ...run, drop: true, confirm: `s.${TABLE}`, partitions: ['2020-Q1'] } as Operation)
    await place.sql('ALTER SCHEMA s RENAME TO t')
    await place.sql(`CREATE STATISTICS t.own_statistics ON id, note FROM t.${TABLE}_1`)
    const back = await done({ ...commandsOf(made).restore, table: `t.${TABLE}`, partitions: ['2020-Q1'] } as Operation)
    expect(warned(back)).toEqual([expect.stringContaining('extended statistics own_statistics: ')])
    expect(await place.rows(`SELECT obj_description('t.${TABLE}_0'::regclass)`)).toEqual([['of its own']])
  })

  test('a partition of an older version is dropped after the rename, and restored', { timeout: 120_000 }, async () => {
    const { made, run } = await inSchema('native')
    const { place } = made
    const of = { tables: [`t.${TABLE}`], confirm: `t.${TABLE}`, partitions: ['2020-Q1'] }
    await done({ ...run, partitions: ['2020-Q1'] } as Operation)
    // The older version recorded none of the partition's own objects.
    await place.sql('UPDATE migration_archive_partitions SET own_ddl = NULL', 'ALTER SCHEMA s RENAME TO t')
    await done({ ...run, ...of, drop: true } as Operation)
    expect(warned(await done({ ...commandsOf(made).restore, ...of, table: `t.${TABLE}` } as Operation))).toEqual([])
    expect(await place.rows(`SELECT obj_description('t.${TABLE}_0'::regclass)`)).toEqual([['of its own']])
  })

  test('tables of two dropped schemas have the same name', { timeout: 120_000 }, async () => {
    const { made, run } = await inSchema('divided')
    const { place } = made
    await place.sql(`ALTER TABLE side.low RENAME TO ${TABLE}_0_high`)
    await done(run)
    await place.sql('ALTER SCHEMA s RENAME TO t', 'DROP SCHEMA side')
    await done({ ...commandsOf(made).restore, table: `t.${TABLE}` } as Operation)
    expect(
      await place.rows(`SELECT regexp_replace(relname, '\\d{4,}', 'N') FROM pg_class
        WHERE relnamespace = 't'::regnamespace AND relname LIKE '${TABLE}_0_high%' AND relkind = 'r' ORDER BY 1`),
    ).toEqual([[`${TABLE}_0_high`], [`${TABLE}_0_high_N`]])
    expect(await place.rows(`SELECT count(*)::text || ' ' || sum(id) FROM t.${TABLE}`)).toEqual([[ALL]])
  })
})
