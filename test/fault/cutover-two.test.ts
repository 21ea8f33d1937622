/**
 * A cutover between two databases is killed at any of its steps: the same command completes or reverts it, and the two
 * sides are never open at the same time.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openExisting } from '../../src/engine/copy/open-stores.ts'
import type { Event } from '../../src/model/run/event.ts'
import { ALL } from '../support/backend.ts'
import { psql } from '../real/copy-postgresql-kit.ts'
import { perform, placeOn, type Place, type Ran } from '../support/copy-systems.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import {
  addressIn,
  SQL,
  startProbe,
  startTwoObserver,
  startTwoWriter,
  TABLE,
  twoCutover,
  twoStage,
  type TwoStage,
  type TwoWriter,
} from '../support/two-stage.ts'
import { of, startCopy, untilFrozen, type Child, type ChildOptions } from './copy-kit.ts'

let server: PostgresServer
let other: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN)
    [server, other] = await Promise.all([startFollowServer(), startFollowServer([], undefined, 'other')])
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  await other?.[Symbol.asyncDispose]()
})

async function more(writer: TwoWriter, statements: number): Promise<void> {
  const seen = writer.committed()
  while (writer.committed() < seen + statements) await sleep(10)
}

async function rowsOf(place: Place): Promise<readonly (string | null)[]> {
  return (await place.rows(`SELECT t::text FROM ${SQL} t ORDER BY 1`)).map(([row]) => row ?? null)
}

/** Of the cutovers that open a database, which has them in its ledger. */
async function statuses({ target }: TwoStage, opens = target): Promise<readonly (string | null)[]> {
  return (await opens.rows('SELECT status FROM migration_switches ORDER BY turn, begun_ms')).map(
    ([status]) => status ?? null,
  )
}

/** Whether a side accepts writes. */
async function isOpen(place: Place): Promise<boolean> {
  return await place.sql(`UPDATE ${SQL} SET qty = qty WHERE id = 1`).then(
    () => true,
    (error: unknown) => {
      if (/is closed: its rows follow|is about to take the writes/.test((error as Error).message)) return false
      throw error
    },
  )
}

const steps = (events: readonly Event[]): readonly string[] => of(events, 'cutover.step').map(({ step }) => step)

/**
 * The target has the writers, the source replicates it and is equal, each booking is as its writer left it, and nothing
 * else is left.
 */
async function expectMoved(stage: TwoStage, writer: TwoWriter, seed: number): Promise<void> {
  const { source, target } = stage
  await more(writer, 10)
  expect(addressIn(stage).url).toBe(target.url)
  const changed = await writer.stop()
  const streams = await source.rows(`SELECT stream_id FROM migration_streams WHERE status = 'active'`)
  expect(streams).toHaveLength(1)
  const stream = streams[0]?.[0] ?? ''
  const { finished } = await perform({
    kind: 'follow',
    stream,
    from: target.url,
    to: source.url,
    end: false,
    untilCaughtUp: true,
    untilEqual: false,
  })
  expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0 })
  expect(await rowsOf(source)).toEqual(await rowsOf(target))
  const there = await target.rows(`SELECT id::text, qty::text FROM ${SQL} WHERE "who's" LIKE 's${seed}.%'`)
  expect(new Map(there.map(([id, qty]) => [id, Number(qty)]))).toEqual(changed)
  expect([await isOpen(source), await isOpen(target)]).toEqual([false, true])
  expect((await statuses(stage)).filter((status) => status !== 'given up')).toEqual(['done'])
  const slots = (place: Place): Promise<readonly (readonly (string | null)[])[]> =>
    place.rows('SELECT slot_name::text FROM pg_replication_slots WHERE database = current_database()')
  expect([await slots(source), await slots(target)]).toEqual([[], [[`sluice_${stream}`]]])
  const triggers = `SELECT count(*) FROM pg_trigger WHERE tgname ~ 'sluice'`
  expect(await target.rows(triggers)).toEqual([['0']])
}

/** Waits until a program has reported a step. */
async function untilStep(child: Child, step: string): Promise<void> {
  while (!steps(child.events).includes(step)) {
    await Promise.race([sleep(10), child.ended.then(() => Promise.reject(new Error(`it has ended before ${step}`)))])
  }
}

describe.skipIf(!POSTGRES_OWN)(`a cutover between two databases ${POSTGRES_MISSING}`, () => {
  /** By the number of the last reported step: closing, closed, proved, opened, announced, cleaned up. */
  const KILLS: readonly (readonly [string, ChildOptions, readonly string[], string | null])[] = [
    ['when all rows are compared', { killedBy: { type: 'follow.proved', times: 1 } }, ['preparing'], null],
    ['before the source is closed', { killedBy: { type: 'cutover.step', times: 1 } }, ['closing'], 'taken back'],
    ['when the source is closed', { killedBy: { type: 'cutover.step', times: 2 } }, ['closed'], 'taken back'],
    ['when both are proved equal', { killedBy: { type: 'cutover.step', times: 3 } }, ['proved'], 'went on'],
    ['when the target is open', { killedBy: { type: 'cutover.step', times: 4 } }, ['switched'], 'done before'],
    ['when users are told', { killedBy: { type: 'cutover.step', times: 5 } }, ['announced'], 'done before'],
    ['when the old slot is gone', { killedBy: { type: 'cutover.step', times: 6 } }, ['done'], 'done before'],
  ]

  // Three of them in CI; all with SLUICE_TEST_ALL.
  const some = KILLS.filter((_, at) => ALL || [2, 3, 4].includes(at))
  test.each([...some])(
    'killed %s, the same command completes it',
    { timeout: 120_000 },
    async (_, options, left, said) => {
      const stage = await twoStage(server, 200)
      const probe = startProbe(stage)
      const writer = startTwoWriter(stage, 11, 2)
      const observer = startTwoObserver(stage, 200, writer)
      const child = startCopy(twoCutover(stage), options)
      expect((await child.ended).signal).toBe('SIGKILL')
      expect(await statuses(stage)).toEqual(left)
      // This test measures the pause itself.
      await stage.target.rows('SELECT pg_sleep(1.5)')
      const { finished, events } = await perform(twoCutover(stage))
      expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0 })
      const paused = await stage.target.rows(`SELECT pause_ms >= 1500 FROM migration_switches WHERE status = 'done'`)
      if (left[0] === 'closed' || left[0] === 'proved') expect(paused).toEqual([['t']])
      const [switched] = of(events, 'cutover.switched')
      if (left[0] === 'closed') expect(switched?.pauseMs).toBeGreaterThan(1500)
      expect(switched?.isLeast).toBeUndefined()
      if (said === 'went on') expect(JSON.stringify(events)).toMatch(/writers had no table to write to for [1-9]\.\d s/)
      if (said !== null) expect(steps(events)).toContain(said)
      if (said === 'taken back') expect(steps(events)).toContain('opened')
      expect(await probe.stop()).toBeGreaterThan(0)
      await expectMoved(stage, writer, 11)
      expect(await observer.stop()).toBeGreaterThan(0)
    },
  )

  test('killed by an older program, which recorded no time, it reports at least the pause of this run', async () => {
    const stage = await twoStage(server, 200)
    const child = startCopy(twoCutover(stage), { killedBy: { type: 'cutover.step', times: 2 } })
    expect((await child.ended).signal).toBe('SIGKILL')
    await stage.target.sql(
      `UPDATE migration_switches SET document = regexp_replace(document, '"closingMs":[0-9]+,', '')`,
    )
    const { events } = await perform(twoCutover(stage))
    expect(of(events, 'cutover.switched')).toMatchObject([{ isLeast: true, tries: '2' }])
  }, 120_000)

  test(
    'over the time limit the source is reopened, and blocking sessions are ended only where allowed',
    { timeout: 120_000 },
    async () => {
      // On two servers, because a replication slot waits for every transaction of its server.
      const stage = await twoStage(server, 200, other)
      const { source, target } = stage
      const holder = new pg.Client({ connectionString: source.url, application_name: 'hol"der' })
      holder.on('error', () => undefined)
      await holder.connect()
      await holder.query(`BEGIN; UPDATE ${SQL} SET qty = qty WHERE id = 2`)
      const late = await perform(twoCutover(stage, { keepSessions: true, budgetMs: 800, triesForMs: 10_000 }))
      expect(late.finished).toMatchObject({ exitCode: 75, status: 'stopped' })
      expect(late.finished.error?.message).toMatch(
        /the source could not be closed: it is locked by hol"der \(process \d+, /,
      )
      expect(steps(late.events)).not.toContain('session ended')
      expect(await statuses(stage)).toEqual(['given up'])
      await holder.query(`UPDATE ${SQL} SET qty = qty + 1 WHERE id = 2`)
      expect(await isOpen(target)).toBe(true)
      const left = await source.rows(
        'SELECT slot_name::text FROM pg_replication_slots WHERE database = current_database()',
      )
      expect(left).toEqual([[`sluice_${stage.stream}`]])
      expect(await source.rows(`SELECT count(*) FROM pg_trigger WHERE tgname ~ 'sluice'`)).toEqual([['0']])
      const writer = startTwoWriter(stage, 5, 2)
      const { finished, events } = await perform(twoCutover(stage))
      expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0 })
      const [ended] = of(events, 'cutover.step').filter(({ step }) => step === 'session ended')
      expect(ended?.detail).toMatch(
        /^hol"der \(process \d+, \w+, idle in transaction\) is terminated: it kept the source open for writing/,
      )
      await expect(holder.query('COMMIT')).rejects.toThrow(/terminat|connection/i)
      await expectMoved(stage, writer, 5)
    },
  )

  test(
    'counts sessions of other roles, also with a login from which the server hides their types',
    { timeout: 60_000 },
    async () => {
      const place = await placeOn('postgresql', server.url())
      const at = new URL(place.url)
      const urlAs = (role: string): string => {
        at.username = role
        at.password = 'x'
        return at.href
      }
      const [owner, web] = [`owner_${process.pid}`, `web_${process.pid}`]
      await place.sql(
        `CREATE ROLE ${owner} LOGIN PASSWORD 'x'`,
        `CREATE ROLE ${web} LOGIN PASSWORD 'x'`,
        'CREATE TABLE held (id int PRIMARY KEY)',
        `ALTER TABLE held OWNER TO ${owner}`,
        `GRANT INSERT ON held TO ${web}`,
      )
      const holder = new pg.Client({ connectionString: urlAs(web), application_name: 'holder' })
      await holder.connect()
      await holder.query('BEGIN; INSERT INTO held VALUES (1)')
      await using store = await openExisting(urlAs(owner))
      const writers = await store.offers.switchSide?.writers(
        { schema: 'public', name: 'held' },
        AbortSignal.timeout(10_000),
      )
      expect(writers).toMatchObject({ connected: 1, holding: [expect.stringMatching(/^holder /)], protected: [web] })
      await holder.end()
    },
  )

  test(
    'killed before the ledger records that the source is closed, it is reverted by the opposite command',
    { timeout: 120_000 },
    async () => {
      const stage = await twoStage(server, 200)
      const { source, target } = stage
      const child = startCopy(twoCutover(stage), { killedBy: { type: 'cutover.step', times: 1 } })
      expect((await child.ended).signal).toBe('SIGKILL')
      const [[document] = []] = await target.rows('SELECT document FROM migration_switches')
      const { token } = JSON.parse(document ?? '') as { token: string }
      const close = async (by: string): Promise<void> => {
        await using store = await openExisting(source.url)
        const limits = { lockTimeoutMs: 1000, pauseLimitMs: 5000, endsSessions: false, mayReplace: () => true }
        const names = {
          table: { schema: 'public', name: TABLE },
          token: by,
          says: 'it is closed: its rows follow',
          hint: 'wait',
        }
        await store.offers.switchSide?.close({ ...names, ...limits }, () => undefined, AbortSignal.timeout(10_000))
      }
      await close(token)
      expect([await isOpen(source), await statuses(stage)]).toEqual([false, ['closing']])
      // The opposite command only reopens the source, and does not cut over.
      const back = await perform(twoCutover(stage, { revert: true }))
      expect([back.finished.error?.code, steps(back.events)]).toEqual(['BAD_FLAG', ['taken back', 'given up']])
      expect([await isOpen(source), await isOpen(target), await statuses(stage)]).toEqual([true, true, ['given up']])
      // A delayed program has closed the source with its own token: the next run takes it over.
      await close('late_1')
      const again = startCopy(twoCutover(stage), { killedBy: { type: 'cutover.step', times: 2 } })
      expect((await again.ended).signal).toBe('SIGKILL')
      expect([await isOpen(source), await statuses(stage)]).toEqual([false, ['given up', 'closed']])
      const once = await perform(twoCutover(stage, { revert: true }))
      expect(once.finished.error?.code).toBe('BAD_FLAG')
      expect([await isOpen(source), await isOpen(target)]).toEqual([true, true])
      expect(await statuses(stage)).toEqual(['given up', 'given up'])
      const slots = `SELECT count(*) FROM pg_replication_slots WHERE database = current_database()`
      expect([await source.rows(slots), await target.rows(slots)]).toEqual([[['1']], [['0']]])
    },
  )

  const FREEZES = [
    ['closed', 2, 'taken back'],
    ['proved', 3, 'went on'],
    // The other one has closed the source before this one does.
    ['closing', 1, 'taken back'],
  ] as const
  test.each(FREEZES.slice(ALL ? 0 : 1))(
    'a program that was frozen at %s and has lost the stream to another one opens no side',
    { timeout: 120_000 },
    async (step, times, said) => {
      const stage = await twoStage(server, 200)
      const probe = startProbe(stage)
      const writer = startTwoWriter(stage, 41, 2)
      const child = startCopy(twoCutover(stage), { frozenBy: { type: 'cutover.step', times }, leaseMs: 2000 })
      await untilStep(child, step)
      await untilFrozen(child)
      for (let code: string | undefined = 'LEDGER_BUSY'; code === 'LEDGER_BUSY'; await sleep(200)) {
        const { finished, events } = await perform(twoCutover(stage))
        code = finished.error?.code
        if (code === 'LEDGER_BUSY') continue
        expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0 })
        expect(steps(events)).toContain(said)
      }
      child.process.kill('SIGCONT')
      const { finished } = await child.ended
      expect(finished?.exitCode, JSON.stringify(finished)).not.toBe(0)
      await probe.stop()
      await expectMoved(stage, writer, 41)
    },
  )

  /** Drops the slot of the reverse stream, as `max_slot_wal_keep_size` takes its log away. */
  async function loseWayBack({ target }: TwoStage): Promise<void> {
    const [[id] = []] = await target.rows('SELECT switch_id FROM migration_switches')
    await target.rows(`SELECT pg_drop_replication_slot('sluice_${id}')`)
  }

  async function expectWayBack(stage: TwoStage): Promise<void> {
    const { finished, events } = await perform(twoCutover(stage, { revert: true }))
    expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0 })
    expect(of(events, 'cutover.switched')).toMatchObject([{ revert: true }])
  }

  test('a slot of the way back that was lost between two tries is made again', { timeout: 120_000 }, async () => {
    // On two servers, because a replication slot waits for every transaction of its server.
    const stage = await twoStage(server, 200, other)
    const holder = new pg.Client({ connectionString: stage.source.url })
    await holder.connect()
    await holder.query(`BEGIN; LOCK TABLE ${SQL} IN ROW EXCLUSIVE MODE`)
    const child = startCopy(twoCutover(stage, { keepSessions: true }))
    await untilStep(child, 'released')
    await loseWayBack(stage)
    await holder.end()
    const { finished } = await child.ended
    expect(finished, JSON.stringify(finished?.error)).toMatchObject({ exitCode: 0, totals: { switched: '1' } })
    expect(
      of(child.events, 'cutover.gate')
        .map(({ detail }) => detail)
        .join(),
    ).toContain('it is created again')
    await expectWayBack(stage)
  })

  test(
    'a slot of the way back that was lost when both are proved equal opens the source',
    { timeout: 120_000 },
    async () => {
      const stage = await twoStage(server, 200)
      const frozen = startCopy(twoCutover(stage), { frozenBy: { type: 'cutover.step', times: 3 } })
      await untilStep(frozen, 'proved')
      await untilFrozen(frozen)
      await loseWayBack(stage)
      frozen.process.kill('SIGCONT')
      const { finished } = await frozen.ended
      expect(finished, JSON.stringify(finished?.error)).toMatchObject({ exitCode: 0, totals: { switched: '1' } })
      expect(of(frozen.events, 'cutover.step').map(({ detail }) => detail)).toContainEqual(
        expect.stringContaining('no longer exists: try 1 is given up; the source is open'),
      )
      await expectWayBack(stage)
    },
  )

  test(
    'killed when both are proved equal, it moves no writers without --confirm or without a way back',
    { timeout: 120_000 },
    async () => {
      const stage = await twoStage(server, 200)
      const killed = async (): Promise<void> => {
        const child = startCopy(twoCutover(stage), { killedBy: { type: 'cutover.step', times: 3 } })
        expect((await child.ended).signal).toBe('SIGKILL')
      }
      const { confirm: _confirm, ...unconfirmed } = twoCutover(stage)
      await killed()
      const asked = await perform(unconfirmed)
      expect(asked.finished.error).toMatchObject({ code: 'MISSING_CONFIRM' })
      expect([await isOpen(stage.source), await isOpen(stage.target)]).toEqual([true, false])
      await killed()
      await loseWayBack(stage)
      const { finished, events } = await perform(twoCutover(stage))
      expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0, totals: { switched: '1' } })
      expect(steps(events).slice(0, 1)).toEqual(['taken back'])
      await expectWayBack(stage)
    },
  )

  /** Exchanges the names of two columns of one type. */
  const EXCHANGED = `BEGIN; ALTER TABLE ${SQL} RENAME "who's" TO x; ALTER TABLE ${SQL} RENAME big TO "who's"; ALTER TABLE ${SQL} RENAME x TO big; COMMIT`

  const WRITES = `UPDATE ${SQL} SET qty = qty WHERE id = 2`
  /** Without a changed row, no digest shows the other columns. */
  const LOCKS = `LOCK TABLE ${SQL} IN ROW EXCLUSIVE MODE`

  /** The side that closes is altered while try 1 waits for a writer; it is closed right after that. */
  async function alteredInTry(stage: TwoStage, alter: string, held = WRITES, revert = false, at?: Place): Promise<Ran> {
    const closes = revert ? stage.target : stage.source
    const [holder, owner] = await Promise.all([psql(closes.url), psql((at ?? closes).url)])
    await holder.run(`BEGIN; ${held}`)
    const altered: Promise<void>[] = []
    const ran = await perform(twoCutover(stage, { keepSessions: true, budgetMs: 30_000, revert }), {
      onEvent: (event) => {
        if (event.type !== 'cutover.step' || event.step !== 'closing' || altered.length > 0) return
        altered.push(owner.run(alter))
        void sleep(1000).then(() => holder.run('COMMIT'))
      },
    })
    await Promise.all(altered)
    await Promise.all([holder.close(), owner.close()])
    expect(steps(ran.events)).toContain('closed')
    return ran
  }

  /** Which of them comes first depends on the time at which the stream inspects the source. */
  const REFUSED = /^(?:STREAM_HALTED|NOT_SWITCHABLE|TABLE_REFUSED)$/

  /** No side is opened; the one that was to be closed takes the writes again. */
  async function expectRefused(
    stage: TwoStage,
    { finished, events }: Ran,
    code = REFUSED,
    [closes, opens] = [stage.source, stage.target],
  ): Promise<void> {
    expect(finished.error, JSON.stringify(events.slice(-5))).toMatchObject({
      code: expect.stringMatching(code) as string,
    })
    expect(finished.exitCode).not.toBe(0)
    expect(steps(events)).not.toContain('opened')
    expect(steps(events)).not.toContain('went on')
    expect(await isOpen(closes)).toBe(true)
    expect(await statuses(stage, opens)).toEqual(['given up'])
  }

  test.each([
    ['columns that exchange their names', EXCHANGED, WRITES],
    ['a column that is added', `ALTER TABLE ${SQL} ADD COLUMN paid text DEFAULT 'yes'`, LOCKS],
  ])('%s while the source is being closed: the target is not opened', { timeout: 120_000 }, async (_, alter, held) => {
    // On two servers, because a replication slot waits for every transaction of its server.
    const stage = await twoStage(server, 200, other)
    const ran = await alteredInTry(stage, alter, held)
    await expectRefused(stage, ran)
    const [again] = of(ran.events, 'cutover.step').filter(({ step }) => step === 'again')
    expect(again?.detail).toBe(
      `columns of public.${TABLE} were altered: all rows are compared once more, the source is open`,
    )
  })

  test.each([
    ['columns of the new table exchange their names', 'target', EXCHANGED, WRITES],
    ['a column is added to the new table', 'target', `ALTER TABLE ${SQL} ADD COLUMN paid text DEFAULT 'yes'`, LOCKS],
    ['columns of the old table, which is to be opened, exchange their names', 'source', EXCHANGED, WRITES],
  ] as const)('a cutover back opens nothing if %s during it', { timeout: 180_000 }, async (_, side, alter, held) => {
    const stage = await twoStage(server, 200, other)
    const forth = await perform(twoCutover(stage))
    expect(forth.finished, JSON.stringify(forth.finished.error)).toMatchObject({ exitCode: 0 })
    const ran = await alteredInTry(stage, alter, held, true, stage[side])
    await expectRefused(stage, ran, REFUSED, [stage.target, stage.source])
    await expect(stage.source.sql(`DELETE FROM ${SQL}`)).rejects.toThrow(/is closed: its rows follow|is about to take/)
  })

  test(
    'columns of the target that exchange their names while the source is being closed: it is not opened',
    { timeout: 120_000 },
    async () => {
      const stage = await twoStage(server, 200, other)
      const ran = await alteredInTry(stage, EXCHANGED, WRITES, false, stage.target)
      await expectRefused(stage, ran)
    },
  )

  test('a check that is added while the source is being closed is refused by name', { timeout: 120_000 }, async () => {
    const stage = await twoStage(server, 200, other)
    const ran = await alteredInTry(stage, `ALTER TABLE ${SQL} ADD CONSTRAINT "some 'qty'" CHECK (qty >= 0)`)
    await expectRefused(stage, ran, /^NOT_SWITCHABLE$/)
    expect(ran.finished.error?.message).toContain(`check some 'qty': the target does not have it`)
    await stage.source.sql(`ALTER TABLE ${SQL} DROP CONSTRAINT "some 'qty'"`)
    const { finished } = await perform(twoCutover(stage))
    expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0, totals: { switched: '1' } })
  })

  test.each([
    ['values are converted', `ALTER TABLE ${SQL} ALTER COLUMN "who's" TYPE text USING 'moved ' || "who's"`],
    ['columns exchange their names', EXCHANGED],
    ['a column is added', `ALTER TABLE ${SQL} ADD COLUMN paid text DEFAULT 'yes'`],
  ])(
    'killed when both are proved equal, it opens the source if %s meanwhile',
    { timeout: 120_000 },
    async (_, alter) => {
      const stage = await twoStage(server, 200)
      const child = startCopy(twoCutover(stage), { killedBy: { type: 'cutover.step', times: 3 } })
      expect((await child.ended).signal).toBe('SIGKILL')
      expect([await isOpen(stage.source), await statuses(stage)]).toEqual([false, ['proved']])
      const owner = await psql(stage.source.url)
      await owner.run(alter)
      await owner.close()
      const ran = await perform(twoCutover(stage))
      await expectRefused(stage, ran)
      expect(steps(ran.events)).toContain('taken back')
    },
  )

  test('a failing hook leaves the cutover as it is, and runs again', { timeout: 120_000 }, async () => {
    const stage = await twoStage(server, 200)
    // A constraint that the target could no longer enforce is refused before.
    await stage.source.sql(`ALTER TABLE ${SQL} ADD CONSTRAINT apart EXCLUDE USING btree (id WITH =, qty WITH =)`)
    const { events: found } = await perform(twoCutover(stage, { dryRun: true }))
    const refused = { verdict: 'refused', about: 'exclusion', object: 'apart' }
    expect(found.filter((event) => 'verdict' in event)).toContainEqual(expect.objectContaining(refused))
    await stage.source.sql(`ALTER TABLE ${SQL} DROP CONSTRAINT apart`)
    const writer = startTwoWriter(stage, 7, 2)
    const failed = await perform(twoCutover(stage, { onSwitch: 'exit 7' }))
    expect(failed.finished).toMatchObject({ exitCode: 1, error: { code: 'HOOK_FAILED' }, totals: { switched: '1' } })
    expect(failed.finished.error?.message).toBe('the command of --on-switch ended with 7')
    expect(await statuses(stage)).toEqual(['switched'])
    const { finished, events } = await perform(twoCutover(stage))
    expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0, totals: { switched: '0' } })
    expect(steps(events)).toEqual(['done before', 'announced', 'cleaned up'])
    await expectMoved(stage, writer, 7)
  })

  test('of two operators one cuts over, the other is refused or finds it done', { timeout: 120_000 }, async () => {
    const stage = await twoStage(server, 200)
    const probe = startProbe(stage)
    const writer = startTwoWriter(stage, 21, 2)
    const both = await Promise.all([1, 2].map(() => startCopy(twoCutover(stage)).ended))
    const ends = both.map(({ finished }) => finished?.error?.code ?? finished?.totals['switched'])
    expect(ends).toContain('1')
    for (const end of ends) expect(['1', '0', 'LEDGER_BUSY', 'LEASE_LOST']).toContain(end)
    await probe.stop()
    await expectMoved(stage, writer, 21)
  })

  test.runIf(ALL).each(['source', 'target'] as const)(
    'a cutover survives if the server of the %s is killed while the source is closed',
    { timeout: 180_000 },
    async (side) => {
      const stage = await twoStage(server, 200, other)
      const probe = startProbe(stage)
      const writer = startTwoWriter(stage, 31, 2)
      const child = startCopy(twoCutover(stage), { frozenBy: { type: 'cutover.step', times: 2 } })
      await untilStep(child, 'closed')
      const which = side === 'source' ? server : other
      await which.kill9()
      child.process.kill('SIGCONT')
      await sleep(1000)
      await which.restart()
      const { finished } = await child.ended
      if (finished?.exitCode !== 0) {
        const again = await perform(twoCutover(stage))
        expect(again.finished, JSON.stringify(again.finished.error)).toMatchObject({ exitCode: 0 })
      }
      await probe.stop()
      await expectMoved(stage, writer, 31)
    },
  )
})
