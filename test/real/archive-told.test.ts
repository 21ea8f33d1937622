/** An archive's log has the settings of the ledger: calendar, grace period, columns, and holds. */
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { commandsOf, makeBookings, TABLE, type Archived } from '../support/archive-places.ts'
import { makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import { startArchiver } from '../fault/archive-kit.ts'
import type { Operation } from '../../src/app/operations/list.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-told-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Said = { readonly version: number; readonly configuration: Readonly<Record<string, string>> }

/** The newest metadata of the log, as a reader of its JSON sees them. */
function saidBy({ archive }: Archived): Said {
  let configuration: Record<string, string> = {}
  const commits = readdirSync(join(archive, '_delta_log')).filter((name) => /^\d{20}\.json$/.test(name))
  for (const name of commits.toSorted()) {
    for (const line of readFileSync(join(archive, '_delta_log', name), 'utf8')
      .trim()
      .split('\n')) {
      const { metaData } = JSON.parse(line) as { metaData?: { configuration: Record<string, string> } }
      if (metaData !== undefined) configuration = metaData.configuration
    }
  }
  return { version: commits.length - 1, configuration }
}

const holdsOf = (archived: Archived): readonly (readonly [string, string])[] =>
  Object.entries(saidBy(archived).configuration).filter(([key]) => key.startsWith('sluice.hold.'))

const hold = ({ url }: Pick<Place, 'url'>, label: string, reason: string | null): Operation => ({
  kind: 'archive-hold',
  from: url,
  table: TABLE,
  partitions: [label],
  reason,
})

async function ended(operation: Operation): Promise<string> {
  const { finished } = await perform(operation)
  return finished.error === undefined ? 'ok' : finished.error.code
}

async function fresh(system: 'sqlite' | 'postgresql', form: 'plain' | 'native'): Promise<Archived> {
  const to = mkdtempSync(join(folder, 'to-'))
  return makeBookings(await makePlace(system, folder), form, to, 60)
}

test.for([
  ['sqlite', 'plain'],
  ['postgresql', 'native'],
] as const)(
  '%s, %s: the first commit has the settings, holds are added and removed, and nothing is written twice',
  async ([system, form], { skip }) => {
    const why = await missing(system)
    if (why !== '') skip(why)
    const archived = await fresh(system, form)
    const { run, restore } = commandsOf(archived)
    const { place } = archived
    expect(await ended({ ...run, partitions: ['2020-Q1'] } as Operation)).toBe('ok')
    const first = saidBy(archived)
    expect(first.version).toBe(0)
    expect(first.configuration).toMatchObject({
      'sluice.calendar': 'quarter(first-month=1,year-offset=0,zone=UTC)',
      'sluice.grace': '0',
      ...(form === 'plain' ? { 'sluice.timeColumn': 'at' } : {}),
    })
    const ledger = await place.rows(`SELECT stored FROM migration_archives`)
    const { columns, ...rest } = JSON.parse(first.configuration['sluice.stored'] ?? '') as { columns: string }
    expect({ ...rest, columns: JSON.parse(first.configuration[`sluice.columns.${columns}`] ?? '') }).toEqual(
      JSON.parse(String(ledger[0]?.[0])),
    )
    expect(await ended(hold(place, '2020-Q1', 'audit'))).toBe('ok')
    // Also one without published files.
    expect(await ended(hold(place, '2020-Q2', 'a lawsuit, "X" ./. Y'))).toBe('ok')
    const held = [
      ['sluice.hold.2020-Q1', 'audit'],
      ['sluice.hold.2020-Q2', 'a lawsuit, "X" ./. Y'],
    ]
    expect(holdsOf(archived)).toEqual(held)
    const { version } = saidBy(archived)
    expect(version).toBe(2)
    expect(await ended(hold(place, '2020-Q2', 'a lawsuit, "X" ./. Y'))).toBe('ok')
    expect(await ended(run)).toBe('ok')
    expect(saidBy(archived).version).toBe(version)
    expect(await ended(hold(place, '2020-Q2', null))).toBe('ok')
    expect(await ended(run)).toBe('ok')
    expect(saidBy(archived).version).toBe(version + 2)
    expect(holdsOf(archived)).toEqual(held.slice(0, 1))
    expect(await ended(hold(place, '2020-Q1', null))).toBe('ok')
    expect(await ended(restore)).toBe('ok')
    expect(holdsOf(archived)).toEqual([])
  },
)

test('a hold whose archive cannot be written is in force, reports so, and is written later', async () => {
  const archived = await fresh('sqlite', 'plain')
  const { run } = commandsOf(archived)
  const { place, archive } = archived
  expect(await ended({ ...run, partitions: ['2020-Q1'], detach: false } as Operation)).toBe('ok')
  const log = join(archive, '_delta_log')
  // No user, not even root, can create a file in it.
  const oldTable = `${log}-away`
  renameSync(log, oldTable)
  writeFileSync(log, 'no folder')
  const { finished } = await perform(hold(place, '2020-Q1', 'audit'))
  expect(finished.exitCode).not.toBe(0)
  expect(finished.error?.message).toMatch(/is held in the ledger of this database, but not in the archive/)
  rmSync(log)
  renameSync(oldTable, log)
  expect(holdsOf(archived)).toEqual([])
  expect(await ended({ ...run, partitions: ['2020-Q1'] } as Operation)).toBe('ok')
  expect(holdsOf(archived)).toEqual([['sluice.hold.2020-Q1', 'audit']])
  expect(await place.rows('SELECT state FROM migration_archive_partitions')).toEqual([['PUBLISHED']])
})

test('a checkpoint that cannot be written is named; the commit is valid without it', async () => {
  const archived = await fresh('sqlite', 'plain')
  const { run } = commandsOf(archived)
  expect(await ended({ ...run, partitions: ['2020-Q1'], detach: false } as Operation)).toBe('ok')
  for (let n = 1; n < 10; n++) {
    expect(await ended(hold(archived.place, '2020-Q1', n % 2 === 0 ? null : `reason ${n}`))).toBe('ok')
  }
  vi.stubEnv('TMPDIR', join(folder, 'missing'))
  const { finished, events } = await perform(hold(archived.place, '2020-Q1', null))
  vi.unstubAllEnvs()
  expect(finished.exitCode).toBe(0)
  const message: unknown = expect.stringMatching(/: the checkpoint of version 10 was not written: ENOENT/)
  expect(events).toContainEqual(expect.objectContaining({ type: 'log', level: 'warn', message }))
  expect(saidBy(archived).version).toBe(10)
})

const KILLS = [
  ['held', 'UPDATE migration_archive_partitions SET hold_reason', 'after'],
  ['held', 'INSERT INTO migration_archive_heads', 'after'],
  ['held', 'link', 'before'],
  ['held', 'link', 'after'],
  ['released', 'link', 'before'],
  ['released', 'link', 'after'],
  ['released', 'UPDATE migration_archive_partitions SET hold_reason', 'after'],
] as const

test.for(KILLS)(
  'killed when it is %s, at %s, %s: in doubt the hold stays, and the same command ends correctly',
  async ([what, at, when]) => {
    const archived = await fresh('sqlite', 'plain')
    const { place } = archived
    const { run } = commandsOf(archived)
    expect(await ended({ ...run, partitions: ['2020-Q1'], detach: false } as Operation)).toBe('ok')
    if (what === 'released') expect(await ended(hold(place, '2020-Q1', 'audit'))).toBe('ok')
    const command = hold(place, '2020-Q1', what === 'held' ? 'audit' : null)
    const { signal } = await startArchiver(command, { at, when }).ended
    expect(signal).toBe('SIGKILL')
    const held = async (): Promise<boolean> =>
      (await place.rows('SELECT hold_reason FROM migration_archive_partitions'))[0]?.[0] != null
    // The ledger has each hold that the archive has, and each that the archive lacks before its release.
    if (at === 'link') expect(await held()).toBe(true)
    if (holdsOf(archived).length > 0 && what === 'held') expect(await held()).toBe(true)
    expect(await ended(command)).toBe('ok')
    expect(await held()).toBe(what === 'held')
    expect(holdsOf(archived)).toEqual(what === 'held' ? [['sluice.hold.2020-Q1', 'audit']] : [])
    expect(await ended({ ...run, partitions: ['2020-Q1'] } as Operation)).toBe('ok')
  },
)

test('verify and list name a detached table that a user dropped, and how to restore its rows', async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const archived = await fresh('postgresql', 'native')
  const { run, restore, verify } = commandsOf(archived)
  const { place } = archived
  const before = await place.rows(`SELECT * FROM ${TABLE} ORDER BY 1`)
  expect(await ended({ ...run, partitions: ['2020-Q1'] } as Operation)).toBe('ok')
  expect(await ended(verify)).toBe('ok')
  const listed = async (): Promise<readonly unknown[]> => {
    const { events } = await perform({ kind: 'archive-list', from: place.url, tables: [], count: false })
    return events.flatMap((event) => (event.type === 'archived' ? [event.error] : []))
  }
  expect(await listed()).toEqual([undefined])
  const [[detached] = []] = await place.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'sluice_archived'")
  await place.sql(`DROP TABLE sluice_archived."${detached}"`)
  for (const deep of [false, true]) {
    const { events, finished } = await perform({ ...verify, deep } as Operation)
    expect(finished.error?.code).toBe('PROOF_FAILED')
    const found = events.filter((event) => event.type === 'archive.finding')
    expect(found).toMatchObject([{ partition: '2020-Q1', detail: expect.stringMatching(/its detached table is gone/) }])
  }
  expect(await listed()).toEqual([expect.stringMatching(/^PARTITION_CHANGED: its detached table is gone: .* restore /)])
  expect(await ended({ ...restore, partitions: ['2020-Q1'] } as Operation)).toBe('ok')
  expect(await listed()).toEqual([undefined])
  expect(await place.rows(`SELECT * FROM ${TABLE} ORDER BY 1`)).toEqual(before)
  expect(await ended(verify)).toBe('ok')
})
