/**
 * The folder of an archive is missing, as when its disk is not mounted: each command reports it, and none creates an
 * empty folder.
 */
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { commandsOf, makeBookings, TABLE } from '../support/archive-places.ts'
import { makePlace, perform } from '../support/copy-systems.ts'
import type { Operation } from '../../src/app/operations/list.ts'

/** Results of the commands that only read. */
const LOOKS: Readonly<Record<string, string>> = {
  verify: 'PROOF_FAILED',
  query: 'PARTITION_CHANGED',
  plan: 'undefined',
  list: 'undefined',
  'erase --dry-run': 'PROOF_FAILED',
}

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-unmounted-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('no command creates the folder of a missing archive', { timeout: 120_000 }, async () => {
  const archived = await makeBookings(await makePlace('sqlite', folder), 'plain', mkdtempSync(join(folder, 'to-')), 20)
  const { place, archive } = archived
  const { run, drop, restore, verify, query, sweep } = commandsOf(archived)
  const only = (operation: Operation, ...partitions: readonly string[]): Operation =>
    Object.assign({}, operation, { partitions })
  for (const operation of [only(drop, '2020-Q1'), only(drop, '2020-Q1')])
    expect((await perform(operation)).finished).toMatchObject({ exitCode: 0 })
  await place.sql(`INSERT INTO ${TABLE} VALUES (50001, '2020-02-02 03:04:05', 'late', NULL)`)
  const of = { from: place.url, table: TABLE, confirm: TABLE } as const
  const actions: Readonly<Record<string, Operation>> = {
    run,
    'run of a further part': only(run, '2020-Q1'),
    'run where nothing is due': Object.assign({}, run, { olderThan: '60y' }),
    restore: only(restore, '2020-Q1'),
    'restore --dry-run': Object.assign({}, restore, { partitions: ['2020-Q1'], dryRun: true }),
    'restore --into': Object.assign({}, restore, { partitions: ['2020-Q1'], into: 'looked_at' }),
    verify,
    query,
    sweep,
    erase: { kind: 'archive-erase', ...of, where: 'id = 3', reason: 'T-1', dryRun: false },
    plan: Object.assign({}, run, { dryRun: true }),
    list: { kind: 'archive-list', from: place.url, tables: [], count: false },
    'erase --dry-run': { kind: 'archive-erase', ...of, where: 'id = 3', reason: 'T-1', dryRun: true },
    expire: { kind: 'archive-expire', ...of, olderThan: '2y', partitions: [], retentionMs: 0, dryRun: false },
    adopt: { kind: 'archive-adopt', ...of, accept: [], dryRun: false },
    hold: { kind: 'archive-hold', from: place.url, table: TABLE, partitions: ['2020-Q1'], reason: 'audit' },
  }
  const away = `${archive}-away`
  renameSync(archive, away)
  const said: Record<string, string> = {}
  for (const [name, operation] of Object.entries(actions)) {
    const { finished, events } = await perform(operation)
    const findings = events.flatMap((event) =>
      event.type === 'archive.finding' ? [event.detail] : event.type === 'log' ? [event.message] : [],
    )
    const { code, message = '', reason = '', where = '' } = finished.error ?? {}
    const isNamed = `${message} ${reason} ${where} ${findings.join(' ')}`.includes(archive)
    said[name] =
      `${code}${isNamed ? ', named' : `: ${message} (${reason}; ${where}; ${findings[0]})`}${existsSync(archive) ? ', MADE' : ''}`
    rmSync(archive, { recursive: true, force: true })
  }
  expect(said).toEqual(
    Object.fromEntries(Object.keys(actions).map((name) => [name, `${LOOKS[name] ?? 'ARCHIVE_CONFLICT'}, named`])),
  )
  // The ledger is unchanged, and a hold is in force from its command on.
  renameSync(away, archive)
  const release = {
    kind: 'archive-hold',
    from: place.url,
    table: TABLE,
    partitions: ['2020-Q1'],
    reason: null,
  } as const
  expect((await perform(release)).finished).toMatchObject({ exitCode: 0 })
  expect((await perform(only(run, '2020-Q1'))).finished).toMatchObject({ exitCode: 0 })
  expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
})
