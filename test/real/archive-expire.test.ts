/**
 * Archived partitions expire: they can be restored as long as their files exist, and a sweep deletes these after the
 * retention.
 */
import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectedOf, rowsDatabase } from '../judges/compared.ts'
import { commandsOf, countedBy, makeBookings, TABLE, type Form } from '../support/archive-places.ts'
import { ALL } from '../support/backend.ts'
import { makePlace, missing, perform, type Place, type System } from '../support/copy-systems.ts'
import { S3_AVAILABLE, S3_MISSING, startS3, type S3Server } from '../support/servers/s3.ts'
import { conditionalS3, type ConditionalS3 } from './archive-log-s3-kit.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const PLACES: readonly (readonly [System, Form])[] = [
  ['sqlite', 'plain'],
  ['postgresql', 'native'],
  ...(ALL ? ([['postgresql', 'plain']] as const) : []),
  ['mysql', 'plain'],
]
const WITHOUT = new Map(await Promise.all(PLACES.map(async ([system]) => [system, await missing(system)] as const)))
const DAY_MS = 86_400_000

type Expire = Operation & { kind: 'archive-expire' }
const expireOf = (place: Place, more: Partial<Expire> = {}): Expire => ({
  kind: 'archive-expire',
  from: place.url,
  table: TABLE,
  olderThan: '2y',
  partitions: [],
  retentionMs: 30 * DAY_MS,
  confirm: TABLE,
  dryRun: false,
  ...more,
})

async function done(operation: Operation): Promise<void> {
  expect((await perform(operation)).finished.error ?? null, operation.kind).toBeNull()
}

/** Ends the retention of all partitions. */
const retentionOver = (place: Place): Promise<void> => place.sql('UPDATE migration_archives SET retention_ms = 0')

const statesOf = async (place: Place): Promise<readonly string[]> =>
  (await place.rows('SELECT state FROM migration_archive_partitions ORDER BY partition_name')).map(([one]) =>
    String(one),
  )

const parquetOf = (archive: string): readonly string[] =>
  readdirSync(archive, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.parquet') && !name.startsWith('_delta_log'))

/** Rows of a version, as a reader without the ledger sees them. @throws if a file is missing */
async function rowsAt(archive: string, version: number | null): Promise<number> {
  const db = await rowsDatabase()
  try {
    const { rows } = await expectedOf(db, archive, version)
    return Number((await (await db.connection.run(`SELECT count(*)::INTEGER FROM (${rows})`)).getRows())[0]?.[0])
  } finally {
    db[Symbol.dispose]()
  }
}

describe.each(PLACES)('%s, %s', (system, form) => {
  const why = WITHOUT.get(system) ?? ''
  let folder = ''
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-expire-'))))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const archived = async (stage: 'published' | 'detached' | 'dropped') => {
    const place = await makePlace(system, folder)
    const bookings = await makeBookings(place, form, mkdtempSync(join(folder, 'to-')))
    const commands = commandsOf(bookings)
    if (stage === 'published') await done({ ...commands.run, detach: false } as Operation)
    else for (const one of stage === 'dropped' ? [commands.run, commands.drop] : [commands.run]) await done(one)
    const [found] = (await place.rows('SELECT archive FROM migration_archives'))[0] ?? []
    return { ...commands, place, archive: String(found) }
  }

  test.skipIf(why !== '')(`expires, is restored, expires again, and is swept${why}`, { timeout: 120_000 }, async () => {
    const { place, archive, run, restore, query, verify, sweep } = await archived('dropped')
    const planned = await perform(expireOf(place, { dryRun: true }))
    expect(planned.finished).toMatchObject({ exitCode: 0, totals: { partitions: '2', rows: '600', files: '2' } })
    const reported = planned.events.filter((event) => event.type === 'archive.expiry')
    expect(reported).toMatchObject([
      { partition: '2020-Q1', state: 'DROPPED', step: 'due', rows: '300', files: '1' },
      { partition: '2020-Q2', state: 'DROPPED', step: 'due', rows: '300', files: '1' },
    ])
    for (const { until = '' } of reported)
      expect(Math.abs(Date.parse(until) - Date.now() - 30 * DAY_MS)).toBeLessThan(60_000)
    expect(await statesOf(place)).toEqual(['DROPPED', 'DROPPED'])
    expect((await countedBy(query)).counted).toMatch(/^900 /)

    const only = expireOf(place, { partitions: ['2020-q1'] })
    expect((await perform(only)).finished).toMatchObject({ exitCode: 0, totals: { partitions: '1', rows: '300' } })
    expect(await statesOf(place)).toEqual(['EXPIRED', 'DROPPED'])
    expect((await countedBy(query)).counted).toMatch(/^600 /)
    expect(await rowsAt(archive, null)).toBe(300)
    expect(await rowsAt(archive, 1)).toBe(600)
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0, totals: { checked: '2' } })
    const listed = (await perform({ kind: 'archive-list', from: place.url, tables: [], count: false })).events
    expect(listed.filter((event) => event.type === 'archived')).toMatchObject([
      { partition: '2020-Q1', state: 'EXPIRED', rows: '300', expiredBy: 'tester', until: expect.any(String) },
      { partition: '2020-Q2', state: 'DROPPED' },
    ])
    // A run does not archive it again, and reports so if the partition is named.
    await done(run)
    await done({ ...run, partitions: ['2020-Q1'] } as Operation)
    expect(await statesOf(place)).toEqual(['EXPIRED', 'DROPPED'])
    // No file is old enough to be swept.
    expect((await perform(sweep)).finished).toMatchObject({ exitCode: 0, totals: { findings: '0' } })

    const back = { ...restore, partitions: ['2020-Q1'] } as Operation
    const foretold = await perform({ ...back, dryRun: true } as Operation)
    expect(foretold.finished.error ?? null).toBeNull()
    expect((await perform(back)).finished).toMatchObject({ exitCode: 0, totals: { restored: '1' } })
    expect(await statesOf(place)).toEqual(['RESTORED', 'DROPPED'])
    expect((await countedBy(query)).counted).toMatch(/^900 /)
    expect(String((await place.rows(`SELECT count(*) FROM ${TABLE}`))[0]?.[0])).toBe('600')
    expect((await perform({ ...verify, deep: true } as Operation)).finished).toMatchObject({ exitCode: 0 })

    // Archived again, it has other files; the earlier ones belong to older versions.
    for (const grown of [false, true]) {
      await done({ ...run, partitions: ['2020-Q1'], drop: grown, ...(grown ? { confirm: TABLE } : {}) } as Operation)
    }
    await done(expireOf(place, { partitions: ['2020-Q1'] }))
    expect(parquetOf(archive)).toHaveLength(3)
    const before = await rowsAt(archive, 1)
    await retentionOver(place)
    const dry = await perform({ ...sweep, dryRun: true } as Operation)
    expect(dry.finished).toMatchObject({ exitCode: 0, totals: { findings: '2' } })
    expect(
      dry.events.some(
        (event) => event.type === 'log' && /is then the oldest that can be read completely/.test(event.message),
      ),
    ).toBe(true)
    expect([await rowsAt(archive, 1), parquetOf(archive).length]).toEqual([before, 3])
    expect((await perform(sweep)).finished).toMatchObject({ exitCode: 0, totals: { findings: '2' } })
    expect(parquetOf(archive)).toHaveLength(1)
    expect(await rowsAt(archive, null)).toBe(300)
    await expect(rowsAt(archive, 1)).rejects.toThrow(/No files found/)
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0, totals: { checked: '1' } })
    expect((await countedBy(query)).counted).toMatch(/^600 /)
    const refused = (await perform(back)).finished
    expect(refused).toMatchObject({ exitCode: 5, error: { code: 'PARTITION_STATE' } })
    const sweeps = await place.rows('SELECT state, files FROM migration_archive_sweeps')
    const [[state, files] = []] = sweeps
    expect([sweeps.length, state]).toEqual([1, 'done'])
    expect(JSON.parse(String(files))).toMatchObject([
      { partition: '2020-Q1', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      { partition: '2020-Q1', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    ])
    expect((await perform(sweep)).finished).toMatchObject({ exitCode: 0, totals: { findings: '0' } })
    await done({ ...restore, partitions: ['2020-Q2'] } as Operation)
    expect((await countedBy(query)).counted).toMatch(/^600 /)
    expect((await perform(expireOf(place))).finished.error).toMatchObject({
      code: 'PARTITIONS_BLOCKED',
      reason: expect.stringMatching(/^2020-Q2: it is RESTORED/) as string,
      hint: expect.stringMatching(/archive run --partition/) as string,
    })
  })

  test.skipIf(why !== '')(`partitions that must stay are kept and named${why}`, { timeout: 120_000 }, async () => {
    const { place, query, drop } = await archived('detached')
    const blocked = await perform(expireOf(place))
    expect(blocked.finished).toMatchObject({ exitCode: 1, error: { code: 'PARTITIONS_BLOCKED' } })
    expect(blocked.finished.error?.reason).toMatch(/2020-Q1: it is DETACHED.*2020-Q2: it is DETACHED/)
    expect(blocked.finished.error?.hint).toMatch(/archive run --drop/)
    await done(drop)
    expect((await perform(expireOf(place, { confirm: 'other' }))).finished.error?.code).toBe('MISSING_CONFIRM')
    const unsaid = expireOf(place)
    delete (unsaid as { retentionMs?: number }).retentionMs
    expect((await perform(unsaid)).finished.error?.code).toBe('BAD_FLAG')
    expect((await perform(expireOf(place, { olderThan: '90y' }))).finished).toMatchObject({
      exitCode: 0,
      totals: { partitions: '0' },
    })
    const young = expireOf(place, { olderThan: '90y', partitions: ['2020-Q1'] })
    expect((await perform(young)).finished.error?.code).toBe('PARTITION_STATE')
    // Within the grace period, by the clock of the database.
    await place.sql('UPDATE migration_archives SET grace_ms = 3600000')
    const fresh = (await perform(expireOf(place))).finished
    expect(fresh.error?.code).toBe('PARTITIONS_BLOCKED')
    expect(fresh.error?.reason).toMatch(/its grace period has not ended since it was dropped/)
    await place.sql('UPDATE migration_archives SET grace_ms = 0')
    // During an erasure.
    await place.sql(
      `INSERT INTO migration_archive_erasures (schema_name, table_name, erasure_id, state, reason, tested, begun_ms)
       SELECT schema_name, table_name, 1, 'erasing', 'T-1', '[]', 0 FROM migration_archives`,
    )
    expect((await perform(expireOf(place))).finished).toMatchObject({ error: { code: 'LEDGER_BUSY' } })
    await place.sql('DELETE FROM migration_archive_erasures')
    // A hold prevents it, before and after.
    const hold: Operation = {
      kind: 'archive-hold',
      from: place.url,
      table: TABLE,
      partitions: ['2020-Q2'],
      reason: 'lawsuit',
    }
    await done(hold)
    expect((await perform(expireOf(place, { partitions: ['2020-Q2'] }))).finished.error?.code).toBe('PARTITION_HELD')
    const some = await perform(expireOf(place))
    expect(some.finished).toMatchObject({ exitCode: 0, totals: { partitions: '1' } })
    expect(some.events.find((event) => event.type === 'archive.expiry' && event.step === 'held')).toMatchObject({
      partition: '2020-Q2',
    })
    expect(await statesOf(place)).toEqual(['EXPIRED', 'DROPPED'])
    await done({ ...hold, partitions: ['2020-Q1'] })
    await retentionOver(place)
    const sweep = { kind: 'archive-sweep', from: place.url, tables: [], olderThanMs: 0, dryRun: false } as const
    const kept = await perform(sweep)
    expect(kept.finished).toMatchObject({ exitCode: 0, totals: { findings: '0' } })
    expect(
      kept.events.some((event) => event.type === 'log' && event.message.includes('2020-Q1 is held (lawsuit)')),
    ).toBe(true)
    await done({ ...hold, partitions: ['2020-Q1'], reason: null })
    expect((await perform(sweep)).finished).toMatchObject({ exitCode: 0, totals: { findings: '1' } })
    expect((await perform({ ...hold, partitions: ['2020-Q1'] })).finished.error?.code).toBe('PARTITION_STATE')
    expect((await countedBy(query)).counted).toMatch(/^600 /)
    // A promised retention of thirty days is not made shorter.
    await place.sql(`UPDATE migration_archives SET retention_ms = ${30 * DAY_MS}`)
    expect((await perform(expireOf(place, { retentionMs: DAY_MS }))).finished.error?.code).toBe('PLAN_CHANGED')
  })

  test.skipIf(why !== '')(`late rows of an expired period are named and count${why}`, { timeout: 60_000 }, async () => {
    const { place, query, verify, run } = await archived('dropped')
    await done(expireOf(place))
    if (form === 'native') await place.sql(`CREATE TABLE ${TABLE}_rest PARTITION OF ${TABLE} DEFAULT`)
    await place.sql(`INSERT INTO ${TABLE} VALUES (77, '2020-01-01', 'late', NULL)`)
    expect((await countedBy(query)).counted).toMatch(/^301 /)
    const verified = await perform(verify)
    expect(verified.finished.exitCode).toBe(1)
    expect(verified.events.find((event) => event.type === 'archive.finding')).toMatchObject({
      partition: '2020-Q1',
      finding: 'late rows',
    })
    const listed = (await perform({ kind: 'archive-list', from: place.url, tables: [], count: true })).events
    expect(listed.find((event) => event.type === 'archived')).toMatchObject({ partition: '2020-Q1', surplus: '1' })
    await perform(run)
    expect(await statesOf(place)).toEqual(['EXPIRED', 'EXPIRED'])
    expect((await countedBy(query)).counted).toMatch(/^301 /)
  })

  test.skipIf(why !== '')(`verify reads files that can still be restored${why}`, { timeout: 60_000 }, async () => {
    const { place, archive, verify, sweep } = await archived('dropped')
    await done(expireOf(place))
    const first = { ...verify, partitions: ['2020-Q1'] } as Operation
    expect((await perform(first)).finished).toMatchObject({ exitCode: 0, totals: { checked: '1', files: '1' } })
    const lost = join(archive, parquetOf(archive).find((name) => name.includes('2020-Q1')) ?? '')
    renameSync(lost, `${lost}.away`)
    for (const operation of [verify, first]) {
      const { finished, events } = await perform(operation)
      expect(finished).toMatchObject({ exitCode: 1, error: { code: 'PROOF_FAILED' }, totals: { findings: '1' } })
      expect(events.find((event) => event.type === 'archive.finding')).toMatchObject({
        partition: '2020-Q1',
        finding: 'missing file',
      })
    }
    // After the retention, VACUUM of another program may remove it.
    await retentionOver(place)
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0, totals: { checked: '0' } })
    renameSync(`${lost}.away`, lost)
    await done(sweep)
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0, totals: { checked: '0' } })
  })

  test.skipIf(why !== '')(`an erasure includes expired partitions${why}`, { timeout: 60_000 }, async () => {
    const { place, archive, restore, query } = await archived('dropped')
    await done(expireOf(place, { partitions: ['2020-Q1'] }))
    const hold: Operation = {
      kind: 'archive-hold',
      from: place.url,
      table: TABLE,
      partitions: ['2020-Q1'],
      reason: 'lawsuit',
    }
    await done(hold)
    const erase: Operation = {
      kind: 'archive-erase',
      from: place.url,
      table: TABLE,
      where: 'id IN (42, 100042)',
      reason: 'T-2',
      confirm: TABLE,
      dryRun: false,
    }
    expect((await perform(erase)).finished.error?.code).toBe('PARTITION_HELD')
    await done({ ...hold, reason: null })
    // As after a kill between the writes to ledger and log.
    await place.sql(`UPDATE migration_archive_partitions SET retracted = 0 WHERE partition_name = '2020-Q1'`)
    const erased = await perform(erase)
    expect(erased.finished).toMatchObject({ exitCode: 0, totals: { rows: '1' } })
    expect(
      erased.events.some(
        (event) => event.type === 'log' && event.message.includes('can no longer be restored: 2020-Q1'),
      ),
    ).toBe(true)
    expect(parquetOf(archive)).toHaveLength(1)
    expect((await perform(restore)).finished.exitCode).not.toBe(0)
    expect(await statesOf(place)).toEqual(['EXPIRED', 'RESTORED'])
    expect((await countedBy(query)).counted).toMatch(/^599 /)
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

  test('late rows are archived as a further part, and verify compares its keys', { timeout: 120_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-parts-s3-'))
    const place = await makePlace('sqlite', folder)
    const bookings = await makeBookings(place, 'plain', folder, 20)
    const { run, drop, verify } = commandsOf({ ...bookings, to: server.url('parts') })
    for (const one of [run, drop]) await done(one)
    await place.sql(`UPDATE ${TABLE} SET at = '2020-02-02 03:04:05' WHERE id = (SELECT max(id) FROM ${TABLE})`)
    await done(run)
    const { events } = await perform(verify)
    expect(JSON.stringify(events)).toContain('no key is in two of them')
  })

  test('a partition expires, comes back and is swept as on a disk', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-expire-s3-'))
    const place = await makePlace('sqlite', folder)
    const bookings = await makeBookings(place, 'plain', folder)
    const { run, drop, query, verify, restore, sweep } = commandsOf({ ...bookings, to: server.url('expire') })
    for (const one of [run, drop, expireOf(place)]) await done(one)
    expect((await countedBy(query)).counted).toMatch(/^300 /)
    expect((await perform(sweep)).finished).toMatchObject({ exitCode: 0, totals: { findings: '0' } })
    await done({ ...restore, partitions: ['2020-Q1'] } as Operation)
    expect((await countedBy(query)).counted).toMatch(/^600 /)
    await retentionOver(place)
    expect((await perform(sweep)).finished).toMatchObject({ exitCode: 0, totals: { findings: '2' } })
    expect((await perform({ ...restore, partitions: ['2020-Q2'] } as Operation)).finished.error?.code).toBe(
      'PARTITION_STATE',
    )
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
    expect((await countedBy(query)).counted).toMatch(/^600 /)
    rmSync(folder, { recursive: true, force: true })
  })

  const REFUSED =
    'a bucket that refuses to remove, and one that refuses to read: nothing is called destroyed or damaged'
  test(REFUSED, { timeout: 120_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-expire-s3-'))
    const place = await makePlace('sqlite', folder)
    const bookings = await makeBookings(place, 'plain', folder)
    const { run, drop, verify, sweep } = commandsOf({ ...bookings, to: server.url('refusing') })
    for (const one of [run, drop, expireOf(place, { partitions: ['2020-Q1'] })]) await done(one)
    await retentionOver(place)
    const destroyed = async (): Promise<readonly unknown[]> => {
      const list = await perform({ kind: 'archive-list', from: place.url, tables: [], count: false })
      expect(list.finished).toMatchObject({ exitCode: 0 })
      const reported = list.events.filter((event) => event.type === 'log' && /being destroyed/.test(event.message))
      const [first] = list.events.filter((event) => event.type === 'archived')
      return [first?.destroyedAt === undefined ? 'not destroyed' : 'destroyed', reported.length]
    }
    front.fault = ({ method }) => (method === 'DELETE' ? 403 : null)
    expect((await perform(sweep)).finished.error?.code).toBe('TARGET_DENIED')
    expect(await destroyed()).toEqual(['not destroyed', 1])
    front.fault = ({ method }) => (method === 'GET' || method === 'HEAD' ? 403 : null)
    const unread = await perform(verify)
    expect(unread.finished).toMatchObject({ exitCode: 3, error: { code: 'SOURCE_DENIED' }, totals: { findings: '0' } })
    expect(unread.events.filter(({ type }) => type === 'archive.finding')).toEqual([])
    // The log can be read, but no data file.
    front.fault = ({ method, key }) => (method === 'GET' && key.endsWith('.parquet') ? 403 : null)
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 3, error: { code: 'SOURCE_DENIED' } })
    front.fault = () => null
    await done(sweep)
    expect(await destroyed()).toEqual(['destroyed', 0])
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
    rmSync(folder, { recursive: true, force: true })
  })
})
