/**
 * All commands treat the same columns as times: serial ids are no times to any command, with `--epoch` or if the ledger
 * has them as times they are.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import { makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'

const SYSTEMS = ['postgresql', 'mysql', 'sqlite'] as const
type System = (typeof SYSTEMS)[number]

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-time-judge-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs a command line as it is typed. */
async function say(place: Place, line: string): Promise<Ran> {
  const { request } = await parseCommandLine([...line.split(' '), '--from', place.url], {})
  if (request.kind !== 'operation') throw new Error(request.kind)
  return perform(request.operation)
}

const seconds = (day: string): number => Date.parse(`${day}T00:00:00Z`) / 1000
const YEAR = new Date().getUTCFullYear()

/**
 * A plain table of serial ids, one whose numbers are times, and partitioned ones: of ids, without a bound, and of the
 * months of this year.
 */
const TABLES: Readonly<Record<System, readonly string[]>> = {
  postgresql: [
    'CREATE TABLE ids (id bigint PRIMARY KEY, note text)',
    `INSERT INTO ids SELECT i, 'n' FROM generate_series(1, 500) i`,
    'CREATE TABLE parts (id bigint PRIMARY KEY) PARTITION BY RANGE (id)',
    'CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (10001)',
    'CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10001) TO (20001)',
    'CREATE TABLE loose (id bigint PRIMARY KEY) PARTITION BY RANGE (id)',
    'CREATE TABLE loose_rest PARTITION OF loose DEFAULT',
    'CREATE TABLE years (id bigint PRIMARY KEY) PARTITION BY RANGE (id)',
    ...[YEAR - 1, YEAR].map(
      (year) =>
        `CREATE TABLE years_${year} PARTITION OF years FOR VALUES FROM (${seconds(`${year}-01-01`)}) TO (${seconds(`${year + 1}-01-01`)})`,
    ),
  ],
  mysql: [
    'CREATE TABLE ids (id bigint PRIMARY KEY, note varchar(9))',
    "INSERT INTO ids VALUES (1, 'n'), (500, 'n')",
    'CREATE TABLE parts (id bigint PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p1 VALUES LESS THAN (10001), PARTITION p2 VALUES LESS THAN (20001))',
    'CREATE TABLE loose (id bigint PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION rest VALUES LESS THAN MAXVALUE)',
    `CREATE TABLE years (id bigint PRIMARY KEY) PARTITION BY RANGE (id) (${[YEAR, YEAR + 1]
      .map((year) => `PARTITION y${year - 1} VALUES LESS THAN (${seconds(`${year}-01-01`)})`)
      .join(', ')})`,
  ],
  sqlite: ['CREATE TABLE ids (id integer PRIMARY KEY, note text)', "INSERT INTO ids VALUES (1, 'n'), (500, 'n')"],
}

type Row = {
  readonly line: string
  readonly systems: readonly System[]
  /** Code of the refusal; none if the bounds themselves show that the numbers are times. */
  readonly refused?: 'BAD_FLAG' | 'UNSUPPORTED_TYPE'
  /** The result with `--epoch s`, or without it if nothing is refused. */
  readonly after: object
}

const OK = { exitCode: 0 }
/** Accepted as time, and then refused for another reason: findings of the plan, or hundreds of periods of ids. */
const AFTER = (code: string): object => ({ error: { code } })

const ROWS: readonly Row[] = [
  { line: 'partition plan --table ids --by id', systems: ['postgresql'], refused: 'BAD_FLAG', after: OK },
  { line: 'partition in-place --table ids --by id -n', systems: ['postgresql'], refused: 'BAD_FLAG', after: OK },
  {
    line: 'partition run --table ids --by id --first nope',
    systems: ['postgresql'],
    refused: 'BAD_FLAG',
    // The column is accepted as time; the next check refuses the run.
    after: AFTER('NOT_FOLLOWABLE'),
  },
  {
    line: 'partition ensure --table parts --calendar month',
    systems: ['postgresql', 'mysql'],
    refused: 'UNSUPPORTED_TYPE',
    after: AFTER('BAD_FLAG'),
  },
  {
    line: 'partition list --table loose --calendar month',
    systems: ['postgresql', 'mysql'],
    refused: 'UNSUPPORTED_TYPE',
    after: OK,
  },
  {
    line: 'partition ensure --table loose --calendar month',
    systems: ['postgresql', 'mysql'],
    refused: 'UNSUPPORTED_TYPE',
    after: { ...OK, totals: { made: '3' } },
  },
  { line: 'partition ensure --table years', systems: ['postgresql', 'mysql'], after: { ...OK, totals: { made: '2' } } },
  { line: 'archive plan --table ids --by id --older-than 24m', systems: SYSTEMS, refused: 'BAD_FLAG', after: OK },
  { line: 'lifecycle init --table ids --by id --write -', systems: SYSTEMS, refused: 'BAD_FLAG', after: OK },
  {
    line: 'lifecycle init --table parts --calendar month --write -',
    systems: ['postgresql', 'mysql'],
    refused: 'UNSUPPORTED_TYPE',
    after: OK,
  },
]

for (const system of SYSTEMS) {
  const why = await missing(system)
  describe.skipIf(why !== '')(`${system}${why}`, { timeout: 60_000 }, () => {
    let place: Place
    beforeAll(async () => {
      place = await makePlace(system, folder)
      await place.sql(...TABLES[system])
    })

    test.each(ROWS.filter(({ systems }) => systems.includes(system)))('$line', async ({ line, refused, after }) => {
      const to = line.startsWith('archive') ? ` --to ${join(folder, system)}` : ''
      if (refused === undefined) {
        expect((await say(place, line + to)).finished).toMatchObject(after)
        return
      }
      const { finished } = await say(place, line + to)
      expect(finished.error?.code).toBe(refused)
      expect(`${finished.error?.reason} ${finished.error?.hint}`).toContain('--epoch s')
      expect((await say(place, `${line}${to} --epoch s`)).finished).toMatchObject(after)
    })

    test('a column that the ledger has archived as time needs no option', async () => {
      await place.sql('CREATE TABLE past (id bigint PRIMARY KEY)', 'INSERT INTO past VALUES (1), (500)')
      const run = `archive run --table past --by id --older-than 24m --to ${join(folder, `${system}-past`)}`
      expect((await say(place, `${run} --epoch s`)).finished).toMatchObject(OK)
      expect((await say(place, run)).finished).toMatchObject(OK)
      expect((await say(place, 'lifecycle init --table past --by id --write -')).finished).toMatchObject(OK)
    })
  })
}
