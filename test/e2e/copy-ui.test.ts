/**
 * Copies in a terminal, end to end: watched, steered, stopped and resumed; started from the list of a database's
 * tables.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, type Place } from '../support/copy-systems.ts'
import { run } from './support/program.ts'
import { closing, endLeftovers, expectRestored, start } from './support/terminal.ts'

const ROWS = 20_000
const NUMBERS = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})`
const NO_POSTGRES = await missing('postgresql')

describe('a copy in a terminal', () => {
  let folder: Folder
  let source: Place
  let from = ''

  beforeAll(async () => {
    folder = temporaryFolder()
    source = await makePlace('sqlite', folder.path)
    from = source.url
    await source.sql(
      'CREATE TABLE readings (id INTEGER PRIMARY KEY, place TEXT NOT NULL, degrees REAL)',
      `${NUMBERS} INSERT INTO readings SELECT i, 'place ' || i, i / 7.0 FROM n`,
    )
  })
  endLeftovers()
  afterAll(() => folder[Symbol.dispose]())

  const target = (name: string): string => `sqlite:///${join(folder.path, `${name}.db`)}`
  const all = (place: Place): Promise<unknown> => place.rows('SELECT * FROM readings ORDER BY id')

  it(
    'shows the map of keys; x stops after a chunk with exit code 75, and the printed command resumes',
    { timeout: 60_000 },
    async () => {
      const to = await makePlace('sqlite', folder.path)
      const words = [
        'copy',
        '--from',
        from,
        '--to',
        to.url,
        '--table',
        'readings',
        '--checkpoint-size',
        '500',
        '--rate',
        '5000',
      ]
      const app = start(folder.path, words, 120, 40)
      await app.until(/key space · id · 40 chunks of 500/)
      await app.until(/^ █+▒/m)
      await app.press(['<'], 'limit 2,500/s')
      await app.press(['p'], 'copying, paused')
      await app.press(['p'], /p pause/)
      app.type('x')
      await app.until('q leave')
      app.type('q')
      expect(await app.ended).toMatchObject({ exitCode: 75 })
      await expectRestored(app)
      const said = closing(app)
      expect(said).toMatch(/proved {3}\d+ of 40 chunks: count and checksum equal/)
      expect(said).toMatch(/end {6}\d+ of 40 chunks done, read ([\d,]+) = written \1 \+ skipped 0 \+ quarantined 0/)
      const next = /^\d+:\d\d next {5}sluice (.+)$/m.exec(said)?.[1]?.split(' ') ?? []
      const again = await run(folder.path, [...next.slice(0, next.indexOf('--rate')), '--ci'])
      expect(again.code).toBe(0)
      expect(again.err).toContain('proved already')
      expect(await all(to)).toEqual(await all(source))
    },
  )

  it('lists the tables of a database, shows the plan of a copy, and copies', { timeout: 60_000 }, async () => {
    const app = start(folder.path, [from], 120, 40)
    await app.until(/› readings +~?20,000/)
    expect(app.screen()).toContain('place    TEXT  not null')
    await app.press(['c'], 'copy to (URL)')
    await app.press([target('picked'), 'enter'], 'enter starts')
    expect(app.screen()).toMatch(/20,000 rows.*by id/)
    await app.press(['enter'], /ok, exit 0 · \d+ of \d+ chunks? proved/)
    expect(app.screen()).not.toMatch(/[▒▓↻✗] {0,3}$/m)
    app.type('esc', 'esc', 'q')
    expect(await app.ended).toMatchObject({ exitCode: 0 })
    await expectRestored(app)
    expect(closing(app)).toMatch(/end {6}read 20,000 = written 20,000/)
    const diff = await run(folder.path, [
      'diff',
      '--from',
      from,
      '--to',
      target('picked'),
      '--table',
      'readings',
      '--ci',
    ])
    expect(diff.code).toBe(0)
  })

  it(
    'compares again on the screen, and asks for the name before it removes many rows',
    { timeout: 60_000 },
    async () => {
      const to = await makePlace('sqlite', folder.path)
      const ends = ['--from', from, '--to', to.url, '--table', 'readings']
      expect((await run(folder.path, ['copy', ...ends, '--checkpoint-size', '1000', '--ci'])).code).toBe(0)
      await to.sql(
        'DELETE FROM readings WHERE id BETWEEN 1001 AND 1010',
        `${NUMBERS} INSERT INTO readings SELECT -i, 'only here', 0 FROM n WHERE i <= 1200`,
      )
      const app = start(folder.path, ['copy', ...ends, '--again', '--delete-extra', '--quit'], 120, 40)
      await app.until('Type readings to remove them')
      expect(app.screen().replaceAll('\n', '')).toContain('1200 rows of readings are not in the source')
      expect(await to.rows('SELECT COUNT(*) FROM readings WHERE id < 0')).toEqual([['1200']])
      app.type('readings', 'enter')
      expect(await app.ended).toMatchObject({ exitCode: 0 })
      await expectRestored(app)
      const said = closing(app)
      expect(said).toContain('20 of 20 chunks proved now, 20 of them compared: count and checksum equal')
      expect(said).toMatch(/1,200 removed from the target/)
      expect(await all(to)).toEqual(await all(source))
    },
  )

  it.skipIf(NO_POSTGRES !== '')(
    `quarantines a row that PostgreSQL refuses, prints the next step, and shows no password${NO_POSTGRES}`,
    { timeout: 60_000 },
    async () => {
      const to = await makePlace('postgresql', folder.path)
      await to.sql(
        "CREATE TABLE readings (id bigint PRIMARY KEY, place text NOT NULL CHECK (place <> 'place 4321'), degrees double precision)",
      )
      const words = [
        'copy',
        '--from',
        from,
        '--to',
        to.url,
        '--table',
        'readings',
        '--checkpoint-size',
        '1000',
        '--quit',
      ]
      const app = start(folder.path, words)
      await app.until(/quarantined 1/)
      await app.ended
      await expectRestored(app)
      const said = closing(app)
      expect(said).toContain('20 of 20 chunks: count and checksum equal, without the row quarantined')
      expect(said).toContain('read 20,000 = written 19,999 + skipped 0 + quarantined 1')
      expect(said).toMatch(/next {5}sluice quarantine retry \d+ --to postgresql:/)
      expect(said).toMatch(/exit {5}1 {2}one row of \S+ is not in the target/)
      const password = decodeURIComponent(new URL(to.url).password)
      if (password !== '') expect(app.raw()).not.toContain(password)
      expect(await to.rows('SELECT count(*) FROM readings')).toEqual([['19999']])
    },
  )
})
