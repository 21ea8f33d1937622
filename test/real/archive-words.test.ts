/** What commands print if there is nothing to do, and commands in hints that work as printed. */
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BIN, run } from '../e2e/support/program.ts'
import { commandsOf, makeBookings, TABLE } from '../support/archive-places.ts'
import { makePlace, perform, type Place } from '../support/copy-systems.ts'
import type { Operation } from '../../src/app/operations/list.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-words-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const newPlace = (): Promise<Place> => makePlace('sqlite', folder)

test('list and verify report a table that was never archived', { timeout: 60_000 }, async () => {
  const place = await newPlace()
  await place.sql('CREATE TABLE hp (id INTEGER PRIMARY KEY)')
  const sluice = (...words: readonly string[]): ReturnType<typeof run> =>
    run(folder, ['archive', ...words, '--from', place.url, '--ci'])
  const listed = await sluice('list', '--table', 'hp')
  expect(listed).toMatchObject({ code: 5 })
  expect(listed.err).toContain('hp was never archived')
  const verified = await sluice('verify')
  expect(verified).toMatchObject({ code: 0 })
  expect(verified.out + verified.err).toContain('there are no archived partitions, so nothing was checked')
  expect(verified.out + verified.err).not.toContain('all is as it was proved')
})

test('a run in a copy of the database is refused even if nothing is due', async () => {
  const place = await newPlace()
  const archived = await makeBookings(place, 'plain', mkdtempSync(join(folder, 'to-')))
  const { run: archive } = commandsOf(archived)
  expect((await perform(archive)).finished).toMatchObject({ exitCode: 0 })
  expect((await perform(archive)).finished).toMatchObject({ exitCode: 0 })
  const copy = join(folder, 'copy.db')
  copyFileSync(place.url.slice('sqlite:///'.length), copy)
  const { finished } = await perform({ ...archive, from: `sqlite:///${copy}` } as Operation)
  expect(finished).toMatchObject({ exitCode: 5, error: { code: 'ARCHIVE_FOREIGN' } })
})

test('a table name matches in any case, and is archived under its name in the system', async () => {
  const place = await newPlace()
  const archived = await makeBookings(place, 'plain', mkdtempSync(join(folder, 'to-')), 20)
  expect((await perform(commandsOf(archived).run)).finished).toMatchObject({ exitCode: 0 })
  for (const name of [TABLE.toUpperCase(), `${TABLE.slice(0, 3).toUpperCase()}*`]) {
    const { finished } = await perform({
      kind: 'archive-verify',
      from: place.url,
      tables: [name],
      partitions: [],
      deep: false,
    })
    expect(finished).toMatchObject({ exitCode: 0 })
  }
})

test('the command in the hint of a refused restore resolves it', { timeout: 60_000 }, async () => {
  const place = await newPlace()
  const archived = await makeBookings(place, 'plain', mkdtempSync(join(folder, 'to-')), 20)
  const name = "Book ing's"
  await place.sql(`ALTER TABLE ${TABLE} RENAME TO "${name}"`)
  const { run: archive, restore } = commandsOf(archived)
  expect((await perform({ ...archive, tables: [name] } as Operation)).finished).toMatchObject({ exitCode: 0 })
  await place.sql(`UPDATE "${name}" SET note = 'changed' WHERE id = 5`)
  const { finished } = await perform({ ...restore, table: name, partitions: ['2020-Q1'] } as Operation)
  expect(finished.error?.code).toBe('PARTITION_CHANGED')
  const [, command = ''] = /.*: sluice (.*)$/.exec(finished.error?.hint ?? '') ?? []
  const out = execFileSync('sh', ['-c', `"${process.execPath}" "${BIN}" ${command} --from '${place.url}' --ci 2>&1`], {
    cwd: folder,
    encoding: 'utf8',
  })
  expect(out).toMatch(/1 row has other values \(5\); rows with other values keep their values in the database/)
  expect(await place.rows(`SELECT state FROM migration_archive_partitions WHERE partition_name = '2020-Q1'`)).toEqual([
    ['RESTORED'],
  ])
})

test('a hold before the first archive leaves no ledger', async () => {
  const place = await newPlace()
  const { run: archive } = commandsOf(await makeBookings(place, 'plain', mkdtempSync(join(folder, 'to-')), 20))
  const hold: Operation = {
    kind: 'archive-hold',
    from: place.url,
    table: TABLE,
    partitions: ['2020-Q1'],
    reason: 'lawsuit',
  }
  const { finished } = await perform(hold)
  expect(finished).toMatchObject({ exitCode: 5, error: { code: 'PARTITION_STATE' } })
  expect(finished.error?.hint).toContain('archive run --no-detach')
  for (const one of [{ ...archive, detach: false } as Operation, hold, archive]) {
    expect((await perform(one)).finished).toMatchObject({ exitCode: 0 })
  }
  expect(await place.rows('SELECT partition_name, state FROM migration_archive_partitions ORDER BY 1')).toEqual([
    ['2020-Q1', 'PUBLISHED'],
    ['2020-Q2', 'DETACHED'],
  ])
})

test('a database that cannot be archived is refused before it gets a ledger', { timeout: 60_000 }, async () => {
  const place = await makePlace('duckdb', folder)
  await place.sql(`CREATE TABLE ${TABLE} (id INTEGER PRIMARY KEY, "at" TIMESTAMP)`)
  const { run: archive } = commandsOf({ place, form: 'plain', to: mkdtempSync(join(folder, 'to-')) })
  const hold = { kind: 'archive-hold', from: place.url, table: TABLE, partitions: ['2020-Q1'], held: true } as const
  for (const operation of [archive, hold as unknown as Operation]) {
    const { finished } = await perform(operation)
    expect(finished.error).toMatchObject({ code: 'UNSUPPORTED_URL', message: 'rows of duckdb cannot be archived' })
  }
  const tables = await place.rows('SELECT table_name FROM information_schema.tables')
  expect(tables.flat()).toEqual([TABLE])
})
