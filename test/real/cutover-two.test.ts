/**
 * Writers move from one database to another, back, and forward again, while an observer reads: each booking exists
 * once, and both sides are never open together.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Event } from '../../src/model/run/event.ts'
import { perform, type Place } from '../support/copy-systems.ts'
import { psql, type Psql } from './copy-postgresql-kit.ts'
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
  type TwoWriter,
} from '../support/two-stage.ts'
import { of } from '../fault/copy-kit.ts'

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

async function more(writer: TwoWriter, statements: number): Promise<void> {
  const seen = writer.committed()
  while (writer.committed() < seen + statements) await sleep(10)
}

async function rowsOf(place: Place): Promise<readonly (string | null)[]> {
  return (await place.rows(`SELECT t::text FROM ${SQL} t ORDER BY 1`)).map(([row]) => row ?? null)
}

describe.skipIf(!POSTGRES_OWN)(`a cutover between two databases ${POSTGRES_MISSING}`, () => {
  test('moves forward, back and forward again while all writers write', { timeout: 240_000 }, async () => {
    const stage = await twoStage(server, 400)
    const { source, target } = stage
    const probe = startProbe(stage)
    const waits: string[] = []
    for (const [turn, revert] of [false, true, false].entries()) {
      const writer = startTwoWriter(stage, 3 + turn)
      const observer = startTwoObserver(stage, 400, writer)
      await more(writer, 30)
      const { finished, events } = await perform(twoCutover(stage, { revert }))
      expect(finished, JSON.stringify([finished.error, events.slice(-5)])).toMatchObject({
        exitCode: 0,
        totals: { switched: '1' },
      })
      const [open, closed] = revert ? [source, target] : [target, source]
      expect(addressIn(stage).url).toBe(open.url)
      await more(writer, 30)
      const changed = await writer.stop()
      expect(await observer.stop()).toBeGreaterThan(0)
      const [reported] = of(events, 'cutover.switched')
      expect(reported).toMatchObject({ table: `public.${TABLE}`, revert })
      waits.push(`${reported?.pauseMs} ms of the switch, ${Math.round(writer.longestMs())} ms of a writer`)
      expect(reported?.pauseMs).toBeLessThan(10_000)
      const steps = of(events, 'cutover.step').map(({ step }) => step)
      for (const step of ['closing', 'closed', 'proved', 'opened', 'announced', 'cleaned up'])
        expect(steps).toContain(step)
      // The closed side follows the open one, and is equal.
      const stream = reported?.stream ?? ''
      const caught = await perform({
        kind: 'follow',
        stream,
        from: open.url,
        to: closed.url,
        end: false,
        untilCaughtUp: true,
        untilEqual: false,
      })
      expect(caught.finished, JSON.stringify(caught.finished.error)).toMatchObject({ exitCode: 0 })
      const there = new Map(
        (await open.rows(`SELECT id::text, qty::text FROM ${SQL} WHERE "who's" LIKE 's${3 + turn}.%'`)).map(
          ([id, qty]) => [id, Number(qty)],
        ),
      )
      expect(there).toEqual(changed)
      await expect(closed.sql(`DELETE FROM ${SQL}`)).rejects.toThrow(/is closed: its rows follow/)
      await expect(
        closed.sql(`SET session_replication_role TO replica; DELETE FROM ${SQL} WHERE id = 3`),
      ).rejects.toThrow(/is closed: its rows follow/)
    }
    expect(probe.isArmed()).toBe(true)
    expect(await probe.stop()).toBeGreaterThan(10)
    const last = await perform({
      kind: 'follow',
      stream: (await source.rows(`SELECT stream_id FROM migration_streams WHERE status = 'active'`))[0]?.[0] ?? '',
      from: target.url,
      to: source.url,
      end: false,
      untilCaughtUp: true,
      untilEqual: false,
    })
    expect(last.finished).toMatchObject({ exitCode: 0 })
    expect(await rowsOf(source)).toEqual(await rowsOf(target))
    process.stdout.write(`longest waits: ${waits.join('; ')}\n`)
    // All cutovers are done, and only the stream continues.
    expect(await target.rows('SELECT status FROM migration_switches ORDER BY turn')).toEqual([['done'], ['done']])
    expect(await source.rows('SELECT status FROM migration_switches ORDER BY turn')).toEqual([['done']])
  })

  test('copies a table that was altered since into the closed side, and goes back', { timeout: 240_000 }, async () => {
    const stage = await twoStage(server, 200)
    const { source, target } = stage
    const forward = await perform(twoCutover(stage))
    expect(forward.finished, JSON.stringify(forward.finished.error)).toMatchObject({ exitCode: 0 })
    const stream = of(forward.events, 'cutover.switched')[0]?.stream ?? ''
    await target.sql(`ALTER TABLE ${SQL} ADD COLUMN since int DEFAULT 7`, `UPDATE ${SQL} SET qty = 99 WHERE id = 3`)
    const back = { kind: 'follow', stream, from: target.url, to: source.url, end: false, untilCaughtUp: true, untilEqual: false } as const // prettier-ignore
    expect((await perform(back)).finished.error).toMatchObject({ code: 'STREAM_HALTED' })
    // What is printed for --revert names the database that has the reverse stream.
    const halted = await perform(twoCutover(stage, { revert: true }))
    expect(halted.finished.error).toMatchObject({ code: 'STREAM_HALTED' })
    expect(halted.finished.error?.hint).toMatch(
      new RegExp(`sluice follow ${stream} --from \\S+ --to \\S*${new URL(source.url).pathname}`),
    )
    // As the refusals advise.
    const pkey = (await source.rows(`SELECT conname FROM pg_constraint WHERE contype = 'p' AND conrelid = '${SQL.replaceAll("'", "''")}'::regclass`))[0]?.[0] // prettier-ignore
    await source.sql(
      `ALTER TABLE ${SQL} ADD COLUMN since int DEFAULT 7`,
      `ALTER TABLE ${SQL} DROP CONSTRAINT "${String(pkey).replaceAll('"', '""')}"`,
      `CREATE UNIQUE INDEX ON ${SQL} (id, created_at)`,
    )
    const again = await perform({ ...back, resync: [`public.${TABLE}`] })
    expect(again.finished, JSON.stringify(again.finished.error)).toMatchObject({ exitCode: 0 })
    await expect(source.sql(`DELETE FROM ${SQL}`)).rejects.toThrow(/is closed: its rows follow/)
    expect(await rowsOf(source)).toEqual(await rowsOf(target))
    await source.sql(`ALTER TABLE ${SQL} ADD PRIMARY KEY (id)`)
    const returned = await perform(twoCutover(stage, { revert: true }))
    expect(returned.finished, JSON.stringify(returned.finished.error)).toMatchObject({ exitCode: 0 })
    expect(await rowsOf(source)).toEqual(await rowsOf(target))
  })

  test('lets the closed database go after columns that both sides got later', { timeout: 240_000 }, async () => {
    const stage = await twoStage(server, 50)
    const { source, target } = stage
    const { finished, events } = await perform(twoCutover(stage))
    expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0 })
    const stream = of(events, 'cutover.switched')[0]?.stream ?? ''
    const sides = { from: source.url, to: target.url }
    const ended = { kind: 'follow', stream, from: target.url, to: source.url, end: true, untilCaughtUp: false, untilEqual: false } as const // prettier-ignore
    expect((await perform(ended)).finished.error).toBeUndefined()
    const retired = (): ReturnType<typeof perform> =>
      perform({ kind: 'partition-decommission-database', ...sides, leave: [], graceMs: 0, inactive: false, undo: false, budgetMs: 10_000, dryRun: true }) // prettier-ignore
    await source.sql(`ALTER TABLE ${SQL} ADD COLUMN since int`)
    expect((await retired()).finished.error?.code).toBe('PARTITION_REFUSED')
    await target.sql(`ALTER TABLE ${SQL} ADD COLUMN since int`)
    expect((await retired()).finished.error).toBeUndefined()
  })

  test(
    'opens the source again at the end of the budget, whatever its own sessions wait for',
    { timeout: 240_000 },
    async () => {
      const stage = await twoStage(server, 200)
      const { source, target } = stage
      const writer = startTwoWriter(stage, 9)
      await more(writer, 20)
      const [other, atSource] = [await psql(target.url), await psql(source.url)]
      const locked: Promise<void>[] = []
      const lock = async (side: Psql): Promise<void> => {
        await side.run(`BEGIN; LOCK TABLE ${SQL} IN ACCESS EXCLUSIVE MODE`)
        await sleep(9000)
        await side.run('COMMIT')
      }
      // The first try waits in the catch-up of the stream, the next one in the comparison.
      const at = ['closing', 'closing', 'closed']
      const { finished, events } = await perform(twoCutover(stage, { budgetMs: 2000 }), {
        onEvent: (event) => {
          if (event.type !== 'cutover.step' || event.step !== at[0]) return
          if (event.step === 'closed') void writer.stop()
          const side = event.step === 'closed' ? atSource : locked.length === 0 ? other : null
          if (side !== null) locked.push(lock(side))
          at.shift()
        },
      })
      await Promise.all(locked)
      await writer.stop()
      await other.close()
      await atSource.close()
      expect(finished, JSON.stringify([finished.error, events.slice(-5)])).toMatchObject({ exitCode: 0 })
      expect(at).toEqual([])
      const [reported] = of(events, 'cutover.switched')
      expect(reported?.tries).not.toBe('1')
      expect(reported?.pauseMs).toBeLessThan(6000)
      const why = of(events, 'cutover.step')
        .flatMap(({ step, detail }) => (step === 'released' ? [detail] : []))
        .join()
      expect(why).toContain('took longer than --pause-budget 2000 ms')
      // The rows that took too long were compared before the next try.
      const compared = Number(/comparing (\d+) changed rows/.exec(why)?.[1])
      expect(compared).toBeGreaterThan(10)
      expect(Number(reported?.touchedRows)).toBeLessThan(compared / 2)
      const stream = reported?.stream ?? ''
      const back = { kind: 'follow', stream, from: target.url, to: source.url, end: false, untilCaughtUp: true, untilEqual: false } as const // prettier-ignore
      expect((await perform(back)).finished).toMatchObject({ exitCode: 0 })
      expect(await rowsOf(source)).toEqual(await rowsOf(target))
    },
  )

  test('is refused while a row of the target has no parent, also if it came last', { timeout: 240_000 }, async () => {
    const stage = await twoStage(server, 100)
    const { source, target } = stage
    for (const place of [source, target]) {
      await place.sql(
        'CREATE TABLE guests (id bigint PRIMARY KEY)',
        `INSERT INTO guests SELECT id FROM ${SQL}`,
        `ALTER TABLE ${SQL} ADD CONSTRAINT "its guest" FOREIGN KEY (id) REFERENCES guests`,
      )
    }
    await source.sql('INSERT INTO guests VALUES (5000)', `INSERT INTO ${SQL} (id, created_at) VALUES (5000, '2025-02-01')`) // prettier-ignore
    const why = 'its guest of .* to public.guests, ON DELETE NO ACTION: 1 of its rows has no parent'
    for (const when of ['applied by the cutover', 'found before']) {
      const refused = await perform(twoCutover(stage))
      expect(refused.finished, when).toMatchObject({ error: { code: 'NOT_SWITCHABLE', message: expect.stringMatching(why) as string } }) // prettier-ignore
    }
    await target.sql('INSERT INTO guests VALUES (5000)')
    const made = await perform(twoCutover(stage))
    expect(made.finished, JSON.stringify(made.finished.error)).toMatchObject({ exitCode: 0 })
  })

  test('reports before and after the cutover why a revert would be refused', { timeout: 240_000 }, async () => {
    const stage = await twoStage(server, 100)
    const { source, target } = stage
    const next = async (place: Place): Promise<number> =>
      Number((await place.rows(`INSERT INTO ${SQL} (created_at) VALUES ('2025-02-01') RETURNING id`))[0]?.[0])
    await source.sql(
      `INSERT INTO ${SQL} (id, created_at) VALUES (5000, '2025-02-01')`,
      'CREATE TABLE guests (id bigint PRIMARY KEY)',
      `INSERT INTO guests SELECT id FROM ${SQL}`,
      `ALTER TABLE ${SQL} ADD CONSTRAINT "its guest" FOREIGN KEY (id) REFERENCES guests`,
    )
    const why = 'foreign key from it its guest is unchanged'
    const drop = `ALTER TABLE "public".${SQL} DROP CONSTRAINT "its guest"`
    const warned = (events: readonly Event[]): unknown[] => of(events, 'log').filter(({ level, message }) => level === 'warn' && message.endsWith(why)) // prettier-ignore
    // A key that the cutover itself needs is not called an obstacle of the way back.
    await target.sql('CREATE TABLE guests (id bigint PRIMARY KEY)')
    const lacking = await perform(twoCutover(stage, { dryRun: true }))
    expect(lacking.finished.error).toMatchObject({ code: 'NOT_SWITCHABLE' })
    expect(warned(lacking.events)).toEqual([])
    await target.sql('DROP TABLE guests')
    const dry = await perform(twoCutover(stage, { dryRun: true }))
    expect(dry.finished).toMatchObject({ exitCode: 0 })
    expect(of(dry.events, 'cutover.gate').find(({ name }) => name === 'reverse stream')?.detail).toContain(why)
    expect(warned(dry.events)).toMatchObject([{ hint: expect.stringContaining(drop) as string }])
    const { confirm: _confirm, ...unconfirmed } = twoCutover(stage)
    const asked = await perform(unconfirmed)
    expect(asked.finished.error).toMatchObject({ code: 'MISSING_CONFIRM', reason: expect.stringContaining(why) as string }) // prettier-ignore
    const made = await perform(twoCutover(stage))
    expect(made.finished, JSON.stringify(made.finished.error)).toMatchObject({ exitCode: 0 })
    expect(warned(made.events)).toHaveLength(1)
    expect(of(made.events, 'cutover.switched')).toMatchObject([{ refusedWhile: why }])
    // No sequence has given out these numbers.
    expect(await next(target)).toBeGreaterThan(5000)
    await target.sql(`INSERT INTO ${SQL} (id, created_at) VALUES (9000, '2025-02-01')`)
    const back = await perform(twoCutover(stage, { revert: true }))
    expect(back.finished).toMatchObject({ error: { code: 'NOT_SWITCHABLE', message: expect.stringContaining('its guest') as string } }) // prettier-ignore
    await source.sql(drop)
    const again = await perform(twoCutover(stage, { revert: true }))
    expect(again.finished, JSON.stringify(again.finished.error)).toMatchObject({ exitCode: 0 })
    // After the second cutover forward nothing blocks a revert.
    expect(of(again.events, 'cutover.switched').map(({ refusedWhile }) => refusedWhile)).toEqual([undefined])
    expect(await rowsOf(source)).toEqual(await rowsOf(target))
    expect(await next(source)).toBeGreaterThan(9000)
  })

  test(
    'is refused while row security and policies differ, whatever their names, and with a subscription into a partition',
    { timeout: 240_000 },
    async () => {
      const stage = await twoStage(server, 100)
      const { source, target } = stage
      await source.sql(
        'DO $$ BEGIN CREATE ROLE row_reader; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$',
        `ALTER TABLE ${SQL} ENABLE ROW LEVEL SECURITY`,
        `ALTER TABLE ${SQL} FORCE ROW LEVEL SECURITY`,
        `CREATE POLICY "own rows" ON ${SQL} AS RESTRICTIVE TO row_reader USING (id > 10)`,
      )
      await target.sql(
        `ALTER TABLE ${SQL} ENABLE ROW LEVEL SECURITY`,
        `CREATE POLICY "own rows" ON ${SQL} USING (id > 10)`,
      )
      const found = async (wanted = 'refused') =>
        of((await perform(twoCutover(stage, { dryRun: true }))).events, 'cutover.finding').filter(
          ({ verdict }) => verdict === wanted,
        )
      expect(await found()).toMatchObject([
        { about: 'row security for the owner' },
        {
          about: 'policy',
          object: 'own rows',
          detail: expect.stringContaining('AS RESTRICTIVE FOR ALL TO row_reader') as string,
        },
        {
          about: 'policy',
          object: 'own rows',
          detail: expect.stringContaining('AS PERMISSIVE FOR ALL TO PUBLIC') as string,
        },
      ])
      await target.sql(
        `ALTER TABLE ${SQL} FORCE ROW LEVEL SECURITY`,
        `DROP POLICY "own rows" ON ${SQL}`,
        `CREATE POLICY other ON ${SQL} AS RESTRICTIVE TO row_reader USING (id > 10)`,
      )
      expect(await found()).toEqual([])

      // A subscription into one partition: triggers do not close the table to it.
      await target.sql(
        "CREATE SUBSCRIPTION into_part CONNECTION '' PUBLICATION p WITH (connect = false, slot_name = NONE)",
      )
      await target.sql(
        `INSERT INTO pg_subscription_rel SELECT oid, '"h1 25"'::regclass, 'r', NULL FROM pg_subscription WHERE subname = 'into_part'`,
      )
      expect(await found()).toMatchObject([{ about: 'subscription', object: 'the target table' }])
      await target.sql('DELETE FROM pg_subscription_rel', 'DROP SUBSCRIPTION into_part')

      // Rights on columns, and the values that a type takes.
      await source.sql(
        `GRANT SELECT (id), REFERENCES (id) ON ${SQL} TO row_reader`,
        `GRANT UPDATE (id) ON ${SQL} TO PUBLIC`,
      )
      const grants = ['UPDATE (id) to PUBLIC', 'SELECT (id) to row_reader'].map((object) => ({
        about: 'grant',
        object,
      }))
      const granting = await found()
      expect(granting).toMatchObject(grants)
      await target.sql(...granting.map(({ hint }) => hint ?? ''))
      expect(await found()).toEqual([])
      for (const [place, sorts, equal] of [
        [source, '"C"', '"C"'],
        [target, '"POSIX"', 'any_case'],
      ] as const)
        await place.sql(
          "CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
          `ALTER TABLE ${SQL} ADD COLUMN sorted text COLLATE ${sorts}, ADD COLUMN alike text COLLATE ${equal}`,
        )
      expect(await found()).toMatchObject([
        {
          about: 'column',
          object: 'alike',
          detail: expect.stringContaining('takes different texts as equal') as string,
        },
      ])
      expect(await found('left')).toContainEqual(
        expect.objectContaining({ object: 'sorted', detail: expect.stringContaining('pg_catalog."POSIX"') as string }),
      )
      await target.sql(`ALTER TABLE ${SQL} DROP COLUMN alike`)
      await source.sql(`ALTER TABLE ${SQL} DROP COLUMN alike`)
      for (const [place, labels] of [
        [source, "'a', 'b'"],
        [target, "'a'"],
      ] as const)
        await place.sql(`CREATE TYPE mood AS ENUM (${labels})`, `ALTER TABLE ${SQL} ADD COLUMN feels mood[]`)
      expect(await found()).toMatchObject([
        {
          about: 'column',
          object: 'feels',
          detail: "it is public.mood[] ('a', 'b') in the source, and public.mood[] ('a') in the target",
        },
      ])
    },
  )

  test(
    'requests the reverse stream again if the server ended the session that was creating it',
    {
      timeout: 240_000,
    },
    async () => {
      const stage = await twoStage(server, 100)
      const { source, target } = stage
      const open = await psql(target.url)
      await open.run('BEGIN')
      await open.run('SELECT pg_current_xact_id()')
      let ended = 0
      const made = await perform(twoCutover(stage), {
        onEvent: (event) => {
          if (event.type !== 'log' || !event.message.includes('waits for open transactions') || ended++ > 0) return
          void endCreation(target).then(async () => {
            await open.run('COMMIT')
            await open.close()
          })
        },
      })
      expect(ended).toBeGreaterThan(0)
      expect(made.finished, JSON.stringify(made.finished.error)).toMatchObject({
        exitCode: 0,
        totals: { switched: '1' },
      })
      expect(await rowsOf(source)).toEqual(await rowsOf(target))
    },
  )
})

/** Ends each active session of other programs in the database, as a restart of its server does. */
async function endCreation(place: Place): Promise<void> {
  await place.rows(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle in transaction'`,
  )
}
