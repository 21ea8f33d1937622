/** Triggers and rules of plain tables: the plan names them, and none changes an archived or restored row. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandsOf, makeBookings, TABLE } from '../support/archive-places.ts'
import { copyOf, makePlace, missing, perform, type Place, type Ran, type System } from '../support/copy-systems.ts'
import type { Operation } from '../../src/app/operations/list.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-triggers-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const messages = ({ events }: Ran): string =>
  events.flatMap((event) => (event.type === 'log' ? [event.message] : [])).join('\n')
const dry = (operation: Operation): Operation => ({ ...operation, dryRun: true }) as Operation

async function bookings(system: System, ...more: readonly string[]) {
  const place = await makePlace(system, folder)
  const archived = await makeBookings(place, 'plain', mkdtempSync(join(folder, 'to-')), 20)
  await place.sql('CREATE TABLE audit (id bigint)', ...more)
  return { place, commands: commandsOf(archived) }
}
const all = (place: Place) => place.rows(`SELECT id, at, note, amount FROM ${TABLE} ORDER BY id`)
const audited = (place: Place) => place.rows('SELECT count(*) FROM audit')

const why = await missing('postgresql')
describe.skipIf(why !== '')(`PostgreSQL${why}`, { timeout: 60_000 }, () => {
  const FUNCTIONS = [
    `CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note = 'touched'; RETURN NEW; END $$`,
    `CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit VALUES (coalesce(OLD.id, NEW.id)); RETURN NULL; END $$`,
  ]
  const TOUCH = `CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON ${TABLE} FOR EACH ROW EXECUTE FUNCTION touch()`
  const NOTED = `CREATE TRIGGER noted AFTER INSERT OR DELETE ON ${TABLE} FOR EACH ROW EXECUTE FUNCTION noted()`

  test('no trigger and no rule fires if the role may disable them', async () => {
    const { place, commands } = await bookings(
      'postgresql',
      ...FUNCTIONS,
      TOUCH,
      NOTED,
      `CREATE RULE kept AS ON DELETE TO ${TABLE} DO INSTEAD NOTHING`,
    )
    const before = await all(place)
    const plan = await perform(dry(commands.run))
    expect(messages(plan)).toContain('rule kept, trigger touch, trigger noted: not run')
    expect((await perform(commands.run)).finished).toMatchObject({ exitCode: 0 })
    expect((await perform(commands.drop)).finished).toMatchObject({ exitCode: 0, totals: { dropped: '2' } })
    expect(await all(place)).toHaveLength(20)
    expect((await perform(commands.restore)).finished).toMatchObject({ exitCode: 0 })
    expect(await all(place)).toEqual(before)
    expect(await audited(place)).toEqual([['0']])
    // They were not disabled in another session.
    await place.sql(`INSERT INTO ${TABLE} VALUES (1000000, '2090-02-01', 'mine', 1)`)
    expect((await all(place)).at(-1)?.[2]).toBe('touched')
  })

  test('with foreign keys, or if it always fires, a trigger that changes rows is refused in the plan', async () => {
    const { place, commands } = await bookings('postgresql', ...FUNCTIONS, TOUCH)
    await place.sql(`CREATE TABLE photos (of_id bigint REFERENCES ${TABLE})`)
    const before = await all(place)
    for (const operation of [dry(commands.run), commands.run]) {
      const { error } = (await perform(operation)).finished
      expect(error).toMatchObject({ code: 'TABLE_REFUSED' })
      expect(error?.message).toContain('trigger touch')
    }
    await place.sql('DROP TABLE photos', `ALTER TABLE ${TABLE} ENABLE ALWAYS TRIGGER touch`)
    expect((await perform(commands.run)).finished.error).toMatchObject({ code: 'TABLE_REFUSED' })
    expect(await all(place)).toEqual(before)
  })

  test('the restore names a trigger that changes its row afterwards, with advice', async () => {
    const { place, commands } = await bookings(
      'postgresql',
      `CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE ${TABLE} SET note = note || '!' WHERE id = NEW.id; RETURN NULL; END $$`,
      `CREATE TRIGGER later AFTER INSERT ON ${TABLE} FOR EACH ROW EXECUTE FUNCTION later()`,
      `ALTER TABLE ${TABLE} ENABLE ALWAYS TRIGGER later`,
    )
    const before = await all(place)
    expect((await perform(commands.run)).finished).toMatchObject({ exitCode: 0 })
    expect((await perform(commands.drop)).finished).toMatchObject({ exitCode: 0 })
    const after = await all(place)
    const { finished } = await perform({ ...commands.restore, partitions: ['2020-Q1'] } as Operation)
    expect(finished.error).toMatchObject({
      code: 'PARTITION_CHANGED',
      message: expect.stringMatching(/other values after trigger later fired$/) as string,
      hint: expect.stringContaining('--into NEW_TABLE') as string,
    })
    expect(await all(place)).toEqual(after)
    await place.sql(`ALTER TABLE ${TABLE} DISABLE TRIGGER later`)
    expect((await perform(commands.restore)).finished).toMatchObject({ exitCode: 0 })
    expect(await all(place)).toEqual(before)
  })

  test('with foreign keys, a trigger that only records rows is named, and fires', async () => {
    const { place, commands } = await bookings('postgresql', ...FUNCTIONS, NOTED)
    await place.sql(`CREATE TABLE photos (of_id bigint REFERENCES ${TABLE})`)
    expect(messages(await perform(dry(commands.run)))).toMatch(
      /trigger noted: run for each removed or restored row; its function was not read, and may change rows that stay/,
    )
    await perform(commands.run)
    expect((await perform(commands.drop)).finished).toMatchObject({ exitCode: 0 })
    expect(await audited(place)).toEqual([['40']])
  })

  test('a trigger of replicas does not fire, and the others fire once', async () => {
    const { place, commands } = await bookings(
      'postgresql',
      ...FUNCTIONS,
      NOTED,
      `CREATE TRIGGER replicated AFTER INSERT OR DELETE ON ${TABLE} FOR EACH ROW EXECUTE FUNCTION noted()`,
      `ALTER TABLE ${TABLE} ENABLE REPLICA TRIGGER replicated`,
    )
    const plan = messages(await perform(dry(commands.run)))
    expect(plan).toMatch(/trigger noted: run for each removed or restored row/)
    expect(plan).not.toContain('replicated')
    await perform(commands.run)
    expect((await perform(commands.drop)).finished).toMatchObject({ exitCode: 0 })
    expect(await audited(place)).toEqual([['40']])
  })

  test('a deferrable key refuses a restored row, too', async () => {
    const { place, commands } = await bookings('postgresql', ...FUNCTIONS, NOTED)
    await place.sql(
      `UPDATE ${TABLE} SET note = id`,
      `ALTER TABLE ${TABLE} ADD CONSTRAINT late UNIQUE (note) DEFERRABLE`,
    )
    await perform(commands.run)
    expect((await perform(commands.drop)).finished).toMatchObject({ exitCode: 0 })
    await place.sql(`INSERT INTO ${TABLE} VALUES (1000000, '2090-02-01', '1', 1)`)
    expect((await perform(commands.restore)).finished).toMatchObject({ status: 'failed' })
    expect(await place.rows(`SELECT id FROM ${TABLE} WHERE note = '1'`)).toEqual([['1000000']])
  })
})

describe.skipIf(why !== '')(`PostgreSQL, native${why}`, { timeout: 60_000 }, () => {
  test('the plan names triggers that fire for rows restored among others or into another table', async () => {
    const place = await makePlace('postgresql', folder)
    const archived = await makeBookings(place, 'native', mkdtempSync(join(folder, 'to-')), 20)
    const commands = commandsOf(archived)
    await place.sql('CREATE TABLE audit (id bigint)')
    const before = await all(place)
    expect((await perform(commands.run)).finished).toMatchObject({ exitCode: 0 })
    expect((await perform(commands.drop)).finished).toMatchObject({ exitCode: 0 })
    await place.sql(
      `CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note = 'touched'; RETURN NEW; END $$`,
      `CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit VALUES (NEW.id); RETURN NULL; END $$`,
      `CREATE TABLE ${TABLE}_again PARTITION OF ${TABLE} FOR VALUES FROM ('2020-01-01') TO ('2020-04-01')`,
      `CREATE TRIGGER touch BEFORE INSERT ON ${TABLE} FOR EACH ROW EXECUTE FUNCTION touch()`,
      `CREATE TABLE elsewhere (LIKE ${TABLE} INCLUDING ALL)`,
      `CREATE TRIGGER noted AFTER INSERT ON elsewhere FOR EACH ROW EXECUTE FUNCTION noted()`,
    )
    const into = { ...commands.restore, into: 'elsewhere' } as Operation
    for (const operation of [dry(into), into]) {
      const ran = await perform(operation)
      expect(messages(ran)).toContain('trigger noted: run for each row')
      expect(ran.finished).toMatchObject({ exitCode: 0 })
    }
    expect(await audited(place)).toEqual([['40']])
    expect(messages(await perform(dry(commands.restore)))).toContain('trigger touch: not run')
    expect((await perform(commands.restore)).finished).toMatchObject({ exitCode: 0 })
    expect(await all(place)).toEqual(before)
  })
})

describe.skipIf(why !== '')(`PostgreSQL, triggers of a partition's own${why}`, { timeout: 90_000 }, () => {
  test.each(['native', 'divided'] as const)('a restore moves late rows unchanged, %s', async (form) => {
    const place = await makePlace('postgresql', folder)
    const archived = await makeBookings(place, form, mkdtempSync(join(folder, 'to-')), 20)
    const commands = commandsOf(archived)
    const at = form === 'native' ? [`${TABLE}_0`] : [`${TABLE}_0_a`, 'side.low', `${TABLE}_0_high`]
    await place.sql(
      `CREATE TABLE ${TABLE}_rest PARTITION OF ${TABLE} DEFAULT`,
      'CREATE TABLE audit (id bigint)',
      `CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note = 'touched'; RETURN NEW; END $$`,
      `CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit VALUES (1); RETURN NULL; END $$`,
      ...at.flatMap((table) => [
        `CREATE TRIGGER touch BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION touch()`,
        `CREATE TRIGGER noted AFTER INSERT ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION noted()`,
        `CREATE TRIGGER each AFTER INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION noted()`,
        `ALTER TABLE ${table} ENABLE ALWAYS TRIGGER touch`,
      ]),
    )
    expect((await perform(commands.run)).finished).toMatchObject({ exitCode: 0 })
    await place.sql(`INSERT INTO ${TABLE} VALUES (90001, '2020-02-02', 'Late', 1), (90002, '2020-02-03', NULL, 2)`)
    const back = await perform({ ...commands.restore, partitions: ['2020-Q1'] } as Operation)
    expect(back.finished).toMatchObject({ exitCode: 0 })
    expect(await place.rows(`SELECT id, note FROM ${TABLE}_0 WHERE id > 90000 ORDER BY id`)).toEqual([
      ['90001', 'Late'],
      ['90002', null],
    ])
    expect(await audited(place)).toEqual([['0']])
    // They fire again after the restore.
    await place.sql(`INSERT INTO ${TABLE} VALUES (90003, '2020-02-04', 'mine', 1)`)
    expect(await place.rows(`SELECT note FROM ${TABLE} WHERE id = 90003`)).toEqual([['touched']])
    expect(await audited(place)).toEqual([['1']])
  })

  test('an erasure names triggers and rules of partitions, detached by a run or by hand, and attached', async () => {
    const place = await makePlace('postgresql', folder)
    const archived = await makeBookings(place, 'native', mkdtempSync(join(folder, 'to-')), 20)
    const { run } = commandsOf(archived)
    await place.sql(
      'CREATE TABLE audit (id bigint)',
      `CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit VALUES (OLD.id); RETURN NULL; END $$`,
      `CREATE TRIGGER of_all AFTER DELETE ON ${TABLE} FOR EACH ROW EXECUTE FUNCTION gone()`,
      `ALTER TABLE ${TABLE} ENABLE ALWAYS TRIGGER of_all`,
      `CREATE TRIGGER own AFTER DELETE ON ${TABLE}_0 FOR EACH ROW EXECUTE FUNCTION gone()`,
      `ALTER TABLE ${TABLE}_0 ENABLE ALWAYS TRIGGER own`,
      `CREATE RULE also AS ON DELETE TO ${TABLE}_1 DO ALSO INSERT INTO audit VALUES (OLD.id)`,
      `ALTER TABLE ${TABLE}_1 ENABLE ALWAYS RULE also`,
    )
    const erase: Operation = {
      kind: 'archive-erase',
      from: place.url,
      table: TABLE,
      where: 'id IN (3, 100003)',
      reason: 'T-1',
      confirm: TABLE,
      dryRun: true,
    }
    const named = async (): Promise<readonly string[]> =>
      (await perform(erase)).events.flatMap((event) =>
        event.type === 'log' && event.message.includes('may fire for each erased row')
          ? [`${event.table ?? ''}: ${event.message.replace(/: may.*/, '')}`]
          : [],
      )
    const both = 'public.bookings: trigger of_all, trigger own'
    expect((await perform({ ...run, detach: false } as Operation)).finished).toMatchObject({ exitCode: 0 })
    expect(await named()).toEqual([both, 'public.bookings_1: rule also'])
    await place.sql(`ALTER TABLE ${TABLE} DETACH PARTITION ${TABLE}_1`)
    const rest = 'public.bookings: trigger of_all'
    expect(await named()).toEqual([both, 'public.bookings_1: rule also'])
    await place.sql(`ALTER TABLE ${TABLE} ATTACH PARTITION ${TABLE}_1 FOR VALUES FROM ('2020-04-01') TO ('2020-07-01')`)
    expect((await perform({ ...run, partitions: ['2020-Q1'] } as Operation)).finished).toMatchObject({ exitCode: 0 })
    expect(await named()).toEqual([
      rest,
      expect.stringMatching(/^sluice_archived\.bookings_0_\d+: trigger own$/),
      'public.bookings_1: rule also',
    ])
    const { finished } = await perform({ ...erase, where: 'id = 3', dryRun: false })
    expect(finished).toMatchObject({ exitCode: 0, totals: { sourceRows: '1' } })
    expect(finished.notChecked).toMatch(/rows that trigger own of sluice_archived\.bookings_0_\d+ wrote elsewhere/)
    expect(await place.rows('SELECT DISTINCT id FROM audit ORDER BY 1')).toEqual([['3']])
  })
})

describe.skipIf(why !== '')(`PostgreSQL, at the end of the transaction${why}`, { timeout: 60_000 }, () => {
  test.each(['attached', 'dropped'] as const)(
    'a deferred trigger changes no row after its comparison: %s',
    async (state) => {
      const place = await makePlace('postgresql', folder)
      const archived = await makeBookings(place, 'native', mkdtempSync(join(folder, 'to-')), 20)
      const commands = commandsOf(archived)
      // Because of the foreign key, triggers cannot be disabled.
      await place.sql(
        `CREATE TABLE photos (b_id bigint, b_at timestamp(0), FOREIGN KEY (b_id, b_at) REFERENCES ${TABLE})`,
      )
      const before = await all(place)
      expect((await perform(commands.run)).finished).toMatchObject({ exitCode: 0 })
      if (state === 'dropped') expect((await perform(commands.drop)).finished).toMatchObject({ exitCode: 0 })
      await place.sql(
        `CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE ${TABLE} SET note = 'touched' WHERE id = NEW.id; RETURN NULL; END $$`,
        `CREATE TABLE ${TABLE}_again PARTITION OF ${TABLE} FOR VALUES FROM ('2020-01-01') TO ('2020-04-01')`,
        `CREATE CONSTRAINT TRIGGER touch AFTER INSERT ON ${TABLE} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION touch()`,
      )
      const left = await all(place)
      const back = { ...commands.restore, partitions: ['2020-Q1'] } as Operation
      expect((await perform(back)).finished.error).toMatchObject({ code: 'PARTITION_CHANGED' })
      expect(await all(place)).toEqual(left)
      await place.sql(`DROP FUNCTION touch() CASCADE`)
      expect((await perform(commands.restore)).finished).toMatchObject({ exitCode: 0 })
      expect(await all(place)).toEqual(before)
    },
  )
})

describe.skipIf(why !== '')(
  `PostgreSQL, a plain table at the end of the transaction${why}`,
  { timeout: 60_000 },
  () => {
    const LATE = [
      `CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE ${TABLE} SET note = 'touched' WHERE id = NEW.id; RETURN NULL; END $$`,
      `CREATE CONSTRAINT TRIGGER touch AFTER INSERT ON ${TABLE} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION touch()`,
    ]

    test('a deferred trigger changes no restored row after its comparison', async () => {
      const { place, commands } = await bookings('postgresql')
      await place.sql(`CREATE TABLE photos (of_id bigint REFERENCES ${TABLE})`)
      const before = await all(place)
      expect((await perform(commands.run)).finished).toMatchObject({ exitCode: 0 })
      expect((await perform(commands.drop)).finished).toMatchObject({ exitCode: 0 })
      await place.sql(...LATE)
      const left = await all(place)
      const { error } = (await perform({ ...commands.restore, partitions: ['2020-Q1'] } as Operation)).finished
      expect(error).toMatchObject({
        code: 'PARTITION_CHANGED',
        message: expect.stringMatching(/other values after trigger touch fired$/) as string,
      })
      expect(await all(place)).toEqual(left)
      await place.sql('DROP FUNCTION touch() CASCADE')
      expect((await perform(commands.restore)).finished).toMatchObject({ exitCode: 0 })
      expect(await all(place)).toEqual(before)
    })

    test('a copy into a table with a deferred trigger does not report changed rows as equal', async () => {
      const { place } = await bookings('postgresql')
      const target = await makePlace('postgresql', folder)
      await target.sql(
        `CREATE TABLE ${TABLE} (id bigint PRIMARY KEY, at timestamp(0) NOT NULL, note varchar(400), amount numeric(12,2))`,
        ...LATE,
      )
      const { finished } = await perform(copyOf(place, target, TABLE, { onExisting: 'append' }))
      const same = JSON.stringify(await all(target)) === JSON.stringify(await all(place))
      expect({ ok: finished.exitCode === 0, same }).toEqual({ ok: same, same })
    })
  },
)

const TOUCHES: Readonly<Record<'mysql' | 'sqlite', string>> = {
  mysql: `CREATE TRIGGER touch BEFORE INSERT ON ${TABLE} FOR EACH ROW SET NEW.note = 'touched'`,
  sqlite: `CREATE TRIGGER touch AFTER INSERT ON ${TABLE} BEGIN UPDATE ${TABLE} SET note = 'touched' WHERE id = NEW.id; END`,
}
const NOTES: Readonly<Record<'mysql' | 'sqlite', string>> = {
  mysql: `CREATE TRIGGER noted AFTER DELETE ON ${TABLE} FOR EACH ROW INSERT INTO audit VALUES (OLD.id)`,
  sqlite: `CREATE TRIGGER noted AFTER DELETE ON ${TABLE} BEGIN INSERT INTO audit VALUES (OLD.id); END`,
}
for (const system of ['mysql', 'sqlite'] as const) {
  const absent = await missing(system)
  describe.skipIf(absent !== '')(`${system}${absent}`, { timeout: 60_000 }, () => {
    test('the plan refuses a trigger that changes rows, and names one that only records them', async () => {
      const { place, commands } = await bookings(system, TOUCHES[system], NOTES[system])
      const before = await all(place)
      for (const operation of [dry(commands.run), commands.run])
        expect((await perform(operation)).finished.error).toMatchObject({ code: 'TABLE_REFUSED' })
      await place.sql('DROP TRIGGER touch')
      expect(messages(await perform(dry(commands.run)))).toContain(
        'trigger noted: run for each removed or restored row',
      )
      await perform(commands.run)
      expect((await perform(commands.drop)).finished).toMatchObject({ exitCode: 0 })
      await place.sql(TOUCHES[system])
      const refused = await perform(commands.restore)
      expect(refused.finished.error).toMatchObject({ code: 'TABLE_REFUSED' })
      expect(refused.finished.error?.hint).toContain('drop it')
      await place.sql('DROP TRIGGER touch')
      expect((await perform(commands.restore)).finished).toMatchObject({ exitCode: 0 })
      expect(await all(place)).toEqual(before)
    })

    test('an erasure names triggers that fire for its rows, and does not claim to erase what they wrote', async () => {
      const { place, commands } = await bookings(system, NOTES[system])
      expect((await perform(commands.run)).finished).toMatchObject({ exitCode: 0 })
      const [[note] = []] = await place.rows(`SELECT note FROM ${TABLE} WHERE id = 19`)
      const erase: Operation = {
        kind: 'archive-erase',
        from: place.url,
        table: TABLE,
        where: `note = '${String(note)}'`,
        reason: 'T-1',
        confirm: TABLE,
        dryRun: false,
      }
      for (const operation of [{ ...erase, dryRun: true }, erase]) {
        const ran = await perform(operation)
        expect(ran.finished).toMatchObject({ exitCode: 0 })
        expect(messages(ran)).toContain('trigger noted: may fire for each erased row')
      }
      const again = await perform({ ...erase, reason: 'T-2' })
      expect(again.finished.notChecked).toContain('rows that trigger noted of')
    })
  })
}

describe('sqlite, in several transactions', { timeout: 60_000 }, () => {
  const refusal = async (...more: readonly string[]): Promise<string> => {
    const { place, commands } = await bookings('sqlite', 'CREATE TABLE aud (a)', 'CREATE TABLE more (a)', ...more)
    const ran = await perform(dry(commands.run))
    expect((await all(place)).length).toBe(60)
    return ran.finished.error?.message ?? messages(ran)
  }
  const OWN = `UPDATE ${TABLE} SET note = 'touched' WHERE id = NEW.a`

  test.each<readonly [string, readonly string[], RegExp]>([
    [
      'a trigger of the table that it writes into',
      [
        `CREATE TRIGGER noted AFTER DELETE ON ${TABLE} BEGIN INSERT INTO "AUD" VALUES (OLD.id + 1); END`,
        `CREATE TRIGGER back AFTER INSERT ON aud BEGIN ${OWN}; END`,
      ],
      /^rows of .* cannot be restored unchanged: trigger noted \(through aud\) may change or reject them/,
    ],
    [
      'two tables, and an upsert',
      [
        `CREATE TRIGGER noted AFTER INSERT ON ${TABLE} BEGIN INSERT INTO aud VALUES (NEW.id) ON CONFLICT DO UPDATE SET a = 1; END`,
        `CREATE TRIGGER on_1 AFTER UPDATE OF a ON aud BEGIN REPLACE INTO [more] VALUES (NEW.a); END`,
        `CREATE TRIGGER on_2 BEFORE DELETE ON more BEGIN UPDATE OR IGNORE \`Bookings\` SET note = 'x'; END`,
      ],
      /: trigger noted \(through aud, more\) may/,
    ],
    [
      'a foreign key that takes rows along',
      [
        `CREATE TABLE parent (id INTEGER PRIMARY KEY)`,
        `CREATE TABLE child (id REFERENCES parent ON DELETE CASCADE)`,
        `CREATE TRIGGER noted AFTER DELETE ON ${TABLE} BEGIN DELETE FROM parent WHERE id = OLD.id; END`,
        `CREATE TRIGGER back AFTER DELETE ON child BEGIN DELETE FROM ${TABLE} WHERE id = OLD.id; END`,
      ],
      /: trigger noted \(through parent, child\) may/,
    ],
    [
      'a trigger that fires for another statement',
      [
        `CREATE TRIGGER noted AFTER DELETE ON ${TABLE} BEGIN INSERT INTO aud VALUES (OLD.id); END`,
        `CREATE TRIGGER back AFTER DELETE ON aud BEGIN DELETE FROM ${TABLE} WHERE id = OLD.a; END`,
      ],
      /trigger noted: run for each removed or restored row/,
    ],
    [
      'names that hold the name of the table, texts and comments',
      [
        `CREATE TABLE ${TABLE}_log (${TABLE}, n)`,
        `CREATE TRIGGER noted AFTER DELETE ON ${TABLE} WHEN OLD.note <> 'update ${TABLE}' BEGIN
           -- UPDATE ${TABLE} SET note = NULL
           INSERT INTO ${TABLE}_log (${TABLE}, n) SELECT 'delete from ${TABLE}', count(*) FROM ${TABLE}; END`,
      ],
      /trigger noted: run for each removed or restored row/,
    ],
  ])('%s', async (_name, statements, text) => {
    expect(await refusal(...statements)).toMatch(text)
  })
})

const noMaria = await missing('mysql')
describe.skipIf(noMaria !== '')(`MariaDB${noMaria}`, { timeout: 60_000 }, () => {
  test('the server refuses a trigger that changes its table through another one, and no row is removed', async () => {
    const { place, commands } = await bookings(
      'mysql',
      `CREATE TRIGGER noted AFTER DELETE ON ${TABLE} FOR EACH ROW INSERT INTO audit VALUES (OLD.id + 1)`,
      `CREATE TRIGGER back AFTER INSERT ON audit FOR EACH ROW UPDATE ${TABLE} SET note = 'touched' WHERE id = NEW.id`,
    )
    const before = await all(place)
    expect((await perform(commands.run)).finished).toMatchObject({ exitCode: 0 })
    const refused = await perform(commands.drop)
    expect(JSON.stringify(refused.events)).toContain(`Can't update table '${TABLE}'`)
    expect(await all(place)).toEqual(before)
  })

  test('an erasure refuses a table that keeps deleted rows, and the plan of an archive warns of it', async () => {
    const { place, commands } = await bookings('mysql')
    await place.sql(`ALTER TABLE ${TABLE} ADD SYSTEM VERSIONING`)
    expect(messages(await perform(dry(commands.run)))).toContain('stay in the database as history')
    expect((await perform(commands.run)).finished).toMatchObject({ exitCode: 0 })
    const erased = await perform({
      kind: 'archive-erase',
      from: place.url,
      table: TABLE,
      where: 'id = 19',
      reason: 'T-1',
      confirm: TABLE,
      dryRun: false,
    })
    expect(erased.finished.error).toMatchObject({ code: 'TABLE_REFUSED' })
    expect(erased.finished.error?.hint).toContain('DELETE HISTORY FROM')
    expect(await place.rows(`SELECT count(*) FROM ${TABLE} WHERE id = 19`)).toEqual([['1']])
  })
})
