/**
 * Tables that change between two runs of a copy: the copy is refused with the reason, or it continues if the change
 * does not matter. Rows of both states are never mixed.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Interrupter } from '../../src/shared/abort.ts'
import { ALL } from '../support/backend.ts'
import { copyOf, makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'
import { expectDone, of, type Copied } from './copy-kit.ts'

const ROWS = 400
const SELECT = 'SELECT id, name, n FROM t ORDER BY id'
const PAIRS = [
  ['sqlite', 'sqlite'],
  ['postgresql', 'postgresql'],
  ['postgresql', 'mysql'],
] as const
/**
 * Cases that need servers. Files test all others, because servers take longer; SLUICE_TEST_ALL tests every case
 * everywhere.
 */
const SERVERS_ONLY = new Set([
  'a column has another type',
  'a column can hold it no more',
  'another table has its name',
  'the key is gone',
  'a column has to be filled by somebody',
  'the table was emptied',
])

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-copy-drift-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function filled(source: Place, from: number, to: number, name = 'row'): Promise<void> {
  const rows = Array.from({ length: to - from + 1 }, (_, i) => `(${from + i}, '${name} ${from + i}', ${i % 7})`)
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(50), n INTEGER)')
  await source.sql(`INSERT INTO t VALUES ${rows.join(', ')}`)
}

/** Copies one chunk and stops. */
async function begun(copy: Copied['copy']): Promise<void> {
  const interrupt = new Interrupter()
  const { finished } = await perform(
    { ...copy, workers: 1 },
    {
      interrupt,
      onEvent: ({ type }) => {
        if (type === 'chunk.done') interrupt.requestStop()
      },
    },
  )
  expect(finished).toMatchObject({ exitCode: 75, totals: { proved: '1' } })
}

describe.each(ALL ? PAIRS : PAIRS.slice(0, 2))('from %s to %s', (from, to) => {
  async function room(context: { skip(condition: boolean, why: string): void }): Promise<Copied> {
    for (const system of [from, to]) {
      const why = await missing(system)
      context.skip(why !== '', why)
    }
    const [source, target] = [await makePlace(from, folder), await makePlace(to, folder)]
    await filled(source, 1, ROWS)
    const copy = copyOf(source, target, 't', { chunkRows: 100 })
    return { copy, source, target, table: 't', select: SELECT }
  }

  async function expectUntouched({ target }: Copied, act: () => Promise<Ran>): Promise<Ran> {
    const before = await target.rows('SELECT * FROM t ORDER BY id')
    const ran = await act()
    expect(of(ran.events, 'chunk.started')).toEqual([])
    expect(await target.rows('SELECT * FROM t ORDER BY id')).toEqual(before)
    return ran
  }

  const casesOf = <T extends readonly [string, ...unknown[]]>(cases: readonly T[]): readonly T[] =>
    cases.filter(([what]) => ALL || from === 'sqlite' || SERVERS_ONLY.has(what))
  const other = from === 'sqlite' ? 'TEXT' : 'bigint'
  const AT_SOURCE: readonly (readonly [string, readonly string[], RegExp])[] = [
    [
      'a column is added',
      ['ALTER TABLE t ADD COLUMN more INTEGER'],
      /^TABLE_REFUSED: the target's .*t has no column more/,
    ],
    ['a column is dropped', ['ALTER TABLE t DROP COLUMN n'], /^PLAN_CHANGED: columns: was n /],
    [
      'a column has another name',
      ['ALTER TABLE t RENAME COLUMN n TO m'],
      /^TABLE_REFUSED: the target's .*t has no column m/,
    ],
    [
      'a column has another type',
      from === 'sqlite'
        ? ['ALTER TABLE t DROP COLUMN n', `ALTER TABLE t ADD COLUMN n ${other}`]
        : [`ALTER TABLE t ALTER COLUMN n TYPE ${other}`],
      /^PLAN_CHANGED: (?:columns: was n .*is n |table identity: )/,
    ],
    [
      'another table has its name',
      [
        'DROP TABLE t',
        'CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(50), n INTEGER)',
        "INSERT INTO t VALUES (350, 'new', 1)",
      ],
      /^PLAN_CHANGED: table identity: /,
    ],
    ['the key is gone', ['ALTER TABLE t DROP CONSTRAINT t_pkey'], /^PLAN_CHANGED: key: /],
  ]
  test.for(casesOf(AT_SOURCE))(
    'refused if %s at the source',
    { timeout: 60_000 },
    async ([what, statements, reason], context) => {
      // A table of SQLite is identified by its name only, so another table of this name is the same one.
      context.skip(
        from === 'sqlite' && what.startsWith('another table'),
        'SQLite does not tell tables of one name apart',
      )
      context.skip(from === 'sqlite' && what.startsWith('the key'), 'SQLite does not take a key away')
      const done = await room(context)
      await begun(done.copy)
      await done.source.sql(...statements)
      const { finished } = await expectUntouched(done, () => perform(done.copy))
      const reported = `${finished.error?.code}: ${finished.error?.reason ?? finished.error?.message}`
      expect(reported).toMatch(reason)
      expect(finished.exitCode).toBe(reported.startsWith('PLAN_CHANGED') ? 5 : 4)
      // SQLite identifies a table by its columns.
      if (what !== 'a column is added' || from === 'sqlite') return
      // If the new column is excluded, the copy continues.
      const copy = { ...done.copy, columns: ['id', 'name', 'n'] }
      expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
      await expectDone({ ...done, copy })
    },
  )

  const AT_TARGET: readonly (readonly [string, readonly string[], number, string])[] = [
    ['a column is gone', ['ALTER TABLE t DROP COLUMN n'], 4, 'TABLE_REFUSED'],
    [
      'a column has to be filled by somebody',
      ['ALTER TABLE t ADD COLUMN must INTEGER NOT NULL DEFAULT 0', 'ALTER TABLE t ALTER COLUMN must DROP DEFAULT'],
      4,
      'TABLE_REFUSED',
    ],
    [
      'a column can hold it no more',
      ['ALTER TABLE t DROP COLUMN n', `ALTER TABLE t ADD COLUMN n ${to === 'postgresql' ? 'uuid' : 'DATE'}`],
      6,
      'UNSUPPORTED_TYPE',
    ],
    ['the table is gone', ['DROP TABLE t'], 5, 'PLAN_CHANGED'],
    ['the table was emptied', ['DELETE FROM t'], 5, 'PLAN_CHANGED'],
  ]
  test.for(casesOf(AT_TARGET))('refused if %s at the target', { timeout: 60_000 }, async (drift, context) => {
    const [what, statements, exitCode, code] = drift
    context.skip(
      to === 'sqlite' && /filled|no more/.test(what),
      'SQLite drops no default, and its columns hold anything',
    )
    const done = await room(context)
    await begun(done.copy)
    await done.target.sql(...statements)
    const ran = await perform(done.copy)
    expect(ran.finished).toMatchObject({ exitCode, error: { code } })
    expect(of(ran.events, 'chunk.started')).toEqual([])
    if (code !== 'PLAN_CHANGED') return
    expect((await perform({ ...done.copy, restart: true })).finished).toMatchObject({
      exitCode: 0,
      totals: { written: String(ROWS) },
    })
    await expectDone(done)
  })

  test('an additional column of the target, and a wider one, do not matter', { timeout: 60_000 }, async (context) => {
    const done = await room(context)
    await begun(done.copy)
    await done.target.sql('ALTER TABLE t ADD COLUMN remark VARCHAR(20)')
    if (to === 'postgresql') await done.target.sql('ALTER TABLE t ALTER COLUMN n TYPE bigint')
    const { finished } = await perform(done.copy)
    expect(finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
    await expectDone(done)
  })
})

test(
  'if a column of the target becomes too narrow, only the rows that do not fit are quarantined',
  { timeout: 60_000 },
  async (context) => {
    const why = await missing('postgresql')
    context.skip(why !== '', why)
    const [source, target] = [await makePlace('postgresql', folder), await makePlace('postgresql', folder)]
    await filled(source, 1, ROWS)
    await source.sql("UPDATE t SET name = repeat('long ', 5) WHERE id IN (150, 350)")
    const copy = copyOf(source, target, 't', { chunkRows: 100 })
    await begun(copy)
    await target.sql('ALTER TABLE t ALTER COLUMN name TYPE varchar(12)')
    const { finished } = await perform(copy)
    expect(finished).toMatchObject({
      exitCode: 1,
      error: { code: 'ROWS_ASIDE' },
      totals: { written: '398', quarantined: '2' },
    })
    expect(await target.rows('SELECT row_key FROM migration_quarantine ORDER BY row_key')).toEqual([
      ['["150"]'],
      ['["350"]'],
    ])
    await target.sql('ALTER TABLE t ALTER COLUMN name TYPE varchar(50)')
    const repaired = await perform({ kind: 'retry-quarantine', from: source.url, to: target.url })
    expect(repaired.finished).toMatchObject({ exitCode: 0, totals: { written: '2' } })
    await expectDone({ copy, source, target, table: 't', select: SELECT })
  },
)
