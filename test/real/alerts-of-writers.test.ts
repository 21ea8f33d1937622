/**
 * Each operation that writes raises one alert if it fails, to a command and to a webhook, and none if it succeeds. Uses
 * real files and databases.
 */
import { existsSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { RunFinished } from '../../src/engine/run/operation.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { runOperation } from '../../src/app/run.ts'
import type { AlertOptions } from '../../src/model/run/alert.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { commandsOf, makeBookings } from '../support/archive-places.ts'
import { add, METADATA, PROTOCOL, temporaryFolder, writeLog, type Folder } from '../support/catalog-kit.ts'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'
import { cutoverOf, cutoverStage, PUBLIC, TWIN } from '../support/cutover-stage.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { psql } from './copy-postgresql-kit.ts'
import { copyAll, makeOld, retire as retireDatabase } from './decommission-database-kit.ts'
import { PARKED_TEXT, parkTable } from './decommission-kit.ts'
import { inPlace, stageTable } from './in-place-kit.ts'
import { importOf } from './operation-kit.ts'

const why = await missing('postgresql')

let folder: Folder
let webhook: Server
/** Alerts that the webhook received in one test: `failed raised archive hold …`. */
let posted: { cause: string; state: string; value: string; about: string }[] = []
let turns = 0
let book = ''

beforeAll(async () => {
  folder = temporaryFolder()
  webhook = createServer((request, response) => {
    void text(request).then((body) => {
      posted.push(JSON.parse(body) as (typeof posted)[number])
      response.end()
    })
  })
  await new Promise<void>((resolve) => void webhook.listen(0, '127.0.0.1', resolve))
  vi.stubEnv('SLUICE_ALERT_WEBHOOK', `http://127.0.0.1:${(webhook.address() as AddressInfo).port}/`)
})
beforeEach(() => {
  posted = []
  book = join(folder.path, `state-${turns++}`)
})
afterEach(() => void (posted = []))
afterAll(() => {
  vi.unstubAllEnvs()
  webhook.close()
  folder[Symbol.dispose]()
})

type Reported = {
  readonly finished: RunFinished
  /** Each alert of the run, as the command and the webhook received it. */
  readonly command: readonly string[]
  readonly webhook: readonly string[]
}

async function report(operation: Operation): Promise<Reported> {
  const said = join(folder.path, `said-${turns++}`)
  const command = `echo "$SLUICE_ALERT_CAUSE $SLUICE_ALERT_STATE $SLUICE_ALERT_ABOUT" >> '${said}'`
  const options = 'alert' in operation ? operation.alert : undefined
  const alert: AlertOptions = { conditions: [{ cause: 'failed' }], ...options, command }
  const before = posted.length
  const finished = await runOperation({ ...operation, alert } as Operation, {
    interrupt: new Interrupter(),
    clock: systemClock,
    tool: 'test',
    actor: 'me',
    host: 'here',
    commandLine: 'sluice',
    book,
    onEvent: () => undefined,
  })
  return {
    finished,
    command: existsSync(said) ? readFileSync(said, 'utf8').trim().split('\n') : [],
    webhook: posted.slice(before).map(({ cause, state, about }) => `${cause} ${state} ${about}`),
  }
}

/** @param how `raised` or `cleared`; if absent, no alert is expected */
async function expectReported(operation: Operation, as: string, how: { code?: string; state?: string }): Promise<void> {
  const { finished, command, webhook: sent } = await report(operation)
  expect(finished.error?.code, `${as}: ${finished.error?.message ?? 'no error'}`).toBe(how.code)
  const lines = how.state === undefined ? [] : [expect.stringMatching(new RegExp(`^failed ${how.state} ${as}(?: |$)`))]
  expect(command, as).toEqual(lines)
  expect(sent, as).toEqual(lines)
}

type Course = {
  /** Name of the command in the alert. */
  readonly as: string
  readonly bad: Operation
  /** Code of the error that it fails with. */
  readonly code: string
  readonly mend: () => Promise<unknown>
  /** The same operation after the repair. */
  readonly good?: Operation
  /** Operation that succeeds after that; the same one if absent. */
  readonly next?: Operation
}

/** The operation fails twice, its cause is repaired, and it succeeds twice. */
async function course({ as, bad, code, mend: repair, good = bad, next = good }: Course): Promise<void> {
  await expectReported(bad, as, { code, state: 'raised' })
  await expectReported(bad, as, { code })
  await repair()
  await expectReported(good, as, { state: 'cleared' })
  await expectReported(next, as, {})
}

test('rollback', async () => {
  const table = join(folder.path, 'rolled')
  const catalog = `sqlite:///${join(folder.path, 'rolled.db')}`
  writeLog(table, [[PROTOCOL, METADATA, add('a')]])
  const other = join(folder.path, 'other')
  writeLog(other, [[PROTOCOL, METADATA, add('a')]])
  expect((await perform(importOf(other, catalog))).finished.error).toBeUndefined()
  const rollback: Operation = { kind: 'rollback', table, catalog, confirm: table, checkFiles: 'none', dryRun: false }
  const imported = async (): Promise<unknown> =>
    expect((await perform(importOf(table, catalog))).finished.exitCode).toBe(0)
  await course({
    as: 'rollback',
    bad: rollback,
    code: 'NO_SUCH_TABLE',
    mend: imported,
    next: { ...rollback, table: other, confirm: other },
  })
})

describe.skipIf(why !== '')(`on PostgreSQL${why}`, () => {
  test('quarantine retry', async () => {
    const source = await makePlace('sqlite', folder.path)
    const target = await makePlace('postgresql', folder.path)
    await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)', "INSERT INTO t VALUES (1, 1), (2, 'abc')")
    expect((await perform(copyOf(source, target, 't'))).finished.error?.code).toBe('ROWS_ASIDE')
    const retry: Operation = { kind: 'retry-quarantine', to: target.url, table: 't' }
    const repair = (): Promise<unknown> => source.sql("UPDATE t SET n = 5 WHERE typeof(n) = 'text'")
    await course({ as: 'quarantine retry', bad: retry, code: 'ROWS_ASIDE', mend: repair })
  })

  test('partition in-place and its revert', async () => {
    const place = await makePlace('postgresql', folder.path)
    const bad = inPlace(place)
    const next = inPlace(place, { revert: true })
    await course({ as: 'partition in-place', bad, code: 'NO_SUCH_TABLE', mend: () => stageTable(place, 300), next })
  })

  test('partition decommission', async () => {
    const place = await makePlace('postgresql', folder.path)
    const inactive: Operation = {
      kind: 'partition-decommission',
      from: place.url,
      table: PARKED_TEXT,
      graceMs: 0,
      inactive: true,
      undo: false,
      patienceMs: 100,
      budgetMs: 10_000,
      dryRun: false,
    }
    let oldTable: AsyncDisposable | null = null
    const repair = async (): Promise<unknown> => (oldTable = await parkTable(place))
    await course({ as: 'partition decommission', bad: inactive, code: 'NO_SUCH_TABLE', mend: repair })
    await (oldTable as AsyncDisposable | null)?.[Symbol.asyncDispose]()
  })

  test('partition decommission --database', async () => {
    const moved = await makeOld(folder.path)
    const bad = retireDatabase(moved, { inactive: true })
    await course({ as: 'partition decommission', bad, code: 'PARTITION_REFUSED', mend: () => copyAll(moved) })
  })

  test('archive hold, release, adopt and erase', { timeout: 60_000 }, async () => {
    const place = await makePlace('postgresql', folder.path)
    const bookings = await makeBookings(place, 'native', join(folder.path, 'cold'), 20)
    const about = { from: place.url, table: 'bookings' }
    const hold: Operation = { kind: 'archive-hold', ...about, partitions: ['2020-Q1'], reason: 'audit' }
    const release: Operation = { ...hold, reason: null }
    const adopt: Operation = { kind: 'archive-adopt', ...about, confirm: 'bookings', accept: [], dryRun: false }
    const where = "note = 'Ada Lovelace'"
    const erase: Operation = {
      kind: 'archive-erase',
      ...about,
      where,
      reason: 'T-1',
      confirm: 'bookings',
      dryRun: false,
    }
    const all = { 'archive hold': hold, 'archive release': release, 'archive adopt': adopt, 'archive erase': erase }
    for (const [as, operation] of Object.entries(all)) {
      await expectReported(operation, as, { code: 'PARTITION_STATE', state: 'raised' })
      await expectReported(operation, as, { code: 'PARTITION_STATE' })
    }
    expect((await perform(commandsOf(bookings).run)).finished.error).toBeUndefined()
    await place.sql("UPDATE bookings SET note = 'Ada Lovelace' WHERE id = (SELECT max(id) FROM bookings)")
    for (const [as, operation] of Object.entries(all)) await expectReported(operation, as, { state: 'cleared' })
    for (const [as, operation] of Object.entries(all)) await expectReported(operation, as, {})
    // A condition may contain a person's name: no alert is sent for one that cannot be parsed.
    const wrong: Operation = { ...erase, where: `${where} AND nope` }
    await expectReported(wrong, 'archive erase', { code: 'BAD_PREDICATE', state: 'raised' })
    expect(posted).toHaveLength(9)
    expect(JSON.stringify(posted)).not.toContain('Ada')
  })
})

test.skipIf(!POSTGRES_OWN)(`sign-off and cutover of a stream${POSTGRES_MISSING}`, { timeout: 120_000 }, async () => {
  await using server = await startFollowServer()
  const stage = await cutoverStage(server, 100)
  const { place, stream } = stage
  const signed: Operation = { kind: 'sign-off', stream, from: place.url, to: place.url, tables: [] }
  const unsigned = cutoverOf(stage, { unsigned: false })
  await expectReported(unsigned, 'cutover', { code: 'NOT_SIGNED', state: 'raised' })
  await expectReported(unsigned, 'cutover', { code: 'NOT_SIGNED' })
  const quantity = (to: string): Promise<unknown> => place.sql(`UPDATE "${TWIN}" SET qty = ${to} WHERE id = 1`)
  await quantity('qty + 1')
  await course({ as: 'sign-off', bad: signed, code: 'DIFFERENCES', mend: () => quantity('qty - 1') })
  // The user did not stop the run: all tries failed, so an alert must be sent.
  const holder = await psql(place.url)
  await holder.run('BEGIN')
  await holder.run(`SELECT count(*) FROM "${PUBLIC}"`)
  book = join(folder.path, `state-${turns++}`)
  const late = cutoverOf(stage, { budgetMs: 200, triesForMs: 500 })
  const first = await report({ ...late, alert: { conditions: [{ cause: 'failed' }], exit: true } })
  expect(first.finished).toMatchObject({ exitCode: 75, status: 'stopped', error: { code: 'OUT_OF_TRIES' } })
  expect(first.webhook).toEqual([expect.stringMatching(/^failed raised cutover /)])
  expect(first.command).toEqual(first.webhook)
  await expectReported(late, 'cutover', { code: 'OUT_OF_TRIES' })
  await holder.close()
  await expectReported(unsigned, 'cutover', { state: 'cleared' })
})
