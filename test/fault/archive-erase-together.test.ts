/**
 * Two programs at the same time, one of which erases: afterwards the erased rows are found nowhere, and every other row
 * counts once.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandsOf, countedBy, makeBookings, TABLE, type Archived } from '../support/archive-places.ts'
import { makePlace, missing, perform } from '../support/copy-systems.ts'
import { placesOf } from '../support/erased-places.ts'
import { startArchiver, untilStill } from './archive-kit.ts'
import { ErasureLedger } from '../../src/archive/ledger/erasure-ledger.ts'
import { openArchiveSource } from '../../src/archive/work/each-table.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const ADA = 'Ada Lovelace'
const BOB = 'Bob Kahn'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-erase-together-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Each name is in both quarters, and in the rows that are not archived. */
async function fresh(stage: 'new' | 'dropped'): Promise<Archived> {
  const bookings = await makeBookings(
    await makePlace('postgresql', folder),
    'native',
    mkdtempSync(join(folder, 'to-')),
    60,
  )
  await bookings.place.sql(
    `UPDATE ${TABLE} SET note = '${ADA}' WHERE id IN (7, 100007, 200007)`,
    `UPDATE ${TABLE} SET note = '${BOB}' WHERE id IN (8, 100008, 200008)`,
  )
  const { run, drop } = commandsOf(bookings)
  for (const one of stage === 'new' ? [] : [run, drop]) expect((await perform(one)).finished.error ?? null).toBeNull()
  return bookings
}

const eraseOf = ({ place }: Archived, who: string, reason: string): Operation => ({
  kind: 'archive-erase',
  from: place.url,
  table: TABLE,
  where: `note = '${who}'`,
  reason,
  confirm: TABLE,
  dryRun: false,
})

const expireOf = ({ place }: Archived): Operation => ({
  kind: 'archive-expire',
  from: place.url,
  table: TABLE,
  olderThan: '2y',
  partitions: ['2020-Q1'],
  retentionMs: 86_400_000,
  confirm: TABLE,
  dryRun: false,
})

const retentionOf = ({ place }: Archived): Operation => ({
  kind: 'archive-sweep',
  from: place.url,
  tables: [],
  olderThanMs: 86_400_000,
  retentionMs: 86_400_000,
  dryRun: false,
})

/** Expected errors: what another program works on is refused and must be retried. */
const IN_HAND = new Set([
  'LEDGER_BUSY',
  'PARTITION_STATE',
  'LEASE_LOST',
  'PROOF_FAILED',
  'PARTITION_CHANGED',
  'TABLES_FAILED',
  'ARCHIVE_CONFLICT',
  // A partition that the other program attaches changes the table while it is read.
  'SOURCE_GONE',
])

async function atOnce(operations: readonly Operation[]): Promise<void> {
  const ends = await Promise.all(operations.map((operation, i) => startArchiver(operation, { host: `host${i}` }).ended))
  for (const { finished } of ends) {
    const { code } = finished?.error ?? {}
    if (finished?.exitCode !== 0) expect([...IN_HAND], JSON.stringify(finished)).toContain(code)
  }
}

/** Repeats the operation until it succeeds, as the refusals advise. */
async function untilDone(operation: Operation): Promise<void> {
  let last: unknown
  for (let tried = 0; tried < 3; tried++) {
    const { finished } = await perform(operation)
    if (finished.exitCode === 0) return
    last = finished.error
  }
  throw new Error(`${operation.kind} never ended: ${JSON.stringify(last)}`)
}

describe('concurrent programs on PostgreSQL', () => {
  const ended = async (bookings: Archived, who: readonly string[], count: RegExp): Promise<void> => {
    const { query, verify } = commandsOf(bookings)
    for (const name of who) {
      expect(await placesOf(name, bookings.archive, bookings.place)).toEqual([])
      const left = await bookings.place.rows(`SELECT count(*) FROM ${TABLE} WHERE note = '${name}'`)
      expect(left).toEqual([['0']])
    }
    expect((await countedBy(query)).counted).toMatch(count)
    expect((await perform({ ...verify, deep: true } as Operation)).finished).toMatchObject({ exitCode: 0 })
  }

  test('two erasures of two tickets both complete', { timeout: 120_000 }, async (context) => {
    context.skip((await missing('postgresql')) !== '')
    const bookings = await fresh('dropped')
    const both = [eraseOf(bookings, ADA, 'T-1'), eraseOf(bookings, BOB, 'T-2')]
    await atOnce(both)
    for (const one of both) await untilDone(one)
    await ended(bookings, [ADA, BOB], /^174 /)
    const reported = await bookings.place.rows('SELECT reason, state FROM migration_archive_erasures ORDER BY 1')
    expect(new Set(reported.map(String))).toEqual(new Set(['T-1,done', 'T-2,done']))
  })

  test('at most one of several concurrent erasures begins, and the others leave no record', async (context) => {
    context.skip((await missing('postgresql')) !== '')
    const { place } = await fresh('dropped')
    const owners = [1, 2, 3, 4].map((n) => ({
      id: `owner${n}`,
      host: `host${n}`,
      pid: n,
      machine: null,
      started: null,
    }))
    const open = await Promise.all(owners.map(() => openArchiveSource(place.url, true)))
    const names = { schema: 'public', name: 'bookings' }
    for (let turn = 0; turn < 20; turn++) {
      const ledgers = open.map(({ database }, i) => new ErasureLedger(database, names, owners[i]!))
      const begun = await Promise.allSettled(
        ledgers.map((ledger, i) => {
          const id = BigInt(turn * 10 + i + 1)
          const reason = `T-${turn}-${i}`
          return ledger.begin({ id, reason, tested: ['note'], signedBy: 'ada', condition: 'c' }, 'test')
        }),
      )
      const won = begun.flatMap((one) => (one.status === 'fulfilled' ? [one.value.id] : []))
      for (const one of begun) {
        if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'LEDGER_BUSY', retryable: true })
      }
      expect(won.length).toBeLessThan(2)
      const left = (await ledgers[0]!.all()).filter(({ state }) => state !== 'done').map(({ id }) => id)
      expect(left).toEqual(won)
      for (const id of won) await ledgers[0]!.end(id)
    }
    for (const one of open) await one[Symbol.asyncDispose]()
  })

  test('two programs with the same ticket complete one erasure', { timeout: 120_000 }, async (context) => {
    context.skip((await missing('postgresql')) !== '')
    const bookings = await fresh('dropped')
    const one = eraseOf(bookings, ADA, 'T-1')
    await atOnce([one, one])
    await untilDone(one)
    await ended(bookings, [ADA], /^177 /)
  })

  test.for(['run', 'restore', 'expire'] as const)(
    'an erasure completes while %s runs',
    { timeout: 120_000 },
    async (what, context) => {
      context.skip((await missing('postgresql')) !== '')
      const bookings = await fresh(what === 'run' ? 'new' : 'dropped')
      const { run, restore } = commandsOf(bookings)
      // Without an archive there is nothing to erase.
      if (what === 'run') await untilDone({ ...run, partitions: ['2020-Q1'] } as Operation)
      const other = { run, restore, expire: expireOf(bookings) }[what]
      const erase = eraseOf(bookings, ADA, 'T-1')
      await atOnce([erase, other])
      await untilDone(erase)
      await untilDone(other)
      await ended(bookings, [ADA], what === 'expire' ? /^118 / : /^177 /)
    },
  )

  /**
   * The frozen program locks the table that it drops or detaches: the erasure waits for that table, which is gone
   * afterwards.
   */
  test.for([
    ['drop', 'COMMIT state DROPPED'],
    ['run', 'COMMIT state DETACHING'],
  ] as const)(
    '%s that is frozen before %s delays an erasure, and both complete',
    { timeout: 120_000 },
    async ([what, at], context) => {
      context.skip((await missing('postgresql')) !== '')
      const bookings = await fresh('new')
      const { place } = bookings
      const { run, drop } = commandsOf(bookings)
      await untilDone({ ...run, ...(what === 'run' ? { detach: false } : {}) })
      const other = startArchiver({ ...(what === 'run' ? run : drop), partitions: ['2020-Q1'] } as Operation, {
        at,
        when: 'frozen',
        host: 'elsewhere',
      })
      await untilStill(other)
      const erase = eraseOf(bookings, ADA, 'T-1')
      const work = perform(erase)
      const waits = async (): Promise<boolean> =>
        (
          await place.rows(
            `SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'relation'
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
          )
        ).length > 0
      while (!(await waits())) await sleep(5)
      other.process.kill('SIGCONT')
      const { finished } = await work
      // While the detach begins, an erasure may be refused.
      if (what === 'drop') expect(finished).toMatchObject({ exitCode: 0 })
      else if (finished.exitCode !== 0) expect(finished.error?.code).toMatch(/^(?:PARTITION_STATE|LEDGER_BUSY)$/)
      expect((await other.ended).finished).toMatchObject({ exitCode: 0 })
      await untilDone(erase)
      await ended(bookings, [ADA], /^177 /)
    },
  )

  /**
   * The other program is frozen before its commit to the archive's log, where it has no lock, while an erasure runs;
   * then it continues.
   */
  test.for([
    ['run', 'link '],
    ['restore', 'link '],
    ['expire', 'link '],
    ['back', 'link '],
  ] as const)(
    '%s that is frozen before %s blocks no erasure, and both complete',
    { timeout: 120_000 },
    async ([what, at], context) => {
      context.skip((await missing('postgresql')) !== '')
      const bookings = await fresh(what === 'run' ? 'new' : 'dropped')
      const { run, restore } = commandsOf(bookings)
      if (what === 'run') await untilDone({ ...run, partitions: ['2020-Q1'] } as Operation)
      if (what === 'back') await untilDone(expireOf(bookings))
      // The retention is already set, so the next commit is that of the partition.
      if (what === 'expire') await untilDone(retentionOf(bookings))
      const first = { ...restore, partitions: ['2020-Q1'] } as Operation
      const other = { run, restore: first, expire: expireOf(bookings), back: first }[what]
      const still = startArchiver(other, { at, when: 'frozen', host: 'elsewhere' })
      await untilStill(still)
      const erase = eraseOf(bookings, ADA, 'T-1')
      const beside = (await perform(erase)).finished
      if (beside.exitCode !== 0) expect([...IN_HAND]).toContain(beside.error?.code)
      still.process.kill('SIGCONT')
      const { finished } = await still.ended
      if (finished?.exitCode !== 0) expect([...IN_HAND]).toContain(finished?.error?.code)
      await untilDone(erase)
      if (what !== 'back') await untilDone(other)
      const back = (
        await bookings.place.rows(`SELECT state FROM migration_archive_partitions WHERE partition_name = '2020-Q1'`)
      )[0]?.[0]
      await ended(bookings, [ADA], back === 'EXPIRED' ? /^118 / : /^177 /)
    },
  )
})
