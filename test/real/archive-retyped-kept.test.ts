/** A detached period of a plain table whose rows are still in the table, while a column gets another type or is added. */
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { commandsOf, countedBy } from '../support/archive-places.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform, type Place, type System } from '../support/copy-systems.ts'

let folder: Folder
beforeAll(() => void (folder = temporaryFolder()))
afterAll(() => folder[Symbol.dispose]())

const KINDS: Readonly<Record<string, { readonly number: string; readonly time: string; readonly text: string }>> = {
  postgresql: { number: 'integer', time: 'timestamp', text: 'varchar(20)' },
  mysql: { number: 'int', time: 'datetime', text: 'varchar(20)' },
  sqlite: { number: 'INTEGER', time: 'DATETIME', text: 'TEXT' },
}

async function retype({ system, sql }: Place, table: string, column: string): Promise<void> {
  const { text = '', number = '', time = '' } = KINDS[system] ?? {}
  if (system === 'postgresql') return await sql(`ALTER TABLE ${table} ALTER COLUMN ${column} TYPE ${text}`)
  if (system === 'mysql') return await sql(`ALTER TABLE ${table} MODIFY ${column} ${text} NOT NULL`)
  const of = (name: string): string => (name === column ? text : number)
  await sql(
    `CREATE TABLE again (id ${of('id')} NOT NULL PRIMARY KEY, at ${column === 'at' ? text : time} NOT NULL, n ${of('n')} NOT NULL)`,
    `INSERT INTO again SELECT id, at, n FROM ${table}`,
    `DROP TABLE ${table}`,
    `ALTER TABLE again RENAME TO ${table}`,
  )
}

async function visits(system: System) {
  const place = await makePlace(system, folder.path)
  const table = 'visits'
  const { number, time } = KINDS[system] ?? {}
  await place.sql(
    `CREATE TABLE ${table} (id ${number} NOT NULL PRIMARY KEY, at ${time} NOT NULL, n ${number} NOT NULL)`,
    `INSERT INTO ${table} VALUES (1, '2020-02-02 00:00:00', 10), (2, '2020-02-03 00:00:00', 20), (3, '2090-01-01 00:00:00', 30)`,
  )
  const { run } = commandsOf({ place, form: 'plain', to: mkdtempSync(join(folder.path, 'to-')) })
  const archive = { ...run, tables: [table] } as Operation
  const drop = { ...run, tables: [table], drop: true, confirm: table } as Operation
  const restore = { kind: 'restore', from: place.url, table, partitions: ['2020-Q1'], dryRun: false } as const
  return { place, table, archive, drop, restore }
}

describe.each(['sqlite', 'mysql', 'postgresql'] as const)('%s', (system) => {
  test.for(['id', 'n'])(
    'column %s: restored with the command of the hint, and archived again',
    { timeout: 60_000 },
    async (column, context) => {
      if ((await missing(system)) !== '') context.skip()
      const { place, table, archive, drop, restore } = await visits(system)
      const done = async (operation: Operation): Promise<void> =>
        expect((await perform(operation)).finished).toMatchObject({ exitCode: 0 })
      const refused = async (operation: Operation, hint: RegExp): Promise<string | undefined> => {
        const { error } = (await perform(operation)).finished
        expect(error).toMatchObject({ code: 'PARTITION_CHANGED', hint: expect.stringMatching(hint) })
        return error?.reason
      }
      const asked = { kind: 'query', from: place.url, table, limit: 10, format: 'table' } as const
      const sums = `SELECT count(*), sum(CAST(id AS double)), sum(CAST(n AS double)) FROM ${table}`
      await done(archive)
      await retype(place, table, column)
      // Each hint names the command that resolves it.
      const way = new RegExp(`sluice restore --table \\S+ --partition 2020-Q1 --without ${column}`)
      const why = await refused(
        drop,
        new RegExp(`${way.source}, then sluice archive run --table \\S+ --partition 2020-Q1$`),
      )
      expect(why).toMatch(/^the column got another type after the rows were archived/)
      await refused(restore, way)
      expect(JSON.stringify((await perform({ ...restore, without: [column], dryRun: true })).events)).toContain(
        `${column} is not in the files: rows in the table keep its values`,
      )
      await done({ ...restore, without: [column] })
      for (const operation of [archive, drop]) await done({ ...operation, partitions: ['2020-Q1'] } as Operation)
      expect((await countedBy({ ...asked, query: sums })).counted).toBe('3 6 60')
      expect(await place.rows(`SELECT count(*) FROM ${table}`)).toEqual([['1']])
      await done(restore)
      expect(await place.rows(`SELECT count(*) FROM ${table}`)).toEqual([['3']])
    },
  )

  test(
    'a missing row is restored only together with its own key and its values',
    { timeout: 60_000 },
    async (context) => {
      if ((await missing(system)) !== '') context.skip()
      const { place, table, archive, restore } = await visits(system)
      const without = (column: string): Operation => ({ ...restore, without: [column] })
      const reported = async (operation: Operation): Promise<string> => {
        const { error } = (await perform(operation)).finished
        return `${error?.message}; ${error?.hint}`
      }
      expect((await perform(archive)).finished).toMatchObject({ exitCode: 0 })
      await retype(place, table, 'n')
      await place.sql(`DELETE FROM ${table} WHERE id = 2`)
      expect(await reported(without('n'))).toMatch(/n needs a value, and has no default; give the column a default/)
      expect(await place.rows('SELECT state FROM migration_archive_partitions')).toEqual([['DETACHED']])
    },
  )

  test(
    'dropped: the key must have its former type, or the rows go into another table',
    { timeout: 60_000 },
    async (context) => {
      if ((await missing(system)) !== '') context.skip()
      const { place, table, archive, drop, restore } = await visits(system)
      for (const operation of [archive, drop])
        expect((await perform(operation)).finished).toMatchObject({ exitCode: 0 })
      await retype(place, table, 'id')
      for (const operation of [restore, { ...restore, without: ['id'] }] as const)
        expect((await perform(operation)).finished.error).toMatchObject({
          code: 'PARTITION_CHANGED',
          hint: expect.stringMatching(/^give the key its earlier type, .* --partition 2020-Q1 --into NEW_TABLE$/),
        })
      expect((await perform({ ...restore, into: 'elsewhere' })).finished).toMatchObject({ exitCode: 0 })
      expect(await place.rows('SELECT count(*) FROM elsewhere')).toEqual([['2']])
    },
  )

  test.each(['detached', 'dropped'] as const)(
    '%s: rows are not restored without the time column that divides the table: it must have its former type',
    { timeout: 60_000 },
    async (stage) => {
      if ((await missing(system)) !== '') return
      const { place, table, archive, drop, restore } = await visits(system)
      for (const operation of stage === 'dropped' ? [archive, drop] : [archive])
        expect((await perform(operation)).finished).toMatchObject({ exitCode: 0 })
      await retype(place, table, 'at')
      // Texts are times in SQLite, and still divide the rows in the table.
      if (system === 'sqlite' && stage === 'detached') {
        expect((await perform({ ...restore, without: ['at'] })).finished.error).toBeUndefined()
        return
      }
      for (const operation of [restore, { ...restore, without: ['at'] }, { ...restore, without: ['at'], dryRun: true }])
        expect((await perform(operation as Operation)).finished.error).toMatchObject({
          code: 'PARTITION_CHANGED',
          hint: expect.stringMatching(
            /^make it at (timestamp|datetime)\b.* again, run the same command, then change the type; or restore the rows into another table: .* --into NEW_TABLE$/i,
          ),
        })
      expect((await perform({ ...restore, into: `elsewhere_${stage}` })).finished).toMatchObject({ exitCode: 0 })
      const { time = '' } = KINDS[system] ?? {}
      await place.sql(
        ...(system === 'postgresql'
          ? [`ALTER TABLE ${table} ALTER COLUMN at TYPE ${time} USING at::${time}`]
          : system === 'mysql'
            ? [`ALTER TABLE ${table} MODIFY at ${time} NOT NULL`]
            : [
                `CREATE TABLE again (id INTEGER NOT NULL PRIMARY KEY, at ${time} NOT NULL, n INTEGER NOT NULL)`,
                `INSERT INTO again SELECT id, at, n FROM ${table}`,
                `DROP TABLE ${table}`,
                `ALTER TABLE again RENAME TO ${table}`,
              ]),
      )
      expect((await perform(restore)).finished.error).toBeUndefined()
      expect(await place.rows(`SELECT count(at) FROM ${table}`)).toEqual([['3']])
    },
  )

  test(
    'a column that needs a value: the command of the hint works after it gets a default',
    { timeout: 60_000 },
    async (context) => {
      if ((await missing(system)) !== '') context.skip()
      const { place, table, archive, drop, restore } = await visits(system)
      for (const operation of [archive, drop])
        expect((await perform(operation)).finished).toMatchObject({ exitCode: 0 })
      await retype(place, table, 'n')
      expect((await perform(restore)).finished.error?.hint).toMatch(
        /; or give n a default, or allow NULL, and leave its values in the archive.* --without n$/,
      )
    },
  )

  test(
    'an added column with a default does not keep rows in the table, unless one has another value in it',
    { timeout: 60_000 },
    async (context) => {
      if ((await missing(system)) !== '') context.skip()
      const { place, table, archive, drop } = await visits(system)
      const ids = async () => (await place.rows(`SELECT id FROM ${table} ORDER BY id`)).flat().map(Number)
      expect((await perform(archive)).finished).toMatchObject({ exitCode: 0 })
      await place.sql(
        `ALTER TABLE ${table} ADD COLUMN flag integer DEFAULT 7`,
        `UPDATE ${table} SET flag = 8 WHERE id = 1`,
      )
      expect((await perform(drop)).finished.error).toMatchObject({
        code: 'PARTITION_CHANGED',
        message: expect.stringContaining('has values in flag that are not in the archive') as string,
      })
      expect(await ids()).toEqual([1, 2, 3])
      // Restored rows would have NULL in a column without a default.
      await place.sql(`ALTER TABLE ${table} ADD COLUMN mark integer`, `UPDATE ${table} SET flag = 7, mark = 1`)
      expect((await perform(drop)).finished.error?.message).toContain('has values in flag, mark that are not in')
      // A late row stays, and the archived ones are removed by their keys.
      await place.sql(
        `UPDATE ${table} SET mark = NULL`,
        `INSERT INTO ${table} (id, at, n) VALUES (4, '2020-02-04 00:00:00', 40)`,
      )
      expect((await perform(drop)).finished.error).toBeUndefined()
      expect(await ids()).toEqual([3, 4])
    },
  )

  test('an added column does not keep rows of a period without late rows', { timeout: 60_000 }, async (context) => {
    if ((await missing(system)) !== '') context.skip()
    const { place, table, archive, drop, restore } = await visits(system)
    const ids = async () => (await place.rows(`SELECT id FROM ${table} ORDER BY id`)).flat().map(Number)
    expect((await perform(archive)).finished).toMatchObject({ exitCode: 0 })
    await place.sql(`ALTER TABLE ${table} ADD COLUMN flag integer DEFAULT 7`)
    const dropped = await perform(drop)
    expect(dropped.finished.error).toBeUndefined()
    expect(JSON.stringify(dropped.events)).toContain(
      'all its rows have the same value in flag, which the archive lacks; restored rows get the default of the column',
    )
    expect(await ids()).toEqual([3])
    // A restore that is refused removes its rows again.
    await place.sql(
      `INSERT INTO ${table} (id, at, n) VALUES (1, '2020-02-02 00:00:00', 10), (2, '2020-02-03 00:00:00', 99)`,
      "UPDATE migration_archive_partitions SET state = 'DETACHED', restoring = 1 WHERE partition_name = '2020-Q1'",
    )
    expect((await perform(restore)).finished.error?.reason).toContain('restored rows were removed again')
    expect(await ids()).toEqual([2, 3])
  })
})
