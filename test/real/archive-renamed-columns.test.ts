/**
 * A column of an archived table is gone, another one is new, and no run has happened since. Where the database does not
 * number its columns, no command guesses whether the column was renamed.
 */
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { wholeCommands } from '../../src/app/whole-commands/whole.ts'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import { shellWords } from '../../src/shared/shell-words.ts'
import { commandsOf, makeBookings, TABLE } from '../support/archive-places.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform, type Ran, type System } from '../support/copy-systems.ts'

type RunFinished = Ran['finished']

let folder: Folder
beforeAll(() => void (folder = temporaryFolder()))
afterAll(() => folder[Symbol.dispose]())

/** Rows with a note among the 60 rows of each of two archived quarters, and of one that is not archived. */
const NOTES = 51
const OLD = '2020-Q1'

/** Both quarters are archived; then the table is altered. */
async function archived(system: System, stage: 'published' | 'detached' | 'dropped', ...altered: readonly string[]) {
  const bookings = await makeBookings(
    await makePlace(system, folder.path),
    'plain',
    mkdtempSync(join(folder.path, 'to-')),
    60,
  )
  const { place } = bookings
  const commands = commandsOf(bookings)
  const done = async (operation: Operation): Promise<RunFinished> => {
    const { finished } = await perform(operation)
    expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0 })
    return finished
  }
  await done({ ...commands.run, detach: stage !== 'published' } as Operation)
  if (stage === 'dropped') await done(commands.drop)
  await place.sql(...altered)
  const query = (sql: string): Operation => ({ ...commands.query, query: sql }) as Operation
  const asked = async (sql: string): Promise<string> => {
    const { finished, events } = await perform(query(sql))
    if (finished.error !== undefined) return finished.error.code
    return events.flatMap((event) => (event.type === 'row' ? [event.values.map(String).join(' ')] : [])).join('; ')
  }
  const erase = { kind: 'archive-erase', from: place.url, table: TABLE, reason: 'r', confirm: TABLE } as const
  return {
    place,
    /** `archive run --table TABLE`, with nothing due. */
    bare: {
      kind: 'archive',
      from: place.url,
      tables: [TABLE],
      partitions: [],
      asText: [],
      detach: false,
      drop: false,
      dryRun: false,
    } satisfies Operation,
    asked,
    done,
    query,
    list: { kind: 'archive-list', from: place.url, tables: [], count: false } satisfies Operation,
    verify: commands.verify,
    /** Commands of a hint, as a run on this database prints them. */
    settling: async (finished: RunFinished): Promise<readonly Operation[]> => {
      expect(finished.error).toMatchObject({ code: 'PLAN_CHANGED' })
      const whole = wholeCommands(`sluice query ${TABLE} "SELECT 1" --from ${place.url}`)(finished.error?.hint ?? '')
      const words = whole.matchAll(/\bif [^,;]*, run sluice (archive run .*?)(?: \(|;)/g)
      return await Promise.all(
        [...words].map(async ([, command = '']) => {
          const { request } = await parseCommandLine(shellWords(command, {}), {})
          if (request.kind !== 'operation') throw new Error(`${command} is no operation`)
          return request.operation
        }),
      )
    },
    restore: (more: object = {}): Operation => ({ ...commands.restore, partitions: [OLD], ...more }) as Operation,
    erase: (where: string, dryRun = true): Operation => ({ ...erase, where, dryRun }),
    ended: async (operation: Operation): Promise<RunFinished> => (await perform(operation)).finished,
  }
}

const RENAMED = `ALTER TABLE ${TABLE} RENAME COLUMN note TO remark`
const REFUSED = { code: 'PLAN_CHANGED', message: expect.stringMatching(/note is missing, remark is new$/) as string }

describe.each(['sqlite', 'mysql'] as const)('%s', async (system) => {
  const why = await missing(system)

  test.skipIf(why !== '')(`query refuses such a column until a run declares it renamed${why}`, async () => {
    const { asked, ended, query, settling, done } = await archived(system, 'dropped', RENAMED)
    for (const sql of ['count(remark)', 'count(note)', '*', "count(*) FILTER (starts_with(remark, 'row'))"]) {
      expect(await ended(query(`SELECT ${sql} FROM ${TABLE}`)), sql).toMatchObject({ exitCode: 5, error: REFUSED })
    }
    expect(await asked(`SELECT count(*), count(amount) FROM ${TABLE}`)).toBe('180 144')
    // Rows of the table alone are certain.
    expect(await asked(`SELECT count(remark) FROM ${TABLE} s WHERE s."at" >= '2080-01-01'`)).toBe(String(NOTES))
    const [same] = await settling(await ended(query(`SELECT remark FROM ${TABLE}`)))
    expect(same).toMatchObject({ kind: 'archive', renamed: ['note=remark'] })
    if (same !== undefined) await done(same)
    expect(await asked(`SELECT count(remark) FROM ${TABLE}`)).toBe(String(NOTES * 3))
  })

  test.skipIf(why !== '')(`a dropped column can be declared dropped${why}`, async () => {
    const two = [
      `ALTER TABLE ${TABLE} DROP COLUMN note`,
      `ALTER TABLE ${TABLE} DROP COLUMN amount`,
      `ALTER TABLE ${TABLE} ADD COLUMN word varchar(9) DEFAULT 'x'`,
    ]
    const { asked, ended, query, settling, done, erase, restore, list, verify } = await archived(
      system,
      'dropped',
      ...two,
    )
    const [same, gone] = await settling(await ended(query(`SELECT word FROM ${TABLE}`)))
    // Both columns are texts in SQLite, and either may be the new one.
    expect(same).toMatchObject(
      system === 'sqlite' ? { renamed: ['OLD=NEW'] } : { renamed: ['note=word'], dropped: ['amount'] },
    )
    expect(gone).toMatchObject({ dropped: ['note', 'amount'] })
    const { error: unsure } = await ended(query(`SELECT word FROM ${TABLE}`))
    // The second --dropped applies only if the columns of a pair are the same one.
    if (system === 'mysql')
      expect(unsure?.hint).toMatch(/^if note is the same column, run sluice archive run [^;]* --dropped amount;/)
    // Commands that only read report it, too, and succeed.
    for (const reading of [list, verify]) {
      const { events, finished } = await perform(reading)
      expect(finished.exitCode, reading.kind).toBe(0)
      const warned = events.flatMap((event) => (event.type === 'log' && event.level === 'warn' ? [event] : []))
      expect(warned, reading.kind).toMatchObject([{ message: unsure?.message, hint: unsure?.hint }])
    }
    expect((await ended(erase("word = 'x'"))).error).toMatchObject({ code: 'PLAN_CHANGED' })
    if (gone !== undefined) await done(gone)
    expect(await asked(`SELECT count(*), count(word) FROM ${TABLE}`)).toBe('180 60')
    const other = await ended(restore())
    expect(other.error).toMatchObject({ code: 'PARTITION_CHANGED' })
    expect(other.error?.hint).toContain('--without note --without amount')
    await done(restore({ without: ['note', 'amount'] }))
    expect(await asked(`SELECT count(*), count(word) FROM ${TABLE}`)).toBe('180 120')
  })

  test.skipIf(why !== '')(`columns are paired by their types, not by their positions${why}`, async () => {
    const { ended, query, settling } = await archived(
      system,
      'dropped',
      `ALTER TABLE ${TABLE} DROP COLUMN note`,
      `ALTER TABLE ${TABLE} DROP COLUMN amount`,
      `ALTER TABLE ${TABLE} ADD COLUMN price decimal(18,2)`,
      `ALTER TABLE ${TABLE} ADD COLUMN word varchar(90)`,
    )
    const finished = await ended(query(`SELECT price FROM ${TABLE}`))
    const [same] = await settling(finished)
    // Both old columns are texts in SQLite.
    expect(same).toMatchObject(
      system === 'sqlite' ? { renamed: ['OLD=NEW'] } : { renamed: ['note=word', 'amount=price'] },
    )
    if (system === 'sqlite') expect(finished.error?.hint).toContain('for note one of word; for amount one of word')
  })

  test.skipIf(why !== '')(`no pair is offered if types match several columns${why}`, async () => {
    const { ended, query, settling } = await archived(
      system,
      'dropped',
      `ALTER TABLE ${TABLE} DROP COLUMN note`,
      `ALTER TABLE ${TABLE} ADD COLUMN word varchar(90)`,
      `ALTER TABLE ${TABLE} ADD COLUMN remark varchar(90)`,
    )
    const finished = await ended(query(`SELECT word FROM ${TABLE}`))
    expect(finished.error?.message).toMatch(/note is missing, word, remark are new$/)
    expect(finished.error?.hint).toContain('for note one of word, remark')
    const [same, other] = await settling(finished)
    expect([same, other]).toMatchObject([{ renamed: ['OLD=NEW'] }, { dropped: ['note'] }])
  })

  test.skipIf(why !== '')(`an option that settles one of two columns is repeated in the next hint${why}`, async () => {
    const { ended, done, query, asked, settling } = await archived(
      system,
      'dropped',
      RENAMED,
      `ALTER TABLE ${TABLE} RENAME COLUMN amount TO price`,
    )
    const [both] = await settling(await ended(query(`SELECT price FROM ${TABLE}`)))
    expect(both).toMatchObject({ renamed: system === 'sqlite' ? ['OLD=NEW'] : ['note=remark', 'amount=price'] })
    const one = await ended({ ...both, renamed: ['amount=price'] } as Operation)
    const [rest] = await settling(one)
    expect(rest).toMatchObject({ renamed: ['amount=price', 'note=remark'] })
    if (rest !== undefined) await done(rest)
    expect(await asked(`SELECT count(remark), count(price) FROM ${TABLE}`)).toBe(`${NOTES * 3} 144`)
  })

  test.skipIf(why !== '').each(['detached', 'dropped'] as const)(
    `restore of a %s partition drops no values until the column is declared${why}`,
    async (stage) => {
      const { ended, done, restore, settling, place, asked } = await archived(system, stage, RENAMED)
      for (const more of [{}, { without: ['note'] }, { dryRun: true }, { dryRun: true, without: ['note'] }]) {
        expect(await ended(restore(more)), JSON.stringify(more)).toMatchObject({ exitCode: 5, error: REFUSED })
      }
      expect(await asked(`SELECT count(*) FROM ${TABLE}`)).toBe('180')
      const [same] = await settling(await ended(restore()))
      if (same !== undefined) await done(same)
      await done(restore())
      const [[notes] = []] = await place.rows(`SELECT count(remark) FROM ${TABLE} WHERE at < '2020-04-01'`)
      expect(Number(notes)).toBe(NOTES)
      expect(await asked(`SELECT count(remark) FROM ${TABLE}`)).toBe(String(NOTES * 3))
    },
  )

  test.skipIf(why !== '')(`erase and restore --where compare no archived row with such a column${why}`, async () => {
    const { ended, done, erase, restore, settling, asked, place } = await archived(
      system,
      'dropped',
      `UPDATE ${TABLE} SET note = 'Ada'`,
      RENAMED,
    )
    for (const where of ["remark = 'Ada'", "note = 'Ada'", 'id = 1 AND remark IS NULL']) {
      expect(await ended(erase(where)), where).toMatchObject({ exitCode: 5, error: REFUSED })
      expect((await ended(erase(where, false))).error, where).toMatchObject(REFUSED)
      expect((await ended(restore({ into: 'got', where }))).error, where).toMatchObject(REFUSED)
    }
    expect(await ended(erase('id = 1'))).toMatchObject({ exitCode: 0, totals: { rows: '1' } })
    await done(restore({ into: 'got' }))
    const [same] = await settling(await ended(erase("remark = 'x'")))
    if (same !== undefined) await done(same)
    const [[note] = []] = await place.rows('SELECT note FROM got WHERE id = 1')
    expect((await done(erase(`remark = '${note}'`, false))).totals).toMatchObject({ rows: '1', sourceRows: '0' })
    expect(await asked(`SELECT count(remark) FROM ${TABLE}`)).toBe(String(60 + NOTES * 2 - 1))
  })

  test.skipIf(why !== '')(
    `neither rows that are all in the table nor a new column alone is ambiguous${why}`,
    async () => {
      const { done, restore, asked, place, erase, ended } = await archived(system, 'dropped')
      await place.sql(`ALTER TABLE ${TABLE} ADD COLUMN plain integer`)
      expect((await ended(erase('plain = 1'))).error).toMatchObject({
        code: 'BAD_PREDICATE',
        hint: expect.stringContaining('archived rows have no value in this column') as string,
      })
      expect(await asked(`SELECT count(*), count(plain) FROM ${TABLE}`)).toBe('180 0')
      await done(restore({ partitions: [OLD, '2020-Q2'] }))
      await place.sql(RENAMED)
      expect(await asked(`SELECT count(remark) FROM ${TABLE}`)).toBe(String(NOTES * 3))
    },
  )

  test.skipIf(why !== '')(`the column that divides the periods may be such a column${why}`, async () => {
    const { asked, ended, query, settling, done } = await archived(
      system,
      'detached',
      `ALTER TABLE ${TABLE} RENAME COLUMN at TO begun`,
    )
    const [same] = await settling(await ended(query(`SELECT count(*) FROM ${TABLE}`)))
    expect(same).toMatchObject({ renamed: ['at=begun'] })
    if (same !== undefined) await done(same)
    expect(await asked(`SELECT count(*) FROM ${TABLE} WHERE begun < '2020-04-01'`)).toBe('60')
  })
})

describe('postgresql, which numbers its columns', async () => {
  const why = await missing('postgresql')

  test.skipIf(why !== '')(`no command needs an option; erase uses the column names of the archive${why}`, async () => {
    const { asked, ended, erase, done, restore, bare } = await archived('postgresql', 'dropped', RENAMED)
    expect(await asked(`SELECT count(remark) FROM ${TABLE}`)).toBe(String(NOTES * 3))
    for (const name of ['remark', 'note']) {
      const { error } = await ended(erase(`${name} = 'Ada'`))
      expect(error).toMatchObject({
        code: 'PLAN_CHANGED',
        message: 'the condition cannot be used: column note of public.bookings is now called remark',
      })
      expect(error?.hint).toMatch(/^run sluice archive run --table public\.bookings /)
    }
    await done(bare)
    expect((await done(erase("remark = 'Ada'"))).totals).toMatchObject({ rows: '0' })
    await done(restore())
    expect(await asked(`SELECT count(remark) FROM ${TABLE}`)).toBe(String(NOTES * 3))
  })
})
