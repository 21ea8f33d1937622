/**
 * Rows about a person are erased from a table, its archive and all older versions: a search finds them before, and
 * nowhere afterwards.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  commandsOf,
  countedBy,
  makeBookings,
  QUARTERS,
  TABLE,
  type Archived,
  type Form,
} from '../support/archive-places.ts'
import { ALL } from '../support/backend.ts'
import { makePlace, missing, perform, type Place, type System } from '../support/copy-systems.ts'
import { placesOf } from '../support/erased-places.ts'
import { S3_AVAILABLE, S3_MISSING, startS3, type S3Server } from '../support/servers/s3.ts'
import { conditionalS3, type ConditionalS3 } from './archive-log-s3-kit.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { openRunHistory, runHistoryFile } from '../../src/stores/run-history.ts'
import { thisProcess } from '../../src/shared/owner.ts'
import { conditionHash } from '../../src/archive/operations/archive-erase/perform.ts'

const PLACES: readonly (readonly [System, Form])[] = [
  ['sqlite', 'plain'],
  ['postgresql', 'native'],
  ...(ALL ? ([['postgresql', 'plain']] as const) : []),
  ['mysql', 'plain'],
]
const WITHOUT = new Map(await Promise.all(PLACES.map(async ([system]) => [system, await missing(system)] as const)))
/** Contained in one row of each quarter, and in one of the rows that are not archived. */
const SECRET = 'Ada Ümlaut, 7 Lovelace Lane'

type Erase = Operation & { kind: 'archive-erase' }
const unconfirmed = ({ confirm: _, ...erase }: Erase): Erase => erase

const ERASE = { kind: 'archive-erase', table: TABLE, reason: 'TICKET-4711', confirm: TABLE, dryRun: false } as const

/** Two rows in each of two quarters, one of them about a customer. */
async function makeNumbered(place: Place, form: Form): Promise<void> {
  const columns = `id bigint NOT NULL, at ${place.system === 'mysql' ? 'datetime' : 'timestamp(0)'} NOT NULL, customer integer`
  if (form === 'plain') await place.sql(`CREATE TABLE ${TABLE} (${columns}, PRIMARY KEY (id))`)
  else {
    await place.sql(`CREATE TABLE ${TABLE} (${columns}, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`)
    for (const [i, [from, end]] of [...QUARTERS, ['2090-01-01', '2091-01-01']].entries())
      await place.sql(`CREATE TABLE ${TABLE}_${i} PARTITION OF ${TABLE} FOR VALUES FROM ('${from}') TO ('${end}')`)
  }
  const rows = QUARTERS.flatMap(([from], i) =>
    [4711, 12].map((customer, n) => `(${i * 10 + n}, '${from}', ${customer})`),
  )
  await place.sql(`INSERT INTO ${TABLE} VALUES ${rows.join(', ')}`)
}

describe.each(PLACES)('%s, %s', (system, form) => {
  const why = WITHOUT.get(system) ?? ''
  let folder = ''
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-erase-'))))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const archived = async (stage: 'published' | 'detached' | 'dropped') => {
    const place = await makePlace(system, folder)
    const bookings: Archived = await makeBookings(place, form, mkdtempSync(join(folder, 'to-')))
    await place.sql(`UPDATE ${TABLE} SET note = '${SECRET}' WHERE id IN (42, 100042, 200042)`)
    const commands = commandsOf(bookings)
    const run = { ...commands.run, ...(stage === 'published' ? { detach: false } : {}) } as Operation
    for (const one of stage === 'dropped' ? [run, commands.drop] : [run]) {
      expect((await perform(one)).finished.error ?? null).toBeNull()
    }
    const erase: Erase = { ...ERASE, from: place.url, where: `note = '${SECRET}'` }
    const [archive] = (await place.rows('SELECT archive FROM migration_archives'))[0] ?? []
    const search = (): Promise<readonly string[]> => placesOf(SECRET, String(archive), place)
    return { ...commands, place, erase, search, bookings }
  }

  test.skipIf(why !== '').each(['published', 'detached', 'dropped'] as const)(
    `%s${why}`,
    { timeout: 90_000 },
    async (stage) => {
      const { place, erase, search, query, verify, run, drop, restore } = await archived(stage)
      const before = await search()
      // Both files, and the commits, whose statistics contain it or not.
      expect(before.filter((name) => name.endsWith('.parquet')).length).toBeGreaterThanOrEqual(2)
      const foretold = await perform({ ...unconfirmed(erase), dryRun: true })
      const inSource = stage === 'dropped' ? '1' : '3'
      expect(foretold.finished).toMatchObject({
        exitCode: 0,
        totals: { rows: '2', sourceRows: inSource, partitions: '2' },
      })
      expect(await search()).toEqual(before)
      expect((await countedBy(query)).counted).toMatch(/^900 /)

      const erased = await perform(erase)
      expect(erased.finished).toMatchObject({
        exitCode: 0,
        proof: 'canonical',
        totals: { rows: '2', sourceRows: inSource, partitions: '2' },
      })
      expect(JSON.stringify(erased.events)).not.toContain(SECRET)
      expect(await search()).toEqual([])
      const left = await place.rows(`SELECT count(*) FROM ${TABLE} WHERE note = '${SECRET}'`)
      expect(String(left[0]?.[0])).toBe('0')
      expect((await countedBy(query)).counted).toMatch(/^897 /)
      expect((await perform({ ...verify, deep: true } as Operation)).finished).toMatchObject({ exitCode: 0 })
      expect(
        (await place.rows('SELECT reason, state FROM migration_archive_erasures')).map((row) => row.map(String)),
      ).toEqual([['TICKET-4711', 'done']])
      // The archive works as any other.
      if (stage !== 'dropped') {
        expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
        expect((await perform(drop)).finished).toMatchObject({ exitCode: 0 })
        expect((await countedBy(query)).counted).toMatch(/^897 /)
      }
      expect((await perform(restore)).finished).toMatchObject({ exitCode: 0 })
      expect((await countedBy(query)).counted).toMatch(/^897 /)
      expect(String((await place.rows(`SELECT count(*) FROM ${TABLE}`))[0]?.[0])).toBe('897')
      const again = await perform(erase)
      expect(again.finished).toMatchObject({ exitCode: 0, totals: { rows: '0', sourceRows: '0' } })
    },
  )

  test.skipIf(why !== '')(`a held partition is not erased, and nothing is changed${why}`, async () => {
    const { place, erase, search, query } = await archived('detached')
    const hold: Operation = {
      kind: 'archive-hold',
      from: place.url,
      table: TABLE,
      partitions: ['2020-Q2'],
      reason: 'lawsuit',
    }
    expect((await perform(hold)).finished).toMatchObject({ exitCode: 0 })
    const before = await search()
    expect((await perform(erase)).finished).toMatchObject({ exitCode: 5, error: { code: 'PARTITION_HELD' } })
    expect(await search()).toEqual(before)
    expect((await countedBy(query)).counted).toMatch(/^900 /)
  })

  test.skipIf(why !== '')(`files of a restored partition are erased, too${why}`, async () => {
    const { erase, search, restore, query } = await archived('dropped')
    expect((await perform(restore)).finished).toMatchObject({ exitCode: 0 })
    expect((await search()).length).toBeGreaterThan(0)
    expect((await perform(erase)).finished).toMatchObject({ exitCode: 0, totals: { sourceRows: '3' } })
    expect(await search()).toEqual([])
    expect((await countedBy(query)).counted).toMatch(/^897 /)
  })

  test.skipIf(why !== '' || form === 'plain')(`a partition that is being detached is not erased${why}`, async () => {
    const { place, erase, search, query } = await archived('published')
    await place.sql(
      `UPDATE migration_archive_partitions SET state = 'DETACHING', away = 1 WHERE partition_name = '2020-Q1'`,
    )
    const before = await search()
    const { finished } = await perform(erase)
    expect(finished).toMatchObject({ exitCode: 5, error: { code: 'PARTITION_STATE' } })
    expect(finished.error?.hint).toMatch(/sluice archive run --table \S+ --partition 2020-Q1$/)
    expect(await search()).toEqual(before)
    await place.sql(
      `UPDATE migration_archive_partitions SET state = 'PUBLISHED', away = 0 WHERE partition_name = '2020-Q1'`,
    )
    expect((await countedBy(query)).counted).toMatch(/^900 /)
  })

  test.skipIf(why !== '')(
    `files that the log names and the ledger does not count block the erasure${why}`,
    async () => {
      const { place, erase, search } = await archived('published')
      // As if its rows had been changed after the publication: it is to be exported again.
      await place.sql(`UPDATE migration_archive_partitions SET state = 'PLANNED' WHERE partition_name = '2020-Q1'`)
      const before = await search()
      expect((await perform(erase)).finished).toMatchObject({ exitCode: 5, error: { code: 'PARTITION_STATE' } })
      expect(await search()).toEqual(before)
    },
  )

  test.skipIf(why !== '')(`columns may have been renamed since${why}`, async () => {
    const place = await makePlace(system, folder)
    const bookings = await makeBookings(place, form, mkdtempSync(join(folder, 'to-')))
    await place.sql(`UPDATE ${TABLE} SET note = '${SECRET}' WHERE id IN (42, 100042, 200042)`)
    const { run, query, verify } = commandsOf(bookings)
    const part = (label: string): Operation => ({ ...run, partitions: [label] }) as Operation
    expect((await perform(part('2020-Q1'))).finished.error ?? null).toBeNull()
    const id = system === 'mysql' ? 'CHANGE note remark varchar(400)' : 'RENAME COLUMN note TO remark'
    await place.sql(`ALTER TABLE ${TABLE} ${id}`, `ALTER TABLE ${TABLE} ADD COLUMN extra integer`)
    const renamed = { ...part('2020-Q2'), renamed: ['note=remark'] } as Operation
    expect((await perform(renamed)).finished.error ?? null).toBeNull()
    const erase: Erase = { ...ERASE, from: place.url, where: `remark = '${SECRET}'` }
    // Files of the first quarter do not have this column.
    const unknown = await perform({ ...erase, where: `remark = '${SECRET}' AND extra IS NULL` })
    expect(unknown.finished).toMatchObject({ exitCode: 6, error: { code: 'UNSUPPORTED_TYPE' } })
    const none = await perform({ ...erase, where: `remark = '${SECRET}' AND NOT extra = 1` })
    expect(none.finished).toMatchObject({ exitCode: 0, totals: { rows: '0', sourceRows: '0' } })
    expect((await perform(erase)).finished).toMatchObject({ exitCode: 0, totals: { rows: '2', sourceRows: '3' } })
    const [archive] = (await place.rows('SELECT archive FROM migration_archives'))[0] ?? []
    expect(await placesOf(SECRET, String(archive), place)).toEqual([])
    expect((await countedBy(query)).counted).toMatch(/^897 /)
    expect((await perform({ ...verify, deep: true } as Operation)).finished).toMatchObject({ exitCode: 0 })
  })

  test.skipIf(why !== '' || system === 'sqlite')(`the type of a column may have changed since${why}`, async () => {
    const place = await makePlace(system, folder)
    await makeNumbered(place, form)
    const { run, query } = commandsOf({ place, form, to: mkdtempSync(join(folder, 'to-')) })
    const part = (label: string): Operation => ({ ...run, partitions: [label] }) as Operation
    expect((await perform(part('2020-Q1'))).finished.error ?? null).toBeNull()
    const wide = system === 'mysql' ? 'MODIFY customer bigint' : 'ALTER COLUMN customer TYPE bigint'
    await place.sql(`ALTER TABLE ${TABLE} ${wide}`)
    expect((await perform(part('2020-Q2'))).finished.error ?? null).toBeNull()
    const erase: Erase = { ...ERASE, from: place.url, where: 'customer = 4711' }
    expect((await perform(erase)).finished).toMatchObject({ exitCode: 0, totals: { rows: '2' } })
    const left = await perform({
      ...query,
      query: `SELECT count(*), count(*) FILTER (customer = 4711) FROM ${TABLE}`,
    } as Operation)
    expect(left.events.flatMap((event) => (event.type === 'row' ? [event.values.map(String)] : []))).toEqual([
      ['2', '0'],
    ])
  })

  test.skipIf(why !== '')(`rows that only older versions have are erased, too${why}`, async () => {
    const { place, erase, search, restore } = await archived('dropped')
    expect((await perform(restore)).finished).toMatchObject({ exitCode: 0 })
    await place.sql(`DELETE FROM ${TABLE} WHERE note = '${SECRET}'`)
    expect((await search()).length).toBeGreaterThan(0)
    expect((await perform(erase)).finished).toMatchObject({ exitCode: 0, totals: { rows: '0', sourceRows: '0' } })
    expect(await search()).toEqual([])
  })

  test.skipIf(why !== '')(`an unfinished erasure is resumed, and no other one is begun${why}`, async () => {
    const { place, erase, search } = await archived('detached')
    const other = conditionHash({ kind: 'null', column: 'note' })
    const note = (reason: string, hash: string): Promise<void> =>
      place.sql(
        'DELETE FROM migration_archive_erasures',
        `INSERT INTO migration_archive_erasures (schema_name, table_name, erasure_id, state, reason, tested, signed_by, condition_hash, begun_ms)
         SELECT schema_name, table_name, 7, 'erasing', '${reason}', '[]', 'somebody', '${hash}', 1 FROM migration_archives`,
      )
    const before = await search()
    await note('TICKET-1', other)
    expect((await perform(erase)).finished).toMatchObject({ exitCode: 5, error: { code: 'LEDGER_BUSY' } })
    await note('TICKET-4711', other)
    expect((await perform(erase)).finished).toMatchObject({ exitCode: 5, error: { code: 'PLAN_CHANGED' } })
    expect(await search()).toEqual(before)
    await note('TICKET-4711', conditionHash({ kind: 'compare', column: 'note', op: '=', value: SECRET }))
    expect((await perform(erase)).finished).toMatchObject({ exitCode: 0, totals: { rows: '2', erasure: '7' } })
    expect(await search()).toEqual([])
    expect((await place.rows('SELECT condition_hash FROM migration_archive_erasures'))[0]).toEqual([null])
  })

  test.skipIf(why !== '' || form === 'plain')(
    `a published partition that was renamed by hand is erased, too${why}`,
    { timeout: 60_000 },
    async () => {
      const { place, erase, search } = await archived('published')
      // The row is in the archive only.
      await place.sql(
        `UPDATE ${TABLE} SET note = 'other' WHERE id = 200042`,
        `ALTER TABLE ${TABLE}_0 RENAME TO called_otherwise`,
      )
      const foretold = await perform({ ...unconfirmed(erase), dryRun: true })
      const { finished } = await perform(erase)
      const [[left] = []] = await place.rows(`SELECT count(*) FROM ${TABLE} WHERE note = '${SECRET}'`)
      expect([finished.exitCode, String(left)]).toEqual([0, '0'])
      for (const one of [foretold.finished, finished])
        expect(one.totals).toMatchObject({ rows: '2', sourceRows: '2', partitions: '2' })
      expect(await search()).toEqual([])
    },
  )

  test.skipIf(why !== '' || form === 'plain')(`a detached table that was moved blocks the erasure${why}`, async () => {
    const { place, erase } = await archived('detached')
    const [[name] = []] = await place.rows(
      "SELECT relname FROM pg_class WHERE relname LIKE 'bookings_0_%' AND relkind = 'r'",
    )
    await place.sql(
      `ALTER TABLE sluice_archived."${name}" RENAME TO elsewhere`,
      'ALTER TABLE sluice_archived.elsewhere SET SCHEMA public',
    )
    expect((await perform(erase)).finished).toMatchObject({ error: { code: 'PARTITION_CHANGED' } })
    expect(String((await place.rows(`SELECT count(*) FROM elsewhere WHERE note = '${SECRET}'`))[0]?.[0])).toBe('1')
  })

  test.skipIf(why !== '')(`a condition that two systems could interpret differently is refused${why}`, async () => {
    const { erase } = await archived('dropped')
    for (const where of [
      "note LIKE 'Ada%'",
      'note = 42',
      'nobody = 1',
      "id = '42'",
      'id = 99999999999999999999',
      "note > 'A'",
      'note = NULL',
      'note =',
      ...(system === 'sqlite' ? ["at = '2020-01-01 00:00:00'"] : []),
    ]) {
      const { finished, events } = await perform({ ...erase, where })
      expect(finished.error?.code, where).toMatch(/^(?:BAD_PREDICATE|UNSUPPORTED_TYPE)$/)
      expect(JSON.stringify(events)).not.toContain('Ada')
    }
    const unsaid = await perform(unconfirmed(erase))
    expect(unsaid.finished).toMatchObject({ exitCode: 2, error: { code: 'MISSING_CONFIRM' } })
  })
})

describe.each(['postgresql', 'mysql'] as const)('%s: a value may be spelled as users spell it', (system) => {
  const why = WITHOUT.get(system) ?? ''
  const upper = `who = 'AAAAAAAA-0000-0000-0000-00000000000A'`

  test.skipIf(why !== '')(`statistics exclude no file with the value${why}`, { timeout: 60_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-spelled-'))
    const place = await makePlace(system, folder)
    const at = system === 'mysql' ? 'datetime' : 'timestamp'
    const rows = [1, 2, 3, 4].map(
      (id) =>
        `(${id}, '${id < 4 ? 2020 : 2090}-01-0${id}', '${id % 2 === 0 ? 'AAAAAAAA' : 'bbbbbbbb'}-0000-0000-0000-00000000000a')`,
    )
    await place.sql(
      `CREATE TABLE visits (id int PRIMARY KEY, at ${at} NOT NULL, who uuid)`,
      `INSERT INTO visits VALUES ${rows.join(', ')}`,
    )
    const { run, drop } = commandsOf({ place, form: 'plain', to: join(folder, 'to') })
    for (const one of [
      { ...run, tables: ['visits'] },
      { ...drop, tables: ['visits'], confirm: 'visits' },
    ])
      expect((await perform(one as Operation)).finished.error ?? null).toBeNull()
    const partitions = ['2020-Q1']
    const brought = {
      kind: 'restore',
      from: place.url,
      table: 'visits',
      partitions,
      into: 'got',
      where: upper,
      dryRun: false,
    } as const
    expect((await perform(brought)).finished.error ?? null).toBeNull()
    expect((await place.rows('SELECT id FROM got')).map(String)).toEqual(['2'])
    const erase = { ...ERASE, from: place.url, table: 'visits', confirm: 'visits', where: upper }
    const hold = {
      kind: 'archive-hold',
      from: place.url,
      table: 'visits',
      partitions,
      reason: 'audit',
    } as Operation
    expect((await perform(hold)).finished.error ?? null).toBeNull()
    expect((await perform(erase)).finished.error).toMatchObject({ code: 'PARTITION_HELD' })
    expect(String((await place.rows('SELECT count(*) FROM visits'))[0]?.[0])).toBe('1')
    expect((await perform({ ...hold, reason: null } as Operation)).finished.error ?? null).toBeNull()
    expect((await perform(erase)).finished).toMatchObject({ exitCode: 0, totals: { rows: '1', sourceRows: '1' } })
  })
})

describe.skipIf(!S3_AVAILABLE)(`in a bucket${S3_MISSING}`, () => {
  let server: S3Server
  let front: ConditionalS3
  const before = process.env
  beforeAll(async () => {
    server = await startS3()
    front = await conditionalS3(server)
    process.env = { ...before, ...front.env }
  })
  afterAll(async () => {
    process.env = before
    await front[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  test('files and versions are erased as on a disk', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-erase-s3-'))
    const place = await makePlace('sqlite', folder)
    const bookings = await makeBookings(place, 'plain', folder)
    await place.sql(`UPDATE ${TABLE} SET note = '${SECRET}' WHERE id IN (42, 100042)`)
    const { run, drop, query, verify } = commandsOf({ ...bookings, to: server.url('erase') })
    for (const one of [run, drop]) expect((await perform(one)).finished.error ?? null).toBeNull()
    const erase: Erase = { ...ERASE, from: place.url, where: `note = '${SECRET}'` }
    const erased = await perform(erase)
    expect(erased.finished).toMatchObject({ exitCode: 0, totals: { rows: '2', sourceRows: '0' } })
    const gone = erased.events.flatMap((event) => (event.type === 'archive.destroyed' ? [event.path] : []))
    expect(gone.filter((path) => path.endsWith('.parquet'))).toHaveLength(2)
    expect(gone.filter((path) => path.startsWith('_delta_log/')).length).toBeGreaterThanOrEqual(4)
    expect((await countedBy(query)).counted).toMatch(/^898 /)
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
    rmSync(folder, { recursive: true, force: true })
  })
})

test('wrong statistics in the log hide no row: every file is read, also next to one whose statistics are right', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-erase-'))
  const place = await makePlace('sqlite', folder)
  const bookings = await makeBookings(place, 'plain', mkdtempSync(join(folder, 'to-')))
  const { run, drop } = commandsOf(bookings)
  for (const one of [run, drop]) expect((await perform(one)).finished.error ?? null).toBeNull()
  const [archive] = (await place.rows('SELECT archive FROM migration_archives'))[0] ?? []
  const log = join(String(archive), '_delta_log')
  for (const name of readdirSync(log)) {
    const text = readFileSync(join(log, name), 'utf8')
    writeFileSync(join(log, name), text.replaceAll(String.raw`{\"id\":0,`, String.raw`{\"id\":50,`))
  }
  const erase: Erase = { ...ERASE, from: place.url, where: 'id = 42' }
  const alone = await perform({ ...unconfirmed(erase), dryRun: true })
  expect(alone.finished).toMatchObject({ exitCode: 0, totals: { rows: '1', partitions: '1' } })
  // The statistics of the other file are right: it alone must not end the search.
  const both: Erase = { ...erase, where: 'id = 42 OR id = 100042' }
  for (const one of [{ ...unconfirmed(both), dryRun: true }, both])
    expect((await perform(one)).finished).toMatchObject({ exitCode: 0, totals: { rows: '2', partitions: '2' } })
  // A file of another program, which no ledger has.
  const last =
    readdirSync(log)
      .filter((name) => /^\d+\.json$/.test(name))
      .toSorted()
      .at(-1) ?? ''
  const add = {
    path: 'theirs.parquet',
    partitionValues: { sluice_partition: '2020-Q1' },
    size: 1,
    modificationTime: 1,
    dataChange: true,
  }
  const next = `${String(Number.parseInt(last, 10) + 1).padStart(20, '0')}.json`
  writeFileSync(join(log, next), `${JSON.stringify({ add })}\n`)
  const none = await perform({ ...erase, where: 'id = 43000' })
  expect(none.finished).toMatchObject({ exitCode: 5, error: { code: 'ARCHIVE_CONFLICT' } })
  expect(none.finished.error?.message).toContain('theirs.parquet')
  rmSync(folder, { recursive: true, force: true })
})

test('error messages of the run history are erased with the rows, and only with them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-erase-'))
  const place = await makePlace('sqlite', folder)
  const bookings = await makeBookings(place, 'plain', mkdtempSync(join(folder, 'to-')))
  await place.sql(`UPDATE ${TABLE} SET note = '${SECRET}' WHERE id = 42`)
  expect((await perform(commandsOf(bookings).run)).finished.error ?? null).toBeNull()
  const state = join(folder, 'state')
  using book = await openRunHistory(runHistoryFile(state))
  const about = { commandLine: 'sluice restore', folder: null, source: null, target: null, about: TABLE }
  book.begin({ ...about, run: '1', kind: 'restore', begunAt: 1, owner: thisProcess() })
  const message = `1 row has other values (${SECRET})`
  book.end('1', { endedAt: 2, status: 'failed', exitCode: 1, totals: {}, resumeCommand: null, error: message })
  const found = (): readonly string[] =>
    readdirSync(state).filter((name) => name.startsWith('runs.db') && readFileSync(join(state, name)).includes(SECRET))
  const erase: Erase = { ...ERASE, from: place.url, where: `note = '${SECRET}'` }
  await perform({ ...unconfirmed(erase), dryRun: true }, { book: state })
  expect(found()).not.toEqual([])
  const erased = await perform(erase, { book: state })
  expect(erased.finished).toMatchObject({ exitCode: 0, totals: { rows: '1' } })
  expect(erased.finished.notChecked).toContain('run histories of other machines')
  expect(found()).toEqual([])
  expect(book.list(9).find(({ run }) => run === '1')?.end).toMatchObject({ status: 'failed', error: null })
  rmSync(folder, { recursive: true, force: true })
})

const without = WITHOUT.get('postgresql') ?? ''
test.skipIf(without !== '')(
  `rows that the server does not delete are named before any is erased, also by a dry run${without}`,
  { timeout: 60_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-erase-'))
    const place = await makePlace('postgresql', folder)
    const bookings = await makeBookings(place, 'plain', mkdtempSync(join(folder, 'to-')))
    await place.sql(`UPDATE ${TABLE} SET note = '${SECRET}' WHERE id IN (42, 200042)`)
    const run = { ...commandsOf(bookings).run, detach: false } as Operation
    expect((await perform(run)).finished.error).toBeUndefined()
    const [archive] = (await place.rows('SELECT archive FROM migration_archives'))[0] ?? []
    const search = (): Promise<readonly string[]> => placesOf(SECRET, String(archive), place)
    const erase: Erase = { ...ERASE, from: place.url, where: `note = '${SECRET}'` }
    await place.sql(`ALTER TABLE ${TABLE} REPLICA IDENTITY NOTHING`, `CREATE PUBLICATION theirs FOR TABLE ${TABLE}`)
    const before = await search()
    for (const dryRun of [true, false]) {
      const { finished } = await perform(dryRun ? { ...unconfirmed(erase), dryRun } : erase)
      expect(finished.error).toMatchObject({ code: 'TABLE_REFUSED' })
      expect(finished.error?.message).toContain('replica identity')
      expect(await search()).toEqual(before)
    }
    await place.sql('DROP PUBLICATION theirs')
    // A copy of the database does not own the archive.
    await place.sql(`UPDATE migration_archives SET origin = '{"system":"1"}'`)
    const { events } = await perform({ ...unconfirmed(erase), dryRun: true })
    expect(JSON.stringify(events)).toContain('a run would refuse this archive')
    rmSync(folder, { recursive: true, force: true })
  },
)
