/**
 * Rows that are added, changed or deleted in an archived period of a plain table: `query` sees them, `verify` names
 * them, `list` and `plan` count them.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, type Place } from '../support/copy-systems.ts'
import { run } from '../e2e/support/program.ts'

const SYSTEMS = ['sqlite', 'postgresql'] as const
const WITHOUT = new Map(await Promise.all(SYSTEMS.map(async (system) => [system, await missing(system)] as const)))

describe.each(SYSTEMS)('a plain table of %s', (system) => {
  const why = WITHOUT.get(system) ?? ''
  let folder: Folder
  let source: Place

  beforeAll(async () => {
    folder = temporaryFolder()
    if (why !== '') return
    source = await makePlace(system, folder.path)
    const [kind, numbers] =
      system === 'sqlite'
        ? [
            'TEXT',
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 799) SELECT i, date('2023-01-01', (i / 2) || ' days'), 'v' || i FROM n",
          ]
        : ['date', "SELECT i, date '2023-01-01' + i / 2, 'v' || i FROM generate_series(0, 799) AS i"]
    await source.sql(
      `CREATE TABLE bookings (id INTEGER PRIMARY KEY, day ${kind}, v TEXT)`,
      `INSERT INTO bookings ${numbers}`,
      'CREATE TABLE other (id INTEGER PRIMARY KEY)',
    )
  })
  afterAll(() => folder[Symbol.dispose]())

  const sluice = (...words: readonly string[]): ReturnType<typeof run> =>
    run(folder.path, [...words, '--from', source.url, '--ci'])
  const count = async (): Promise<string> =>
    (await sluice('query', 'bookings', 'SELECT count(*), count(DISTINCT id) FROM bookings')).out

  it.skipIf(why !== '')(`has late, changed and deleted rows${why}`, { timeout: 120_000 }, async () => {
    const due = ['--by', 'day', '--calendar', 'quarter', '--older-than', '2q', '--grace', '0s']
    const archived = await sluice('archive', 'run', '--table', 'bookings', '--to', join(folder.path, 'archive'), ...due)
    expect(archived).toMatchObject({ code: 0 })
    expect(await count()).toMatch(/\b800 +800\b/)
    expect(await sluice('archive', 'verify', '--table', 'bookings')).toMatchObject({ code: 0 })

    await source.sql("INSERT INTO bookings VALUES (9001, '2023-02-03', 'late'), (9002, '2023-02-04', 'late')")
    // That is no damage, and a backup would not help.
    const late = await sluice('archive', 'verify', '--table', 'bookings')
    expect(late).toMatchObject({ code: 1 })
    expect(late.out + late.err).toContain('1 archived period has late rows in the table')
    expect(late.out + late.err).not.toContain('backup')
    // Without a table all archives are read: the printed command names the table.
    const all = await sluice('archive', 'verify')
    expect(all.out + all.err).toMatch(/sluice archive plan --table \S*bookings .*shows what a run does with late rows/)

    await source.sql("UPDATE bookings SET v = 'changed' WHERE id = 5", 'DELETE FROM bookings WHERE id = 7')
    // The archive's rows, changed or deleted in the table or not, and the late ones.
    expect(await count()).toMatch(/\b802 +802\b/)
    const some = await sluice('query', 'bookings', 'SELECT id, v FROM bookings WHERE id IN (5, 7, 9001) ORDER BY id')
    expect(some.out).toMatch(/5 +v5\n *7 +v7\n *9001 +late/)

    const verified = await sluice('archive', 'verify', '--table', 'bookings')
    expect(verified).toMatchObject({ code: 1 })
    expect(verified.out).toMatch(/late rows .* 2 rows in the table but not in the archive: 9001; 9002/)
    expect(verified.out).toMatch(/changed rows .* 1 row with other values in the archive: 5/)
    expect(verified.out).toMatch(/deleted rows .* 1 row in the archive but gone from the table: 7/)
    expect(verified.out + verified.err).toContain('3 differences between archived periods and the database')
    expect(verified.out + verified.err).toMatch(/sluice restore --table \S*bookings --partition 2023-Q1 --dry-run/)
    expect(verified.out + verified.err).not.toMatch(/backup|differ from their proofs/)
    const list = await sluice('archive', 'list', '--table', 'bookings')
    expect(list.out).toMatch(/2023-Q1 .* 181 .* 1 row more in the table than expected, by count/)
    expect(list.err).toMatch(
      /\d by count, which shows neither changed values nor a late row that replaces a deleted one/,
    )
    const plan = await sluice('archive', 'plan', '--table', 'bookings', '--older-than', '2q')
    expect(plan.out).toMatch(/2023-Q1 .*1 row more in the table than expected, by count/)
    expect(plan.err).toMatch(/\d by count, which shows neither/)
    const asked = await sluice('query', 'bookings', 'SELECT count(*) FROM bookings')
    expect(asked.err).toMatch(/\d+ of them left out because the archive has their key; their values were not compared/)
  })

  it.skipIf(why !== '')(`reports if it knows of no archive${why}`, { timeout: 60_000 }, async () => {
    const asked = await sluice('query', 'other', 'SELECT count(*) FROM other')
    expect(asked.code).toBe(0)
    expect(asked.err).toContain('no archive ledger for the table')
  })
})
