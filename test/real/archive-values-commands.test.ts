/**
 * Other commands on an archive by values: hold, adopt, erase, restore elsewhere; and refused options, with hints that
 * work.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing } from '../support/copy-systems.ts'
import { placesOf } from '../support/erased-places.ts'
import { run as program } from '../e2e/support/program.ts'
import {
  addOrders,
  done,
  listedValues,
  makeOrders,
  named,
  orderCommands,
  ORDERS,
  whole,
  type Orders,
} from '../support/value-places.ts'

const SYSTEMS = ['sqlite', 'postgresql', 'mysql'] as const
const WITHOUT = new Map(await Promise.all(SYSTEMS.map(async (system) => [system, await missing(system)] as const)))
const LEDGER = ['', 's', '_partitions', '_history', '_heads', '_erasures', '_erased', '_sweeps', '_ledger']

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

const VALUES = ['eu', 'eu', 'EU', 'us', 'us', null, 'NULL', '', 'eu ']
const TYPE = { sqlite: 'TEXT COLLATE NOCASE', postgresql: 'text', mysql: 'varchar(40)' } as const

async function isWhole(orders: Orders): Promise<void> {
  const [counted, wanted] = await whole(orders)
  expect(counted).toBe(wanted)
}

async function lose({ place }: Orders): Promise<void> {
  for (const end of LEDGER) await place.sql(`DROP TABLE IF EXISTS migration_archive${end}`)
}

describe.each(SYSTEMS)('values of %s', (system) => {
  const why = WITHOUT.get(system) ?? ''
  const made = async (values: readonly (string | null)[] = VALUES): Promise<Orders> =>
    makeOrders(await makePlace(system, folder.path), folder.path, TYPE[system], values)

  it.skipIf(why !== '')(`a lost ledger is rebuilt${why}`, { timeout: 120_000 }, async () => {
    const orders = await made()
    const { run, drop, restore, verify } = orderCommands(orders)
    await done(named(run, 'eu', 'NULL'))
    await done(drop)
    await addOrders(orders, ['eu'])
    await done(named(run, 'eu', 'EU', '', '"NULL"'))
    await done({ ...named(run, 'us'), detach: false } as Operation)
    const hold = { kind: 'archive-hold', from: orders.place.url, table: ORDERS, partitions: ['"eu "'], reason: 'audit' }
    await done(hold as Operation)
    const ledger = `SELECT partition_name, from_bound, to_bound, num_rows, checksum, period, part, hold_reason FROM migration_archive_partitions ORDER BY 1`
    const before = await orders.place.rows(ledger)
    await lose(orders)
    const adopt: Operation = {
      kind: 'archive-adopt',
      from: orders.place.url,
      table: ORDERS,
      confirm: ORDERS,
      accept: [],
      to: orders.archive,
      dryRun: false,
    }
    await done(adopt)
    expect(await orders.place.rows(ledger)).toEqual(before)
    expect(await listedValues(orders)).toEqual([
      '"" PUBLISHED 1',
      '"NULL" PUBLISHED 1',
      '"eu " PLANNED -',
      'EU PUBLISHED 1',
      'NULL DROPPED 1',
      'eu DROPPED 2',
      'eu.part2 PUBLISHED 1',
      'us PUBLISHED 2',
    ])
    await isWhole(orders)
    const { byValue: _, to: __, ...rest } = run as Extract<Operation, { kind: 'archive' }>
    await done(rest)
    await done({ ...rest, drop: true, confirm: ORDERS })
    await isWhole(orders)
    expect(await orders.place.rows(`SELECT count(*) FROM ${ORDERS}`)).toEqual([['1']])
    await done(named(rest, 'eu '))
    expect(await listedValues(orders)).toContain('"eu " PLANNED -')
    await done(named(restore, 'eu', 'NULL', 'us', 'EU', '', '"NULL"'))
    await isWhole(orders)
    await done(verify)
  })

  it.skipIf(why !== '')(`rows are erased in files and in the table${why}`, { timeout: 120_000 }, async () => {
    const orders = await made()
    const { run, drop, verify, restore } = orderCommands(orders)
    await done(named(run, 'eu', 'us'))
    await done(named(drop, 'eu'))
    await addOrders(orders, ['eu'])
    const erase = (where: string): Operation => ({
      kind: 'archive-erase',
      from: orders.place.url,
      table: ORDERS,
      where,
      reason: 'T-1',
      confirm: ORDERS,
      dryRun: false,
    })
    await done(erase('id IN (1, 4, 10)'))
    for (const id of [1, 4, 10]) orders.rows.delete(id)
    await isWhole(orders)
    expect(await placesOf('row 4', orders.to, orders.place)).toEqual([])
    await done(erase(`region = 'eu'`))
    orders.rows.delete(2)
    await isWhole(orders)
    expect(await orders.place.rows(`SELECT count(*) FROM ${ORDERS} WHERE note IN ('row 3', 'row 9')`)).toEqual([['2']])
    await done(drop)
    await done(verify)
    await done(named(restore, 'us'))
    await isWhole(orders)
  })

  it.skipIf(why !== '')(`rows are restored into another table${why}`, { timeout: 120_000 }, async () => {
    const orders = await made()
    const { run, drop, restore } = orderCommands(orders)
    await done(named(run, 'eu', 'NULL'))
    await done(drop)
    await done({ ...named(restore, 'eu'), into: 'looked_at', where: 'id = 2' } as Operation)
    expect(await orders.place.rows('SELECT id, region FROM looked_at')).toEqual([['2', 'eu']])
    await done({ ...named(restore, 'NULL'), into: 'nobodies' } as Operation)
    expect(await orders.place.rows('SELECT id, region FROM nobodies')).toEqual([['6', null]])
    await isWhole(orders)
  })
})

it('options for periods are refused', { timeout: 120_000 }, async () => {
  const orders = await makeOrders(await makePlace('sqlite', folder.path), folder.path, 'TEXT', VALUES)
  const { place, to } = orders
  await place.sql('CREATE TABLE visits (id INTEGER PRIMARY KEY, at DATETIME, page TEXT)')
  await place.sql("INSERT INTO visits VALUES (1, '2020-01-01', 'a')")
  await place.sql('CREATE TABLE keyless (region TEXT)')
  const sluice = async (...words: readonly string[]): Promise<string> => {
    const { out, err, code } = await program(folder.path, [...words, '--from', place.url, '--ci'])
    return `${code} ${out}${err}`
  }
  const orderly = ['--table', ORDERS, '--to', to, '--by-value', 'region']
  const refused: readonly (readonly [words: readonly string[], told: RegExp])[] = [
    [['run', ...orderly], /^2 .*the partitions to archive are not given.*name partitions with --partition/s],
    [
      ['run', ...orderly, '--older-than', '8q'],
      /^2 .*archived by values of a column, not by time.*name the values with --partition/s,
    ],
    [['run', ...orderly, '--by', 'region'], /^2 .*--by-value and --by exclude each other/s],
    [['run', ...orderly, '--calendar', 'month'], /^2 .*--by-value and --calendar exclude each other/s],
    [['run', ...orderly, '--year-offset', '1'], /^2 .*--by-value and --year-offset exclude each other/s],
    [['run', ...orderly, '--partition', 'asia'], /^2 .*has no partition asia/s],
    [
      ['plan', '--table', ORDERS, '--to', to, '--by-value', 'area'],
      /^2 .*has no column area.*its columns are id, region, note/s,
    ],
    [['plan', '--table', ORDERS, '--to', to], /^2 .*--by-value COLUMN/s],
    [['plan', '--table', 'keyless', '--to', to, '--by-value', 'region'], /^\d .*has no key/s],
  ]
  for (const [words, reported] of refused) expect(await sluice('archive', ...words), words.join(' ')).toMatch(reported)
  expect(await sluice('archive', 'run', ...orderly, '--partition', 'eu', '--grace', '0s')).toMatch(/^0 .*eu/s)
  const known: typeof refused = [
    [
      ['plan', '--table', ORDERS, '--calendar', 'month'],
      /^5 .*has another partitioning: values of region.*remove --calendar/s,
    ],
    [['plan', '--table', ORDERS, '--by', 'note'], /^5 .*has another partitioning: values of region.*remove --by,/s],
    [
      ['plan', '--table', ORDERS, '--by-value', 'note'],
      /^5 .*has another column of values: region.*remove --by-value/s,
    ],
    [
      ['expire', '--table', ORDERS, '--older-than', '10y', '--retention', '30d', '--dry-run'],
      /^2 .*they are archived by values of region, not by time.*sluice archive erase/s,
    ],
    [['hold', '--table', ORDERS, '--partition', 'asia', '--reason', 'x'], /^\d .*has no partition asia/s],
  ]
  for (const [words, notified] of known) expect(await sluice('archive', ...words), words.join(' ')).toMatch(notified)
  expect(await sluice('restore', '--table', ORDERS, '--partition', 'asia')).toMatch(/asia of orders is not archived/)
  const visits = ['--table', 'visits', '--to', join(folder.path, randomBytes(4).toString('hex'))]
  expect(await sluice('archive', 'run', ...visits, '--by', 'at', '--older-than', '4q')).toMatch(/^0 /)
  expect(await sluice('archive', 'plan', '--table', 'visits', '--by-value', 'page')).toMatch(
    /^5 .*has another partitioning: periods of at.*remove --by-value/s,
  )
  // A name of any column of the listing, and a value as users write it.
  const list = await sluice('archive', 'list', '--table', ORDERS)
  expect(list).toMatch(/\beu\b.*DETACHED/)
  expect(await sluice('archive', 'verify', '--table', ORDERS, '--partition', 'eu', '--deep')).toMatch(/^0 /)
  expect(await sluice('archive', 'sweep', '--table', ORDERS, '--dry-run')).toMatch(/^0 /)
})
